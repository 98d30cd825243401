//! A descriptor set of the VLADs of a whole file of local features.

use crate::aggregated_set::AggregatedSet;
use crate::codebook::{Codebook, CodebookError};
use crate::feature_file::FeatureFile;
use crate::vlad::{VladNormalisation, vlad};
use rayon::prelude::*;
use sightline_card::AggregationIdentity;
use sightline_descriptor::{RowType, SetError};
use std::ops::Range;
use std::path::Path;

/// Values of VLADs that are in memory at a time.
const VALUES_AT_ONCE: usize = 16 << 20;
/// Pictures at a time at most.
const PICTURES_AT_ONCE: usize = 256;

/// Why a set of VLADs could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VladSetError {
    /// Features and codebook do not fit.
    #[error(transparent)]
    Codebook(#[from] CodebookError),
    /// The set could not be written.
    #[error(transparent)]
    Set(#[from] SetError),
}

/// Writes the VLAD of every picture of `file` as a descriptor set to `output`, one row a picture; `watch` is told how many are
/// done. The card says which codebook and normalisation. Gives how many pictures had no features (their rows are zero).
///
/// # Errors
/// When features and codebook differ in length, or the file system refuses.
pub fn write_vlad_set(
    file: &FeatureFile,
    codebook: &Codebook,
    normalisation: VladNormalisation,
    output: &Path,
    row_type: RowType,
    watch: &mut dyn FnMut(usize),
) -> Result<usize, VladSetError> {
    let dim = codebook.centroids().len();
    let set = AggregatedSet {
        output,
        row_type,
        dim,
        together: (VALUES_AT_ONCE / dim).clamp(1, PICTURES_AT_ONCE),
    };
    let identity = |whitening| AggregationIdentity::Vlad {
        normalisation: normalisation.name().to_owned(),
        codebook: codebook.sha256(),
        words: codebook.words(),
        whitening,
    };
    let describe = |pictures: Range<usize>| {
        let rows: Result<_, CodebookError> = pictures
            .into_par_iter()
            .map(|picture| vlad(&file.picture(picture).to_features(), codebook, normalisation))
            .collect();
        Ok(rows?)
    };
    set.write(file, identity, describe, watch)
}
