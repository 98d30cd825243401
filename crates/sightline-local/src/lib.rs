//! Local features of pictures and what is made of them: codebooks, VLAD, ASMK and its inverted file, matches between
//! two pictures and their spatial verification.
//!
//! For: many descriptors a picture, each at a place. Not for: networks (`sightline-nn`) or global descriptors
//! (`sightline-descriptor`).

mod aggregated_set;
pub mod asmk;
mod codebook;
mod codebook_training;
mod delg_selection;
mod extraction;
mod feature_file;
mod features;
mod network;
mod select;
pub mod spatial;
mod suppression;
mod vlad;
mod vlad_set;

pub use aggregated_set::AggregatedSet;
pub use codebook::{Codebook, CodebookError, Trained, codebook_size};
pub use codebook_training::{
    TrainingError, TrainingFeatures, remove_training_state, train_codebook, training_points,
};
pub use delg_selection::{AttentionThreshold, DELG_SCALES, DelgFeatures, DelgSelection, ReceptiveField};
pub use extraction::{LocalExtractError, LocalReport, extract_local};
pub use feature_file::{
    FeatureFile, FeatureFileError, FeatureHeader, FeatureWriter, LocalView, merge_features,
};
pub use features::LocalFeatures;
pub use network::{CellGrid, LocalNetwork, Selection};
pub use select::{ScaleMap, Selected, largest_strength, strongest};
pub use suppression::{Kept, suppress};
pub use vlad::{VladNormalisation, vlad};
pub use vlad_set::{VladSetError, write_vlad_set};
