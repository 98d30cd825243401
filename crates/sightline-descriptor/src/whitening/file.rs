//! The file of a learned whitening, and every other file that holds whitenings.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sightline_card::{Identity, sha256_reader};
use sightline_checkpoint::recognise::{WHITENINGS, WhiteningParams, recognise_file, store_whitenings};
use sightline_checkpoint::safetensors::{WriteError, write_safetensors};
use sightline_checkpoint::{ReadError, read};
use sightline_search::{RowData, Rows};

use super::Learned;

/// The metadata's word for our own files.
const FORMAT: &str = "sightline-whitening";
/// The version that is written; all up to it can be read.
const FORMAT_VERSION: u32 = 1;

/// The card of a learned whitening: what it was learned from, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnedFrom {
    /// `pca`, `cirtorch-pca`, `cirtorch` or `how`.
    pub method: String,
    /// HOW's shrinkage.
    pub shrinkage: Option<f64>,
    /// How many axes were kept.
    pub dims: usize,
    /// How many axes the descriptors spread over.
    pub rank: usize,
    /// The descriptors.
    pub set: SetIdentity,
    /// The pairs of cirtorch's method.
    pub pairs: Option<PairsIdentity>,
}

/// Which descriptors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetIdentity {
    /// SHA-256 of their values as they are stored, row by row.
    pub sha256: String,
    /// How many.
    pub rows: usize,
    /// Values of a row.
    pub dim: usize,
    /// What made them, where their file says it.
    pub identity: Option<Identity>,
}

/// Which pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairsIdentity {
    /// SHA-256 of the two rows of each pair, as 64-bit little-endian numbers.
    pub sha256: String,
    /// How many.
    pub count: usize,
}

impl SetIdentity {
    /// The identity of rows that were made as `identity` says; reads all of them.
    #[must_use]
    pub fn of_rows(rows: Rows<'_>, identity: Option<Identity>) -> SetIdentity {
        let stored: &[u8] = match rows.data {
            RowData::F32(values) => bytemuck::cast_slice(values),
            RowData::F16(values) => bytemuck::cast_slice(values),
        };
        SetIdentity {
            // Reading memory does not fail.
            sha256: sha256_reader(stored).unwrap_or_default(),
            rows: rows.count(),
            dim: rows.dim,
            identity,
        }
    }
}

impl PairsIdentity {
    /// The identity of pairs of rows.
    #[must_use]
    pub fn of(pairs: &[(usize, usize)]) -> PairsIdentity {
        let bytes: Vec<u8> = pairs
            .iter()
            .flat_map(|(q, p)| [*q as u64, *p as u64])
            .flat_map(u64::to_le_bytes)
            .collect();
        PairsIdentity {
            sha256: sightline_card::sha256_hex(&bytes),
            count: pairs.len(),
        }
    }
}

/// Why a file of whitenings could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WhiteningFileError {
    /// It could not be read at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It was written by a newer version.
    #[error(
        "The whitening {} has format version {found}, and this program knows versions up to {FORMAT_VERSION}. Use a newer Sightline.",
        .path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// The version that it states.
        found: String,
    },
    /// It holds no whitening, or a damaged one.
    #[error(
        "{} holds no whitening that is whole; it is a {what}. A file of `whiten learn`, a pickled PCA, cirtorch's {{m, P}} or a \
         checkpoint with whitenings is one.",
        .path.display()
    )]
    None {
        /// The file.
        path: PathBuf,
        /// What kind of file it is.
        what: &'static str,
    },
}

/// The whitenings of a file.
#[derive(Clone, Debug)]
pub struct WhiteningFile {
    /// By name; never empty.
    pub whitenings: Vec<(String, WhiteningParams)>,
    /// What it was learned from; files of other makers do not say it.
    pub learned: Option<LearnedFrom>,
}

impl WhiteningFile {
    /// Reads the whitenings of a file of [`WhiteningFile::write`], of a checkpoint, or of a pickled PCA or `{m, P}`.
    ///
    /// # Errors
    /// When the file cannot be read, holds none, or was written by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<WhiteningFile, WhiteningFileError> {
        let path = path.as_ref();
        let file = read(path)?;
        let metadata = |key: &str| {
            let found = file.metadata.iter().find(|(name, _)| name == key);
            found.map(|(_, text)| text.as_str())
        };
        let ours = metadata("format") == Some(FORMAT);
        let version = metadata("format_version").unwrap_or("none");
        if ours
            && !version
                .parse()
                .is_ok_and(|version: u32| version <= FORMAT_VERSION)
        {
            return Err(WhiteningFileError::TooNew {
                path: path.to_owned(),
                found: version.to_owned(),
            });
        }
        let whitenings = recognise_file(&file).whitenings;
        if whitenings.is_empty() {
            return Err(WhiteningFileError::None {
                path: path.to_owned(),
                what: file.kind.describe(),
            });
        }
        let learned = metadata("learned").filter(|_| ours);
        Ok(WhiteningFile {
            whitenings,
            learned: learned.and_then(|text| serde_json::from_str(text).ok()),
        })
    }

    /// Writes a learned whitening as safetensors; its name is that of the method. Equal whitenings give equal bytes.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(
        path: impl AsRef<Path>,
        learned: &Learned,
        from: &LearnedFrom,
    ) -> Result<(), WhiteningFileError> {
        let path = path.as_ref();
        let none = || WhiteningFileError::None {
            path: path.to_owned(),
            what: "whitening whose parts contradict each other",
        };
        let params = learned.params().map_err(|_| none())?;
        let (tensors, listed) = store_whitenings(&[(from.method.clone(), params)]).ok_or_else(none)?;
        let metadata = [
            ("format", FORMAT.to_owned()),
            ("format_version", FORMAT_VERSION.to_string()),
            // Plain structs with text keys always serialise.
            ("learned", serde_json::to_string(from).unwrap_or_default()),
            (WHITENINGS, listed),
        ]
        .map(|(key, text)| (key.to_owned(), text));
        Ok(write_safetensors(path, &tensors, &metadata)?)
    }
}
