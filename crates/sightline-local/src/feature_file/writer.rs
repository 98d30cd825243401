//! Writing a file of local features picture by picture, beside its place, and renaming it when it is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::f16;
use serde_json::Map;
use sha2::{Digest, Sha256};
use sightline_card::Card;
use sightline_descriptor::{RowType, Shard, sync_folder};

use super::FeatureFileError;
use super::layout::{COLUMNS, Column, FORMAT, FORMAT_VERSION, Shapes, checksum, head};
use crate::features::LocalFeatures;

/// What must be known before the first picture is written.
#[derive(Debug, Clone, Copy)]
pub struct FeatureHeader<'a> {
    /// The names of the pictures.
    pub names: &'a [String],
    /// How many features each has.
    pub counts: &'a [usize],
    /// Length of a descriptor, at least 1.
    pub dim: usize,
    /// How descriptors are stored.
    pub row_type: RowType,
    /// What made the features.
    pub card: Option<&'a Card>,
    /// Which part of a list this is.
    pub shard: Option<Shard>,
}

/// Writes features into a temporary file, picture by picture, and puts it in its place only when all are there. Memory does not
/// grow with the number of features.
///
/// Equal headers and features give equal bytes. Dropped without [`FeatureWriter::finish`], it removes its temporary file and
/// leaves what was at the place before as it was.
#[derive(Debug)]
pub struct FeatureWriter {
    path: PathBuf,
    temporary: PathBuf,
    head: [u8; 32],
    /// One for each column, each at its place.
    columns: Vec<ColumnWriter>,
    counts: Vec<usize>,
    dim: usize,
    row_type: RowType,
    /// The picture that comes next.
    next: usize,
    buffer: Vec<u8>,
    /// Whether the file is in its place.
    placed: bool,
}

/// A column's place in the file, and the checksum of what was written there.
#[derive(Debug)]
struct ColumnWriter {
    file: BufWriter<File>,
    hasher: Sha256,
}

impl ColumnWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }
}

impl FeatureWriter {
    /// Begins a file at `path`; the temporary file lies beside it.
    ///
    /// # Errors
    /// When the header contradicts itself or the file system refuses.
    pub fn create(path: impl AsRef<Path>, header: &FeatureHeader<'_>) -> Result<Self, FeatureFileError> {
        let path = path.as_ref();
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(".tmp");
        FeatureWriter::create_through(path, &path.with_file_name(name), header)
    }

    /// As [`FeatureWriter::create`], with the temporary file at a place of the caller's choice on the same file system.
    ///
    /// # Errors
    /// As [`FeatureWriter::create`].
    pub fn create_through(
        path: &Path,
        temporary: &Path,
        header: &FeatureHeader<'_>,
    ) -> Result<Self, FeatureFileError> {
        let unwritable = |reason: String| FeatureFileError::Unwritable {
            path: path.to_path_buf(),
            reason,
        };
        if header.dim == 0 {
            return Err(unwritable("its descriptors have no values".to_owned()));
        }
        if header.names.len() != header.counts.len() {
            return Err(unwritable(format!(
                "there are {} names and {} numbers of features",
                header.names.len(),
                header.counts.len()
            )));
        }
        if let Some(card) = header.card.filter(|card| card.identity.dim != header.dim) {
            return Err(unwritable(format!(
                "its card says {} values a descriptor, and they have {}",
                card.identity.dim, header.dim
            )));
        }
        let mut metadata = Map::new();
        metadata.insert("format".to_owned(), FORMAT.into());
        metadata.insert("format_version".to_owned(), FORMAT_VERSION.to_string().into());
        if let Some(card) = header.card {
            metadata.insert("card".to_owned(), card.to_json().into());
        }
        if let Some(shard) = header.shard {
            metadata.insert("shard".to_owned(), shard.to_string().into());
        }
        let names = serde_json::to_vec(header.names).map_err(|error| unwritable(error.to_string()))?;
        let too_large = || unwritable("it would be larger than this machine can address".to_owned());
        let features = header
            .counts
            .iter()
            .try_fold(0usize, |sum, count| sum.checked_add(*count));
        let shapes = Shapes {
            pictures: header.names.len(),
            features: features.ok_or_else(too_large)?,
            dim: header.dim,
            row_type: header.row_type,
            names: names.len(),
        };
        let columns = shapes.columns();
        let head = head(&columns, metadata).ok_or_else(too_large)?;
        let written = |error: io::Error| FeatureFileError::io(temporary, "written")(error);
        fs::write(temporary, &head).map_err(FeatureFileError::io(temporary, "created"))?;
        let mut writer = FeatureWriter {
            path: path.to_path_buf(),
            temporary: temporary.to_path_buf(),
            head: checksum(&head),
            columns: Vec::with_capacity(columns.len()),
            counts: header.counts.to_vec(),
            dim: header.dim,
            row_type: header.row_type,
            next: 0,
            buffer: Vec::new(),
            placed: false,
        };
        let mut start = head.len() as u64;
        for column in &columns {
            let file = OpenOptions::new().write(true).open(temporary);
            let file = file.and_then(|mut file| file.seek(SeekFrom::Start(start)).map(|_| file));
            writer.columns.push(ColumnWriter {
                file: BufWriter::with_capacity(1 << 18, file.map_err(written)?),
                hasher: Sha256::new(),
            });
            start += column.bytes().ok_or_else(too_large)? as u64;
        }
        let mut offset = 0u64;
        let offsets = header.counts.iter().map(|count| {
            offset += *count as u64;
            offset
        });
        let offsets: Vec<u8> = std::iter::once(0)
            .chain(offsets)
            .flat_map(u64::to_le_bytes)
            .collect();
        writer.write(Column::OFFSETS, &offsets)?;
        writer.write(Column::NAMES, &names)?;
        Ok(writer)
    }

