//! What can go wrong while rankings are put in a new order.

use sightline_descriptor::ExpansionError;
use sightline_plan::RunError;
use sightline_search::SearchError;

/// Why rankings could not be put in a new order.
#[derive(Debug, thiserror::Error)]
pub enum RerankError {
    /// Rankings of which nothing but the order is known.
    #[error(
        "Re-ranking by `{method}` compares descriptors, and only rankings were given. Give the descriptors of both sides."
    )]
    NeedsDescriptors {
        /// The method.
        method: &'static str,
    },
    /// Rankings without local features.
    #[error("Re-ranking by `{method}` compares local features, and none were given for both sides.")]
    NeedsLocalFeatures {
        /// The method.
        method: &'static str,
    },
    /// Settings that do not fit the collection or each other.
    #[error("Re-ranking by `{method}`: {reason}")]
    Unfit {
        /// The method.
        method: &'static str,
        /// A full sentence: what does not fit, and what would.
        reason: String,
    },
    /// Descriptors could not be expanded.
    #[error(transparent)]
    Expansion(#[from] ExpansionError),
    /// The search refused.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// A network failed.
    #[error(transparent)]
    Run(#[from] RunError),
}
