//! Matches between two pictures and whether they agree on one map from the first to the second.
//!
//! [`Matching`] pairs features by their descriptors, [`robust_fit`] finds the map that most matches agree with,
//! [`Verification`] does both, and [`SpatialReranking`] orders a ranking by how many they are.

mod enough;
mod least_squares;
mod matching;
mod minimal;
mod model;
pub mod orders;
mod points;
mod random;
mod reranking;
mod robust;
mod sampler;
mod solve;
mod spread;
mod verify;
mod wald;

pub use matching::{Match, Matching, by_quality};
pub use model::{ModelKind, PointMatch, SpatialModel};
pub use reranking::{RerankRule, Reranked, SpatialReranking};
pub use robust::{RobustFit, RobustSettings, robust_fit};
pub use verify::{Placed, Verification, Verified};
