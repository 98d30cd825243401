//! Re-ranking: a shortlist comes in, a better order goes out.
//!
//! Every method is a [`Reranker`]; a [`Chain`] runs several, one behind the other, on the [`Rankings`] of all queries. A method
//! looks only at a bounded number of first answers of each query (its *reach*) and reads what it needs of the database by
//! rows, which may be memory-mapped; what it costs stands in its docs. After each stage the [`Trace`] keeps its scores, so
//! that an answer can be explained.

pub mod diffusion;

mod aqe;
mod chain;
mod csa;
mod dba;
mod error;
mod explain;
mod fusion;
mod gallery;
mod k_reciprocal;
mod local_mix;
mod neighbour_settings;
mod rankings;
mod rescore;
mod settings;
mod small;
mod spatial;
mod superglobal;
mod whole;

pub use aqe::Aqe;
pub use chain::{Chain, Compares, Progress, Reranked, Reranker, Trace};
pub use csa::{Csa, CsaSettings};
pub use dba::Dba;
pub use diffusion::Diffusion;
pub use error::RerankError;
pub use explain::{Step, explain};
pub use fusion::{FusedFiles, FusedModel, Fusion, FusionForm, Normalise, reciprocal_ranks, summed_scores};
pub use gallery::Gallery;
pub use k_reciprocal::{KReciprocal, ReciprocalForm};
pub use local_mix::{LocalMix, LocalScores, mixed_order};
pub use rankings::{LocalAccess, Rankings};
pub use settings::{Settings, SettingsError};
pub use small::neighbours_remark;
pub use spatial::Spatial;
pub use superglobal::{Refined, SuperGlobal};
