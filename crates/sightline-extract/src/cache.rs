//! The cached descriptor set of a folder, for `search --in FOLDER`: kept in the user's cache, updated where the folder changed.
//!
//! One set for each folder and identity of the card, `folders/HASH/set.safetensors` under the [cache root](cache_root). Its metadata
//! `folder` says for every picture, failed ones included, which size and time of change its file had.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sightline_card::{Card, Circumstances, sha256_hex};
use sightline_descriptor::{DescriptorSet, RowType, SetHeader, SetWriter};

use crate::error::ExtractError;
use crate::extraction::{Failed, Progress, Work, describe_into};
use crate::journal::{Journal, Place};
use crate::network::Network;
use crate::picture::{Picture, Prepare, Stamp};
use crate::pipeline::Options;
use crate::skipped::Skipped;

/// Of another version nothing is used: a cache can be made again.
const FORMAT_VERSION: u32 = 1;
/// The metadata key.
const STATE: &str = "folder";

/// The folder under which all caches lie: `$SIGHTLINE_CACHE`, else `$XDG_CACHE_HOME/sightline`, else `~/.cache/sightline`
/// (`%LOCALAPPDATA%\sightline` on Windows).
///
/// # Errors
/// When none of these variables is set.
pub fn cache_root() -> Result<PathBuf, ExtractError> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("SIGHTLINE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|root| root.join("sightline")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache").join("sightline")))
        .or_else(|| variable("LOCALAPPDATA").map(|local| local.join("sightline")))
        .ok_or(ExtractError::NoCache)
}

/// The cached set of one folder, made in one way.
#[derive(Debug, Clone)]
pub struct FolderCache {
    folder: PathBuf,
    place: PathBuf,
    card: Card,
}

/// What an update did.
#[derive(Debug)]
pub struct CacheReport {
    /// The set, with a row for every picture of the folder that can be described. Names are paths relative to the folder.
    pub set: DescriptorSet,
    /// Rows that were kept from the set before.
    pub kept: usize,
    /// Rows that are new, because their file is or has changed.
    pub described: usize,
    /// Rows and failures of the set before whose file is gone.
    pub removed: usize,
    /// Pictures that cannot be described, in the order of their names; those known from before are not tried again until their
    /// file changes.
    pub skipped: Vec<Skipped>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    name: String,
    size: u64,
    /// Nanoseconds since 1970.
    modified: i64,
    /// Why the file has no row; none: it has one, the next in the set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    failed: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct State {
    format_version: u32,
    /// The folder, for whoever looks into the cache.
    folder: String,
    entries: Vec<Entry>,
}

/// What the set before holds of a picture.
enum Known {
    Row(usize),
    Failed(String),
}

impl FolderCache {
    /// The cache of `folder` for sets made as `card` says, under `root` (usually [`cache_root`]).
    ///
    /// # Errors
    /// When the folder does not exist or the cache cannot be created.
    pub fn open(root: &Path, folder: &Path, card: &Card) -> Result<FolderCache, ExtractError> {
        let real = fs::canonicalize(folder).map_err(ExtractError::io(folder, "opened"))?;
        let mut id = real.as_os_str().as_encoded_bytes().to_vec();
        id.push(0);
        id.extend(card.identity.hash().bytes());
        let place = root.join("folders").join(&sha256_hex(&id)[..32]);
        fs::create_dir_all(&place).map_err(ExtractError::io(&place, "created"))?;
        Ok(FolderCache {
            folder: folder.to_path_buf(),
            place,
            card: card.clone(),
        })
    }

    /// Where the set lies.
    #[must_use]
    pub fn set_path(&self) -> PathBuf {
        self.place.join("set.safetensors")
    }

