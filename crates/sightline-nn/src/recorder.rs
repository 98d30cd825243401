//! The operations written into a plan instead of computed.

use crate::batch_norm::BatchNorm;
use crate::ops::{Heads, Ops};
use burn::module::Param;
use burn::tensor::Tensor;
use sightline_plan::{
    Convolution, Interpolation, Operation, Plan, Region, Tensor as PlainTensor, Value, Window,
};

/// Writes what a forward pass does into a [`Plan`].
#[derive(Debug)]
pub struct PlanRecorder {
    plan: Plan,
    failure: Option<RecordError>,
}

/// Why a network could not be recorded.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RecordError {
    /// A parameter could not be read back from the device that holds it.
    #[error("The network cannot be recorded: a parameter could not be read from its device ({reason}).")]
    Parameter {
        /// What the device says.
        reason: String,
    },
    /// The network pools over regions, and no size was given.
    #[error(
        "The network cannot be recorded for pictures of any size: it pools over regions that depend on the size. \
         Record it for one height and width."
    )]
    AnySize,
    /// A layer of the network fixes the size of its pictures, to another one.
    #[error("{architecture} cannot be recorded for pictures of height {} and width {}: one of its layers fits another size only.", .size[0], .size[1])]
    OtherSize {
        /// Name of the architecture.
        architecture: String,
        /// Height and width.
        size: [usize; 2],
    },
    /// A window of the network is larger than what it walks over.
    #[error("The network cannot be recorded for pictures of height {} and width {}: they are too small for it.", .size[0], .size[1])]
    TooSmall {
        /// Height and width.
        size: [usize; 2],
    },
    /// Local features were asked for.
    #[error(
        "The network {architecture} has no local features to record. Choose one whose head has them, such as \
         `resnet18:layer3/how`."
    )]
    NoLocal {
        /// The network.
        architecture: String,
    },
}

impl PlanRecorder {
    /// A recorder for a network whose input has that many channels, and the input's value.
    pub fn new(channels: usize) -> (Self, Value) {
        let (plan, input) = Plan::new(channels);
        let recorder = Self { plan, failure: None };
        (recorder, input)
    }

    /// As [`PlanRecorder::new`], for inputs of that height and width only.
    pub fn for_size(channels: usize, size: [usize; 2]) -> (Self, Value) {
        let (plan, input) = Plan::for_size(channels, size);
        let recorder = Self { plan, failure: None };
        (recorder, input)
    }

    /// Names a value as an output of the plan.
    pub fn output(&mut self, name: &str, value: Value) {
        self.plan.output(name, value);
    }

    /// The plan, batch norms folded.
    ///
    /// # Errors
    /// When a parameter could not be read from its device, or the network needs another or any size of pictures.
    pub fn finish(self) -> Result<Plan, RecordError> {
        match self.failure {
            None => Ok(self.plan.fold_batch_norms()),
            Some(failure) => Err(failure),
        }
    }

    /// The values of a tensor; a failure is kept for [`PlanRecorder::finish`].
    fn values<const D: usize>(&mut self, tensor: Tensor<D>) -> PlainTensor {
        let shape = tensor.dims().to_vec();
        let values = match tensor.try_into_data_as::<f32>() {
            Ok(data) => data.try_to_vec::<f32>().map_err(|error| format!("{error:?}")),
            Err(error) => Err(format!("{error:?}")),
        };
        let data = values.unwrap_or_else(|reason| {
            self.failure = Some(RecordError::Parameter { reason });
            vec![0.0; shape.iter().product()]
        });
        PlainTensor { shape, data }
    }

    fn tensor<const D: usize>(&mut self, tensor: Tensor<D>) -> Value {
        let tensor = self.values(tensor);
        self.plan.constant(tensor)
    }

    fn number(&mut self, number: f32) -> Value {
        self.plan.constant(PlainTensor {
            shape: Vec::new(),
            data: vec![number],
        })
    }

