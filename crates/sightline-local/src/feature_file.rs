//! The file of local features: many pictures, each with many features, in one memory-mapped file.
//!
//! It is a safetensors file, so that any program may read it; its tensors are columns over all pictures (N) or all features (M):
//!
//! | tensor | type | shape | what |
//! |---|---|---|---|
//! | `offsets` | U64 | `[N + 1]` | features `offsets[i]..offsets[i + 1]` are those of picture i |
//! | `sizes` | U32 | `[N, 2]` | height and width of the prepared picture |
//! | `places` | F32 | `[M, 2]` | x and y in the prepared picture |
//! | `strengths` | F32 | `[M]` | strongest first within a picture |
//! | `descriptors` | F32 or F16 | `[M, D]` | |
//! | `scales` | F16 | `[M]` | |
//! | `names` | U8 | | a JSON list of the pictures' names |
//! | `sha256` | U8 | `[8, 32]` | of the header's bytes (with its length), then of each column above in this order |
//!
//! The metadata holds `format` = `sightline-local-features`, `format_version`, `card` and `shard`.

mod layout;
mod merge;
mod writer;

pub use merge::merge_features;
pub use writer::{FeatureHeader, FeatureWriter};

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytemuck::AnyBitPattern;
use half::f16;
use sightline_card::{Card, ReadCardError, sha256_hex};
use sightline_checkpoint::{Dtype, Storage, safetensors};
use sightline_descriptor::{RowType, SetError, Shard};
use sightline_search::{RowData, Rows};

use crate::features::LocalFeatures;
use layout::{COLUMNS, Column, FORMAT, FORMAT_VERSION, checksum};

/// Why a file of local features could not be read, written or joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureFileError {
    /// The file system refused.
    #[error("{} could not be {action}: {source}.", .path.display())]
    Io {
        /// The file in question.
        path: PathBuf,
        /// What was being done, as a participle: `opened`, `written`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file is none, or contradicts itself.
    #[error("{} cannot be used as a file of local features: {reason}.", .path.display())]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was to be written contradicts itself.
    #[error("{} cannot be written: {reason}.", .path.display())]
    Unwritable {
        /// The file in question.
        path: PathBuf,
        /// What contradicts what.
        reason: String,
    },
    /// The card inside is unreadable.
    #[error("{} holds a card that cannot be used: {source}", .path.display())]
    Card {
        /// The file in question.
        path: PathBuf,
        /// Why.
        source: ReadCardError,
    },
    /// Files that do not belong together.
    #[error(transparent)]
    Join(#[from] SetError),
}

impl FeatureFileError {
    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> FeatureFileError {
        let path = path.to_path_buf();
        move |source| FeatureFileError::Io { path, action, source }
    }

    fn damaged(path: &Path, reason: impl Into<String>) -> FeatureFileError {
        FeatureFileError::Damaged {
            path: path.to_path_buf(),
            reason: reason.into(),
        }
    }
}

/// The features of one picture as they lie in a [`FeatureFile`], strongest first. Fields mean what they do in [`LocalFeatures`].
#[derive(Clone, Copy, Debug)]
pub struct LocalView<'a> {
    /// Descriptors `[M, D]`.
    pub descriptors: Rows<'a>,
    /// Strength of each feature, `[M]`.
    pub strengths: &'a [f32],
    /// Place of each feature, x and y, `[M]`.
    pub places: &'a [[f32; 2]],
    /// Scale at which each was found, `[M]`.
    pub scales: &'a [f16],
    /// Height and width of the prepared picture, in pixels.
    pub size: [usize; 2],
}

impl LocalView<'_> {
    /// Number of features, M.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// A copy with 32-bit descriptors.
    #[must_use]
    pub fn to_features(&self) -> LocalFeatures {
        LocalFeatures {
            dim: self.descriptors.dim,
            descriptors: match self.descriptors.data {
                RowData::F32(values) => values.to_vec(),
                RowData::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
            },
            strengths: self.strengths.to_vec(),
            places: self.places.to_vec(),
            scales: self.scales.iter().map(|scale| scale.to_f32()).collect(),
            size: self.size,
        }
    }
}

/// The local features of many pictures, read through a memory map: nothing is read until it is used.
#[derive(Debug)]
pub struct FeatureFile {
    source: PathBuf,
    /// The file up to the data of the tensors.
    head: Storage,
    /// In the order of [`COLUMNS`].
    columns: Vec<Storage>,
    sha256: Storage,
    names: Vec<String>,
    dim: usize,
    row_type: RowType,
    card: Option<Card>,
    shard: Option<Shard>,
}

impl FeatureFile {
    /// Whether a file says of itself that it holds local features; false where it cannot be read.
    #[must_use]
    pub fn is_one(path: impl AsRef<Path>) -> bool {
        let storage = File::open(path).and_then(|file| Storage::map(&file));
        let file = storage.ok().and_then(|storage| safetensors::read(&storage).ok());
        file.is_some_and(|file| {
            let says = |(key, text): &(String, String)| key == "format" && text == FORMAT;
            file.metadata.iter().any(says)
        })
    }

