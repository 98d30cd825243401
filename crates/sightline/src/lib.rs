//! Image retrieval in Rust: the library that re-exports every part of Sightline.
