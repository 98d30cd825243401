//! The job itself: a list of pictures becomes a descriptor set, whatever happens in between.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sightline_card::Card;
use sightline_descriptor::{RowType, SetHeader, SetWriter, Shard};

use crate::describe::Describe;
use crate::error::ExtractError;
use crate::journal::{Journal, Place};
use crate::network::Network;
use crate::picture::{Picture, Prepare, Stamp, key};
use crate::pipeline::{Options, Outcome, describe_all};
use crate::skipped::{Skipped, write_skipped};

/// Describes a list of pictures and writes a descriptor set in the order of the list.
///
/// Rows that are done are kept in the folder `OUTPUT.part` until the set is whole, so the same call after a kill goes on where
/// it stopped; the set has the same bytes as without the kill. A picture that fails is listed in `OUTPUT.skipped.json` and
/// does not stop the others.
#[derive(Debug, Clone)]
pub struct Extraction<'a> {
    /// All pictures, also where only a shard of them is described.
    pub pictures: &'a [Picture],
    /// The set to write, `.safetensors` or `.npy`.
    pub output: &'a Path,
    /// What makes the rows. Its `dim` is the length of the final descriptors; its date that of today.
    pub card: &'a Card,
    /// How rows are stored.
    pub row_type: RowType,
    /// Which part of the list is described; none: all of it.
    pub shard: Option<Shard>,
    /// Throw away what an unfinished run left, instead of going on with it.
    pub restart: bool,
    /// How the machine is used.
    pub options: Options,
}

/// How far an extraction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Pictures described, those of an earlier run included.
    pub done: usize,
    /// Pictures that failed.
    pub failed: usize,
    /// Pictures in all.
    pub total: usize,
    /// Of `done`, those of an earlier run: they say nothing about this run's speed.
    pub resumed: usize,
}

/// What an extraction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Rows in the set.
    pub done: usize,
    /// Of these, rows that an earlier run had made.
    pub resumed: usize,
    /// What failed, in the order of the list.
    pub skipped: Vec<Skipped>,
}

impl Extraction<'_> {
    /// Runs to the end. `progress` is called when work begins and whenever pictures are done.
    ///
    /// # Errors
    /// When no picture could be described by this network, an unfinished run with other settings lies at the same place, or the file
    /// system refuses. Rows that were done stay for the next run.
    pub fn run(
        &self,
        prepare: &dyn Prepare,
        network: &mut Network<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Report, ExtractError> {
        if network.dim() != self.card.identity.dim {
            let (want, got) = (self.card.identity.dim, network.dim());
            return Err(ExtractError::Dimension {
                wants: "the card",
                want,
                got,
            });
        }
        let mut described = self.describe(prepare, network, progress)?;
        let card = described.card().clone();
        let names = described.names().to_vec();
        let extra = BTreeMap::new();
        let header = SetHeader {
            names: &names,
            dim: card.identity.dim,
            row_type: self.row_type,
            card: Some(&card),
            shard: self.shard,
            extra: &extra,
        };
        let mut writer = SetWriter::create_through(self.output, &described.temporary(), &header)?;
        for index in 0..names.len() {
            writer.push(&described.row(index)?)?;
        }
        described.finish(|| Ok(writer.finish()?))
    }

    /// Describes what is not described yet. The rows lie in the journal beside the output, whose file the caller writes.
    ///
    /// # Errors
    /// As [`Extraction::run`].
    pub fn describe(
        &self,
        prepare: &dyn Prepare,
        describer: &mut dyn Describe,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Described, ExtractError> {
        let range = self
            .shard
            .map_or(0..self.pictures.len(), |shard| shard.range(self.pictures.len()));
        let pictures: Vec<&Picture> = self.pictures[range].iter().collect();
        let mut journal = Journal::open(self.output, self.card, self.restart)?;
        let work = describe_into(
            &mut journal,
            &pictures,
            prepare,
            describer,
            &self.options,
            progress,
        )?;
        let (mut names, mut places, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        for (picture, row) in pictures.iter().zip(work.rows) {
            match row {
                Ok(row) => {
                    names.push(picture.name.clone());
                    places.push(row.place);
                }
                Err(failed) => skipped.push(Skipped {
                    name: picture.name.clone(),
                    path: picture.path.display().to_string(),
                    reason: failed.reason,
                }),
            }
        }
        Ok(Described {
            output: self.output.to_path_buf(),
            journal,
            names,
            places,
            skipped,
            resumed: work.resumed,
        })
    }
}

/// Rows that are done and wait to be written into their file.
pub struct Described {
    output: PathBuf,
    journal: Journal,
    names: Vec<String>,
    places: Vec<Place>,
    skipped: Vec<Skipped>,
    resumed: usize,
}

impl Described {
    /// The names of the pictures that have a row, in the order of the list.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The card, with the day on which the work was begun.
    #[must_use]
    pub fn card(&self) -> &Card {
        self.journal.card()
    }

    /// Number of values of the row of `names()[index]`, without reading it; 0 beyond the last.
    #[must_use]
    pub fn values(&self, index: usize) -> usize {
        self.places.get(index).map_or(0, |place| place.values())
    }

    /// Reads the row of `names()[index]`; empty beyond the last.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn row(&mut self, index: usize) -> Result<Vec<f32>, ExtractError> {
        match self.places.get(index) {
            Some(place) => self.journal.row(*place),
            None => Ok(Vec::new()),
        }
    }

    /// A place for the temporary file of the output, on the same file system.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.journal.temporary()
    }

    /// Writes the list of what was skipped, lets the caller put the output in its place, and removes the journal.
    ///
    /// # Errors
    /// When the file system refuses, or `place` fails; then the journal stays.
    pub fn finish<E: From<ExtractError>>(self, place: impl FnOnce() -> Result<(), E>) -> Result<Report, E> {
        write_skipped(&self.output, &self.skipped)?;
        place()?;
        self.journal.remove()?;
        Ok(Report {
            done: self.names.len(),
            resumed: self.resumed,
            skipped: self.skipped,
        })
    }
}

