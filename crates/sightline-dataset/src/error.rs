//! What can go wrong while a data set is opened.

use std::path::PathBuf;

/// Why a data set could not be opened. Every message says what was being done and what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file or folder could not be read.
    #[error("Cannot read {}: {source}.", path.display())]
    Io {
        /// The file or folder as it was given.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A pickle, Matlab or other foreign file was refused.
    #[error(transparent)]
    File(#[from] sightline_checkpoint::ReadError),
    /// A file was read, but it is not what it should be.
    #[error("Cannot read {} as {what}: {}", path.display(), ended(reason))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it was read as, such as "a ground truth".
        what: &'static str,
        /// What is wrong in it.
        reason: String,
    },
    /// The file is fine by itself, but its content contradicts itself.
    #[error("The data set {name} is broken: {}", ended(reason))]
    Broken {
        /// The data set's name.
        name: String,
        /// What contradicts what, naming the query or image.
        reason: String,
    },
    /// No file, known name or expression fits what was asked for.
    #[error("Cannot find the data set \"{spec}\": {}", ended(reason))]
    Unknown {
        /// What was asked for.
        spec: String,
        /// What was tried, and what was perhaps meant.
        reason: String,
    },
    /// A dirtorch expression does not parse.
    #[error("Cannot understand the data set expression {expression}: {}", ended(reason))]
    Expression {
        /// The expression as it was given.
        expression: String,
        /// Where and why it stops making sense.
        reason: String,
    },
    /// A name fits two pictures, or two names fit one.
    #[error(
        "The name \"{name}\" fits both {} and {}; rename one of them or give a path.",
        first.display(),
        second.display()
    )]
    Ambiguous {
        /// The name in the list or ground truth.
        name: String,
        /// One picture.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
}

impl DatasetError {
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }

    pub(crate) fn malformed(path: impl Into<PathBuf>, what: &'static str, reason: impl ToString) -> Self {
        Self::Malformed {
            path: path.into(),
            what,
            reason: reason.to_string(),
        }
    }
}

/// A reason as the end of a sentence.
fn ended(reason: &str) -> String {
    let stop = if reason.ends_with(['.', '?']) { "" } else { "." };
    format!("{reason}{stop}")
}