    /// Appends the features of the next picture.
    ///
    /// # Errors
    /// When there are more or fewer than the header says, their fields disagree, or the file system refuses.
    pub fn push(&mut self, features: &LocalFeatures) -> Result<(), FeatureFileError> {
        let count = features.len();
        let fits = features.descriptors.len() == count.saturating_mul(self.dim)
            && features.dim == self.dim
            && features.strengths.len() == count
            && features.scales.len() == count
            && self.counts.get(self.next) == Some(&count);
        let sides = features.size.map(u32::try_from);
        let ([Ok(height), Ok(width)], true) = (sides, fits) else {
            return Err(FeatureFileError::Unwritable {
                path: self.path.clone(),
                reason: format!(
                    "picture {} has other features than the header says, or fields that disagree",
                    self.next
                ),
            });
        };
        self.next += 1;
        self.put(
            Column::SIZES,
            [height, width].into_iter().flat_map(u32::to_le_bytes),
        )?;
        let places = features.places.iter().flatten();
        self.put(Column::PLACES, places.flat_map(|value| value.to_le_bytes()))?;
        let strengths = features.strengths.iter();
        self.put(Column::STRENGTHS, strengths.flat_map(|value| value.to_le_bytes()))?;
        let values = features.descriptors.iter();
        match self.row_type {
            RowType::F32 => self.put(Column::DESCRIPTORS, values.flat_map(|value| value.to_le_bytes())),
            RowType::F16 => self.put(
                Column::DESCRIPTORS,
                values.flat_map(|value| f16::from_f32(*value).to_le_bytes()),
            ),
        }?;
        let scales = features.scales.iter();
        self.put(
            Column::SCALES,
            scales.flat_map(|value| f16::from_f32(*value).to_le_bytes()),
        )
    }

    /// Makes sure that everything is on the disk and puts the file in its place.
    ///
    /// # Errors
    /// When pictures are missing or the file system refuses.
    pub fn finish(mut self) -> Result<(), FeatureFileError> {
        if self.next < self.counts.len() {
            return Err(FeatureFileError::Unwritable {
                path: self.path.clone(),
                reason: format!("{} pictures are missing", self.counts.len() - self.next),
            });
        }
        let mut sums = self.head.to_vec();
        for column in &self.columns {
            sums.extend_from_slice(&column.hasher.clone().finalize());
        }
        let written = FeatureFileError::io(&self.temporary, "written");
        // The last column, the names, ends where the checksums begin.
        let synced = self.columns[COLUMNS.len() - 1]
            .file
            .write_all(&sums)
            .and_then(|()| self.columns.iter_mut().try_for_each(|column| column.file.flush()))
            .and_then(|()| match self.columns.first() {
                Some(column) => column.file.get_ref().sync_all(),
                None => Ok(()),
            });
        synced.map_err(written)?;
        fs::rename(&self.temporary, &self.path)
            .map_err(FeatureFileError::io(&self.path, "put in its place"))?;
        self.placed = true;
        sync_folder(&self.path);
        Ok(())
    }

    fn put(&mut self, column: usize, bytes: impl Iterator<Item = u8>) -> Result<(), FeatureFileError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend(bytes);
        let written = self.write(column, &buffer);
        self.buffer = buffer;
        written
    }

    fn write(&mut self, column: usize, bytes: &[u8]) -> Result<(), FeatureFileError> {
        self.columns[column]
            .write(bytes)
            .map_err(FeatureFileError::io(&self.temporary, "written"))
    }
}

impl Drop for FeatureWriter {
    fn drop(&mut self) {
        if !self.placed {
            // A column's buffer must not be written into a file of somebody else's later.
            for column in self.columns.drain(..) {
                drop(column.file.into_parts());
            }
            // Nothing can be done about a temporary file that does not go away.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
