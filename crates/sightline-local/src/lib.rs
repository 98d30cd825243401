//! Local features of pictures and what is made of them: codebooks, VLAD, ASMK and its inverted file, matches between
//! two pictures and their spatial verification.
//!
//! For: many descriptors a picture, each at a place. Not for: networks (`sightline-nn`) or global descriptors
//! (`sightline-descriptor`).

mod features;

pub use features::LocalFeatures;
