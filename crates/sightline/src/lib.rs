//! Sightline: image retrieval in Rust.
//!
//! Give it a picture of a building, a product or a place, and it returns the pictures of that same object. This crate re-exports
//! every part of the toolkit and ties them together; use the parts by themselves where only one is needed (search without
//! decoding, evaluation without networks).
//!
//! ```no_run
//! use sightline::{Describer, Model, Settings, search};
//!
//! let model = Model::open("resnet18-layer3.pth", Some("resnet18:layer3/gem"))?;
//! let mut describer = Describer::new(&model, Settings::default())?;
//! let pictures = describer.describe_folder("photos")?;
//! let query = describer.describe_file("query.jpg", None)?;
//! let best = &search::top_k(query.rows(), pictures.rows(), 1, None)?[0][0];
//! # Ok::<(), sightline::Error>(())
//! ```

pub mod bench;
mod error;
mod evaluation;
mod fused;
mod local_evaluation;
pub mod report;
mod reranked;
pub mod show;
mod stages;
mod whitening_pairs;
mod whitenings;

#[cfg(feature = "nn")]
mod attention;
#[cfg(feature = "nn")]
mod csa;
#[cfg(feature = "nn")]
mod describer;
#[cfg(feature = "nn")]
mod export;
#[cfg(feature = "nn")]
mod local_describer;
#[cfg(feature = "nn")]
mod model;
#[cfg(feature = "nn")]
mod onnx_network;
#[cfg(feature = "nn")]
mod token_aggregation;

pub mod demo;

#[cfg(feature = "nn")]
pub use attention::attention;
#[cfg(feature = "nn")]
pub use csa::{CsaModel, csa};
#[cfg(feature = "nn")]
pub use describer::{Describer, Settings, pooling_of};
pub use error::Error;
pub use evaluation::{Aligned, SearchRanking};
#[cfg(feature = "nn")]
pub use export::ExportCheck;
#[cfg(feature = "nn")]
pub use local_describer::{HOW_FEATURES, HOW_SCALES, LocalDescriber, LocalSettings};
pub use local_evaluation::{LocalAnswers, query_places};
#[cfg(feature = "nn")]
pub use model::{Model, is_onnx_path};
#[cfg(feature = "nn")]
pub use onnx_network::OnnxSettings;
pub use reranked::Reordered;
pub use stages::{METHODS, StageError, StageOptions, open_stage};
#[cfg(feature = "nn")]
pub use token_aggregation::TokenAggregation;
pub use whitening_pairs::whitening_pairs;
pub use whitenings::{FoundWhitening, find_whitening};

pub use sightline_card as card;
pub use sightline_checkpoint as checkpoint;
pub use sightline_dataset as dataset;
pub use sightline_descriptor as descriptor;
pub use sightline_eval as eval;
pub use sightline_extract as extract;
pub use sightline_image as image;
pub use sightline_local as local;
#[cfg(feature = "nn")]
pub use sightline_nn as nn;
pub use sightline_plan as plan;
pub use sightline_rerank as rerank;
pub use sightline_scenes as scenes;
pub use sightline_search as search;
#[cfg(feature = "nn")]
pub use sightline_train as train;
