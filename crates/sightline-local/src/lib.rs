//! Local features of pictures and what is made of them: codebooks, VLAD, ASMK and its inverted file, matches between
//! two pictures and their spatial verification.
//!
//! For: many descriptors a picture, each at a place. Not for: networks (`sightline-nn`) or global descriptors
//! (`sightline-descriptor`).

pub mod asmk;
mod codebook;
mod extraction;
mod feature_file;
mod features;
mod network;
mod select;

pub use codebook::{Codebook, CodebookError, Trained, codebook_size};
pub use extraction::{LocalExtractError, LocalReport, extract_local};
pub use feature_file::{
    FeatureFile, FeatureFileError, FeatureHeader, FeatureWriter, LocalView, merge_features,
};
pub use features::LocalFeatures;
pub use network::{CellGrid, LocalNetwork, Selection};
pub use select::{ScaleMap, Selected, largest_strength, strongest};
