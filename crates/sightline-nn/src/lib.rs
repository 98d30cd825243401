//! Retrieval networks: trunks, poolings and heads, each forward pass written once.
//!
//! A [`Network`] is a Burn module made from an [`Architecture`] (a name) and [`Weights`] (tensors by their names
//! in the original's state dict). Its forward pass is written over the [`Ops`] trait, so the same lines compute
//! with Burn tensors ([`BurnOps`], on any device, with gradients) or record a
//! [`Plan`](sightline_plan::Plan) ([`PlanRecorder`]) that runs elsewhere, which is how the CPU does it.
//! Reading files is `sightline-checkpoint`'s, running plans `sightline-plan`'s, preparing pictures
//! `sightline-image`'s.
//!
//! ```
//! use sightline_nn::{Architecture, Network, Weights};
//!
//! let architecture = Architecture::parse("resnet18:layer3/gem")?;
//! let network = Network::load(&architecture, &Weights::by_formula(&architecture, 0))?;
//! let onnx = network.record()?.to_onnx();
//! assert!(onnx.len() > 11_000_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alexnet;
mod arcface;
mod architecture;
mod attention;
mod attention_branch;
mod batch_norm;
mod burn_executor;
mod burn_ops;
mod center_bias;
mod cgd_head;
mod cgd_module;
mod cgd_tf_module;
mod checkpoint;
mod cirtorch_head;
mod combination;
mod conv2d;
mod counted;
mod csa;
mod csa_block;
mod csa_executor;
mod curricular;
mod delg_head;
mod densenet;
mod device;
mod dirtorch_head;
mod fit;
mod fpn_head;
mod head;
mod head_executor;
mod how_head;
mod keras_resnet;
mod layer_norm;
mod linear;
mod local_maps;
mod named_parameters;
mod netvlad_head;
mod netvlad_start;
mod network;
mod normalise;
mod ops;
mod parameters;
mod picture_sizes;
mod pooling;
mod recorder;
mod reference_head;
mod relup;
mod residual_block;
mod resnet;
mod second_order_attention;
mod sequence;
mod smoothed_cross_entropy;
mod solar_head;
mod solar_local;
mod squeezenet;
mod suggest;
mod superglobal_head;
mod swish_classifier;
mod token_decoder;
mod token_delg;
mod token_encoder;
mod token_head;
mod token_local;
mod token_project;
mod token_rmac;
mod token_solar;
mod token_vlad;
mod token_whitening;
mod trunk;
mod vgg;
mod weights;

pub use arcface::ArcFace;
pub use architecture::{Architecture, ArchitectureError};
pub use attention::Attention;
pub use attention_branch::{AttentionBranch, DELG_LOCAL_DIM};
pub use batch_norm::{BatchNorm, BatchNormOptions, Remembered};
pub use burn;
pub use burn::tensor::Device;
pub use burn_executor::BurnExecutor;
pub use burn_ops::BurnOps;
pub use center_bias::center_bias;
pub use cgd_head::{CgdForm, CgdHead};
pub use checkpoint::CheckpointError;
pub use cirtorch_head::CirtorchHead;
pub use combination::{Combination, GlobalDescriptor};
pub use conv2d::Conv2d;
pub use csa::{Csa, CsaDropout, CsaError, CsaSizes, CsaTraining};
pub use csa_block::CsaBlock;
pub use csa_executor::CsaExecutor;
pub use curricular::{CurricularClassifier, CurricularMargin, LabelError};
pub use delg_head::{Classes, DelfModule, DelgClassifiers, DelgHead, DelgModule};
pub use device::{DeviceError, device};
pub use dirtorch_head::DirtorchHead;
pub use fpn_head::FpnHead;
pub use head::{Head, HeadModule};
pub use head_executor::HeadExecutor;
pub use how_head::HowHead;
pub use keras_resnet::{KerasResNet, KerasTrunk};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use local_maps::LocalMaps;
pub use named_parameters::{parameter_gradient, parameter_id, parameter_values};
pub use netvlad_head::NetvladHead;
pub use netvlad_start::{NetvladStart, NetvladStartError};
pub use network::{LoadError, Network, Unused};
pub use normalise::{L2N_EPSILON, l2_normalise, l2n, power_law};
pub use ops::{Heads, Ops};
pub use parameters::{TensorProblem, Wanted};
pub use picture_sizes::CheckedExecutor;
pub use pooling::{
    GEM_EPSILON, GEM_PLUS_EPSILON, GEM_PLUS_POWER, Pooling, PoolingKind, REGIONAL_GEM_POWER,
    REGIONAL_GEM_SIDE, RMAC_EPSILON, RegionalPooling, SuperGlobal, gem, gem_fixed, regional_gem, regions,
    rmac,
};
pub use recorder::{PlanRecorder, RecordError};
pub use reference_head::ReferenceHead;
pub use relup::{RELUP, relup};
pub use residual_block::{Block, BlockShape};
pub use resnet::{ResNet, ResidualTrunk};
pub use second_order_attention::{Attended, SecondOrderAttention};
pub use sequence::{Sequence, SequenceTrunk};
pub use sightline_plan::DESCRIPTOR;
pub use smoothed_cross_entropy::smoothed_cross_entropy;
pub use solar_head::SolarHead;
pub use solar_local::{SolarLocal, SolarLocalLayer};
pub use superglobal_head::{SuperGlobalHead, SuperGlobalModule};
pub use token_delg::TokenDelgOptions;
pub use token_head::TokenOptions;
pub use token_local::{TokenLocal, TokenLocalError};
pub use token_project::{TokenHead, TokenHeadModule};
pub use token_vlad::TokenVladOptions;
pub use trunk::{Cells, Trunk};
pub use weights::Weights;
