//! Running a plan, or a foreign ONNX file, on the CPU through `rten`.

use crate::executor::{check_batch, check_elements, check_size, join_pictures, wanted_outputs};
use crate::{Executor, LoadError, OnnxHeader, OnnxModel, OnnxValue, Plan, RunError, Runtime, Tensor};
use rayon::prelude::*;
use rten::{LoadErrorKind, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
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
    /// Height and width of the pictures, where the file fixes them.
    size: [Option<usize>; 2],
    outputs: Vec<String>,
    output_ids: Vec<NodeId>,
}

impl RtenExecutor {
    /// Loads a plan; `threads` is the number of threads it runs on (at least one).
    ///
    /// # Errors
    /// When `rten` refuses the model, or the plan names no output.
    pub fn new(plan: &Plan, threads: usize) -> Result<Self, LoadError> {
        Self::from_onnx(plan.to_onnx(), threads)
    }

    /// Loads an ONNX model (or the bytes of its file) with one input `[N, C, H, W]` of float32.
    ///
    /// # Errors
    /// When the bytes are no ONNX model, use operators that `rten` lacks, or have another number of inputs; when the
    /// model lacks the output that it names, or has values of other types than float16, float32 and float64.
    pub fn from_onnx(model: impl Into<OnnxModel>, threads: usize) -> Result<Self, LoadError> {
        let source = model.into();
        let refused = |reason: String| LoadError::Refused {
            runtime: NAME,
            reason,
        };
        let header = OnnxHeader::read(&source.bytes)?;
        let names = header.outputs.iter().map(|output| output.name.clone()).collect();
        let outputs = wanted_outputs(names, source.output.as_deref())?;
        // It computes halves and doubles in float32.
        let takes = [OnnxValue::FLOAT32, OnnxValue::FLOAT16, OnnxValue::FLOAT64];
        check_elements(NAME, &header, &outputs, &takes)?;
        let pool = ThreadPool::with_num_threads(threads.max(1));
        // A file is somebody else's: should the runtime panic over it, that is an error like any other.
        let model = catch_unwind(AssertUnwindSafe(|| {
            let mut options = ModelOptions::with_all_ops();
            options.prepack_weights(true);
            for (name, content) in source.external {
                options.external_data(&name, content);
            }
            options.load(source.bytes)
        }))
        .map_err(|_| refused("it failed inside the runtime".to_owned()))?
        .map_err(|error| match error.kind() {
            LoadErrorKind::OperatorInvalid => LoadError::Operator {
                runtime: NAME,
                reason: error.to_string(),
            },
            _ => refused(error.to_string()),
        })?;
        let (&[input], false) = (model.input_ids(), model.output_ids().is_empty()) else {
            return Err(LoadError::Interface {
                inputs: model.input_ids().len(),
                outputs: model.output_ids().len(),
            });
        };
        let output_ids = outputs
            .iter()
            .map(|name| model.node_id(name).map_err(|error| refused(error.to_string())))
            .collect::<Result<_, _>>()?;
        let channels = match header.inputs.first().and_then(|input| input.shape.as_deref()) {
            Some([_, channels, _, _]) => *channels,
            _ => None,
        };
        Ok(Self {
            channels,
            size: header.picture_axes(),
            input,
            outputs,
            output_ids,
            model,
            pool: Arc::new(pool),
        })
    }

    /// Names of the outputs, in order.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(String::as_str)
    }

    /// Runs one picture, values `[C, H, W]`.
    fn run_one(&self, values: &[f32], [c, h, w]: [usize; 3]) -> Result<Vec<Tensor>, RunError> {
        let failed = |reason: String| RunError::Runtime {
            runtime: NAME,
            shape: vec![1, c, h, w],
            reason,
        };
        let view = NdTensorView::from_data([1, c, h, w], values);
        let options = RunOptions::default().with_thread_pool(Some(self.pool.clone()));
        let results = catch_unwind(AssertUnwindSafe(|| {
            let inputs = vec![(self.input, ValueOrView::from(view))];
            self.model.run(inputs, &self.output_ids, Some(options))
        }))
        .map_err(|_| failed("it failed inside the runtime".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
        results
            .into_iter()
            .zip(&self.outputs)
            .map(|(value, name)| plain(value, name))
            .collect()
    }
}

impl Executor for RtenExecutor {
    fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
        let [_, c, h, w] = check_batch(input, self.channels)?;
        check_size(input, self.size)?;
        let this = &*self;
        let pictures = this.pool.run(|| {
            input
                .data
                .par_chunks(c * h * w)
                .map(|values| this.run_one(values, [c, h, w]))
                .collect::<Result<Vec<_>, _>>()
        })?;
        join_pictures(&self.outputs, pictures)
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

/// A float output.
fn plain(value: Value, name: &str) -> Result<Tensor, RunError> {
    let tensor: RtenTensor<f32> =
        value
            .try_into()
            .map_err(|error: rten::TryFromValueError| RunError::Output {
                name: name.to_owned(),
                reason: format!("it is no float tensor ({error})"),
            })?;
    Ok(Tensor {
        shape: tensor.shape().to_vec(),
        data: tensor.into_data(),
    })
}
