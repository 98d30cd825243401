//! Any file: what it is is seen from its content, never from its name.

use crate::mat::{self, MatError};
use crate::npy::{self, NpyError};
use crate::npz::{self, NpzError};
use crate::pickle::{self, PickleError};
use crate::safetensors::{self, SafetensorsError};
use crate::storage::Storage;
use crate::torch_legacy::{self, TorchLegacyError};
use crate::torch_zip::{self, TorchZipError};
use crate::value::Value;
use crate::zip::{Archive, ZipError};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The kinds of files that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// Torch 1.6 and later.
    TorchZip,
    /// Torch before 1.6.
    TorchLegacy,
    /// A plain Python pickle.
    Pickle,
    /// One numpy array.
    Npy,
    /// Several numpy arrays in a zip archive.
    Npz,
    /// Matlab 5.
    Mat,
    /// Safetensors.
    Safetensors,
}

impl FileKind {
    /// What it is, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::TorchZip => "torch checkpoint (zip)",
            Self::TorchLegacy => "torch checkpoint (legacy)",
            Self::Pickle => "Python pickle",
            Self::Npy => "numpy array",
            Self::Npz => "numpy archive",
            Self::Mat => "Matlab 5 file",
            Self::Safetensors => "safetensors file",
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct File {
    /// What it is.
    pub kind: FileKind,
    /// What it holds.
    pub value: Value,
    /// A safetensors file's metadata, sorted by name; empty for other kinds.
    pub metadata: Vec<(String, String)>,
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The operating system cannot open it.
    #[error("Cannot open {}: {source}.", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Its content was refused.
    #[error("Cannot read {}. {refusal}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: Box<Refusal>,
    },
}

/// Why bytes cannot be read.
#[derive(Debug, Error)]
#[allow(missing_docs)] // the messages say it
pub enum Refusal {
    #[error("The file is empty.")]
    Empty,
    #[error(
        "The file is a Matlab 7.3 (HDF5) file, which is not read; save it in Matlab with `save(..., '-v7')` and read that."
    )]
    Hdf5,
    #[error(
        "The file is a zip archive, but neither a torch checkpoint (it has no TOP/data.pkl) nor a numpy archive."
    )]
    OtherZip,
    #[error(
        "The file is none of the known kinds (torch checkpoint, pickle, npy, npz, Matlab 5, safetensors). Read as a pickle: {0}"
    )]
    Unknown(PickleError),
    #[error(transparent)]
    Pickle(#[from] PickleError),
    #[error(transparent)]
    TorchZip(#[from] TorchZipError),
    #[error(transparent)]
    TorchLegacy(#[from] TorchLegacyError),
    #[error(transparent)]
    Zip(#[from] ZipError),
    #[error(transparent)]
    Npy(#[from] NpyError),
    #[error(transparent)]
    Npz(#[from] NpzError),
    #[error(transparent)]
    Mat(#[from] MatError),
    #[error(transparent)]
    Safetensors(#[from] SafetensorsError),
}

/// Reads a file; tensors stay in it, memory-mapped, until they are asked for.
///
/// # Errors
/// If it cannot be opened, is of no known kind, is damaged, or names code.
pub fn read(path: impl AsRef<Path>) -> Result<File, ReadError> {
    let path = path.as_ref();
    let open = |source| ReadError::Open {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(open)?;
    if file.metadata().map_err(open)?.is_dir() {
        return Err(open(std::io::Error::other("it is a folder")));
    }
    let storage = Storage::map(&file).map_err(open)?;
    read_storage(&storage).map_err(|refusal| ReadError::Refused {
        path: path.to_owned(),
        refusal: Box::new(refusal),
    })
}

/// Reads a file that is in memory.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8]) -> Result<File, Refusal> {
    read_storage(&Storage::from_vec(bytes.to_vec()))
}

/// Reads a file from shared bytes.
///
/// # Errors
/// As [`read`].
pub fn read_storage(storage: &Storage) -> Result<File, Refusal> {
    let mut metadata = Vec::new();
    let (kind, value) = if storage.is_empty() {
        return Err(Refusal::Empty);
    } else if storage.starts_with(b"PK\x03\x04") || storage.starts_with(b"PK\x05\x06") {
        let archive = Archive::open(storage)?;
        if torch_zip::is_torch(&archive) {
            (FileKind::TorchZip, torch_zip::read(&archive)?)
        } else if npz::is_npz(&archive) {
            (FileKind::Npz, named(npz::from_archive(&archive)?))
        } else {
            return Err(Refusal::OtherZip);
        }
    } else if storage.starts_with(npy::MAGIC) {
        (FileKind::Npy, npy::read(storage)?.value)
    } else if is_hdf5(storage) {
        return Err(Refusal::Hdf5);
    } else if torch_legacy::is_legacy(storage) {
        (FileKind::TorchLegacy, torch_legacy::read(storage)?)
    } else if mat::is_mat(storage) {
        (FileKind::Mat, named(mat::read(storage)?))
    } else if is_safetensors(storage) {
        let read = safetensors::read(storage)?;
        metadata = read.metadata.clone().into_iter().collect();
        metadata.sort();
        (FileKind::Safetensors, read.to_value())
    } else if storage.first() == Some(&0x80) {
        (FileKind::Pickle, pickle::read(storage)?)
    } else {
        // Protocols 0 and 1 have no mark of their own.
        let value = pickle::read(storage).map_err(|error| match error {
            PickleError::Damaged { .. } => Refusal::Unknown(error),
            other => Refusal::Pickle(other),
        })?;
        (FileKind::Pickle, value)
    };
    Ok(File {
        kind,
        value,
        metadata,
    })
}

fn named(items: Vec<(String, Value)>) -> Value {
    Value::Dict(Arc::new(
        items
            .into_iter()
            .map(|(name, value)| (Value::Text(name.into()), value))
            .collect(),
    ))
}

/// The signature stands at the beginning or after a user block (Matlab's has 512 bytes).
fn is_hdf5(bytes: &[u8]) -> bool {
    let signature = b"\x89HDF\r\n\x1a\n";
    [0, 512, 1024, 2048].iter().any(|start| {
        bytes
            .get(*start..)
            .is_some_and(|rest| rest.starts_with(signature))
    })
}

/// A header length that fits the file, and JSON after it.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return false;
    };
    u64::from_le_bytes(*length) <= rest.len() as u64 && rest.first() == Some(&b'{')
}
