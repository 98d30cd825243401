//! What a graph was made of: enough to tell a set of descriptors from any other.

use half::f16;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sightline_card::{Card, sha256, sha256_hex};

use crate::set::{DescriptorSet, RowType};

/// Bytes of the parts that are hashed apart, side by side.
const PART: usize = 1 << 20;

/// A descriptor set that a graph was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphSource {
    /// Rows.
    pub rows: usize,
    /// Values of a row.
    pub dim: usize,
    /// Type of the values: `float32` or `float16`.
    pub values: String,
    /// SHA-256 of the names' JSON.
    pub names: String,
    /// Checksum of all values as they lie in memory: SHA-256 of the SHA-256s of every MiB.
    pub checksum: String,
    /// What made the rows; none where that is not known.
    pub card: Option<Card>,
}

impl GraphSource {
    /// What tells this set from others. Reads every row, on all cores.
    #[must_use]
    pub fn of(set: &DescriptorSet) -> Self {
        let values = match (set.as_f32(), set.as_f16()) {
            (Some(values), _) => bytemuck::cast_slice::<f32, u8>(values),
            (None, values) => bytemuck::cast_slice::<f16, u8>(values.unwrap_or_default()),
        };
        Self {
            rows: set.len(),
            dim: set.dim(),
            values: match set.row_type() {
                RowType::F32 => "float32",
                RowType::F16 => "float16",
            }
            .to_owned(),
            // Texts always serialise.
            names: sha256_hex(&serde_json::to_vec(set.names()).unwrap_or_default()),
            checksum: checksum(values),
            card: set.card().cloned(),
        }
    }
}

/// SHA-256 of the SHA-256s of every part: as hard to meet by chance as that of the whole, and computed on all cores.
pub(super) fn checksum(bytes: &[u8]) -> String {
    let parts: Vec<[u8; 32]> = bytes.par_chunks(PART).map(sha256).collect();
    sha256_hex(parts.as_flattened())
}

/// In what the sets of a graph differ from others; a half sentence.
pub(super) fn difference(graph: &[GraphSource], here: &[GraphSource]) -> Option<String> {
    if graph.len() != here.len() {
        return Some(format!(
            "it was made of {} sets of descriptors, and there are {} here",
            graph.len(),
            here.len()
        ));
    }
    for (number, (was, is)) in graph.iter().zip(here).enumerate() {
        let of_set = if graph.len() == 1 {
            String::new()
        } else {
            format!(" of set {}", number + 1)
        };
        let differs = |what: &str, was: &dyn std::fmt::Display, is: &dyn std::fmt::Display| {
            Some(format!("the {what}{of_set} was {was}, and is {is} here"))
        };
        if was.rows != is.rows {
            return differs("number of rows", &was.rows, &is.rows);
        }
        if was.dim != is.dim {
            return differs("number of values of a row", &was.dim, &is.dim);
        }
        if was.values != is.values {
            return differs("type of the values", &was.values, &is.values);
        }
        match (&was.card, &is.card) {
            (Some(was), Some(is)) => {
                if let Some(first) = was.differences(is).first() {
                    return differs(&format!("card's {}", first.field), &first.left, &first.right);
                }
            }
            (None, None) => {}
            (was, _) => {
                let (was, is) = if was.is_some() {
                    ("there", "missing")
                } else {
                    ("missing", "there")
                };
                return differs("card", &was, &is);
            }
        }
        if was.names != is.names {
            return Some(format!("the names{of_set} or their order are others"));
        }
        if was.checksum != is.checksum {
            return Some(format!(
                "the values of the rows{of_set} are others (the checksum differs)"
            ));
        }
    }
    None
}
