//! A picture to describe, and what makes tensors of its file.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sightline_card::sha256;
use sightline_image::ImageTensor;

/// A picture to describe.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// What it is called in the set.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The part of it to describe, `[x0, y0, x1, y1]` in pixels of the file; none: all of it.
    pub bbox: Option<[f64; 4]>,
}

impl Picture {
    /// A whole picture.
    pub fn new(name: impl Into<String>, path: impl Into<PathBuf>) -> Picture {
        Picture {
            name: name.into(),
            path: path.into(),
            bbox: None,
        }
    }
}

/// Makes the network's input of a picture file. Called from several threads at once.
pub trait Prepare: Sync {
    /// About how many bytes of memory [`Prepare::prepare`] will need for this file, its result included; judged from the file's
    /// header, without decoding. What cannot be judged may be 0.
    fn memory(&self, file: &[u8]) -> u64;

    /// The tensors of a file, one for each pass (scale) of the network.
    ///
    /// # Errors
    /// A sentence for the list of skipped pictures that says why the file is not usable.
    fn prepare(&self, file: &[u8], bbox: Option<[f64; 4]>) -> Result<Vec<ImageTensor>, String>;
}

/// By what a file is known to have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Bytes.
    pub(crate) size: u64,
    /// Nanoseconds since 1970 of the last change, negative before; the ends of the type stand for all times beyond.
    pub(crate) modified: i64,
}

impl Stamp {
    pub(crate) fn of(metadata: &fs::Metadata) -> Stamp {
        let nanoseconds = |span: std::time::Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        let modified = metadata
            .modified()
            .map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
                Ok(since) => nanoseconds(since),
                Err(before) => -nanoseconds(before.duration()),
            });
        Stamp {
            size: metadata.len(),
            modified,
        }
    }

    /// The stamp of a file, none if it is not there or no file.
    pub(crate) fn at(path: &Path) -> Option<Stamp> {
        fs::metadata(path)
            .ok()
            .filter(fs::Metadata::is_file)
            .map(|metadata| Stamp::of(&metadata))
    }
}

/// Sixteen bytes that name a picture in the state in which it was read: equal keys, equal descriptors (with one network).
pub(crate) fn key(picture: &Picture, stamp: Stamp) -> [u8; 16] {
    let mut bytes = Vec::new();
    for part in [
        picture.name.as_bytes(),
        picture.path.as_os_str().as_encoded_bytes(),
    ] {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    }
    if let Some(bbox) = picture.bbox {
        bytes.extend(bbox.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes.extend(stamp.size.to_le_bytes());
    bytes.extend(stamp.modified.to_le_bytes());
    let digest = sha256(&bytes);
    std::array::from_fn(|i| digest[i])
}

/// A file that is ready to be read.
pub(crate) struct Opened {
    file: File,
    pub(crate) stamp: Stamp,
}

impl Opened {
    /// Opens a picture file of at most `limit` bytes.
    pub(crate) fn new(path: &Path, limit: u64) -> Result<Opened, String> {
        let failed = |error: std::io::Error| format!("The file could not be opened: {error}.");
        // Asked before opening, because opening a named pipe waits for someone to write into it.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err("It is not a file.".to_owned());
        }
        let file = File::open(path).map_err(failed)?;
        let stamp = Stamp::of(&file.metadata().map_err(failed)?);
        if stamp.size > limit {
            return Err(format!(
                "The file has {} bytes, more than the {limit} bytes allowed for a picture.",
                stamp.size
            ));
        }
        Ok(Opened { file, stamp })
    }

    /// Reads the file, no more than it had when it was opened.
    pub(crate) fn read(self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = bytes
            .try_reserve_exact(self.stamp.size as usize)
            .map_err(|error| error.to_string());
        read.and_then(|()| {
            self.file
                .take(self.stamp.size)
                .read_to_end(&mut bytes)
                .map_err(|error| error.to_string())
        })
        .map_err(|error| format!("The file could not be read: {error}."))?;
        Ok(bytes)
    }
}
