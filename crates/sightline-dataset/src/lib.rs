//! Lists, ground truths and folders of pictures.

mod dataset;
mod error;

pub use dataset::{ClassicLists, Dataset, Query, RevisitedLists, Truth};
pub use error::DatasetError;