    /// Brings the set up to date with the folder's `pictures`, all of them, and opens it. Only new and changed files are described; killed in between, what
    /// is done is not done again. A second process that updates the same set waits.
    ///
    /// # Errors
    /// When no picture could be described by this network, or the file system refuses.
    pub fn update(
        &self,
        pictures: &[Picture],
        prepare: &dyn Prepare,
        network: &mut Network<'_>,
        options: &Options,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<CacheReport, ExtractError> {
        let lock_path = self.place.join("lock");
        let lock = File::create(&lock_path).map_err(ExtractError::io(&lock_path, "created"))?;
        // Where the file system has no locks, two updates at once only do the same work twice.
        let _ = lock.lock();
        let before = self.before();
        let stamps: Vec<Option<Stamp>> = pictures.iter().map(|picture| Stamp::at(&picture.path)).collect();
        let known: Vec<Option<Known>> = pictures
            .iter()
            .zip(&stamps)
            .map(|(picture, stamp)| before.find(&picture.name, *stamp))
            .collect();
        let todo: Vec<&Picture> = pictures
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(picture, _)| picture)
            .collect();
        let kept = known
            .iter()
            .filter(|known| matches!(known, Some(Known::Row(_))))
            .count();
        let found = known.iter().flatten().count();
        let gone = {
            let here: std::collections::HashSet<&str> = pictures.iter().map(|p| p.name.as_str()).collect();
            before
                .entries
                .keys()
                .filter(|name| !here.contains(name.as_str()))
                .count()
        };
        let described;
        let skipped;
        let set = match before.set {
            // Nothing new, nothing changed, nothing gone: the set is as it should be.
            Some(set) if todo.is_empty() && gone == 0 && found == pictures.len() => {
                described = 0;
                let failed = |known: Option<Known>| match known {
                    Some(Known::Failed(reason)) => Some(reason),
                    _ => None,
                };
                let reasons: Vec<Option<String>> = known.into_iter().map(failed).collect();
                skipped = list_skipped(pictures, &reasons);
                set
            }
            old => {
                let mut journal = match Journal::open(&self.set_path(), &self.card, false) {
                    // What another runtime left unfinished is not worth an error in a cache.
                    Err(ExtractError::OtherJob { .. } | ExtractError::Journal { .. }) => {
                        Journal::open(&self.set_path(), &self.card, true)?
                    }
                    opened => opened?,
                };
                let mut shown = |now: Progress| {
                    let (done, total) = (now.done + kept, now.total + found);
                    progress(Progress {
                        done,
                        total,
                        resumed: now.resumed + kept,
                        failed: now.failed + found - kept,
                    });
                };
                let work = describe_into(&mut journal, &todo, prepare, network, options, &mut shown)?;
                described = work.rows.iter().filter(|row| row.is_ok()).count();
                let reasons = self.write(&mut journal, old.as_ref(), pictures, known, &stamps, work)?;
                skipped = list_skipped(pictures, &reasons);
                drop(old);
                journal.remove()?;
                DescriptorSet::open(self.set_path())?
            }
        };
        Ok(CacheReport {
            set,
            kept,
            described,
            removed: gone,
            skipped,
        })
    }

    /// The set as the last update left it; empty where there is none that can be used.
    fn before(&self) -> Before {
        let usable = || -> Option<Before> {
            let set = DescriptorSet::open(self.set_path()).ok()?;
            let state: State = serde_json::from_str(set.extra().get(STATE)?).ok()?;
            let same = set
                .card()
                .is_some_and(|card| card.differences(&self.card).is_empty());
            if !same || state.format_version != FORMAT_VERSION {
                return None;
            }
            let mut entries = HashMap::new();
            let mut row = 0;
            for entry in state.entries {
                let stamp = Stamp {
                    size: entry.size,
                    modified: entry.modified,
                };
                let known = match entry.failed {
                    Some(reason) => Known::Failed(reason),
                    None if set.names().get(row) == Some(&entry.name) => {
                        row += 1;
                        Known::Row(row - 1)
                    }
                    None => return None,
                };
                entries.insert(entry.name, (stamp, known));
            }
            (row == set.len()).then_some(Before {
                set: Some(set),
                entries,
            })
        };
        usable().unwrap_or(Before {
            set: None,
            entries: HashMap::new(),
        })
    }

