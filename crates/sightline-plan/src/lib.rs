//! A frozen network: a list of operations with weights; ONNX out and in; running it on the CPU.
//!
//! A [`Plan`] is what remains of a network once training is over: constants, operations in the order they run,
//! named outputs. It is recorded by `sightline-nn`, written as an ONNX file by [`Plan::to_onnx`], and run by
//! anything that implements [`Executor`]; [`RtenExecutor`] runs it (or a foreign ONNX file) on the CPU, with the feature
//! `ort` so does `OrtExecutor`; [`TransformerExecutor`] runs plans over tokens with kernels of its own, and [`plan_executor`] chooses. [`Backbone`] makes descriptors of a foreign network's output.
//! It knows no architectures, no parameter names and no training; those are `sightline-nn`'s.
//!
//! ```
//! use sightline_plan::{Executor, Operation, Plan, RtenExecutor, Tensor};
//!
//! // Mean of max(x, 0) over the picture, for each channel.
//! let (mut plan, image) = Plan::new(1);
//! let positive = plan.step(Operation::Relu, &[image]);
//! let mean = plan.step(Operation::GlobalMean, &[positive]);
//! plan.output("mean", mean);
//!
//! let mut executor = RtenExecutor::new(&plan, 1)?;
//! let picture = Tensor::new(&[1, 1, 2, 2], vec![1.0, -5.0, 2.0, 1.0])?;
//! let outputs = executor.run(&picture)?;
//! assert_eq!(outputs[0].0, "mean");
//! assert_eq!(outputs[0].1, Tensor::new(&[1, 1], vec![1.0])?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backbone;
mod device;
mod executor;
mod fold;
mod kernels;
mod onnx;
mod onnx_framing;
mod onnx_header;
mod onnx_model;
#[cfg(feature = "ort")]
mod ort_executor;
mod plan;
mod protobuf;
mod rten_executor;
mod tensor;
mod transformer;

pub use backbone::{Backbone, DESCRIPTOR, MapPooling, OutputPooling, PoolingNameError, TokenPooling};
pub use device::{executor_on, is_onnx_device, plan_executor};
pub use executor::{Executor, LoadError, RunError, Runtime, check_batch};
pub use kernels::Kernel;
pub use onnx_header::{OnnxHeader, OnnxValue};
pub use onnx_model::{OnnxFileError, OnnxModel};
#[cfg(feature = "ort")]
pub use ort_executor::{OrtDevice, OrtExecutor};
pub use plan::{Convolution, Interpolation, Operation, Plan, Region, Value, Window};
pub use rten_executor::RtenExecutor;
pub use tensor::{ShapeError, Tensor};
pub use transformer::TransformerExecutor;
