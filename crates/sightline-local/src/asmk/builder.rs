//! Making an inverted file image by image, and adding to one.

use super::AsmkError;
use super::aggregate::Aggregated;
use super::card::AsmkCard;
use super::index::{Index, MOST_DIM};
use super::layout::{Footer, SectionWriter};
use super::merge::Merge;
use super::names::Names;
use super::runs::{Buffer, Run};
use std::path::{Path, PathBuf};

/// How an index is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// Bytes of entries that are held in memory before they are sorted and written to an intermediate file beside the
    /// index. Beyond these, building takes 8 bytes an image and a few a word.
    pub memory: usize,
}

impl Default for BuildSettings {
    /// 512 MiB.
    fn default() -> Self {
        Self { memory: 512 << 20 }
    }
}

/// Makes an inverted file. Nothing is at its place before [`Builder::finish`], which counts as one call of the
/// original's `add`: idf is of all images that were pushed.
///
/// ```
/// use sightline_local::asmk::{AsmkCard, Aggregated, BuildSettings, Builder, Index, MatchKernel, search};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("two.sasmk");
/// let card = AsmkCard { binary: true, dim: 32, words: 4, codebook: String::new(), idf: false, assignment: 1, features: None };
/// let mut builder = Builder::new(&path, card, BuildSettings::default())?;
/// builder.push("tower.jpg", &Aggregated { words: vec![0, 3], units: vec![0xFF00_FF00, 1] })?;
/// builder.push("bridge.jpg", &Aggregated { words: vec![3], units: vec![0xFFFF_FFFF] })?;
/// builder.finish(&mut |_, _| {})?;
///
/// let index = Index::open(&path)?;
/// let query = Aggregated { words: vec![3], units: vec![1] };
/// let found = search(&index, &[query], &MatchKernel::default(), Some(1))?;
/// assert_eq!(index.name(found[0][0].id), Some("tower.jpg"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    path: PathBuf,
    folder: PathBuf,
    card: AsmkCard,
    settings: BuildSettings,
    base: Option<Index>,
    distractors: usize,
    images: usize,
    names: Names,
    buffer: Buffer,
    runs: Vec<Run>,
}

impl Builder {
    /// Begins an empty index.
    ///
    /// # Errors
    /// When the card's sizes are out of bounds, or the folder of `path` cannot be written to.
    pub fn new(path: &Path, card: AsmkCard, settings: BuildSettings) -> Result<Self, AsmkError> {
        Self::begin(path, card, settings, None)
    }

    /// Begins with what is in an index, which stays as it is until the new one takes its place (`path` may be the same).
    /// Words that get no new entry keep their idf; norms are of all images.
    ///
    /// # Errors
    /// As [`Builder::new`].
    pub fn adding_to(path: &Path, base: Index, settings: BuildSettings) -> Result<Self, AsmkError> {
        Self::begin(path, base.card().clone(), settings, Some(base))
    }

    /// As [`Builder::adding_to`], and all that is in the index so far becomes distractors, with negative numbers.
    ///
    /// # Errors
    /// As [`Builder::new`].
    pub fn onto_distractors(path: &Path, base: Index, settings: BuildSettings) -> Result<Self, AsmkError> {
        let mut builder = Self::adding_to(path, base, settings)?;
        builder.distractors = builder.images;
        Ok(builder)
    }

