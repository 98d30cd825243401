//! ASMK, the aggregated selective match kernel (Tolias, Avrithis, Jégou, "To Aggregate or Not to Aggregate", ICCV 2013),
//! and its binary form ASMK*, as jenicek/asmk and gtolias/how compute them.
//!
//! The features of an image become one vector for each word of a codebook that they fall into ([`aggregate()`]); an
//! inverted file ([`Index`], made by a [`Builder`]) holds the vectors of all images word by word; a query is compared
//! with the entries of its words by a [`MatchKernel`] ([`search()`]).

mod aggregate;
pub mod bits;
mod builder;
mod card;
mod error;
mod hamming;
mod images;
mod import;
mod index;
mod kernel;
mod layout;
mod merge;
mod names;
mod remove;
mod runs;
mod search;
mod stats;

pub use aggregate::{Aggregated, aggregate, units_of};
pub use builder::{BuildSettings, Builder};
pub use card::AsmkCard;
pub use error::AsmkError;
pub use hamming::HammingKernel;
pub use images::{AsmkSettings, aggregate_file, aggregate_images, rank};
pub use import::{ForeignIndex, is_foreign_index};
pub use index::Index;
pub use kernel::{MatchKernel, Vectors};
pub use remove::remove;
pub use search::{Hit, search};
pub use stats::Stats;
