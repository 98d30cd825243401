//! A file that is not yet whole: `NAME.part`, and `NAME.part.json` with what its server said, so that the rest of the
//! same file can be asked for. Its length is the progress; a kill at any moment loses nothing.

use super::PullError;
use super::place::beside;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The version of the form.
const FORMAT: u32 = 1;

/// What the server said of the file whose beginning lies here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The version of the form.
    #[serde(default)]
    format_version: u32,
    /// The address that was asked.
    pub(super) url: String,
    /// The file's version, if the server names it.
    pub(super) etag: Option<String>,
    /// Its day, word for word.
    pub(super) last_modified: Option<String>,
    /// All its bytes.
    pub(super) total: Option<u64>,
}

impl Origin {
    pub(super) fn new(
        url: &str,
        etag: Option<&str>,
        last_modified: Option<&str>,
        total: Option<u64>,
    ) -> Self {
        Self {
            format_version: FORMAT,
            url: url.to_owned(),
            etag: etag.map(str::to_owned),
            last_modified: last_modified.map(str::to_owned),
            total,
        }
    }

    /// What `If-Range` may hold: a strong version, else the day.
    pub(super) fn validator(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.last_modified.as_deref())
    }
}

/// The beginning of a file.
#[derive(Debug)]
pub(super) struct PartFile {
    path: PathBuf,
    state: PathBuf,
    file: File,
    pub(super) have: u64,
    pub(super) origin: Option<Origin>,
}

impl PartFile {
    /// Opens what is there of `target`. A beginning of which nothing is known is worth nothing.
    pub(super) fn open(target: &Path) -> Result<Self, PullError> {
        let path = beside(target, ".part");
        let state = beside(target, ".part.json");
        let failed = |error| PullError::io("write", &path, error);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        let have = file.metadata().map_err(failed)?.len();
        let origin = std::fs::read(&state)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|origin: &Origin| origin.format_version == FORMAT);
        let mut part = Self {
            path,
            state,
            file,
            have,
            origin,
        };
        if part.have > 0 && part.origin.is_none() {
            part.forget()?;
        }
        Ok(part)
    }

    /// Whether something is there, and came from `url`.
    pub(super) fn is_of(&self, url: &str) -> bool {
        self.have > 0 && self.origin.as_ref().is_some_and(|origin| origin.url == url)
    }

    /// Drops what has come.
    pub(super) fn forget(&mut self) -> Result<(), PullError> {
        // The state goes first: bytes without a state count for nothing, a state without bytes would not be true.
        match std::fs::remove_file(&self.state) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(PullError::io("remove", &self.state, error));
            }
            _ => self.origin = None,
        }
        let cut = self.file.set_len(0);
        cut.map_err(|error| PullError::io("write", &self.path, error))?;
        self.have = 0;
        Ok(())
    }

    /// Begins anew with a file of which the server said `origin`.
    pub(super) fn begin(&mut self, origin: Origin) -> Result<(), PullError> {
        self.forget()?;
        let temporary = beside(&self.state, ".tmp");
        let text = serde_json::to_vec(&origin).map_err(std::io::Error::from);
        text.and_then(|text| std::fs::write(&temporary, text))
            .and_then(|()| std::fs::rename(&temporary, &self.state))
            .map_err(|error| PullError::io("write", &self.state, error))?;
        self.origin = Some(origin);
        Ok(())
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), PullError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| PullError::io("write", &self.path, error))?;
        self.have += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file is whole: gives it its name.
    pub(super) fn finish(self, target: &Path) -> Result<(), PullError> {
        self.file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.path, target))
            .map_err(|error| PullError::io("write", target, error))?;
        let _ = std::fs::remove_file(&self.state);
        Ok(())
    }
}
