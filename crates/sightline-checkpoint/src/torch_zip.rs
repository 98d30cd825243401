//! Torch's zip checkpoints (torch 1.6 and later): a pickle and one entry for each storage.
//!
//! `TOP/data.pkl` is the pickle, `TOP/data/KEY` the raw elements of each storage, `TOP/byteorder` their byte order.
//! Stored entries are not copied: their tensors are views of the file. Source: torch/serialization.py.

use crate::pickle::{Bytes, Ids, Machine, PickleError, StorageKey};
use crate::storage::Storage;
use crate::value::Value;
use crate::zip::{Archive, ZipError};
use thiserror::Error;

/// Why a zip checkpoint was refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum TorchZipError {
    /// The archive cannot be read, or lacks an entry that the pickle names.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// The pickle cannot be read.
    #[error(transparent)]
    Pickle(#[from] PickleError),
    /// There is no `data.pkl`, or more than one.
    #[error("The zip archive holds {found} entries named TOP/data.pkl; a torch checkpoint has one.")]
    NoPickle {
        /// How many there are.
        found: usize,
    },
    /// A TorchScript archive.
    #[error(
        "The file is a TorchScript archive, which holds code; ask its author for the state dict (`torch.save(model.state_dict(), ...)`)."
    )]
    Script,
    /// A storage has another size than the pickle says.
    #[error(
        "Storage {key} of the checkpoint has {found} bytes, but {wanted} are announced; the file is damaged."
    )]
    StorageSize {
        /// Its key.
        key: String,
        /// Bytes in the archive.
        found: usize,
        /// Bytes that the pickle announces.
        wanted: String,
    },
    /// The byte order record is neither `little` nor `big`.
    #[error("The checkpoint's byte order is given as \"{text}\"; it must be \"little\" or \"big\".")]
    ByteOrder {
        /// The record's text.
        text: String,
    },
}

/// Whether an archive is a torch file (a checkpoint, or TorchScript, which [`read`] refuses).
pub fn is_torch(archive: &Archive) -> bool {
    archive
        .entries()
        .iter()
        .any(|entry| is_in_top(&entry.name, "data.pkl") || is_in_top(&entry.name, "constants.pkl"))
}

/// Reads a zip checkpoint.
///
/// # Errors
/// If the archive or its pickle are damaged or name something outside the list, for storages that are missing or
/// have another size than announced, and for TorchScript.
pub fn read(archive: &Archive) -> Result<Value, TorchZipError> {
    let mut pickles = archive
        .entries()
        .iter()
        .filter(|entry| is_in_top(&entry.name, "data.pkl"));
    let (Some(pickle), None) = (pickles.next(), pickles.next()) else {
        let found = archive
            .entries()
            .iter()
            .filter(|entry| is_in_top(&entry.name, "data.pkl"))
            .count();
        return Err(TorchZipError::NoPickle { found });
    };
    let top = pickle.name.trim_end_matches("data.pkl");
    let is_code = |name: &str| {
        name.strip_prefix(top)
            .is_some_and(|rest| rest == "constants.pkl" || rest.starts_with("code/"))
    };
    if archive.entries().iter().any(|entry| is_code(&entry.name)) {
        return Err(TorchZipError::Script);
    }
    let big_endian = match archive.entry(&format!("{top}byteorder")) {
        Err(_) => false,
        Ok(entry) => match entry.read()?.bytes() {
            b"little" => false,
            b"big" => true,
            other => {
                let text = String::from_utf8_lossy(&other[..other.len().min(40)]);
                return Err(TorchZipError::ByteOrder {
                    text: text.escape_debug().to_string(),
                });
            }
        },
    };
    let program = Machine::run_all(&pickle.read()?, pickle.packed_size(), Ids::Torch)?;
    let mut storages = Vec::with_capacity(program.keys().len());
    for key in program.keys() {
        storages.push(storage(archive, top, key)?);
    }
    Ok(program.freeze(&Bytes { storages, big_endian })?)
}

fn storage(archive: &Archive, top: &str, key: &StorageKey) -> Result<Storage, TorchZipError> {
    let entry = archive.entry(&format!("{top}data/{}", key.key))?;
    let wanted = key.bytes();
    if wanted != Some(entry.size) {
        return Err(TorchZipError::StorageSize {
            key: key.key.clone(),
            found: entry.size,
            wanted: wanted.map_or_else(|| "too many".to_owned(), |bytes| bytes.to_string()),
        });
    }
    Ok(entry.read()?)
}

/// Whether a name is `TOP/name` with one folder before it.
fn is_in_top(path: &str, name: &str) -> bool {
    path.strip_suffix(name)
        .and_then(|top| top.strip_suffix('/'))
        .is_some_and(|top| !top.contains('/'))
}