    /// x ^ change(p), the power computed in 64-bit arithmetic now, as it is a constant of the plan.
    fn raise<const D: usize>(
        &mut self,
        x: Value,
        p: &Param<Tensor<1>>,
        change: impl Fn(f64) -> f64,
    ) -> Value {
        let mut p = self.values(p.val());
        for value in &mut p.data {
            *value = change(f64::from(*value)) as f32;
        }
        p.shape = match p.data.len() {
            // One power for all is a scalar: runtimes know cheaper ways to square and cube.
            1 => Vec::new(),
            count => [&[count][..], &vec![1; D.saturating_sub(2)]].concat(),
        };
        let p = self.plan.constant(p);
        self.plan.step(Operation::Pow, &[x, p])
    }
}

impl Ops for PlanRecorder {
    type T<const D: usize> = Value;

    fn parameter<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) -> Value {
        self.tensor(parameter.val())
    }

    fn constant<const D: usize>(&mut self, tensor: PlainTensor, _like: &Value) -> Value {
        self.plan.constant(tensor)
    }

    fn map_size(&mut self, map: &Value) -> [usize; 2] {
        self.plan.map_size(*map).unwrap_or_else(|| {
            let failure = match self.plan.size() {
                None => RecordError::AnySize,
                Some(size) => RecordError::TooSmall { size },
            };
            self.failure.get_or_insert(failure);
            [1, 1]
        })
    }

    fn crop(&mut self, map: Value, region: Region) -> Value {
        self.plan.step(Operation::Crop(region), &[map])
    }

    fn conv2d(&mut self, x: Value, weight: Value, bias: Option<Value>, walk: Convolution) -> Value {
        let mut inputs = vec![x, weight];
        inputs.extend(bias);
        self.plan.step(Operation::Conv2d(walk), &inputs)
    }

    fn batch_norm<const D: usize>(&mut self, x: Value, norm: &BatchNorm) -> Value {
        let [weight, bias] = norm.scale_and_shift();
        let inputs = [
            x,
            self.tensor(weight),
            self.tensor(bias),
            self.tensor(norm.running_mean.value_sync()),
            self.tensor(norm.running_variance.value_sync()),
        ];
        let epsilon = norm.options().epsilon;
        self.plan.step(Operation::BatchNorm { epsilon }, &inputs)
    }

    fn batch_norm_counted(&mut self, x: Value, _rows: &Value, norm: &BatchNorm) -> Value {
        // A plan normalises by the running statistics.
        self.batch_norm::<4>(x, norm)
    }

    fn relu<const D: usize>(&mut self, x: Value) -> Value {
        self.plan.step(Operation::Relu, &[x])
    }

    fn max_pool(&mut self, x: Value, window: Window) -> Value {
        self.plan.step(Operation::MaxPool(window), &[x])
    }

    fn mean_pool(&mut self, x: Value, window: Window, padding_counts: bool) -> Value {
        let pool = Operation::MeanPool {
            window,
            padding_counts,
        };
        self.plan.step(pool, &[x])
    }

    fn reflect_pad(&mut self, x: Value, pixels: usize) -> Value {
        self.plan.step(Operation::ReflectPad(pixels), &[x])
    }

    fn global_mean(&mut self, x: Value) -> Value {
        self.plan.step(Operation::GlobalMean, &[x])
    }

    fn global_sum(&mut self, x: Value) -> Value {
        self.plan.step(Operation::GlobalSum, &[x])
    }

    fn global_max(&mut self, x: Value) -> Value {
        self.plan.step(Operation::GlobalMax, &[x])
    }

    fn resize_like(&mut self, map: Value, like: &Value, how: Interpolation) -> Value {
        self.plan.step(Operation::ResizeLike(how), &[map, *like])
    }

    fn concat<const D: usize>(&mut self, a: Value, b: Value) -> Value {
        self.plan.step(Operation::Concat { axis: 1 }, &[a, b])
    }

    fn stack_pixels(&mut self, rows: Vec<Value>) -> Value {
        self.plan.step(Operation::StackPixels, &rows)
    }

    fn linear<const D: usize>(&mut self, x: Value, weight: Value, bias: Option<Value>) -> Value {
        let mut inputs = vec![x, weight];
        inputs.extend(bias);
        self.plan.step(Operation::Linear, &inputs)
    }

    fn matmul(&mut self, a: Value, b: Value) -> Value {
        self.plan.step(Operation::MatMul, &[a, b])
    }

    fn layer_norm(&mut self, x: Value, weight: Value, bias: Value, epsilon: f32) -> Value {
        let norm = Operation::LayerNorm { epsilon };
        self.plan.step(norm, &[x, weight, bias])
    }

    fn attention(
        &mut self,
        queries_keys_values: [Value; 3],
        heads: Heads,
        hidden: Option<&Value>,
        _dropout: f32,
    ) -> Value {
        let mut inputs = queries_keys_values.to_vec();
        inputs.extend(hidden);
        let attention = Operation::Attention {
            heads: heads.count,
            width: heads.count * heads.width,
        };
        self.plan.step(attention, &inputs)
    }

    fn channels<const D: usize>(&mut self, x: Value, from: usize, to: Option<usize>) -> Value {
        self.plan.step(Operation::Channels { from, to }, &[x])
    }

    fn reshape<const A: usize, const B: usize>(&mut self, x: Value, shape: [i64; B]) -> Value {
        self.plan.step(Operation::Reshape(shape.to_vec()), &[x])
    }

    fn reshape_like(&mut self, x: Value, like: &Value) -> Value {
        self.plan.step(Operation::ReshapeLike, &[x, *like])
    }

    fn permute<const D: usize>(&mut self, x: Value, axes: [usize; D]) -> Value {
        self.plan.step(Operation::Permute(axes.to_vec()), &[x])
    }

    fn softmax<const D: usize>(&mut self, x: Value, axis: usize) -> Value {
        self.plan.step(Operation::Softmax { axis }, &[x])
    }

    fn sum_channels<const D: usize>(&mut self, x: Value) -> Value {
        self.plan.step(Operation::SumChannels, &[x])
    }

    fn add<const D: usize>(&mut self, a: Value, b: Value) -> Value {
        self.plan.step(Operation::Add, &[a, b])
    }

    fn add_number<const D: usize>(&mut self, x: Value, number: f32) -> Value {
        let number = self.number(number);
        self.plan.step(Operation::Add, &[x, number])
    }

    fn mul<const D: usize>(&mut self, a: Value, b: Value) -> Value {
        self.plan.step(Operation::Mul, &[a, b])
    }

    fn mul_number<const D: usize>(&mut self, x: Value, number: f32) -> Value {
        let number = self.number(number);
        self.plan.step(Operation::Mul, &[x, number])
    }

    fn div<const D: usize>(&mut self, a: Value, b: Value) -> Value {
        self.plan.step(Operation::Div, &[a, b])
    }

    fn abs<const D: usize>(&mut self, x: Value) -> Value {
        self.plan.step(Operation::Abs, &[x])
    }

    fn sign<const D: usize>(&mut self, x: Value) -> Value {
        self.plan.step(Operation::Sign, &[x])
    }

    fn sigmoid<const D: usize>(&mut self, x: Value) -> Value {
        self.plan.step(Operation::Sigmoid, &[x])
    }

    fn softplus<const D: usize>(&mut self, x: Value) -> Value {
        self.plan.step(Operation::Softplus, &[x])
    }

    fn gelu<const D: usize>(&mut self, x: Value) -> Value {
        self.plan.step(Operation::Gelu, &[x])
    }

    fn clamp_min<const D: usize>(&mut self, x: Value, least: f32) -> Value {
        self.plan.step(Operation::ClampMin(least), &[x])
    }

    fn sqrt<const D: usize>(&mut self, x: Value) -> Value {
        self.plan.step(Operation::Sqrt, &[x])
    }

    fn power<const D: usize>(&mut self, x: Value, p: &Param<Tensor<1>>) -> Value {
        self.raise::<D>(x, p, |p| p)
    }

    fn root<const D: usize>(&mut self, x: Value, p: &Param<Tensor<1>>) -> Value {
        self.raise::<D>(x, p, f64::recip)
    }
    fn power_number<const D: usize>(&mut self, x: Value, p: f32) -> Value {
        let p = self.number(p);
        self.plan.step(Operation::Pow, &[x, p])
    }

    fn detach<const D: usize>(&mut self, x: Value) -> Value {
        x
    }

    fn dropout<const D: usize>(&mut self, x: Value, _share: f32) -> Value {
        x
    }

    fn drop_path<const D: usize>(&mut self, x: Value, _share: f32) -> Value {
        x
    }
}
