//! Token's split of Google Landmarks v2: a pickle of paths, ids and labels. Source: MCC-WH/Token,
//! `Dataset/configdataset.py`.

use crate::plain_values::{indices, texts};
use crate::{Dataset, Truth};
use sightline_checkpoint::Value;

/// Whether a value is one of these.
pub fn is_token_split(value: &Value) -> bool {
    ["total_class", "image_paths", "labels"]
        .iter()
        .all(|key| value.get(key).is_some())
}

/// The split as a labelled set; classes have their numbers as names.
///
/// # Errors
/// Says what is missing, or which label is beyond `total_class`.
pub fn from_value(value: &Value, name: &str) -> Result<Dataset, String> {
    let part = |key: &str| value.get(key).ok_or_else(|| format!("it has no \"{key}\""));
    let images = texts(part("image_paths")?).map_err(|reason| format!("in image_paths, {reason}"))?;
    let labels = indices(part("labels")?, 0).map_err(|reason| format!("in labels, {reason}"))?;
    let total = part("total_class")?
        .as_i64()
        .and_then(|total| usize::try_from(total).ok());
    let total = total.ok_or("total_class is no number of classes")?;
    if labels.len() != images.len() {
        return Err(format!(
            "it has {} pictures but {} labels",
            images.len(),
            labels.len()
        ));
    }
    let highest = labels.iter().max().map_or(0, |highest| *highest as usize + 1);
    // GLDv2 has 203,094 landmarks; the bound keeps a damaged file from filling memory with names of classes.
    if highest > total || highest > 1_000_000 {
        return Err(format!(
            "a label is class {}, but total_class is {total}",
            highest.saturating_sub(1)
        ));
    }
    Ok(Dataset {
        name: name.to_owned(),
        images,
        truth: Truth::Labels {
            images: labels.iter().map(|label| *label as usize).collect(),
            queries: None,
            class_names: (0..highest).map(|class| class.to_string()).collect(),
        },
        ..Dataset::default()
    })
}
