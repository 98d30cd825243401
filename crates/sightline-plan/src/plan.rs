//! The plan itself: constants, operations in the order they run, named outputs.

use crate::Tensor;

/// One value of a plan: its input, a constant, or what an operation yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub(crate) usize);

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The plan's one input, `[N, C, H, W]`.
    Input,
    Constant(Tensor),
    Step(Step),
}

/// One operation applied to values that came before it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) inputs: Vec<Value>,
}

/// How a convolution walks over its input; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Step between output positions.
    pub stride: [usize; 2],
    /// Zeros added on either side.
    pub padding: [usize; 2],
    /// Distance between the kernel's taps; 1 is a dense kernel.
    pub dilation: [usize; 2],
    /// Number of groups that input and output channels are divided into.
    pub groups: usize,
}

impl Default for Convolution {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

/// How a pooling window walks over its input; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Size of the window.
    pub size: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Cells added on either side that never win a maximum.
    pub padding: [usize; 2],
    /// Whether a last, partial window counts (the output size is rounded up).
    pub ceil: bool,
}

/// How [`Operation::ResizeLike`] finds its source pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Source index `floor(i * size_in / size_out)`, as torch's `nearest`.
    Nearest,
    /// Bilinear with aligned corners: source coordinate `i * (size_in - 1) / (size_out - 1)`, 0 for size 1.
    BilinearAlignedCorners,
}

/// What a step computes. Shapes are those of its inputs, in order.
///
/// Arithmetic between two values broadcasts as ONNX and NumPy do: shapes are aligned at the last axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// `[N, C, H, W]`, weight `[O, C / groups, kh, kw]`, perhaps bias `[O]` -> `[N, O, H', W']`.
    Conv2d(Convolution),
    /// `[N, C, H, W]`, then weight, bias, running mean and running variance, each `[C]`.
    BatchNorm {
        /// Added to the variance.
        epsilon: f32,
    },
    /// max(x, 0).
    Relu,
    /// Maximum over windows of `[N, C, H, W]`.
    MaxPool(Window),
    /// Mean over all pixels: `[N, C, H, W]` -> `[N, C]`.
    GlobalMean,
    /// Maximum over all pixels: `[N, C, H, W]` -> `[N, C]`.
    GlobalMax,
    /// a + b.
    Add,
    /// a * b.
    Mul,
    /// a / b.
    Div,
    /// a ^ b.
    Pow,
    /// max(x, least).
    ClampMin(f32),
    /// Square root.
    Sqrt,
    /// Sum over axis 1, which stays with length 1: `[N, C]` -> `[N, 1]`.
    SumChannels,
    /// y = W x + b for each row: `[N, C]`, weight `[O, C]`, perhaps bias `[O]` -> `[N, O]`.
    Linear,
    /// All inputs after one another along that axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// `[N, C, h, w]` resized to the height and width of the second input `[_, _, H, W]`.
    ResizeLike(Interpolation),
}

/// A frozen network: constants, operations in the order they run, named outputs.
///
/// It has one input, `[N, C, H, W]` with any N, H and W.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) channels: usize,
    pub(crate) values: Vec<Source>,
    pub(crate) outputs: Vec<(String, Value)>,
}

impl Plan {
    /// An empty plan whose input has that many channels, and the input's value.
    pub fn new(channels: usize) -> (Self, Value) {
        let plan = Self {
            channels,
            values: vec![Source::Input],
            outputs: Vec::new(),
        };
        (plan, Value(0))
    }

    /// Adds a constant.
    pub fn constant(&mut self, tensor: Tensor) -> Value {
        self.push(Source::Constant(tensor))
    }

    /// Adds an operation on values of this plan.
    pub fn step(&mut self, operation: Operation, inputs: &[Value]) -> Value {
        debug_assert!(
            inputs.iter().all(|input| input.0 < self.values.len()),
            "a value of another plan"
        );
        self.push(Source::Step(Step {
            operation,
            inputs: inputs.to_vec(),
        }))
    }

    /// Names a value as an output; outputs come back in the order they were named.
    pub fn output(&mut self, name: &str, value: Value) {
        self.outputs.push((name.to_owned(), value));
    }

    /// Channels of the input.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Names of the outputs, in order.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|(name, _)| name.as_str())
    }

    /// The operations in the order they run.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        self.values.iter().filter_map(|source| match source {
            Source::Step(step) => Some(step.operation),
            _ => None,
        })
    }

    /// The constant behind a value, if it is one.
    pub fn constant_of(&self, value: Value) -> Option<&Tensor> {
        match self.values.get(value.0) {
            Some(Source::Constant(tensor)) => Some(tensor),
            _ => None,
        }
    }

    /// Number of axes of a value.
    pub(crate) fn rank(&self, value: Value) -> usize {
        let mut ranks: Vec<usize> = Vec::with_capacity(value.0 + 1);
        for source in self.values.iter().take(value.0 + 1) {
            let rank = match source {
                Source::Input => 4,
                Source::Constant(tensor) => tensor.shape.len(),
                Source::Step(step) => {
                    let of_inputs = step.inputs.iter().filter_map(|input| ranks.get(input.0));
                    match step.operation {
                        Operation::Conv2d(_) | Operation::MaxPool(_) | Operation::ResizeLike(_) => 4,
                        Operation::GlobalMean | Operation::GlobalMax => 2,
                        Operation::SumChannels | Operation::Linear => 2,
                        Operation::BatchNorm { .. } => 4,
                        Operation::Relu
                        | Operation::Add
                        | Operation::Mul
                        | Operation::Div
                        | Operation::Pow
                        | Operation::ClampMin(_)
                        | Operation::Sqrt
                        | Operation::Concat { .. } => of_inputs.copied().max().unwrap_or(0),
                    }
                }
            };
            ranks.push(rank);
        }
        ranks.last().copied().unwrap_or(0)
    }

    fn push(&mut self, source: Source) -> Value {
        self.values.push(source);
        Value(self.values.len() - 1)
    }
}
