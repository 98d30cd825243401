//! The receipt beside a pulled file: what it is, whence, when, and what was made of it.

use super::digest::Digests;
use super::place::{below, beside};
use super::{FileEntry, PullError, manifest};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the form.
const FORMAT: u32 = 1;
/// The largest receipt that is read.
const LARGEST: u64 = 1 << 20;

/// What `NAME.receipt.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The version of the form.
    pub format_version: u32,
    /// The version of sightline that wrote it.
    pub sightline: String,
    /// The entry of the table.
    pub entry: String,
    /// The address that answered, after redirects; `None` for a file that was fetched by hand or found in its place.
    pub url: Option<String>,
    /// Whether the file lay in its place before, without a receipt.
    pub found: bool,
    /// The day, `YYYY-MM-DD`.
    pub day: String,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Which published checksums it was compared with: `md5`, `sha256`.
    pub compared: Vec<String>,
    /// What was unpacked.
    pub unpacked: Option<Unpacked>,
    /// Whether the archive was removed after that.
    pub archive_deleted: bool,
}

/// What was unpacked of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// The folder, below the data root.
    pub into: String,
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Links and devices of the archive, which were left out.
    pub left_out: u64,
}

impl Receipt {
    pub(super) fn new(
        entry: &str,
        file: &FileEntry,
        digests: &Digests,
        url: Option<String>,
        day: &str,
    ) -> Self {
        let mut compared = Vec::new();
        if file.md5.is_some() || file.md5_url.is_some() {
            compared.push("md5".to_owned());
        }
        if file.sha256.is_some() {
            compared.push("sha256".to_owned());
        }
        Self {
            format_version: FORMAT,
            sightline: env!("CARGO_PKG_VERSION").to_owned(),
            entry: entry.to_owned(),
            url,
            found: false,
            day: day.to_owned(),
            size: digests.size,
            sha256: digests.sha256.clone(),
            compared,
            unpacked: None,
            archive_deleted: false,
        }
    }

    /// The receipt of a file; `None` where there is none that can be read, which means that nothing is known.
    pub fn of(target: &Path) -> Option<Self> {
        let path = beside(target, ".receipt.json");
        if std::fs::metadata(&path).ok()?.len() > LARGEST {
            return None;
        }
        let receipt: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (receipt.format_version == FORMAT).then_some(receipt)
    }

    pub(super) fn write(&self, target: &Path) -> Result<(), PullError> {
        let path = beside(target, ".receipt.json");
        let temporary = beside(target, ".receipt.json.tmp");
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
        text.and_then(|text| std::fs::write(&temporary, text))
            .and_then(|()| std::fs::rename(&temporary, &path))
            .map_err(|error| PullError::io("write", path, error))
    }

    /// Whether it is a receipt of the file that the table means now.
    pub(super) fn fits(&self, file: &FileEntry) -> bool {
        file.size.is_none_or(|size| size == self.size)
            && file
                .sha256
                .as_ref()
                .is_none_or(|sha256| sha256.eq_ignore_ascii_case(&self.sha256))
    }

    /// Whether everything was done with the file: an archive that could not be unpacked has a receipt, but is of no use yet.
    pub fn is_complete(&self, file: &FileEntry) -> bool {
        file.unpack.is_none() || self.unpacked.is_some()
    }

    /// Whether the file (or what was unpacked, where the archive was removed) is there, by size and names.
    pub(super) fn still_there(&self, target: &Path, data_root: &Path, file: &FileEntry) -> bool {
        if self.archive_deleted {
            return file.unpack.is_some() && self.is_unpacked(target, data_root);
        }
        std::fs::metadata(target).is_ok_and(|facts| facts.is_file() && facts.len() == self.size)
    }

    /// Whether everything that was unpacked is still there, by name.
    pub(super) fn is_unpacked(&self, target: &Path, data_root: &Path) -> bool {
        self.unpacked.as_ref().is_some_and(|unpacked| {
            below(data_root, &unpacked.into).is_ok() && manifest::all_there(target, data_root, unpacked.files)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 wrote it.
    const VERSION_1: &str = r#"{ "format_version": 1, "sightline": "0.1.0", "entry": "cub200", "url": "https://x/y.tgz", "found": false,
        "day": "2024-02-29", "size": 3, "sha256": "ba78", "compared": ["md5"], "unpacked": { "into": "a", "files": 2, "bytes": 5,
        "left_out": 0 }, "archive_deleted": true }"#;

    #[test]
    fn receipts_of_version_1_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("y.tgz");
        std::fs::write(folder.path().join("y.tgz.receipt.json"), VERSION_1).unwrap();
        let receipt = Receipt::of(&target).unwrap();
        assert_eq!((receipt.size, receipt.archive_deleted), (3, true));
        assert_eq!(receipt.unpacked.as_ref().unwrap().files, 2);
        let other = |size, sha256: &str| FileEntry {
            size,
            sha256: Some(sha256.to_owned()),
            ..FileEntry::default()
        };
        assert!(receipt.fits(&other(Some(3), "BA78")) && receipt.fits(&FileEntry::default()));
        assert!(!receipt.fits(&other(Some(4), "ba78")) && !receipt.fits(&other(None, "ba79")));
        // One of another version, or none at all, says nothing.
        let newer = VERSION_1.replace("_version\": 1", "_version\": 2");
        for text in [newer.as_str(), "{", ""] {
            std::fs::write(folder.path().join("y.tgz.receipt.json"), text).unwrap();
            assert_eq!(Receipt::of(&target), None, "{text}");
        }
    }
}
