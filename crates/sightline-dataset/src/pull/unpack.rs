//! Unpacks an archive beside its place, and moves its files there once all of them are right.

use super::digest::hexadecimal;
use super::place::{below, relative};
use super::{Event, Form, PullError, Stage, Unpack, Unpacked, manifest, tar_archive, zip_archive};
use sha2::{Digest as _, Sha256};
use std::cell::Cell;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};

/// The most files of one archive.
const MOST_FILES: u64 = 2_000_000;
/// Unpacked, an archive may take this much in any case, and this many times its own size beyond that.
const UNPACKED_FREE: u64 = 64 << 20;
const UNPACKED_RATIO: u64 = 50;

/// The bytes to which an archive of `packed` bytes may unpack.
pub(super) fn most_unpacked(packed: u64) -> u64 {
    UNPACKED_FREE.max(packed.saturating_mul(UNPACKED_RATIO))
}

/// Unpacks `archive` as `unpack` says, below `data_root`; `to` is what reports call it. What was unpacked stands in
/// `ARCHIVE.unpacked.sha256`. Files of the same name that are there already are replaced.
///
/// Links and devices are left out and counted, as are macOS's `__MACOSX` and `._*`. An archive is refused as a whole if one
/// name leads out of the folder or stands twice, or if it would unpack to far more than its size.
///
/// # Errors
/// Names the entry and what is wrong with it. A refused archive has put nothing in place.
pub fn unpack(
    archive: &Path,
    to: &str,
    unpack: &Unpack,
    data_root: &Path,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Unpacked, PullError> {
    let into = below(data_root, &unpack.into)?;
    let file = File::open(archive).map_err(|error| PullError::io("read", archive, error))?;
    let packed = file
        .metadata()
        .map_err(|error| PullError::io("read", archive, error))?
        .len();
    report(Event::Stage {
        stage: Stage::Unpacking,
        to,
        done: 0,
        total: Some(packed),
    });
    // On the same file system as the archive and (below one data root) its place, so that files can be renamed.
    let stage = super::place::beside(archive, ".unpacking");
    clear(&stage)?;
    std::fs::create_dir_all(&stage).map_err(|error| PullError::io("make the folder", &stage, error))?;
    let behind = Cell::new(0);
    let mut sink = Sink {
        archive,
        stage: &stage,
        unpack,
        folders: HashSet::new(),
        list: manifest::Writer::new(archive)?,
        done: Unpacked {
            into: unpack.into.clone(),
            files: 0,
            bytes: 0,
            left_out: 0,
        },
        behind: &behind,
        reported: 0,
        report,
    };
    let read = match unpack.form {
        Form::Zip => zip_archive::read(&file, &mut sink),
        form => {
            let counted = Counted {
                inner: &file,
                count: &behind,
            };
            tar_archive::read(counted, form == Form::Tgz, packed, &mut sink)
        }
    };
    let Sink { list, done, .. } = sink;
    if let Err(error) = read {
        // What was wrong with the archive matters more than what could not be tidied up.
        let _ = clear(&stage);
        return Err(error);
    }
    move_into(&stage, &into)?;
    clear(&stage)?;
    list.finish()?;
    Ok(done)
}

/// Where the files of an archive go while it is read.
pub(super) struct Sink<'a, 'r> {
    archive: &'a Path,
    stage: &'a Path,
    unpack: &'a Unpack,
    folders: HashSet<PathBuf>,
    list: manifest::Writer,
    done: Unpacked,
    /// Bytes of the archive that are behind the reader.
    behind: &'a Cell<u64>,
    reported: u64,
    report: &'r mut dyn FnMut(Event<'_>),
}

impl Sink<'_, '_> {
    pub(super) fn refused(&self, reason: String) -> PullError {
        PullError::Archive {
            path: self.archive.to_path_buf(),
            reason,
        }
    }

    pub(super) fn damaged(&self, error: &io::Error) -> PullError {
        self.refused(format!("it is damaged or cannot be read ({error})"))
    }

    /// A folder or another entry without content: only its name is looked at.
    pub(super) fn see(&self, name: &str) -> Result<(), PullError> {
        self.safe(name).map(|_| ())
    }

    /// A link or device.
    pub(super) fn leave_out(&mut self, name: &str) -> Result<(), PullError> {
        self.see(name)?;
        self.done.left_out += 1;
        Ok(())
    }