/// Describes a handful of pictures in memory: for each its row, or a sentence that says why there is none.
///
/// # Errors
/// When no picture could be described by this network.
pub fn describe_pictures(
    pictures: &[Picture],
    prepare: &dyn Prepare,
    network: &mut dyn Describe,
    options: &Options,
) -> Result<Vec<Result<Vec<f32>, String>>, ExtractError> {
    let all: Vec<&Picture> = pictures.iter().collect();
    let mut rows: Vec<Result<Vec<f32>, String>> = vec![Err("It was not reached.".to_owned()); pictures.len()];
    describe_all(&all, prepare, network, options, &mut |outcomes| {
        for Outcome { index, result, .. } in outcomes {
            rows[index] = result;
        }
        Ok(())
    })?;
    Ok(rows)
}

/// A row in the journal.
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) stamp: Stamp,
}

/// Why a picture has no row.
pub(crate) struct Failed {
    pub(crate) reason: String,
    pub(crate) stamp: Option<Stamp>,
}

/// What became of a list of pictures.
pub(crate) struct Work {
    /// One for each picture.
    pub(crate) rows: Vec<Result<Row, Failed>>,
    /// How many of them the journal had already.
    pub(crate) resumed: usize,
}

/// Describes what the journal does not have yet.
pub(crate) fn describe_into(
    journal: &mut Journal,
    pictures: &[&Picture],
    prepare: &dyn Prepare,
    network: &mut dyn Describe,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Work, ExtractError> {
    let mut rows: Vec<Result<Row, Failed>> = Vec::with_capacity(pictures.len());
    let mut todo = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        // A journal without rows has nothing to look for, which spares asking the file system about every picture.
        let stamp = if journal.is_empty() {
            None
        } else {
            Stamp::at(&picture.path)
        };
        let found = stamp.and_then(|stamp| {
            Some(Row {
                place: journal.find(&key(picture, stamp))?,
                stamp,
            })
        });
        if found.is_none() {
            todo.push(index);
        }
        rows.push(found.ok_or_else(|| Failed {
            reason: "It was not reached.".to_owned(),
            stamp: None,
        }));
    }
    let resumed = pictures.len() - todo.len();
    let mut now = Progress {
        done: resumed,
        failed: 0,
        total: pictures.len(),
        resumed,
    };
    progress(now);
    let missing: Vec<&Picture> = todo.iter().map(|index| pictures[*index]).collect();
    describe_all(&missing, prepare, network, options, &mut |outcomes| {
        let mut done: Vec<(usize, Stamp, Vec<f32>)> = Vec::new();
        for Outcome { index, stamp, result } in outcomes {
            match (result, stamp) {
                (Ok(row), Some(stamp)) => done.push((todo[index], stamp, row)),
                (Ok(_), None) => {}
                (Err(reason), stamp) => {
                    rows[todo[index]] = Err(Failed { reason, stamp });
                    now.failed += 1;
                }
            }
        }
        if !done.is_empty() {
            let records: Vec<([u8; 16], &[f32])> = done
                .iter()
                .map(|(index, stamp, row)| (key(pictures[*index], *stamp), &row[..]))
                .collect();
            let places = journal.append(&records)?;
            for ((index, stamp, _), place) in done.iter().zip(places) {
                rows[*index] = Ok(Row { place, stamp: *stamp });
            }
            now.done += done.len();
        }
        progress(now);
        Ok(())
    })?;
    Ok(Work { rows, resumed })
}
