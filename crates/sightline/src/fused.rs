//! The descriptors of other models, for fusing their rankings with those at hand.

use crate::Error;
use crate::evaluation::places;
use sightline_descriptor::{DescriptorSet, open_sides};
use sightline_rerank::{FusedFiles, FusedModel};

/// Opens the files and brings their rows into the order of the names: by the name as it stands, else by file name without its
/// ending. Where there are no names rows are taken to be in the right order.
///
/// # Errors
/// When a file cannot be read, a picture is missing, or two rows fit one name.
pub(crate) fn fused_model(
    files: &FusedFiles,
    images: &[String],
    queries: &[String],
) -> Result<FusedModel, Error> {
    let (database, beside) = open_sides(&files.features)?;
    let asked = match (&files.query_features, beside) {
        (Some(path), _) => DescriptorSet::open(path)?,
        (None, Some(beside)) => beside,
        // The images query themselves.
        (None, None) if images == queries => DescriptorSet::open(&files.features)?,
        (None, None) => {
            return Err(Error::FusedQueries {
                set: files.features.clone(),
            });
        }
    };
    let distractors = files.distractors.iter().map(DescriptorSet::open);
    Ok(FusedModel {
        distractors: distractors.collect::<Result<_, _>>()?,
        queries: ordered(asked, queries)?,
        database: ordered(database, images)?,
    })
}

/// The set with its rows in the order of the names.
fn ordered(set: DescriptorSet, names: &[String]) -> Result<DescriptorSet, Error> {
    if names.is_empty() {
        return Ok(set);
    }
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = places(&set, &wanted)?;
    if set.len() == names.len() && found.iter().enumerate().all(|(name, row)| *row == Some(name)) {
        return Ok(set);
    }
    let mut rows = Vec::with_capacity(names.len() * set.dim());
    for (name, row) in names.iter().zip(found) {
        let row = row.ok_or_else(|| Error::FusedLacks {
            set: set.source().to_owned(),
            name: name.clone(),
        })?;
        rows.extend(set.row(row));
    }
    Ok(DescriptorSet::from_rows(
        names.to_vec(),
        set.dim(),
        rows,
        set.card().cloned(),
    )?)
}