    /// Writes the new set and says for each picture why it failed, if it did.
    fn write(
        &self,
        journal: &mut Journal,
        old: Option<&DescriptorSet>,
        pictures: &[Picture],
        known: Vec<Option<Known>>,
        stamps: &[Option<Stamp>],
        work: Work,
    ) -> Result<Vec<Option<String>>, ExtractError> {
        enum Source {
            Old(usize),
            New(Place),
        }
        let mut new = work.rows.into_iter();
        let mut entries = Vec::with_capacity(pictures.len());
        let mut names = Vec::new();
        let mut sources = Vec::new();
        let mut reasons = Vec::with_capacity(pictures.len());
        for ((picture, known), stamp) in pictures.iter().zip(known).zip(stamps) {
            let unreached = || {
                Err(Failed {
                    reason: "It was not reached.".to_owned(),
                    stamp: None,
                })
            };
            let (source, stamp) = match known {
                Some(Known::Row(row)) => (Ok(Source::Old(row)), *stamp),
                Some(Known::Failed(reason)) => (Err(reason), *stamp),
                None => match new.next().unwrap_or_else(unreached) {
                    Ok(row) => (Ok(Source::New(row.place)), Some(row.stamp)),
                    Err(failed) => (Err(failed.reason), failed.stamp),
                },
            };
            let failed = source.as_ref().err().cloned();
            // A file that could not even be opened has no stamp; it is tried again the next time.
            if let Some(Stamp { size, modified }) = stamp {
                entries.push(Entry {
                    name: picture.name.clone(),
                    size,
                    modified,
                    failed: failed.clone(),
                });
            }
            if let Ok(source) = source {
                names.push(picture.name.clone());
                sources.push(source);
            }
            reasons.push(failed);
        }
        let state = State {
            format_version: FORMAT_VERSION,
            folder: self.folder.display().to_string(),
            entries,
        };
        let extra: BTreeMap<String, String> = [(
            STATE.to_owned(),
            serde_json::to_string(&state).unwrap_or_default(),
        )]
        .into();
        let older = old.and_then(DescriptorSet::card).map(|card| &card.circumstances);
        let circumstances = Circumstances::joined(older.into_iter().chain([&journal.card().circumstances]));
        let card = Card::new(self.card.identity.clone(), circumstances);
        let header = SetHeader {
            card: Some(&card),
            extra: &extra,
            ..SetHeader::new(&names, card.identity.dim, RowType::F32)
        };
        let mut writer = SetWriter::create_through(&self.set_path(), &journal.temporary(), &header)?;
        for source in sources {
            match (source, old) {
                (Source::Old(row), Some(old)) => writer.push(&old.row(row))?,
                (Source::Old(_), None) => {}
                (Source::New(place), _) => writer.push(&journal.row(place)?)?,
            }
        }
        writer.finish()?;
        Ok(reasons)
    }
}

struct Before {
    set: Option<DescriptorSet>,
    entries: HashMap<String, (Stamp, Known)>,
}

impl Before {
    fn find(&self, name: &str, stamp: Option<Stamp>) -> Option<Known> {
        let (of, known) = self.entries.get(name)?;
        (Some(*of) == stamp).then(|| match known {
            Known::Row(row) => Known::Row(*row),
            Known::Failed(reason) => Known::Failed(reason.clone()),
        })
    }
}

fn list_skipped(pictures: &[Picture], reasons: &[Option<String>]) -> Vec<Skipped> {
    let failed = pictures
        .iter()
        .zip(reasons)
        .filter_map(|(picture, reason)| Some((picture, reason.as_ref()?)));
    failed
        .map(|(picture, reason)| Skipped {
            name: picture.name.clone(),
            path: picture.path.display().to_string(),
            reason: reason.clone(),
        })
        .collect()
}