    /// Opens a file that [`FeatureWriter`] wrote. Its shape is checked, not every value: see [`FeatureFile::verify`].
    ///
    /// # Errors
    /// When the file cannot be opened, is no such file, contradicts itself, or was written by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<FeatureFile, FeatureFileError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(FeatureFileError::io(path, "opened"))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(FeatureFileError::damaged(path, "it is not a file"));
        }
        let storage = Storage::map(&file).map_err(FeatureFileError::io(path, "mapped"))?;
        FeatureFile::of_storage(path, &storage)
    }

    /// Reads a file from its bytes. `source` is how messages call it.
    ///
    /// # Errors
    /// As [`FeatureFile::open`].
    pub fn from_bytes(source: &str, bytes: Vec<u8>) -> Result<FeatureFile, FeatureFileError> {
        FeatureFile::of_storage(Path::new(source), &Storage::from_vec(bytes))
    }

    fn of_storage(path: &Path, storage: &Storage) -> Result<FeatureFile, FeatureFileError> {
        let damaged = |reason: String| FeatureFileError::damaged(path, reason);
        let file = safetensors::read(storage)
            .map_err(|error| damaged(error.to_string().trim_end_matches('.').to_owned()))?;
        let text = |key: &str| {
            let found = file.metadata.iter().find(|(name, _)| name == key);
            found.map(|(_, text)| text.as_str())
        };
        if text("format") != Some(FORMAT) {
            return Err(damaged(
                "it does not say that it holds local features; `sightline local extract` makes such a file"
                    .to_owned(),
            ));
        }
        match text("format_version").and_then(|version| version.parse::<u32>().ok()) {
            Some(version) if version <= FORMAT_VERSION => {}
            Some(version) => {
                return Err(damaged(format!(
                    "it has format version {version}, and this program knows versions up to {FORMAT_VERSION}; use a newer Sightline"
                )));
            }
            None => return Err(damaged("it states no format version".to_owned())),
        }
        let card = text("card").map(Card::from_json).transpose();
        let card = card.map_err(|source| FeatureFileError::Card {
            path: path.to_path_buf(),
            source,
        })?;
        let shard = text("shard")
            .map(|text| Shard::parse(text).ok_or_else(|| damaged("its shard does not read i/n".to_owned())));
        let tensor = |name: &str| {
            let tensor = file
                .get(name)
                .filter(|tensor| tensor.as_contiguous_bytes().is_some());
            tensor.ok_or_else(|| damaged(format!("it has no tensor {name}")))
        };
        let descriptors = tensor("descriptors")?;
        let row_type = match descriptors.dtype() {
            Dtype::F32 => RowType::F32,
            Dtype::F16 => RowType::F16,
            other => return Err(damaged(format!("its descriptors are of type {}", other.name()))),
        };
        let (&[features, dim], &[bounds]) = (descriptors.shape(), tensor("offsets")?.shape()) else {
            return Err(damaged(
                "its descriptors or offsets have another number of axes".to_owned(),
            ));
        };
        let Some(pictures) = bounds.checked_sub(1).filter(|_| dim > 0) else {
            return Err(damaged(
                "its descriptors have no values, or its offsets no end".to_owned(),
            ));
        };
        if let Some(card) = card.as_ref().filter(|card| card.identity.dim != dim) {
            let stated = card.identity.dim;
            return Err(damaged(format!(
                "its card says {stated} values a descriptor, and they have {dim}"
            )));
        }
        let names_len = tensor("names")?.len();
        let shapes = layout::Shapes {
            pictures,
            features,
            dim,
            row_type,
            names: names_len,
        };
        let mut columns = Vec::with_capacity(COLUMNS.len());
        // The data begins where the header ends, whose length the file's first eight bytes say.
        let header = storage.first_chunk().map(|length| u64::from_le_bytes(*length));
        let head_len = header.and_then(|length| usize::try_from(length).ok()?.checked_add(8));
        let head = head_len.and_then(|length| storage.part(0, length));
        let (Some(head), Some(head_len)) = (head, head_len) else {
            return Err(damaged("its header is not whole".to_owned()));
        };
        let mut start = head_len;
        for column in shapes.columns() {
            let held = tensor(column.name)?;
            if held.dtype() != column.dtype || held.shape() != column.shape {
                return Err(damaged(format!(
                    "its tensor {} is {} {:?} and should be {} {:?}",
                    column.name,
                    held.dtype().name(),
                    held.shape(),
                    column.dtype.name(),
                    column.shape
                )));
            }
            // Where the column should begin is where it does: the order of the columns is part of the form.
            let part = storage.part(start, held.byte_len());
            // An empty tensor's bytes are nowhere.
            let part = part.filter(|part| {
                part.is_empty()
                    || part.as_ptr() == held.as_contiguous_bytes().map_or(part.as_ptr(), <[u8]>::as_ptr)
            });
            let part = part.filter(|part| (part.as_ptr() as usize).is_multiple_of(column.dtype.size()));
            let Some(part) = part else {
                return Err(damaged(format!(
                    "its tensor {} lies at another place than it should",
                    column.name
                )));
            };
            start += part.len();
            columns.push(part);
        }
        let sha256 = tensor("sha256")?;
        if sha256.shape() != [COLUMNS.len() + 1, 32] || sha256.dtype() != Dtype::U8 {
            return Err(damaged("its checksums have another shape".to_owned()));
        }
        let Some(sha256) = storage.part(start, sha256.byte_len()) else {
            return Err(damaged("its checksums are not whole".to_owned()));
        };
        if cfg!(target_endian = "big") {
            return Err(damaged("this machine has the other order of bytes".to_owned()));
        }
        let names: Vec<String> = serde_json::from_slice(&columns[Column::NAMES])
            .map_err(|error| damaged(format!("its names are no JSON list of texts ({error})")))?;
        if names.len() != pictures {
            return Err(damaged(format!(
                "it has {} names for {pictures} pictures",
                names.len()
            )));
        }
        let file = FeatureFile {
            source: path.to_path_buf(),
            head,
            columns,
            sha256,
            names,
            dim,
            row_type,
            card,
            shard: shard.transpose()?,
        };
        let offsets = file.offsets();
        let rises = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rises || offsets.first() != Some(&0) || offsets.last() != Some(&(features as u64)) {
            return Err(damaged(format!(
                "its offsets do not rise from 0 to its {features} features"
            )));
        }
        Ok(file)
    }

    /// Compares everything with its checksums; reads the whole file.
    ///
    /// # Errors
    /// When something is not as it was written; the error names the column.
    pub fn verify(&self) -> Result<(), FeatureFileError> {
        let parts = std::iter::once(("header", &self.head)).chain(COLUMNS.into_iter().zip(&self.columns));
        for ((name, part), stated) in parts.zip(self.sha256.chunks_exact(32)) {
            if checksum(part) != stated {
                return Err(FeatureFileError::damaged(
                    &self.source,
                    format!("its {name} is not as it was written (another checksum); make it again"),
                ));
            }
        }
        Ok(())
    }

    /// SHA-256 of the checksums that the file states, 64 lower-case hexadecimal digits: it tells files with other contents
    /// apart, without reading them.
    #[must_use]
    pub fn stated_sha256(&self) -> String {
        sha256_hex(&self.sha256)
    }

    /// The file.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Number of pictures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no picture.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Number of features of all pictures together.
    #[must_use]
    pub fn features(&self) -> usize {
        self.rows().count()
    }

    /// Length of a descriptor, at least 1.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How descriptors are stored.
    #[must_use]
    pub fn row_type(&self) -> RowType {
        self.row_type
    }

    /// The names of the pictures.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What made the features.
    #[must_use]
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// Which part of a list this is; absent for a whole one.
    #[must_use]
    pub fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// The descriptors of all pictures, `[features, dim]`, picture after picture, without a copy.
    #[must_use]
    pub fn rows(&self) -> Rows<'_> {
        match self.row_type {
            RowType::F32 => Rows::f32(self.column(Column::DESCRIPTORS), self.dim),
            RowType::F16 => Rows::f16(self.column(Column::DESCRIPTORS), self.dim),
        }
    }

    /// Which rows of [`FeatureFile::rows`] are those of a picture; empty beyond the last.
    #[must_use]
    pub fn range(&self, picture: usize) -> Range<usize> {
        match self.offsets().get(picture..=picture.saturating_add(1)) {
            Some(&[first, end]) => first as usize..end as usize,
            _ => 0..0,
        }
    }

    /// The features of a picture, without a copy; none beyond the last.
    #[must_use]
    pub fn picture(&self, picture: usize) -> LocalView<'_> {
        let range = self.range(picture);
        let sizes: &[[u32; 2]] = self.column(Column::SIZES);
        LocalView {
            descriptors: self.rows().slice(range.clone()),
            strengths: self
                .column(Column::STRENGTHS)
                .get(range.clone())
                .unwrap_or_default(),
            places: self.column(Column::PLACES).get(range.clone()).unwrap_or_default(),
            scales: self.column(Column::SCALES).get(range).unwrap_or_default(),
            size: sizes
                .get(picture)
                .map_or([0, 0], |size| size.map(|side| side as usize)),
        }
    }

    fn offsets(&self) -> &[u64] {
        self.column(Column::OFFSETS)
    }

    /// A column's values; its type, alignment and length were checked when the file was opened.
    fn column<T: AnyBitPattern>(&self, index: usize) -> &[T] {
        self.columns
            .get(index)
            .and_then(|column| bytemuck::try_cast_slice(column).ok())
            .unwrap_or_default()
    }
}
