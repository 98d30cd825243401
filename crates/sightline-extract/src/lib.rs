//! Pictures to descriptor sets: decoding ahead of the network, batches, scales, resume, shards, skipped files.
//!
//! - [`Extraction`] describes a list of pictures and writes a descriptor set. It may be killed at any moment and begun again.
//! - [`describe_pictures`] does the same in memory, for a handful of queries.
//! - [`FolderCache`] keeps the set of a folder up to date in the user's cache.
//!
//! What a picture file becomes is behind [`Prepare`] ([`Recipes`] is the usual one), what the network computes behind
//! [`sightline_plan::Executor`]; [`Network`] adds pooling over scales and whitening, and any other [`Describe`] may stand in its place
//! ([`Extraction::describe`]). The crate decodes nothing and trains nothing.
//!
//! ```
//! use sightline_extract::{Network, Options, Picture, Prepare, describe_pictures};
//! use sightline_image::ImageTensor;
//! use sightline_plan::{Operation, Plan, RtenExecutor};
//!
//! /// A "recipe" that takes the first three bytes of a file for a picture of one pixel.
//! struct FirstBytes;
//! impl Prepare for FirstBytes {
//!     fn memory(&self, _: &[u8]) -> u64 {
//!         12
//!     }
//!     fn prepare(&self, file: &[u8], _: Option<[f64; 4]>) -> Result<Vec<ImageTensor>, String> {
//!         let data: Vec<f32> = file.iter().take(3).map(|b| f32::from(*b)).collect();
//!         ImageTensor::new(3, 1, 1, data).map(|tensor| vec![tensor]).ok_or("The file is too short.".to_owned())
//!     }
//! }
//!
//! let (mut plan, image) = Plan::new(3);
//! let mean = plan.step(Operation::GlobalMean, &[image]);
//! plan.output("descriptor", mean);
//! let mut executor = RtenExecutor::new(&plan, 1)?;
//! let mut network = Network::new(&mut executor, 3);
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("a.raw"), [1, 2, 3])?;
//! std::fs::write(folder.path().join("b.raw"), [1])?;
//! let pictures = ["a.raw", "b.raw"].map(|name| Picture::new(name, folder.path().join(name)));
//! let described = describe_pictures(&pictures, &FirstBytes, &mut network, &Options::default())?;
//! assert_eq!(described[0], Ok(vec![1.0, 2.0, 3.0]));
//! assert_eq!(described[1], Err("The file is too short.".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod describe;
mod error;
mod extraction;
mod gate;
mod journal;
mod network;
mod picture;
mod pipeline;
mod recipes;
mod skipped;

pub use cache::{CacheReport, FolderCache, cache_root};
pub use describe::{Describe, Failure, check_finite, list_outputs, run_pass};
pub use error::ExtractError;
pub use extraction::{Described, Extraction, Progress, Report, describe_pictures};
pub use network::Network;
pub use picture::{Picture, Prepare};
pub use pipeline::Options;
pub use recipes::Recipes;
pub use skipped::{Skipped, read_skipped, skipped_path, write_skipped};
