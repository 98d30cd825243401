//! What can go wrong with an inverted file.

use std::io;
use std::path::{Path, PathBuf};

/// Why an inverted file could not be read, written, changed or searched.
#[derive(Debug, thiserror::Error)]
pub enum AsmkError {
    /// The file system refused.
    #[error("{} could not be {action}: {source}.", .path.display())]
    Io {
        /// The file in question.
        path: PathBuf,
        /// What was being done, as a participle: `opened`, `written`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else.
    #[error("{} is no inverted file of Sightline: {reason}. Make one with `sightline local index create`.", .path.display())]
    Other {
        /// The file in question.
        path: PathBuf,
        /// What is missing.
        reason: &'static str,
    },
    /// The file was written by a newer version.
    #[error(
        "{} has format version {found}, and this program knows versions up to {known}. Use a newer Sightline.",
        .path.display()
    )]
    TooNew {
        /// The file in question.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The contents contradict themselves.
    #[error("{} is damaged: {reason}. Make it again, or take it from a backup.", .path.display())]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A pickle of jenicek/asmk that does not hold what it should.
    #[error("{} cannot be taken over as an inverted file of jenicek/asmk: {reason}.", .path.display())]
    Foreign {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was to be put in, or asked, does not fit the index.
    #[error("{0}")]
    Unfit(String),
}

impl AsmkError {
    /// For `map_err`: the file system refused to have `path` `action`ed.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> AsmkError {
        let path = path.to_path_buf();
        move |source| AsmkError::Io { path, action, source }
    }
}