    fn begin(
        path: &Path,
        card: AsmkCard,
        settings: BuildSettings,
        base: Option<Index>,
    ) -> Result<Self, AsmkError> {
        if card.dim == 0 || card.dim > MOST_DIM || card.words == 0 || card.words > u32::MAX as usize {
            return Err(AsmkError::Unfit(format!(
                "An inverted file of {} words and descriptors of {} values cannot be made: there must be at least one of \
                 each, at most {MOST_DIM} values and fewer than 2^32 words.",
                card.words, card.dim
            )));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        Ok(Self {
            path: path.to_path_buf(),
            names: Names::new(&folder, base.as_ref())?,
            folder,
            card,
            settings,
            distractors: base.as_ref().map_or(0, Index::distractors),
            images: base.as_ref().map_or(0, Index::images),
            base,
            buffer: Buffer::default(),
            runs: Vec::new(),
        })
    }

    /// What the index is made of.
    #[must_use]
    pub fn card(&self) -> &AsmkCard {
        &self.card
    }

    /// How many of the first ids are distractors.
    #[must_use]
    pub fn distractors(&self) -> usize {
        self.distractors
    }

    /// The id of the next image.
    #[must_use]
    pub fn next_id(&self) -> usize {
        self.images
    }

    /// Leaves out ids, so that the next image has this one.
    ///
    /// # Errors
    /// When an image with that id or a later one is there already.
    pub fn skip_to(&mut self, id: usize) -> Result<(), AsmkError> {
        if id < self.images || id >= u32::MAX as usize {
            return Err(AsmkError::Unfit(format!(
                "Image id {id} cannot follow: {} ids are taken, and ids ascend and stay below 2^32 - 1. Number the images anew.",
                self.images
            )));
        }
        while self.images < id {
            self.names.push("")?;
            self.images += 1;
        }
        Ok(())
    }

    /// Adds an image (which may have no features); its id.
    ///
    /// # Errors
    /// When it has no name, its vectors do not fit the card, there are too many images, or the disk refuses.
    pub fn push(&mut self, name: &str, image: &Aggregated) -> Result<u32, AsmkError> {
        let units = self.card.units();
        let unfit = if name.is_empty() {
            Some("it has no name".to_owned())
        } else if self.images >= u32::MAX as usize - 1 {
            Some("the index is full".to_owned())
        } else if image.units.len() != image.words.len() * units {
            Some(format!(
                "it has {} numbers of 32 bits for {} words of {units} each",
                image.units.len(),
                image.words.len()
            ))
        } else if !image.words.is_sorted_by(|a, b| a < b)
            || image
                .words
                .last()
                .is_some_and(|word| *word as usize >= self.card.words)
        {
            Some(format!(
                "its words do not ascend below the codebook's {}",
                self.card.words
            ))
        } else {
            None
        };
        if let Some(why) = unfit {
            return Err(AsmkError::Unfit(format!(
                "{name:?} cannot be put into {}: {why}.",
                self.path.display()
            )));
        }
        let id = self.images as u32;
        self.names.push(name)?;
        self.images += 1;
        self.buffer.push(id, &image.words, &image.units);
        if self.buffer.bytes() >= self.settings.memory {
            self.spill()?;
        }
        Ok(id)
    }

    fn spill(&mut self) -> Result<(), AsmkError> {
        let run = self
            .buffer
            .sort(&self.folder, self.card.words, self.card.units())?;
        self.runs.push(run);
        Ok(())
    }

    /// Merges everything into the file and puts it in its place. `progress` is told how much of how much is done.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), AsmkError> {
        if !self.buffer.is_empty() {
            self.spill()?;
        }
        self.buffer = Buffer::default();
        let mut touched = vec![false; self.card.words];
        for run in &self.runs {
            for (touched, ends) in touched.iter_mut().zip(run.lists().offsets.windows(2)) {
                *touched |= ends[0] < ends[1];
            }
        }
        let parts: Vec<_> = self
            .base
            .iter()
            .map(Index::lists)
            .chain(self.runs.iter().map(Run::lists))
            .collect();
        let mut out = SectionWriter::create(&self.path)?;
        let entries = Merge {
            parts: &parts,
            words: self.card.words,
            images: self.images,
            removed: &[],
            old_idf: self.base.as_ref().map_or(&[], Index::idf),
            touched: &touched,
            use_idf: self.card.idf,
        }
        .write(&mut out, progress)?;
        self.names.write(self.base.as_ref(), &mut out)?;
        out.finish(Footer {
            card: self.card,
            images: self.images as u64,
            entries,
            distractors: self.distractors as u64,
            sections: Vec::new(),
        })
    }
}
