//! The list of unpacked files beside an archive, `ARCHIVE.unpacked.sha256`: a SHA-256 and a path below the data root a line, as
//! `sha256sum` writes it (so `sha256sum -c` in the data root reads it too).

use super::digest::hexadecimal;
use super::place::{below, beside};
use super::{Event, PullError, Stage};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// The longest line that is read.
const LONGEST: usize = 1 << 13;

fn place(archive: &Path) -> PathBuf {
    beside(archive, ".unpacked.sha256")
}

/// The list while it is written.
pub(super) struct Writer {
    archive: PathBuf,
    out: BufWriter<File>,
}

impl Writer {
    pub(super) fn new(archive: &Path) -> Result<Self, PullError> {
        let path = beside(archive, ".unpacked.sha256.tmp");
        let file = File::create(&path).map_err(|error| PullError::io("write", &path, error))?;
        Ok(Self {
            archive: archive.to_path_buf(),
            out: BufWriter::new(file),
        })
    }

    pub(super) fn add(&mut self, sha256: &str, path: &str) -> Result<(), PullError> {
        writeln!(self.out, "{sha256}  {path}")
            .map_err(|error| PullError::io("write", place(&self.archive), error))
    }

    pub(super) fn finish(mut self) -> Result<(), PullError> {
        let path = place(&self.archive);
        self.out
            .flush()
            .and_then(|()| std::fs::rename(beside(&self.archive, ".unpacked.sha256.tmp"), &path))
            .map_err(|error| PullError::io("write", path, error))
    }
}

/// Calls `see` with SHA-256 and path of every line. `Ok(None)` where there is no list, or one that is broken.
fn each(archive: &Path, mut see: impl FnMut(&str, &str) -> bool) -> Option<u64> {
    let mut reader = BufReader::new(File::open(place(archive)).ok()?);
    let mut line = String::new();
    let mut lines = 0;
    loop {
        line.clear();
        let read = std::io::Read::take(&mut reader, LONGEST as u64)
            .read_line(&mut line)
            .ok()?;
        if read == 0 {
            return Some(lines);
        }
        let (sha256, path) = line.strip_suffix('\n')?.split_once("  ")?;
        lines += 1;
        if !see(sha256, path) {
            return None;
        }
    }
}

/// Whether the list names `files` files and all of them are there.
pub(super) fn all_there(archive: &Path, data_root: &Path, files: u64) -> bool {
    let there = |_: &str, path: &str| below(data_root, path).is_ok_and(|path| path.is_file());
    each(archive, there) == Some(files)
}

/// Compares every unpacked file with the list.
pub(super) fn check(
    archive: &Path,
    data_root: &Path,
    to: &str,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<(), PullError> {
    report(Event::Stage {
        stage: Stage::Checking,
        to,
        done: 0,
        total: None,
    });
    let mut wrong = None;
    let read = each(archive, |sha256, path| {
        let compared = below(data_root, path).and_then(|path| {
            let found = sha256_of(&path, report).map_err(|error| PullError::io("read", &path, error))?;
            if found == sha256 {
                return Ok(());
            }
            Err(PullError::Changed {
                path,
                expected: sha256.to_owned(),
                found,
            })
        });
        wrong = compared.err();
        wrong.is_none()
    });
    match (wrong, read) {
        (Some(wrong), _) => Err(wrong),
        (None, None) => Err(PullError::io(
            "read",
            place(archive),
            std::io::Error::other("the list of unpacked files is missing or broken; pull again"),
        )),
        (None, Some(_)) => Ok(()),
    }
}

fn sha256_of(path: &Path, report: &mut dyn FnMut(Event<'_>)) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let read = std::io::Read::read(&mut file, &mut block)?;
        if read == 0 {
            return Ok(hexadecimal(&hash.finalize()));
        }
        hash.update(&block[..read]);
        report(Event::Bytes(read as u64));
    }
}
