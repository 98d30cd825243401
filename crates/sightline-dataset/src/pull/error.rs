//! What can go wrong while something is pulled.

use std::path::{Path, PathBuf};

/// Why something could not be pulled. Every message says what was being done, what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// A table of addresses cannot be read.
    #[error("Cannot read the table of addresses {table}: {reason}.")]
    Table {
        /// The table's file.
        table: String,
        /// What is wrong in it, and where.
        reason: String,
    },
    /// There is no such entry, group or part.
    #[error("Cannot pull \"{name}\": {reason}.")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is instead, and what was perhaps meant.
        reason: String,
    },
    /// The system refused something.
    #[error("Cannot {doing} {}: {source}.", path.display())]
    Io {
        /// What was being done, such as "write".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A path of a table leads out of the data root.
    #[error("Cannot use the path \"{path}\": {reason}.")]
    Path {
        /// The path as it stands there.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The download failed for good.
    #[error("Cannot download {url}: {reason}")]
    Download {
        /// The address, the last of several.
        url: String,
        /// What happened, and what to do, as sentences.
        reason: String,
    },
    /// There is not enough room.
    #[error(
        "Cannot download {to}: it needs {needed} more bytes, but only {free} are free where it would lie. Make room, or choose another folder with --data-root."
    )]
    NoRoom {
        /// The file below the data root.
        to: String,
        /// Bytes still to come.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A file that was pulled is no longer what its receipt says.
    #[error(
        "{} has changed since it was pulled: its receipt says SHA-256 {expected}, it has {found}. Remove it and pull again.",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What the receipt says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// A file lies in the place and is not the published one.
    #[error("{} lies there already, but is not the published file: {reason}. Move it away and pull again.", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A file lies in the place, and what it should be compared with cannot be had.
    #[error(
        "Cannot tell whether {to}, which lies there already, is the published file: {reason}. Run the same command again, or move it away."
    )]
    Unchecked {
        /// The file below the data root.
        to: String,
        /// Which checksum, and why not.
        reason: String,
    },
    /// An archive is refused.
    #[error("Cannot unpack {}: {reason}. Nothing of it was put in place. Remove it and pull again.", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Which entry, and why.
        reason: String,
    },
}

impl PullError {
    pub(super) fn io(doing: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            doing,
            path: path.as_ref().to_path_buf(),
            source,
        }
    }

    /// Whether the user asked for something that does not exist, rather than that something failed.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Table { .. } | Self::Unknown { .. } | Self::Path { .. }
        )
    }
}
