//! From local features to inverted files and rankings: words, aggregation and all, a bounded number of features at a time.

use super::AsmkError;
use super::aggregate::{Aggregated, aggregate};
use super::builder::{BuildSettings, Builder};
use super::card::AsmkCard;
use super::index::Index;
use super::kernel::MatchKernel;
use super::search::{Hit, search};
use crate::{Codebook, FeatureFile};
use rayon::prelude::*;
use sightline_search::{RowData, Rows};
use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

/// Features that are assigned to words at once, unless one picture has more.
const AT_ONCE: usize = 1 << 16;

/// What makes an ASMK index and asks it. The defaults are HOW's: binary, no idf, one word a feature in the database and
/// five in a query, exponent 3, threshold 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsmkSettings {
    /// Signs (ASMK*) or values (ASMK).
    pub binary: bool,
    /// Whether words count by how rare they are.
    pub idf: bool,
    /// Words of a feature in the database.
    pub assignment: usize,
    /// Words of a feature of a query.
    pub query_assignment: usize,
    /// Threshold and exponent of similarities.
    pub kernel: MatchKernel,
}

impl Default for AsmkSettings {
    fn default() -> Self {
        Self {
            binary: true,
            idf: false,
            assignment: 1,
            query_assignment: 5,
            kernel: MatchKernel::default(),
        }
    }
}

impl AsmkSettings {
    /// The card of an index of these settings, of features that `file` holds.
    #[must_use]
    pub fn card(&self, codebook: &Codebook, features: Option<&sightline_card::Card>) -> AsmkCard {
        AsmkCard {
            binary: self.binary,
            dim: codebook.dim(),
            words: codebook.words(),
            codebook: codebook.sha256(),
            idf: self.idf,
            assignment: self.assignment,
            features: features.cloned(),
        }
    }
}

/// Aggregates images: `images` holds the descriptors `[n, dim]` of each, `multiple` is how many words a feature has.
/// Descriptors are taken as they are. Works on rayon's current pool.
///
/// # Errors
/// When descriptors are not as long as the codebook's words, or there are fewer words than `multiple`.
pub fn aggregate_images(
    codebook: &Codebook,
    images: &[Rows<'_>],
    multiple: usize,
    binary: bool,
) -> Result<Vec<Aggregated>, AsmkError> {
    let dim = codebook.dim();
    if let Some(other) = images.iter().find(|rows| rows.dim != dim) {
        return Err(AsmkError::Unfit(format!(
            "The local features have {} values each and the codebook's words {dim}: use features and codebook of the same \
             model and whitening.",
            other.dim
        )));
    }
    let images: Vec<Cow<'_, [f32]>> = images
        .iter()
        .map(|rows| match rows.data {
            RowData::F32(values) => Cow::Borrowed(values),
            RowData::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
        })
        .collect();
    let all: Cow<'_, [f32]> = match &images[..] {
        [one] => Cow::Borrowed(one),
        several => several.concat().into(),
    };
    let assigned = codebook
        .quantise(&all, multiple)
        .map_err(|error| AsmkError::Unfit(error.to_string()))?;
    let starts = images.iter().scan(0, |at, image| {
        let start = *at;
        *at += image.len() / dim * multiple;
        Some(start..*at)
    });
    let parts: Vec<(&[f32], &[u32])> = images
        .iter()
        .zip(starts)
        .map(|(image, range)| (&image[..], assigned.get(range).unwrap_or_default()))
        .collect();
    Ok(parts
        .into_par_iter()
        .map(|(image, assigned)| aggregate(image, dim, assigned, multiple, codebook.centroids(), binary))
        .collect())
}

/// Aggregates pictures of a file in batches; `take` is given each picture's number and vectors, in order.
fn each_picture(
    file: &FeatureFile,
    codebook: &Codebook,
    multiple: usize,
    binary: bool,
    pictures: Range<usize>,
    mut take: impl FnMut(usize, Aggregated) -> Result<(), AsmkError>,
) -> Result<(), AsmkError> {
    let mut first = pictures.start;
    while first < pictures.end {
        let start = file.range(first).start;
        let mut end = first + 1;
        while end < pictures.end && file.range(end).end - start <= AT_ONCE {
            end += 1;
        }
        let images: Vec<Rows<'_>> = (first..end)
            .map(|picture| file.picture(picture).descriptors)
            .collect();
        let aggregated = aggregate_images(codebook, &images, multiple, binary)?;
        for (picture, image) in (first..end).zip(aggregated) {
            take(picture, image)?;
        }
        first = end;
    }
    Ok(())
}

impl Builder {
    /// Adds all pictures of a file under their names, in order; `progress` is told how many there are so far.
    ///
    /// # Errors
    /// When codebook or features do not fit the index, or the disk refuses.
    pub fn push_file(
        &mut self,
        file: &FeatureFile,
        codebook: &Codebook,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), AsmkError> {
        let card = self.card().clone();
        each_picture(
            file,
            codebook,
            card.assignment,
            card.binary,
            0..file.len(),
            |picture, image| {
                self.push(&file.names()[picture], &image)?;
                progress(picture + 1);
                Ok(())
            },
        )
    }
}

/// The pictures of a file as queries: each feature in `multiple` words.
///
/// # Errors
/// When codebook and features do not fit each other.
pub fn aggregate_file(
    file: &FeatureFile,
    codebook: &Codebook,
    multiple: usize,
    binary: bool,
) -> Result<Vec<Aggregated>, AsmkError> {
    let mut queries = Vec::with_capacity(file.len());
    each_picture(file, codebook, multiple, binary, 0..file.len(), |_, image| {
        queries.push(image);
        Ok(())
    })?;
    Ok(queries)
}

/// Ranks the pictures of `database` for each of `queries`: all of them, best first, and with `distractors` (an index that
/// was made before, of the same codebook and form) those too. The index is made in `folder` and vanishes.
///
/// What comes back names pictures by their place in `database`; distractors are negative.
///
/// # Errors
/// When things do not fit each other, or the disk refuses.
pub fn rank(
    database: &FeatureFile,
    queries: &FeatureFile,
    codebook: &Codebook,
    settings: &AsmkSettings,
    distractors: Option<Index>,
    folder: &Path,
) -> Result<Vec<Vec<(i64, f64)>>, AsmkError> {
    let place = tempfile::tempdir_in(folder).map_err(AsmkError::io(folder, "used for an index"))?;
    let path = place.path().join("index.sasmk");
    let card = settings.card(codebook, database.card());
    let build = BuildSettings::default();
    let mut builder = match distractors {
        Some(base) => {
            base.check_fits(&card)?;
            base.check_settings(&card)?;
            Builder::onto_distractors(&path, base, build)?
        }
        None => Builder::new(&path, card, build)?,
    };
    builder.push_file(database, codebook, &mut |_| {})?;
    builder.finish(&mut |_, _| {})?;
    let index = Index::open(&path)?;
    let queries = aggregate_file(queries, codebook, settings.query_assignment, settings.binary)?;
    let found = search(&index, &queries, &settings.kernel, None)?;
    let number = |hit: Hit| (index.number(hit.id), hit.score);
    Ok(found
        .into_iter()
        .map(|hits| hits.into_iter().map(number).collect())
        .collect())
}
