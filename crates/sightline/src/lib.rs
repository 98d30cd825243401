//! Sightline: image retrieval in Rust.

pub use sightline_card as card;
pub use sightline_checkpoint as checkpoint;
pub use sightline_dataset as dataset;
pub use sightline_descriptor as descriptor;
pub use sightline_eval as eval;
pub use sightline_extract as extract;
pub use sightline_image as image;
#[cfg(feature = "nn")]
pub use sightline_nn as nn;
pub use sightline_plan as plan;
pub use sightline_scenes as scenes;
pub use sightline_search as search;
