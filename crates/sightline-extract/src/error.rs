//! What stops an extraction. A picture that cannot be read does not: it is listed as skipped.

use std::io;
use std::path::{Path, PathBuf};

use sightline_descriptor::SetError;

/// Why an extraction stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
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
    /// The descriptor set could not be written or read.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The network's descriptors have another length than the card or the whitening says.
    #[error("The network gives descriptors of {got} values, and {wants} wants {want}.")]
    Dimension {
        /// Who wants another length.
        wants: &'static str,
        /// The length wanted.
        want: usize,
        /// The length that came.
        got: usize,
    },
    /// The network has no output that could be the descriptor.
    #[error("The network has no output {wanted}. It has: {outputs}.")]
    Output {
        /// What was looked for.
        wanted: String,
        /// What there is.
        outputs: String,
    },
    /// An unfinished extraction with other settings lies at the same place.
    #[error(
        "{} holds an unfinished extraction with other settings: {differences}. Run it again with those settings to finish it, or begin anew (--restart), which throws its rows away.",
        .part.display()
    )]
    OtherJob {
        /// The folder of the unfinished extraction.
        part: PathBuf,
        /// The fields that differ.
        differences: String,
    },
    /// The unfinished extraction is not readable.
    #[error("{} cannot be continued: {reason}. Begin anew (--restart), which throws its rows away.", .part.display())]
    Journal {
        /// The folder of the unfinished extraction.
        part: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process is writing the same set.
    #[error("{} is being written by another process. Wait for it, or write to another file.", .output.display())]
    Busy {
        /// The set in question.
        output: PathBuf,
    },
    /// There is no place for the cache.
    #[error(
        "There is no folder for the cache: neither SIGHTLINE_CACHE nor XDG_CACHE_HOME nor HOME is set. Set one of them."
    )]
    NoCache,
}

impl ExtractError {
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> ExtractError {
        let path = path.to_path_buf();
        move |source| ExtractError::Io { path, action, source }
    }
}
