//! Whitening: applying one, learning one, and its file.
//!
//! A whitening subtracts a mean, projects, perhaps scales the axes, and divides by the norm. [`Whitening`] applies the forms
//! of dirtorch and cirtorch; [`learn_pca`], [`learn_cirtorch_pca`], [`learn_cirtorch`] and [`learn_shrinkage`] learn them
//! from rows that may lie in a mapped file; [`WhiteningFile`] is where they are kept.
//!
//! ```
//! use sightline_descriptor::{Samples, WhiteningSettings, learn_pca};
//!
//! let rows = [1.0_f64, 0.0, -1.0, 0.0, 0.0, 0.5, 0.0, -0.5];
//! let learned = learn_pca(&Samples::f64(&rows, 2), None)?;
//! let whitening = learned.whitening("mine", &WhiteningSettings { l2: false, ..WhiteningSettings::default() })?;
//! let white = whitening.apply_f64(&rows)?;
//! // Every axis has variance 1 now (divisor N - 1).
//! assert!((white.iter().step_by(2).map(|x| x * x).sum::<f64>() / 3.0 - 1.0).abs() < 1e-12);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod cholesky;
mod cirtorch;
mod dot;
mod eigen;
mod file;
mod learned;
mod pca;
mod samples;
mod scatter;
mod set;
mod shrinkage;

pub use apply::{Whitening, WhiteningSettings};
pub use cirtorch::{learn_cirtorch, learn_cirtorch_pca};
pub use file::{LearnedFrom, PairsIdentity, SetIdentity, WhiteningFile, WhiteningFileError};
pub use learned::{LearnError, Learned};
pub use pca::learn_pca;
pub use samples::Samples;
pub use shrinkage::learn_shrinkage;

/// Why values are no whitening.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhiteningError {
    /// Two parts contradict each other.
    #[error("The whitening {name} is unusable: {reason}.")]
    Shape {
        /// Its name.
        name: String,
        /// What contradicts what.
        reason: String,
    },
    /// Descriptors of another length than the whitening's.
    #[error("The whitening {name} is for descriptors of {want} values, and these have {got}.")]
    Dimension {
        /// Its name.
        name: String,
        /// The length it was learned on.
        want: usize,
        /// The length it met.
        got: usize,
    },
    /// A set that is whitened already.
    #[error(
        "{set} is already whitened with {before}, and {name} would be the second whitening. Whiten the plain descriptors."
    )]
    Twice {
        /// Its name.
        name: String,
        /// The set.
        set: String,
        /// The whitening that the set's card names.
        before: String,
    },
    /// A row without direction afterwards.
    #[error(
        "The descriptor of {row} cannot be whitened with {name}: it is the mean, or holds values that are no finite numbers. Leave it out."
    )]
    NotFinite {
        /// Its name.
        name: String,
        /// The row's name.
        row: String,
    },
}
