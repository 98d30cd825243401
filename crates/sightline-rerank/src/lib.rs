//! Re-ranking: a shortlist comes in, a better order goes out.
//!
//! Every method is a [`Reranker`]; a [`Chain`] runs several, one behind the other, on the [`Rankings`] of all queries. A method
//! looks only at a bounded number of first answers of each query (its *reach*) and reads what it needs of the database by
//! rows, which may be memory-mapped; what it costs stands in its docs. After each stage the [`Trace`] keeps its scores, so
//! that an answer can be explained.

mod chain;
mod error;
mod gallery;
mod rankings;
mod settings;

pub use chain::{Chain, Compares, Progress, Reranked, Reranker, Trace};
pub use error::RerankError;
pub use gallery::Gallery;
pub use rankings::{LocalAccess, Rankings};
pub use settings::{Settings, SettingsError};
