//! An inverted file, opened: for each word its entries, each a vector and the image that it is from.

use super::AsmkError;
use super::aggregate::as_vectors;
use super::card::AsmkCard;
use super::kernel::Vectors;
use super::layout::{
    Footer, HEAD_BYTES, MAGIC, MOST_FOOTER_BYTES, Part, Section, TRAILER_BYTES, VERSION, hex,
};
use bytemuck::AnyBitPattern;
use sha2::{Digest as _, Sha256};
use sightline_checkpoint::Storage;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Codes of more bits would not fit the numbers that distances are counted in.
pub(crate) const MOST_DIM: usize = 32_768;

/// An inverted file, memory-mapped and never changed: adding and removing write a new one.
///
/// Images have ids from 0; one without a name does not exist (it was removed, or its id was left out). The first
/// [`Index::distractors`] of them answer no query: [`Index::number`] is negative for them.
#[derive(Clone, Debug)]
pub struct Index {
    path: PathBuf,
    footer: Footer,
    offsets: Storage,
    ids: Storage,
    vectors: Storage,
    idf: Storage,
    norms: Storage,
    name_offsets: Storage,
    names: Storage,
}

/// The entries of all words, as they lie in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lists<'a> {
    /// [words + 1]
    pub(crate) offsets: &'a [u64],
    pub(crate) ids: &'a [u32],
    /// [entries, units]
    pub(crate) vectors: &'a [u32],
    pub(crate) units: usize,
}

impl<'a> Lists<'a> {
    /// Ids and vectors of one word.
    pub(crate) fn of(&self, word: usize) -> (&'a [u32], &'a [u32]) {
        let [start, end] = [word, word + 1].map(|at| self.offsets.get(at).map_or(0, |at| *at as usize));
        let ids = self.ids.get(start..end).unwrap_or_default();
        let vectors = self
            .vectors
            .get(start * self.units..end * self.units)
            .unwrap_or_default();
        (ids, vectors)
    }
}

