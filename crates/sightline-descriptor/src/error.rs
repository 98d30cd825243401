//! What can go wrong with descriptor sets on disk.

use std::io;
use std::path::{Path, PathBuf};

use sightline_card::{MixError, ReadCardError};

use crate::whitening::WhiteningError;

/// Why a descriptor set could not be read, written or merged.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
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
    /// The file's contents contradict themselves or are no descriptor set.
    #[error("{} cannot be used as a descriptor set: {reason}.", .path.display())]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file has several tensors that could be the descriptors.
    #[error(
        "{path} holds several sets of rows ({tensors}). Say which one is meant, e.g. {path}#{first}.",
        path = .path.display()
    )]
    Ambiguous {
        /// The file in question.
        path: PathBuf,
        /// All candidates, joined by commas.
        tensors: String,
        /// The first candidate.
        first: String,
    },
    /// The tensor asked for is not in the file.
    #[error("{} has no tensor named {wanted:?}. It has: {tensors}.", .path.display())]
    NoSuchTensor {
        /// The file in question.
        path: PathBuf,
        /// The name after the `#`.
        wanted: String,
        /// What the file has, joined by commas.
        tensors: String,
    },
    /// The output's name ends in neither `.safetensors` nor `.npy`.
    #[error("{} has no ending that says what to write. Use .safetensors or .npy.", .path.display())]
    Ending {
        /// The file in question.
        path: PathBuf,
    },
    /// The card inside or beside the file is unreadable.
    #[error("The card of {} is not usable: {source}", .path.display())]
    Card {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with the card.
        source: ReadCardError,
    },
    /// What was to be written contradicts itself.
    #[error("{} could not be written: {reason}.", .path.display())]
    Unwritable {
        /// The file in question.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Sets that do not belong together were to be merged.
    #[error("The sets could not be merged: {0}.")]
    Merge(String),
    /// A set that could not be whitened.
    #[error(transparent)]
    Whitening(#[from] WhiteningError),
    /// Sets with different cards were to be merged.
    #[error("The sets could not be merged. {0}")]
    Mix(#[from] MixError),
}

impl SetError {
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> SetError {
        let path = path.to_path_buf();
        move |source| SetError::Io { path, action, source }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> SetError {
        SetError::Damaged {
            path: path.to_path_buf(),
            // A reason of another reader is a sentence; here it becomes the end of one.
            reason: reason.into().trim_end_matches('.').to_owned(),
        }
    }
}
