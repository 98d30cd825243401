//! Downloads published data sets and weights: where they lie is said by a [`Table`], how they come by [`pull()`].
//!
//! A file is fetched into `NAME.part`, continued where it broke off, checked, and renamed; a receipt beside it
//! (`NAME.receipt.json`) records address, day, size and SHA-256, so that a second pull only looks. Archives are unpacked
//! beside their place and moved there. One lock a file keeps two pulls apart. Everything lies below one data root, in the
//! folders that cirtorch, Token and the other tools of this crate expect.
//!
//! What comes from the network is not trusted: sizes, ranges and checksums are compared with what was announced and
//! published, redirects are bounded and never leave https, archives cannot write outside their folder.
//!
//! ```
//! use sightline_dataset::pull::{Kind, Table};
//!
//! let table = Table::embedded(Kind::Datasets)?;
//! let chosen = table.select("gldv2:index", Some(&"0-1".parse()?))?;
//! assert_eq!(chosen.files.len(), 2);
//! assert!(table.select("roxfrod5k", None).unwrap_err().to_string().contains("did you mean roxford5k?"));
//! # Ok::<(), sightline_dataset::pull::PullError>(())
//! ```

mod digest;
mod disk;
mod download;
mod error;
mod exchange;
mod lock;
mod manifest;
mod part_file;
mod place;
mod receipt;
mod selection;
mod table;
mod tar_archive;
mod unpack;
mod zip_archive;

pub use error::PullError;
pub use exchange::through_mirror;
pub use receipt::{Receipt, Unpacked};
pub use selection::{Choice, Chosen, Numbers};
pub use table::{Entry, FileEntry, Form, Kind, Link, Table, Unpack};
pub use unpack::unpack;

use crate::OpenOptions;
use crate::data_roots::data_roots;
use digest::Digests;
use lock::Lock;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to pull.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that everything lies below.
    pub data_root: PathBuf,
    /// The day that receipts carry, as `YYYY-MM-DD`.
    pub day: String,
    /// How often one address is tried in a row without getting further.
    pub tries: u32,
    /// The wait before the second try; it doubles with each further one.
    pub first_wait: Duration,
    /// The longest silence of a server.
    pub stall: Duration,
    /// Put before every address, in place of `http://` or `https://`.
    pub mirror: Option<String>,
    /// Whether proxies of the environment (`HTTPS_PROXY`, `NO_PROXY`, ...) are used.
    pub proxy: bool,
    /// Remove archives once they are unpacked.
    pub delete_archives: bool,
    /// Download nothing; compare what is there with its receipts, byte for byte.
    pub check: bool,
}

/// Where pulled files go: the first of [`known_roots`]; `None` where none is known.
pub fn data_root(given: Option<&Path>) -> Option<PathBuf> {
    known_roots(given).into_iter().next()
}

/// The folders in which known names are looked for, in that order: the one that was given, else those of `$SIGHTLINE_DATA`
/// and `$DB_ROOT`.
pub fn known_roots(given: Option<&Path>) -> Vec<PathBuf> {
    let options = OpenOptions {
        data_root: given.map(Path::to_path_buf),
        ..OpenOptions::default()
    };
    data_roots("", &options).unwrap_or_default()
}

impl Options {
    /// The usual: six tries, waits from one second on, a minute of silence, archives kept.
    pub fn new(data_root: impl Into<PathBuf>, day: impl Into<String>) -> Self {
        Self {
            data_root: data_root.into(),
            day: day.into(),
            tries: 6,
            first_wait: Duration::from_secs(1),
            stall: Duration::from_secs(60),
            mirror: None,
            proxy: true,
            delete_archives: false,
            check: false,
        }
    }
}

/// What is going on, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Something begins: `done` of `total` bytes (where that is known) of the file at `to` are already behind it.
    Stage {
        /// What is done.
        stage: Stage,
        /// The file, below the data root.
        to: &'a str,
        /// Bytes that need not be done again.
        done: u64,
        /// All bytes.
        total: Option<u64>,
    },
    /// So many further bytes are done.
    Bytes(u64),
    /// A sentence that the user should read: a retry, a wait, a new beginning.
    Remark(&'a str),
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It comes over the network.
    Downloading,
    /// Its checksums are computed.
    Checking,
    /// It is unpacked.
    Unpacking,
}

/// How pulling one file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It was downloaded (and unpacked).
    Downloaded,
    /// It was there already.
    AlreadyThere,
    /// It lay there without a receipt, fits what is published, and has a receipt now.
    Adopted,
    /// It must be fetched by hand.
    ByHand,
    /// It is not there, and was only to be checked.
    Missing,
}

/// One pulled file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// Where it lies below the data root.
    pub to: String,
    /// Where it lies.
    pub path: PathBuf,
    /// How it ended.
    pub status: Status,
    /// What its receipt says, where it has one.
    pub receipt: Option<Receipt>,
    /// What to do by hand, or why it is missing.
    pub advice: Option<String>,
}

