//! Pictures to a file of local features: resumable and shardable as `sightline-extract` makes every extraction.

use sightline_extract::{Described, ExtractError, Extraction, Prepare, Progress, Report};

use crate::feature_file::{FeatureFileError, FeatureHeader, FeatureWriter};
use crate::features::LocalFeatures;
use crate::network::LocalNetwork;

/// Why local features could not be extracted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalExtractError {
    /// Describing the pictures stopped.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FeatureFileError),
    /// The journal of an unfinished run holds other rows than local features of this length.
    #[error(
        "The unfinished extraction beside the output holds no local features of {dim} values for {name}. Begin anew (--restart), which throws its rows away."
    )]
    Row {
        /// The picture.
        name: String,
        /// Values of a descriptor, as the card says.
        dim: usize,
    },
}

/// What an extraction of local features did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReport {
    /// Pictures, and what was skipped.
    pub pictures: Report,
    /// Features of all pictures together.
    pub features: usize,
}

/// Runs an extraction whose output is a [`crate::FeatureFile`]. Killed at any moment and begun again, it gives the same bytes.
///
/// # Errors
/// As [`Extraction::run`].
pub fn extract_local(
    job: &Extraction<'_>,
    prepare: &dyn Prepare,
    network: &mut LocalNetwork<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<LocalReport, LocalExtractError> {
    let mut described = job.describe(prepare, network, progress)?;
    let card = described.card().clone();
    let dim = card.identity.dim;
    let names = described.names().to_vec();
    let row = |name: &str| LocalExtractError::Row {
        name: name.to_owned(),
        dim,
    };
    let counts: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            LocalFeatures::count_of_row(described.values(index), dim).ok_or_else(|| row(name))
        })
        .collect::<Result<_, _>>()?;
    let mut writer = FeatureWriter::create_through(
        job.output,
        &described.temporary(),
        &FeatureHeader {
            names: &names,
            counts: &counts,
            dim,
            row_type: job.row_type,
            card: Some(&card),
            shard: job.shard,
        },
    )?;
    for (index, name) in names.iter().enumerate() {
        writer.push(&features(&mut described, index, dim)?.ok_or_else(|| row(name))?)?;
    }
    let pictures = described.finish(|| -> Result<(), LocalExtractError> { Ok(writer.finish()?) })?;
    Ok(LocalReport {
        pictures,
        features: counts.iter().sum(),
    })
}

fn features(
    described: &mut Described,
    index: usize,
    dim: usize,
) -> Result<Option<LocalFeatures>, ExtractError> {
    Ok(LocalFeatures::from_row(&described.row(index)?, dim))
}
