//! Draws procedural scenes: pictures of made-up facades, each seen from several sides, with their ground truth.
//!
//! For demonstrations and tests that must not depend on anybody's photographs. Everything follows from a seed, so a
//! collection is the same on every machine. This crate draws; it does not write files, extract or evaluate.
//!
//! ```
//! use sightline_scenes::Collection;
//!
//! let collection = Collection::new(3, 7);
//! let first = collection.draw(&collection.pictures[0], 96, 64);
//! assert_eq!((first.width, first.height), (96, 64));
//! assert_eq!(collection.dataset().queries.len(), 3);
//! ```

mod collection;
mod dice;
mod facade;
mod view;

pub use collection::{Collection, Picture, Role};
pub use facade::Facade;
pub use view::View;
