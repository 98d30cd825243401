//! Measuring: how long work takes over several rounds, and how much memory it needs.
//!
//! The times of a shared machine are noisy. Every measurement therefore runs once to warm up, then several rounds, and gives the
//! least and the median; processor time is given beside wall time, since neighbours disturb it less. Peak memory belongs to the
//! process: who wants it for one configuration runs that configuration in a process of its own, as `sightline bench` does.

mod asmk;
mod clusters;
#[cfg(feature = "nn")]
mod csa;
mod graph;
mod homography;
mod kmeans;
mod machine;
#[cfg(feature = "nn")]
mod network;
mod noise;
mod prepare;
mod rerank;
mod rounds;
mod search;
#[cfg(feature = "nn")]
mod whole_way;

pub use asmk::{AsmkSize, AsmkTimes, Step, time_asmk};
pub use clusters::Clusters;
#[cfg(feature = "nn")]
pub use csa::{CsaSize, CsaTimes, time_csa};
pub use graph::{GraphTimes, time_graph};
pub use homography::{HomographySize, HomographyTimes, time_homography};
pub use kmeans::{KMeansSize, KMeansTimes, time_k_means};
pub use machine::{MemoryWatch, cpu_seconds, forget_peak_memory, peak_memory};
#[cfg(feature = "nn")]
pub use network::{NetworkTimes, time_network};
pub use prepare::{PrepareTimes, time_prepare};
pub use rerank::{RerankSize, RerankTimes, time_rerank};
pub use rounds::{Times, timed};
pub use search::{SearchSize, SearchTimes, time_search, write_noise};
#[cfg(feature = "nn")]
pub use whole_way::{WholeWay, time_whole_way};
