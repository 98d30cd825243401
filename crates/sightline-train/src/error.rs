//! What can be wrong with a training's inputs.

use sightline_search::SearchError;

/// Why training cannot begin or go on.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum TrainError {
    /// The search for neighbours refused.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// Not one descriptor and one list for each image.
    #[error(
        "The {what} of backbone {backbone} are of {got} images, but there are {images} clusters, one for each image. Give the same \
         images in the same order for every backbone."
    )]
    Images {
        /// Descriptors, or neighbours.
        what: &'static str,
        /// Which backbone, counted from 0.
        backbone: usize,
        /// Images of them.
        got: usize,
        /// Images of the training set.
        images: usize,
    },
    /// Lists that end early.
    #[error(
        "The lists of neighbours of backbone {backbone} have {k} images where training takes {wanted} (the larger of topk and sim_len). \
         Make the graph with k={wanted}, from at least as many images, or choose a smaller topk and sim_len."
    )]
    ShortLists {
        /// Which backbone, counted from 0.
        backbone: usize,
        /// Images that all its lists have.
        k: usize,
        /// Images wanted.
        wanted: usize,
    },
    /// A sample that does not exist.
    #[error("Sample {sample} was asked for, but the training set has {samples}, counted from 0.")]
    NoSuchSample {
        /// The sample.
        sample: usize,
        /// How many there are.
        samples: usize,
    },
    /// A batch of other sizes than the network's.
    #[error(
        "A batch of affinities {shape:?} with {labels} labels does not fit a network with {anchors} anchors, which trains on [samples, \
         {anchors}, tokens, 1] with a label for each token. Make the lists with sim_len={anchors}."
    )]
    Batch {
        /// Its shape.
        shape: Vec<usize>,
        /// Its labels.
        labels: usize,
        /// Anchors of the network.
        anchors: usize,
    },
    /// Weights that were saved for inference only.
    #[error(
        "The network has no `feature_align`, which CSA's second loss needs. Train from weights that have it."
    )]
    NoFeatureAlign,
    /// A setting out of its range.
    #[error("The setting {name}={value} cannot be used for training: give {wanted}.")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What would do.
        wanted: &'static str,
    },
    /// A device that does not give its numbers.
    #[error("The {what} of a training step could not be read from the device: {reason}")]
    Unreadable {
        /// Which numbers.
        what: &'static str,
        /// What the device says.
        reason: String,
    },
}

impl TrainError {
    /// Checks that a setting is a finite number for which `fits` holds.
    pub(crate) fn check_setting(
        name: &'static str,
        value: f64,
        wanted: &'static str,
        fits: impl Fn(f64) -> bool,
    ) -> Result<(), Self> {
        if value.is_finite() && fits(value) {
            return Ok(());
        }
        Err(Self::Setting { name, value, wanted })
    }
}
