//! Rankings that another program made.

use anyhow::Context as _;
use sightline::checkpoint;
use sightline::dataset::Dataset;
use sightline::eval::{Protocol, RankedLists};
use std::path::Path;

/// Reads rankings: npy [list length, queries], else text.
pub(super) fn ranked_lists(
    path: &Path,
    dataset: &Dataset,
    protocol: Option<Protocol>,
) -> anyhow::Result<RankedLists> {
    let repeats = protocol == Some(Protocol::Gldv2);
    let reading = || format!("the rankings {} were read", path.display());
    if path.extension().is_some_and(|ending| ending == "npy") {
        let file = checkpoint::read(path).with_context(reading)?;
        let tensor = file
            .value
            .as_tensor()
            .with_context(|| format!("{} holds no array", path.display()))?;
        let &[_, queries] = tensor.shape() else {
            anyhow::bail!(
                "{} has shape {:?}; rankings are [list length, queries]",
                path.display(),
                tensor.shape()
            );
        };
        return Ok(RankedLists::from_columns(
            &tensor.to_i64().with_context(reading)?,
            queries,
            repeats,
        )?);
    }
    let text = std::fs::read_to_string(path).with_context(reading)?;
    Ok(RankedLists::from_text(&text, &dataset.images, repeats)?)
}
