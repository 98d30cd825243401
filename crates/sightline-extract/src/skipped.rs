//! The list of pictures that could not be described, with the reason for each.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::ExtractError;
use crate::journal::{remove_if_present, write_whole};

const FORMAT_VERSION: u32 = 1;

/// A picture that could not be described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// What it is called in the list of pictures.
    pub name: String,
    /// Its file, as the user gave it.
    pub path: String,
    /// A sentence that says why.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct SkippedFile {
    format_version: u32,
    skipped: Vec<Skipped>,
}

/// Where the list of a set lies: `SET.skipped.json`.
#[must_use]
pub fn skipped_path(set: &Path) -> PathBuf {
    let mut name = set.file_name().map(OsString::from).unwrap_or_default();
    name.push(".skipped.json");
    set.with_file_name(name)
}

/// Writes the list beside the set, in the order given; where nothing was skipped, removes an older one.
///
/// # Errors
/// When the file system refuses.
pub fn write_skipped(set: &Path, skipped: &[Skipped]) -> Result<(), ExtractError> {
    let path = skipped_path(set);
    if skipped.is_empty() {
        return remove_if_present(&path);
    }
    let file = SkippedFile {
        format_version: FORMAT_VERSION,
        skipped: skipped.to_vec(),
    };
    let text = serde_json::to_string_pretty(&file).unwrap_or_default() + "\n";
    write_whole(&path, text.as_bytes())
}

/// Reads the list beside a set; empty where there is none.
///
/// # Errors
/// When the list is there and cannot be read.
pub fn read_skipped(set: &Path) -> Result<Vec<Skipped>, ExtractError> {
    let path = skipped_path(set);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ExtractError::io(&path, "read")(error)),
    };
    let file: SkippedFile = serde_json::from_str(&text)
        .map_err(|error| ExtractError::io(&path, "understood")(std::io::Error::other(error)))?;
    Ok(file.skipped)
}
