//! A folder to pull into, and the file that is pulled.
#![allow(dead_code)]
#![allow(clippy::unwrap_used)]

use sightline_dataset::pull::{Event, FileEntry, Options, PullError, Pulled, pull};
use std::path::PathBuf;
use std::time::Duration;

/// SHA-256 and MD5 of [`content`] of 300,000 bytes.
pub(crate) const SHA256: &str = "136f334d647619879743ff33fde1ac6547f40e314692441f2a125e087cad47c9";
pub(crate) const MD5: &str = "14a1802113ce2773fe316b5a05dd3645";

pub(crate) fn content() -> Vec<u8> {
    (0..300_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) options: Options,
    pub(crate) remarks: Vec<String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            tries: 3,
            first_wait: Duration::from_millis(1),
            stall: Duration::from_millis(500),
            proxy: false,
            ..Options::new(folder.path(), "2024-02-29")
        };
        Self {
            folder,
            options,
            remarks: Vec::new(),
        }
    }

    pub(crate) fn pull(&mut self, file: &FileEntry) -> Result<Pulled, PullError> {
        let remarks = &mut self.remarks;
        pull("test", file, &self.options, &mut |event| {
            if let Event::Remark(text) = event {
                remarks.push(text.to_owned());
            }
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn refused(&mut self, file: &FileEntry) -> String {
        self.pull(file).unwrap_err().to_string()
    }

    /// The file is there, right, and nothing half is beside it.
    #[track_caller]
    pub(crate) fn is_whole(&self) {
        assert!(std::fs::read(self.path("a/file.bin")).unwrap() == content());
        let mut names: Vec<String> = std::fs::read_dir(self.path("a"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["file.bin", "file.bin.receipt.json"]);
    }
}

pub(crate) fn file_at(url: impl Into<String>) -> FileEntry {
    FileEntry {
        url: vec![url.into()],
        to: "a/file.bin".to_owned(),
        ..FileEntry::default()
    }
}
