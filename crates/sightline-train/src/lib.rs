//! Training.
//!
//! For: the parts that training is made of, each a plain value or function in a file of its own: losses that give their value and
//! their gradient ([`contrastive`], [`feature_distance`]), gradients of a module's parameters that can be summed and clipped
//! ([`ParameterGradients`]), an optimiser ([`Sgd`]), a schedule ([`WarmupCosine`]); and, made of them, the training of the re-ranking
//! network CSA step by step ([`CsaLists`], [`CsaTrainer`]). Not for: networks, whose forward passes are `sightline-nn`'s; whole runs
//! with files, logs and recipes.
//!
//! ```
//! use sightline_nn::{Csa, CsaSizes, Device, Weights};
//! use sightline_search::Rows;
//! use sightline_train::{Backbone, CsaLists, CsaSettings, CsaTrainer, ListSizes};
//!
//! // Six images of three objects, as their descriptors.
//! let descriptors = [1.0, 0.0, 0.9, 0.1, 0.0, 1.0, 0.1, 0.9, -1.0, 0.0, -0.9, 0.1];
//! let descriptors = Rows::f32(&descriptors, 2);
//! let sizes = ListSizes { topk: 5, sim_len: 4 };
//! let backbone = Backbone { descriptors, neighbours: &sizes.graph(descriptors)? };
//! let lists = CsaLists::new(vec![backbone], &[0, 0, 1, 1, 2, 2], sizes)?;
//!
//! let sizes = CsaSizes { anchors: 4, width: 8, depth: 1, heads: 2, hidden: 16, qkv_bias: true };
//! let network = Csa::load(&Weights::for_csa(sizes, 0), Some(2))?;
//! let mut settings = CsaSettings::PUBLISHED;
//! settings.rates.steps_per_epoch = lists.count() / 3;
//! let mut trainer = CsaTrainer::new(network, settings, &Device::flex())?;
//! trainer.start_epoch();
//! for samples in [[0, 1, 2], [3, 4, 5]] {
//!     let report = trainer.batch(&lists.batch(&samples)?)?;
//!     assert!(report.losses.contrastive > 0.0 && report.update.is_some());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod csa_lists;
mod csa_loss;
mod csa_training;
mod error;
mod parameter_gradients;
mod sgd;
mod warmup_cosine;

pub use csa_lists::{Backbone, CsaBatch, CsaLists, ListSizes};
pub use csa_loss::{CsaLosses, LossWeights, Valued, contrastive, feature_distance};
pub use csa_training::{CsaReport, CsaSettings, CsaTrainer, CsaUpdate, Peaks, csa_gradients};
pub use error::TrainError;
pub use parameter_gradients::ParameterGradients;
pub use sgd::Sgd;
pub use warmup_cosine::WarmupCosine;