    /// So many further bytes of the archive are done.
    pub(super) fn progress(&mut self, bytes: u64) {
        self.behind.set(self.behind.get() + bytes);
        self.tell();
    }

    fn tell(&mut self) {
        let behind = self.behind.get();
        if behind > self.reported {
            (self.report)(Event::Bytes(behind - self.reported));
            self.reported = behind;
        }
    }

    fn safe(&self, name: &str) -> Result<PathBuf, PullError> {
        relative(name).map_err(|reason| {
            let shown: String = name.chars().take(100).flat_map(char::escape_debug).collect();
            self.refused(format!(
                "its entry \"{shown}\" has a name that is not accepted: {reason}"
            ))
        })
    }

    /// One file of `size` bytes.
    pub(super) fn put(&mut self, name: &str, size: u64, content: &mut impl Read) -> Result<(), PullError> {
        let path = self.safe(name)?;
        let Some(path) = self.place_of(&path) else {
            return Ok(());
        };
        if self.done.files >= MOST_FILES {
            return Err(self.refused(format!("it holds more than {MOST_FILES} files")));
        }
        let place = self.stage.join(&path);
        if let Some(folder) = place.parent().filter(|folder| !self.folders.contains(*folder)) {
            match std::fs::create_dir_all(folder) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) => {
                    return Err(self.twice(&path));
                }
                Err(error) => return Err(PullError::io("make the folder", folder, error)),
            }
            self.folders.insert(folder.to_path_buf());
        }
        let mut out = match OpenOptions::new().create_new(true).write(true).open(&place) {
            Ok(out) => out,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(self.twice(&path)),
            Err(error) => return Err(PullError::io("write", &place, error)),
        };
        let mut hash = Sha256::new();
        let mut block = vec![0; 1 << 16];
        let mut written = 0;
        loop {
            let read = match content.read(&mut block) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(&error)),
            };
            if read == 0 {
                break;
            }
            hash.update(&block[..read]);
            let wrote = out.write_all(&block[..read]);
            wrote.map_err(|error| PullError::io("write", &place, error))?;
            written += read as u64;
            self.tell();
        }
        if written != size {
            return Err(self.refused(format!(
                "its entry {} should have {size} bytes, but the archive ends after {written} of them",
                path.display()
            )));
        }
        self.done.files += 1;
        self.done.bytes += written;
        let mut parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let into = self.unpack.into.trim_end_matches('/');
        if !into.is_empty() {
            parts.insert(0, into.into());
        }
        let listed = parts.join("/");
        self.list.add(&hexadecimal(&hash.finalize()), &listed)
    }

    fn twice(&self, path: &Path) -> PullError {
        self.refused(format!("two of its entries go to {}", path.display()))
    }

    /// Where an entry goes below the stage; `None` for macOS's shadows, which are no content.
    fn place_of(&self, path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?;
        if name.to_string_lossy().starts_with("._") || path.starts_with("__MACOSX") {
            return None;
        }
        if self.unpack.flat {
            return Some(PathBuf::from(name));
        }
        let dropped = self
            .unpack
            .drop
            .as_ref()
            .and_then(|first| path.strip_prefix(first).ok());
        Some(dropped.unwrap_or(path).to_path_buf())
    }
}

/// Counts what is read.
struct Counted<'a> {
    inner: &'a File,
    count: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

fn clear(stage: &Path) -> Result<(), PullError> {
    match std::fs::remove_dir_all(stage) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(PullError::io("remove", stage, error)),
        _ => Ok(()),
    }
}

/// Moves what is below `from` to the same places below `to`.
fn move_into(from: &Path, to: &Path) -> Result<(), PullError> {
    std::fs::create_dir_all(to).map_err(|error| PullError::io("make the folder", to, error))?;
    let entries = std::fs::read_dir(from).map_err(|error| PullError::io("read", from, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| PullError::io("read", from, error))?;
        let kind = entry
            .file_type()
            .map_err(|error| PullError::io("read", entry.path(), error))?;
        let place = to.join(entry.file_name());
        if kind.is_dir() {
            move_into(&entry.path(), &place)?;
        } else {
            std::fs::rename(entry.path(), &place).map_err(|error| PullError::io("write", &place, error))?;
        }
    }
    Ok(())
}
