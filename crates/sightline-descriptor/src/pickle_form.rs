//! Descriptors in Python pickles and torch files, as CSA, cirtorch and SOLAR keep them.
//!
//! CSA keeps a test set as `{"db": [n, d], "query": [q, d]}`, a training set as `{"train", "val"}` and distractors as a bare
//! array; SOLAR's distractors are a bare tensor. Sources: MCC-WH/CSA `test.py`, `Dataset/ImageFromList.py`;
//! tonyngjichun/SOLAR `examples/test_1m.py`.

use std::path::Path;

use sightline_checkpoint::{Storage, Tensor, Value, read};

use crate::choose::choose;
use crate::error::SetError;
use crate::set::Layout;

/// What CSA calls the database's rows.
pub(crate) const DATABASE: &str = "db";
/// What CSA calls the queries' rows.
pub(crate) const QUERIES: &str = "query";

/// Whether a file is a pickle (protocol 2 or later) or a torch file, and no safetensors file that begins with the same byte.
pub(crate) fn is_pickle(bytes: &[u8]) -> bool {
    let marked = bytes.first() == Some(&0x80) || bytes.starts_with(b"PK\x03\x04");
    let safetensors = bytes.split_first_chunk::<8>().is_some_and(|(length, rest)| {
        u64::from_le_bytes(*length) <= rest.len() as u64 && rest.first() == Some(&b'{')
    });
    marked && !safetensors
}

/// Finds the rows: the array itself, or the one of a dictionary's that was asked for (of CSA's test sets else the database's).
pub(crate) fn layout(path: &Path, storage: &Storage, wanted: Option<&str>) -> Result<Layout, SetError> {
    let file = read::read_storage(storage).map_err(|error| SetError::damaged(path, error.to_string()))?;
    let rows = match (file.value.as_tensor(), wanted) {
        (Some(rows), None) => rows.clone(),
        (Some(_), Some(wanted)) => {
            return Err(SetError::NoSuchTensor {
                path: path.to_path_buf(),
                wanted: wanted.to_owned(),
                tensors: "one array without a name".to_owned(),
            });
        }
        (None, _) => {
            let tensors: Vec<(String, Tensor)> = file
                .value
                .as_items()
                .unwrap_or_default()
                .iter()
                .filter_map(|(name, value)| Some((text(name)?, value.as_tensor()?.clone())))
                .collect();
            choose(path, &tensors, wanted, DATABASE)?.1.clone()
        }
    };
    Ok(Layout::bare(rows))
}

fn text(name: &Value) -> Option<String> {
    name.as_str().map(str::to_owned)
}