impl Index {
    /// Opens a file through a memory map. Reads the footer and the offsets; damage elsewhere is found by
    /// [`Index::verify`], and never makes a search do worse than answer wrongly.
    ///
    /// # Errors
    /// When the file cannot be opened, is none, is newer, or contradicts itself.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AsmkError> {
        let path = path.as_ref();
        let map = File::open(path)
            .and_then(|file| Storage::map(&file))
            .map_err(AsmkError::io(path, "opened"))?;
        Self::from_storage(path, &map)
    }

    /// Reads a file that lies in memory; `path` is what messages call it.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn from_storage(path: &Path, file: &Storage) -> Result<Self, AsmkError> {
        let damaged = |reason: String| AsmkError::Damaged {
            path: path.to_path_buf(),
            reason,
        };
        let footer = read_footer(path, file)?;
        let card = &footer.card;
        if card.dim == 0 || card.dim > MOST_DIM || card.words == 0 || card.words > u32::MAX as usize {
            return Err(damaged(format!(
                "it says {} words and descriptors of {} values",
                card.words, card.dim
            )));
        }
        if footer.images > u64::from(u32::MAX) || footer.distractors > footer.images {
            return Err(damaged(format!(
                "it says {} images, {} of them distractors",
                footer.images, footer.distractors
            )));
        }
        let part = |wanted: Part, count: Option<u64>, size: u64| {
            let section = one_section(&footer.sections, wanted)
                .ok_or_else(|| damaged(format!("its footer does not name one section {wanted:?}")))?;
            let fits = count.is_none_or(|count| count.checked_mul(size) == Some(section.bytes));
            let bytes = usize::try_from(section.start)
                .ok()
                .zip(usize::try_from(section.bytes).ok())
                .and_then(|(start, bytes)| file.part(start, bytes))
                .filter(|part| fits && (part.as_ptr() as usize).is_multiple_of(8));
            bytes.ok_or_else(|| {
                damaged(format!(
                    "its section {wanted:?} has not the place and length it should"
                ))
            })
        };
        let words = card.words as u64;
        let units = card.units() as u64;
        let index = Self {
            path: path.to_path_buf(),
            offsets: part(Part::Offsets, Some(words + 1), 8)?,
            ids: part(Part::Ids, Some(footer.entries), 4)?,
            vectors: part(Part::Vectors, footer.entries.checked_mul(units), 4)?,
            idf: part(Part::Idf, Some(words), 4)?,
            norms: part(Part::Norms, Some(footer.images), 8)?,
            name_offsets: part(Part::NameOffsets, Some(footer.images + 1), 8)?,
            names: part(Part::Names, None, 1)?,
            footer,
        };
        let offsets = index.lists().offsets;
        let ends = [offsets.first(), offsets.last()].map(|end| end.copied());
        if ends != [Some(0), Some(index.footer.entries)] || !offsets.is_sorted() {
            return Err(damaged("its words do not follow one another".to_owned()));
        }
        Ok(index)
    }

    /// The file, as it was called when it was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What made it.
    #[must_use]
    pub fn card(&self) -> &AsmkCard {
        &self.footer.card
    }

    /// Largest image id + 1: ids that were left out, and images that were removed, count.
    #[must_use]
    pub fn images(&self) -> usize {
        self.footer.images as usize
    }

    /// Number of entries.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.footer.entries as usize
    }

    /// How many of the first ids are distractors.
    #[must_use]
    pub fn distractors(&self) -> usize {
        self.footer.distractors as usize
    }

    /// The image's number: database images count from 0, distractors are negative.
    #[must_use]
    pub fn number(&self, id: u32) -> i64 {
        i64::from(id) - self.footer.distractors as i64
    }

    /// The image's name; none for an image that does not exist.
    #[must_use]
    pub fn name(&self, id: u32) -> Option<&str> {
        let offsets: &[u64] = numbers(&self.name_offsets);
        let range = *offsets.get(id as usize)? as usize..*offsets.get(id as usize + 1)? as usize;
        let name = std::str::from_utf8(self.names.get(range)?).ok()?;
        Some(name).filter(|name| !name.is_empty())
    }

    /// The entries of a word, in the order of their images: image ids and vectors.
    #[must_use]
    pub fn entries_of(&self, word: u32) -> (&[u32], Vectors<'_>) {
        let (ids, units) = self.lists().of(word as usize);
        (ids, as_vectors(units, self.card().binary))
    }

    /// How many entries each word has.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.lists().offsets.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// How much each word counts.
    #[must_use]
    pub fn idf(&self) -> &[f32] {
        numbers(&self.idf)
    }

    /// Self-similarity of each image before the root: the sum of the idf of its words.
    #[must_use]
    pub fn norms(&self) -> &[f64] {
        numbers(&self.norms)
    }

    pub(crate) fn lists(&self) -> Lists<'_> {
        Lists {
            offsets: numbers(&self.offsets),
            ids: numbers(&self.ids),
            vectors: numbers(&self.vectors),
            units: self.card().units(),
        }
    }

    /// The offsets of the names, and the names, as they lie in the file.
    pub(crate) fn name_parts(&self) -> (&[u8], &[u8]) {
        (self.name_offsets.bytes(), self.names.bytes())
    }

    /// Whether an image of that id exists.
    pub(crate) fn exists(&self, id: u32) -> bool {
        let offsets: &[u64] = numbers(&self.name_offsets);
        offsets
            .get(id as usize..id as usize + 2)
            .is_some_and(|ends| ends[0] < ends[1])
    }

    /// Refuses vectors that were made otherwise than this index's.
    ///
    /// # Errors
    /// When form, descriptor length, number of words or codebook differ.
    pub fn check_fits(&self, other: &AsmkCard) -> Result<(), AsmkError> {
        match self.card().conflict(other) {
            Some(why) => Err(AsmkError::Unfit(format!(
                "{} does not fit what is brought to it: {why}. Use what the index was made with.",
                self.path.display()
            ))),
            None => Ok(()),
        }
    }

    /// Refuses to be continued with other settings than its own.
    ///
    /// # Errors
    /// When idf or the assignment of the database differ.
    pub fn check_settings(&self, other: &AsmkCard) -> Result<(), AsmkError> {
        let own = self.card();
        if (own.idf, own.assignment) == (other.idf, other.assignment) {
            return Ok(());
        }
        let say = |card: &AsmkCard| {
            let idf = if card.idf { "with" } else { "without" };
            format!("{idf} idf and {} words a feature", card.assignment)
        };
        Err(AsmkError::Unfit(format!(
            "{} was made {}, and cannot go on {}. Make it anew with these settings, or keep its own.",
            self.path.display(),
            say(own),
            say(other)
        )))
    }

    /// Reads everything: compares every section with its checksum, and ids with their order.
    ///
    /// # Errors
    /// When anything is not as it was written.
    pub fn verify(&self) -> Result<(), AsmkError> {
        let damaged = |reason: String| AsmkError::Damaged {
            path: self.path.clone(),
            reason,
        };
        let parts = [
            (Part::Offsets, &self.offsets),
            (Part::Ids, &self.ids),
            (Part::Vectors, &self.vectors),
            (Part::Idf, &self.idf),
            (Part::Norms, &self.norms),
            (Part::NameOffsets, &self.name_offsets),
            (Part::Names, &self.names),
        ];
        for (part, bytes) in parts {
            let stated = one_section(&self.footer.sections, part).map(|section| section.sha256.as_str());
            if stated != Some(&hex(&Sha256::digest(bytes.bytes()))) {
                return Err(damaged(format!(
                    "its section {part:?} does not have its checksum"
                )));
            }
        }
        let lists = self.lists();
        for word in 0..self.card().words {
            let (ids, _) = lists.of(word);
            if !ids.is_sorted_by(|a, b| a < b) || ids.last().is_some_and(|id| *id as usize >= self.images()) {
                return Err(damaged(format!("the images of word {word} are out of order")));
            }
        }
        Ok(())
    }
}

