//! A descriptor set of the VLADs of a whole file of local features.

use crate::codebook::{Codebook, CodebookError};
use crate::feature_file::FeatureFile;
use crate::vlad::{VladNormalisation, vlad};
use rayon::prelude::*;
use sightline_card::{AggregationIdentity, Card};
use sightline_descriptor::{RowType, SetError, SetHeader, SetWriter};
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
/// done. The card says which codebook and normalisation; the whitening of the local features moves there, so that the set itself
/// can be whitened. Gives how many pictures had no features (their rows are zero).
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
    let card = file.card().map(|card| card_of(card, codebook, normalisation));
    let dim = codebook.centroids().len();
    let mut header = SetHeader::new(file.names(), dim, row_type);
    header.card = card.as_ref();
    header.shard = file.shard();
    let mut writer = SetWriter::create(output, &header)?;
    let mut empty = 0;
    let together = (VALUES_AT_ONCE / dim).clamp(1, PICTURES_AT_ONCE);
    for first in (0..file.len()).step_by(together) {
        let end = file.len().min(first + together);
        let rows: Vec<Vec<f32>> = (first..end)
            .into_par_iter()
            .map(|picture| vlad(&file.picture(picture).to_features(), codebook, normalisation))
            .collect::<Result<_, _>>()?;
        for (picture, row) in (first..end).zip(&rows) {
            empty += usize::from(file.range(picture).is_empty());
            writer.push(row)?;
        }
        watch(end);
    }
    writer.finish()?;
    Ok(empty)
}

/// The card of VLADs of features that have `card`.
fn card_of(card: &Card, codebook: &Codebook, normalisation: VladNormalisation) -> Card {
    let mut card = card.clone();
    card.identity.dim = codebook.centroids().len();
    if let Some(local) = &mut card.identity.local {
        local.aggregation = Some(AggregationIdentity {
            method: "vlad".to_owned(),
            normalisation: normalisation.name().to_owned(),
            codebook: codebook.sha256(),
            words: codebook.words(),
            whitening: card.identity.whitening.take(),
        });
    }
    card
}
