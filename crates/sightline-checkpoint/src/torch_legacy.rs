//! Torch's legacy checkpoints (before torch 1.6): pickles in a row, then the raw storages.
//!
//! In order: a magic number, the protocol version 1001, a dictionary about the machine, the object, the list of
//! storage keys; then for each key an int64 number of elements and the elements. Tensors are views of the file.
//! Source: torch/serialization.py, `_legacy_save`.

use crate::pickle::{Bytes, Ids, Machine, PickleError, StorageKey};
use crate::storage::Storage;
use crate::value::Value;
use std::collections::HashMap;
use thiserror::Error;

/// The first bytes of a legacy checkpoint: PROTO 2, then LONG1 of 0x1950a86a20f9469cfc6c and STOP. The protocol may
/// differ.
const MAGIC: [u8; 13] = [
    0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
];
const VERSION: i64 = 1001;

/// Why a legacy checkpoint was refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum TorchLegacyError {
    /// One of its pickles cannot be read.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// The header is not a legacy checkpoint's.
    #[error("The legacy checkpoint has a damaged header: {what}.")]
    Header {
        /// What is wrong.
        what: &'static str,
    },
    /// The raw data do not agree with what the pickle says.
    #[error("Storage {key} of the legacy checkpoint is damaged: {what}.")]
    Storage {
        /// Its key.
        key: String,
        /// What is wrong.
        what: String,
    },
}

/// Whether the bytes begin as a legacy checkpoint does.
pub fn is_legacy(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, _, rest @ ..] if rest.starts_with(&MAGIC)) || bytes.starts_with(&MAGIC)
}

/// Reads a legacy checkpoint.
///
/// # Errors
/// If a pickle is damaged or names something outside the list, and if the storages do not agree with it.
pub fn read(file: &Storage) -> Result<Value, TorchLegacyError> {
    if !is_legacy(file) {
        return Err(TorchLegacyError::Header {
            what: "the magic number is missing",
        });
    }
    let (_, at) = plain(file, 0)?;
    let (version, at) = plain(file, at)?;
    if version.as_i64() != Some(VERSION) {
        return Err(TorchLegacyError::Header {
            what: "the protocol version is not 1001",
        });
    }
    let (machine, at) = plain(file, at)?;
    if machine.get("protocol_version").and_then(Value::as_i64) != Some(VERSION) {
        return Err(TorchLegacyError::Header {
            what: "the dictionary about the machine is missing",
        });
    }
    let program = Machine::run(file, at, file.len(), Ids::Torch)?;
    let (keys, at) = plain(file, program.end())?;
    let Some(keys) = keys.as_list() else {
        return Err(TorchLegacyError::Header {
            what: "the list of storage keys is missing",
        });
    };
    let named: HashMap<&str, usize> = program
        .keys()
        .iter()
        .enumerate()
        .map(|(number, key)| (key.key.as_str(), number))
        .collect();
    let mut storages: Vec<Option<Storage>> = vec![None; program.keys().len()];
    let mut at = at;
    for key in keys {
        let key = match key {
            Value::Int(number) => number.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        let wrong = |what: String| TorchLegacyError::Storage {
            key: key.clone(),
            what,
        };
        let Some(number) = named.get(key.as_str()) else {
            return Err(wrong("no tensor names it, so its size is not known".to_owned()));
        };
        let (storage, after) = raw(file, at, &program.keys()[*number]).map_err(wrong)?;
        if storages[*number].replace(storage).is_some() {
            return Err(TorchLegacyError::Storage {
                key,
                what: "it is stored twice".to_owned(),
            });
        }
        at = after;
    }
    let storages = storages
        .into_iter()
        .zip(program.keys())
        .map(|(storage, key)| {
            storage.ok_or_else(|| TorchLegacyError::Storage {
                key: key.key.clone(),
                what: "it is not in the file".to_owned(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    // The elements are little endian whatever machine wrote them.
    Ok(program.freeze(&Bytes {
        storages,
        big_endian: false,
    })?)
}

/// A pickle without storages, and where it ends.
fn plain(file: &Storage, at: usize) -> Result<(Value, usize), PickleError> {
    let program = Machine::run(file, at, file.len(), Ids::Refused)?;
    let end = program.end();
    Ok((program.freeze(&Bytes::default())?, end))
}

/// One storage at `at`: the number of elements, then the elements; and where it ends.
fn raw(file: &Storage, at: usize, key: &StorageKey) -> Result<(Storage, usize), String> {
    let count = file
        .get(at..)
        .and_then(|rest| rest.first_chunk::<8>())
        .map(|bytes| i64::from_le_bytes(*bytes))
        .ok_or("the file ends before it")?;
    if usize::try_from(count) != Ok(key.count) {
        return Err(format!(
            "it has {count} elements, but {} are announced",
            key.count
        ));
    }
    let start = at + 8;
    let part = key
        .bytes()
        .and_then(|bytes| file.part(start, bytes))
        .ok_or_else(|| format!("the file ends before its {count} elements do"))?;
    let end = start + part.len();
    Ok((part, end))
}