/// The section of that part, if there is exactly one.
fn one_section(sections: &[Section], part: Part) -> Option<&Section> {
    let mut of_part = sections.iter().filter(|section| section.part == part);
    of_part.next().filter(|_| of_part.next().is_none())
}

fn read_footer(path: &Path, file: &Storage) -> Result<Footer, AsmkError> {
    let other = |reason| AsmkError::Other {
        path: path.to_path_buf(),
        reason,
    };
    let damaged = |reason: &str| AsmkError::Damaged {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    };
    if cfg!(target_endian = "big") {
        return Err(other("it is read on little-endian machines only"));
    }
    if !file.starts_with(&MAGIC) {
        return Err(other("it does not begin like one"));
    }
    let version = file.get(8..12).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    let version = version.map_or(0, u32::from_le_bytes);
    if version > VERSION {
        return Err(AsmkError::TooNew {
            path: path.to_path_buf(),
            found: version,
            known: VERSION,
        });
    }
    let end = file
        .len()
        .checked_sub(TRAILER_BYTES)
        .filter(|end| *end >= HEAD_BYTES);
    let end = end.ok_or_else(|| damaged("it is cut short"))?;
    let (sha256, rest) = file[end..].split_at(32);
    let (length, magic) = rest.split_at(8);
    if magic != MAGIC {
        return Err(damaged("it does not end like one, so it is cut short"));
    }
    let length = <[u8; 8]>::try_from(length).map_or(0, u64::from_le_bytes);
    let json = Some(length)
        .filter(|length| *length <= MOST_FOOTER_BYTES)
        .and_then(|length| end.checked_sub(length as usize))
        .and_then(|start| file.get(start..end))
        .filter(|json| *Sha256::digest(json) == *sha256)
        .ok_or_else(|| damaged("its footer does not have its checksum"))?;
    serde_json::from_slice(json).map_err(|error| damaged(&format!("its footer is not understood ({error})")))
}

/// Bytes as the numbers that they are. Alignment and length were checked on opening.
fn numbers<T: AnyBitPattern>(bytes: &Storage) -> &[T] {
    bytemuck::try_cast_slice(bytes.bytes()).unwrap_or_default()
}
