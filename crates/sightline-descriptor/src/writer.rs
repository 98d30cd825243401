//! Writing a descriptor set row by row, beside its place, and renaming it when it is whole.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use half::f16;
use sightline_card::Card;

use crate::error::SetError;
use crate::set::{RowType, Shard};
use crate::{npy_form, safetensors_form};

static NOTHING: BTreeMap<String, String> = BTreeMap::new();

/// What stands in a set besides its rows.
#[derive(Debug, Clone, Copy)]
pub struct SetHeader<'a> {
    /// One name a row.
    pub names: &'a [String],
    /// Number of values of a row, at least 1.
    pub dim: usize,
    /// How the values are stored.
    pub row_type: RowType,
    /// What made the rows.
    pub card: Option<&'a Card>,
    /// Which part of a list this is.
    pub shard: Option<Shard>,
    /// Further metadata (safetensors only).
    pub extra: &'a BTreeMap<String, String>,
}

impl<'a> SetHeader<'a> {
    /// A header without card, shard and further metadata.
    #[must_use]
    pub fn new(names: &'a [String], dim: usize, row_type: RowType) -> SetHeader<'a> {
        SetHeader {
            names,
            dim,
            row_type,
            card: None,
            shard: None,
            extra: &NOTHING,
        }
    }
}

/// Writes a set row by row into a temporary file and puts it in its place only when all rows are there.
///
/// Equal headers and rows give equal bytes. Dropped without [`SetWriter::finish`], it removes its temporary file and leaves
/// what was at the place before as it was.
#[derive(Debug)]
pub struct SetWriter {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
    row_type: RowType,
    dim: usize,
    left: usize,
    tail: Vec<u8>,
    side: Vec<(PathBuf, Option<String>)>,
    buffer: Vec<u8>,
    placed: bool,
}

impl SetWriter {
    /// Begins a set at `path`, whose ending says the form: `.safetensors` or `.npy`. The temporary file lies beside it.
    ///
    /// # Errors
    /// When the ending is another, the header contradicts itself, or the file system refuses.
    pub fn create(path: impl AsRef<Path>, header: &SetHeader<'_>) -> Result<SetWriter, SetError> {
        let path = path.as_ref();
        SetWriter::create_through(path, &beside(path, ".tmp"), header)
    }

    /// As [`SetWriter::create`], with the temporary file at a place of the caller's choice on the same file system.
    ///
    /// # Errors
    /// As [`SetWriter::create`].
    pub fn create_through(
        path: &Path,
        temporary: &Path,
        header: &SetHeader<'_>,
    ) -> Result<SetWriter, SetError> {
        let unwritable = |reason: String| SetError::Unwritable {
            path: path.to_path_buf(),
            reason,
        };
        if header.dim == 0 {
            return Err(unwritable("its rows have no values".to_owned()));
        }
        if let Some(card) = header.card.filter(|card| card.identity.dim != header.dim) {
            let reason = format!(
                "its card says {} values a row, and its rows have {}",
                card.identity.dim, header.dim
            );
            return Err(unwritable(reason));
        }
        let mut side = Vec::new();
        let (head, tail) = match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => safetensors_form::frame(header).map_err(unwritable)?,
            Some("npy") => {
                let (names, card) = npy_form::side_files(header).map_err(unwritable)?;
                let (names_path, card_path) = npy_form::side_paths(path);
                side = vec![(names_path, Some(names)), (card_path, card)];
                (npy_form::head(header), Vec::new())
            }
            _ => {
                return Err(SetError::Ending {
                    path: path.to_path_buf(),
                });
            }
        };
        let file = File::create(temporary).map_err(SetError::io(temporary, "created"))?;
        let mut writer = SetWriter {
            path: path.to_path_buf(),
            temporary: temporary.to_path_buf(),
            file: Some(BufWriter::with_capacity(1 << 20, file)),
            row_type: header.row_type,
            dim: header.dim,
            left: header.names.len(),
            tail,
            side,
            buffer: Vec::with_capacity(header.dim.saturating_mul(header.row_type.size())),
            placed: false,
        };
        writer.write(&head)?;
        Ok(writer)
    }

    /// Appends a row of `dim` values.
    ///
    /// # Errors
    /// When the row has another length, there are more rows than names, or the file system refuses.
    pub fn push(&mut self, row: &[f32]) -> Result<(), SetError> {
        let unwritable = |path: &Path, reason: String| {
            Err(SetError::Unwritable {
                path: path.to_path_buf(),
                reason,
            })
        };
        if row.len() != self.dim {
            return unwritable(
                &self.path,
                format!("a row has {} values instead of {}", row.len(), self.dim),
            );
        }
        if self.left == 0 {
            return unwritable(&self.path, "there are more rows than names".to_owned());
        }
        self.left -= 1;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        match self.row_type {
            RowType::F32 => buffer.extend(row.iter().flat_map(|value| value.to_le_bytes())),
            RowType::F16 => buffer.extend(row.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes())),
        }
        let written = self.write(&buffer);
        self.buffer = buffer;
        written
    }

    /// Makes sure that everything is on the disk and puts the set in its place.
    ///
    /// # Errors
    /// When rows are missing or the file system refuses.
    pub fn finish(mut self) -> Result<(), SetError> {
        if self.left > 0 {
            let reason = format!("{} rows are missing", self.left);
            return Err(SetError::Unwritable {
                path: self.path.clone(),
                reason,
            });
        }
        let tail = std::mem::take(&mut self.tail);
        self.write(&tail)?;
        if let Some(file) = self.file.take() {
            let synced = file
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(|file| file.sync_all());
            synced.map_err(SetError::io(&self.temporary, "written"))?;
        }
        for (path, text) in &self.side {
            match text {
                Some(text) => write_whole(path, text.as_bytes())?,
                None => remove_if_present(path)?,
            }
        }
        fs::rename(&self.temporary, &self.path).map_err(SetError::io(&self.path, "put in its place"))?;
        self.placed = true;
        sync_folder(&self.path);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SetError> {
        match &mut self.file {
            Some(file) => file
                .write_all(bytes)
                .map_err(SetError::io(&self.temporary, "written")),
            None => Ok(()),
        }
    }
}

impl Drop for SetWriter {
    fn drop(&mut self) {
        if !self.placed {
            self.file = None;
            // Nothing can be done about a temporary file that does not go away.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// `path` with something added to its file name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(ending);
    path.with_file_name(name)
}

/// Writes a small file beside its place and renames it.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SetError> {
    let temporary = beside(path, ".tmp");
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(SetError::io(&temporary, "written"))?;
    fs::rename(&temporary, path).map_err(SetError::io(path, "put in its place"))
}

fn remove_if_present(path: &Path) -> Result<(), SetError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SetError::io(path, "removed")(error)),
        _ => Ok(()),
    }
}

/// Makes a rename survive a loss of power, where the system offers that: syncs the folder that `path` lies in. Failing is
/// ignored, since the file itself is whole already.
pub fn sync_folder(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = folder;
}
