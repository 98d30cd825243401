//! The architecture that a checkpoint says it holds.

use crate::weights::Weights;
use crate::{Architecture, ArchitectureError, fit};
use sightline_checkpoint::Recognised;
use sightline_checkpoint::recognise::Project;

/// Why a checkpoint does not name its network.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// The file says nothing about it; `fitting` are the known architectures whose tensors it holds.
    #[error(
        "The file does not say which network it holds, so its architecture must be named. {}",
        fits(fitting)
    )]
    Unsaid {
        /// Names of the architectures that would fit, those that use most of the file first.
        fitting: Vec<String>,
    },
    /// The file holds a network that puts rankings in order.
    #[error(
        "The file holds CSA's network, which makes no descriptors of pictures: it re-ranks. Give it to `--rerank csa:weights=FILE`, \
         and another model for the descriptors."
    )]
    Reranks,
    /// The file names a network that is not there.
    #[error("The file is one of {project}, but its network cannot be run: {error}")]
    Unavailable {
        /// Whose file it is.
        project: &'static str,
        /// Why the name stands for no network.
        error: ArchitectureError,
    },
}

fn fits(fitting: &[String]) -> String {
    if fitting.is_empty() {
        "Of those that Sightline knows none fits its tensors.".to_owned()
    } else {
        format!("What would fit: {}.", fitting.join(", "))
    }
}

impl Architecture {
    /// The architecture that a recognised checkpoint names.
    ///
    /// # Errors
    /// When it names none (a plain state dict does not say what follows the trunk), or one that is not there.
    pub fn of_checkpoint(recognised: &Recognised) -> Result<Self, CheckpointError> {
        if recognised.project == Project::Csa {
            return Err(CheckpointError::Reranks);
        }
        match &recognised.architecture {
            Some(name) => Self::parse(name).map_err(|error| CheckpointError::Unavailable {
                project: recognised.project.name(),
                error,
            }),
            None => Err(CheckpointError::Unsaid {
                fitting: fit::fitting(&Weights::from_state_dict(&recognised.state_dict)),
            }),
        }
    }
}
