//! Running a plan, or a foreign ONNX file, on the CPU through `rten`.

use crate::executor::check_batch;
use crate::onnx_framing::is_well_framed;
use crate::{Executor, LoadError, Plan, RunError, Runtime, Tensor};
use rayon::prelude::*;
use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensorView, Tensor as RtenTensor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const NAME: &str = "rten";
/// As in the workspace's `Cargo.toml`.
const VERSION: &str = "0.27";

/// Runs a plan or an ONNX file on the CPU through `rten`, in float32.
///
/// Pictures of a batch are run one by one (side by side on several threads), never as one tensor: runtimes
/// choose other kernels for other batch sizes, and the same picture must give the same bytes.
pub struct RtenExecutor {
    model: Model,
    pool: Arc<ThreadPool>,
    input: NodeId,
    /// Channels of the input, if the file says.
    channels: Option<usize>,
    /// Height and width of the input, where the file fixes them.
    size: [Option<usize>; 2],
    outputs: Vec<(String, NodeId)>,
}

impl RtenExecutor {
    /// Loads a plan; `threads` is the number of threads it runs on (at least one).
    ///
    /// # Errors
    /// When `rten` refuses the model, or the plan names no output.
    pub fn new(plan: &Plan, threads: usize) -> Result<Self, LoadError> {
        Self::from_onnx(plan.to_onnx(), threads)
    }

    /// Loads the bytes of an ONNX file with one input `[N, C, H, W]` of float32.
    ///
    /// # Errors
    /// When the bytes are no ONNX model, use operators that `rten` lacks, or have another number of inputs.
    pub fn from_onnx(bytes: Vec<u8>, threads: usize) -> Result<Self, LoadError> {
        let refused = |reason: String| LoadError::Refused {
            runtime: NAME,
            reason,
        };
        if !is_well_framed(&bytes) {
            return Err(refused("it is no ONNX file, or a damaged one".to_owned()));
        }
        let pool = ThreadPool::with_num_threads(threads.max(1));
        // A file is somebody else's: should the runtime panic over it, that is an error like any other.
        let model = catch_unwind(AssertUnwindSafe(|| {
            ModelOptions::with_all_ops().prepack_weights(true).load(bytes)
        }))
        .map_err(|_| refused("it failed inside the runtime".to_owned()))?
        .map_err(|error| refused(error.to_string()))?;
        let (&[input], false) = (model.input_ids(), model.output_ids().is_empty()) else {
            return Err(LoadError::Interface {
                inputs: model.input_ids().len(),
                outputs: model.output_ids().len(),
            });
        };
        let outputs = model
            .output_ids()
            .iter()
            .enumerate()
            .map(|(index, id)| {
                let name = model
                    .node_info(*id)
                    .and_then(|info| info.name().map(str::to_owned));
                (name.unwrap_or_else(|| format!("output{index}")), *id)
            })
            .collect();
        let fixed = |dimension: &Dimension| match dimension {
            Dimension::Fixed(length) => Some(*length),
            Dimension::Symbolic(_) => None,
        };
        let (channels, size) = match model.input_shape(0).as_deref() {
            Some([_, channels, height, width]) => (fixed(channels), [fixed(height), fixed(width)]),
            _ => (None, [None; 2]),
        };
        Ok(Self {
            channels,
            size,
            input,
            outputs,
            model,
            pool: Arc::new(pool),
        })
    }

    /// Names of the outputs, in order.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|(name, _)| name.as_str())
    }

    /// Runs one picture, values `[C, H, W]`.
    fn run_one(&self, values: &[f32], [c, h, w]: [usize; 3]) -> Result<Vec<Tensor>, RunError> {
        let failed = |reason: String| RunError::Runtime {
            runtime: NAME,
            shape: vec![1, c, h, w],
            reason,
        };
        let view = NdTensorView::from_data([1, c, h, w], values);
        let ids: Vec<NodeId> = self.outputs.iter().map(|(_, id)| *id).collect();
        let options = RunOptions::default().with_thread_pool(Some(self.pool.clone()));
        let results = catch_unwind(AssertUnwindSafe(|| {
            let inputs = vec![(self.input, ValueOrView::from(view))];
            self.model.run(inputs, &ids, Some(options))
        }))
        .map_err(|_| failed("it failed inside the runtime".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
        results
            .into_iter()
            .zip(&self.outputs)
            .map(|(value, (name, _))| plain(value, name))
            .collect()
    }
}

impl Executor for RtenExecutor {
    fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
        let [batch, c, h, w] = check_batch(input, self.channels)?;
        if [h, w]
            .iter()
            .zip(self.size)
            .any(|(length, wanted)| wanted.is_some_and(|wanted| wanted != *length))
        {
            let wanted = self
                .size
                .map(|length| length.map_or("any".to_owned(), |length| length.to_string()));
            return Err(RunError::Input {
                shape: input.shape.clone(),
                reason: format!(
                    "it was made for pictures of height {} and width {} only",
                    wanted[0], wanted[1]
                ),
            });
        }
        let this = &*self;
        let pictures = this.pool.run(|| {
            input
                .data
                .par_chunks(c * h * w)
                .map(|values| this.run_one(values, [c, h, w]))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let mut joined: Vec<Option<Tensor>> = vec![None; self.outputs.len()];
        for picture in pictures {
            for ((slot, part), (name, _)) in joined.iter_mut().zip(picture).zip(&self.outputs) {
                join(slot, part, batch, name)?;
            }
        }
        let names = self.outputs.iter().map(|(name, _)| name.clone());
        Ok(names
            .zip(joined)
            .filter_map(|(name, tensor)| Some((name, tensor?)))
            .collect())
    }

    fn describe(&self) -> Runtime {
        Runtime {
            name: NAME.to_owned(),
            version: VERSION.to_owned(),
            precision: "f32".to_owned(),
            device: "cpu".to_owned(),
        }
    }
}

/// A float output with the batch, one picture, as its first axis.
fn plain(value: Value, name: &str) -> Result<Tensor, RunError> {
    let wrong = |reason: String| RunError::Output {
        name: name.to_owned(),
        reason,
    };
    let tensor: RtenTensor<f32> = value
        .try_into()
        .map_err(|error: rten::TryFromValueError| wrong(format!("it is no float tensor ({error})")))?;
    let shape = tensor.shape().to_vec();
    if shape.first() != Some(&1) {
        return Err(wrong(format!("its shape is {shape:?} for one picture")));
    }
    Ok(Tensor {
        shape,
        data: tensor.into_data(),
    })
}

/// Appends one picture's output to the batch's.
fn join(slot: &mut Option<Tensor>, part: Tensor, batch: usize, name: &str) -> Result<(), RunError> {
    match slot {
        None => {
            let mut whole = part;
            whole.shape[0] = batch;
            whole.data.reserve_exact(whole.data.len() * (batch - 1));
            *slot = Some(whole);
        }
        Some(whole) if whole.shape[1..] == part.shape[1..] => whole.data.extend_from_slice(&part.data),
        Some(whole) => {
            return Err(RunError::Output {
                name: name.to_owned(),
                reason: format!(
                    "its shape differs between pictures, {:?} and {:?}",
                    &whole.shape[1..],
                    &part.shape[1..]
                ),
            });
        }
    }
    Ok(())
}