/// Pulls one file of an entry: downloads, checks and unpacks what is not there yet.
///
/// # Errors
/// Says what was fetched from where, what went wrong, and what to do. What has come is kept for the next time, unless it is
/// wrong.
pub fn pull(
    entry: &str,
    file: &FileEntry,
    options: &Options,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Pulled, PullError> {
    let target = place::below(&options.data_root, &file.to)?;
    if options.check {
        return check(file, &target, options, report);
    }
    let folder = target.parent().unwrap_or(&options.data_root);
    std::fs::create_dir_all(folder).map_err(|error| PullError::io("make the folder", folder, error))?;
    let _lock = Lock::take(&target, &file.to, report)?;
    let mut status = Status::AlreadyThere;
    let mut receipt = match Receipt::of(&target).filter(|receipt| receipt.fits(file)) {
        Some(receipt) if receipt.still_there(&target, &options.data_root, file) => receipt,
        _ if target.is_file() => {
            status = Status::Adopted;
            adopt(entry, file, &target, options, report)?
        }
        _ if file.url.is_empty() => return Ok(by_hand(file, target)),
        _ => {
            status = Status::Downloaded;
            download::download(entry, file, &target, options, report)?
        }
    };
    if let Some(unpack) = &file.unpack {
        if !receipt.is_unpacked(&target, &options.data_root) {
            receipt.unpacked = Some(unpack::unpack(
                &target,
                &file.to,
                unpack,
                &options.data_root,
                report,
            )?);
            receipt.write(&target)?;
        }
        if options.delete_archives && target.is_file() {
            std::fs::remove_file(&target).map_err(|error| PullError::io("remove", &target, error))?;
            receipt.archive_deleted = true;
            receipt.write(&target)?;
        }
    }
    Ok(Pulled {
        to: file.to.clone(),
        path: target,
        status,
        receipt: Some(receipt),
        advice: None,
    })
}

/// Compares what is there with its receipt, byte for byte.
fn check(
    file: &FileEntry,
    target: &Path,
    options: &Options,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Pulled, PullError> {
    let mut pulled = Pulled {
        to: file.to.clone(),
        path: target.to_path_buf(),
        status: Status::Missing,
        receipt: None,
        advice: Some(format!(
            "There is no receipt of {}; it was not pulled, or not to its end.",
            file.to
        )),
    };
    let Some(receipt) = Receipt::of(target) else {
        return Ok(pulled);
    };
    if !receipt.archive_deleted && !target.is_file() {
        pulled.advice = Some(format!(
            "{} has a receipt, but is gone; pull again without --check.",
            file.to
        ));
        return Ok(pulled);
    }
    if !receipt.is_complete(file) {
        pulled.advice = Some(format!(
            "{} was downloaded, but not unpacked; pull again without --check.",
            file.to
        ));
        return Ok(pulled);
    }
    if !receipt.archive_deleted {
        let digests = Digests::of(target, &file.to, report)?;
        if digests.sha256 != receipt.sha256 {
            return Err(PullError::Changed {
                path: target.to_path_buf(),
                expected: receipt.sha256,
                found: digests.sha256,
            });
        }
    }
    if receipt.unpacked.is_some() {
        manifest::check(target, &options.data_root, &file.to, report)?;
    }
    pulled.status = Status::AlreadyThere;
    pulled.receipt = Some(receipt);
    pulled.advice = None;
    Ok(pulled)
}

/// A file that lies there without a receipt is compared with what is published.
fn adopt(
    entry: &str,
    file: &FileEntry,
    target: &Path,
    options: &Options,
    report: &mut dyn FnMut(Event<'_>),
) -> Result<Receipt, PullError> {
    // First, because reading a large file takes longer.
    let md5 = download::md5_to_compare(file, options)?;
    let digests = Digests::of(target, &file.to, report)?;
    if let Some(wrong) = digests.contradiction(file.size, md5.as_deref(), file.sha256.as_deref()) {
        return Err(PullError::Foreign {
            path: target.to_path_buf(),
            reason: wrong,
        });
    }
    let receipt = Receipt {
        found: true,
        ..Receipt::new(entry, file, &digests, None, &options.day)
    };
    receipt.write(target)?;
    Ok(receipt)
}

fn by_hand(file: &FileEntry, target: PathBuf) -> Pulled {
    let page = file.by_hand.as_deref().unwrap_or_default();
    let advice = format!(
        "{} cannot be fetched by a program. Open {page} in a browser, save the file as {}, and run the same command again.",
        file.to,
        target.display()
    );
    Pulled {
        to: file.to.clone(),
        path: target,
        status: Status::ByHand,
        receipt: None,
        advice: Some(advice),
    }
}

/// Makes a link of an entry, such as `test/roxford5k/jpg`, which shows where the pictures of Oxford5k lie. Something
/// that is already there is left alone.
///
/// # Errors
/// If the system refuses; the sentence says what should point where.
pub fn link(link: &Link, data_root: &Path) -> Result<(), PullError> {
    let path = place::below(data_root, &link.path)?;
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(data_root);
    std::fs::create_dir_all(folder).map_err(|error| PullError::io("make the folder", folder, error))?;
    // Relative, so that the data root can be moved.
    let up = "../".repeat(link.path.split('/').count() - 1);
    make_link(Path::new(&format!("{up}{}", link.to)), &path)
        .map_err(|error| PullError::io("make a link to the folder of the pictures at", &path, error))
}

#[cfg(unix)]
fn make_link(to: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, path)
}

#[cfg(windows)]
fn make_link(to: &Path, path: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(to, path)
}
