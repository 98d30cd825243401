//! Joining files of local features: shards into the file that one run would have written.

use std::path::{Path, PathBuf};

use sightline_descriptor::{Part, join_order};

use super::{FeatureFile, FeatureFileError, FeatureHeader, FeatureWriter};

/// Joins files of local features at `output`, picture after picture.
///
/// Shards are put in the order of their numbers, whatever the order of `inputs`, and must be complete; the result then equals,
/// byte for byte, what one run without shards would have written. Files that are no shards are joined in the order given.
///
/// # Errors
/// When a file cannot be read, they do not belong together ([`join_order`]), or the output cannot be written.
pub fn merge_features(inputs: &[PathBuf], output: &Path) -> Result<(), FeatureFileError> {
    let files = inputs
        .iter()
        .map(FeatureFile::open)
        .collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<Part<'_>> = files
        .iter()
        .map(|file| Part {
            source: file.source(),
            card: file.card(),
            shard: file.shard(),
            dim: file.dim(),
            row_type: file.row_type(),
        })
        .collect();
    let (order, card) = join_order(&parts)?;
    let files: Vec<&FeatureFile> = order.iter().map(|index| &files[*index]).collect();
    let names: Vec<String> = files
        .iter()
        .flat_map(|file| file.names().iter().cloned())
        .collect();
    let counts: Vec<usize> = files
        .iter()
        .flat_map(|file| (0..file.len()).map(|picture| file.range(picture).len()))
        .collect();
    let mut writer = FeatureWriter::create(
        output,
        &FeatureHeader {
            names: &names,
            counts: &counts,
            dim: files[0].dim(),
            row_type: files[0].row_type(),
            card: card.as_ref(),
            shard: None,
        },
    )?;
    for file in files {
        for picture in 0..file.len() {
            writer.push(&file.picture(picture).to_features())?;
        }
    }
    writer.finish()
}
