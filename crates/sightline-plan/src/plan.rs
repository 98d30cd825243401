//! The plan itself: constants, operations in the order they run, named outputs.

use crate::Tensor;

/// Name of the input, unless it is given another.
const INPUT: &str = "image";

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
    /// Cells added on either side; they never win a maximum.
    pub padding: [usize; 2],
    /// Whether a last, partial window counts (the output size is rounded up).
    pub ceil: bool,
}

/// A rectangle of a map, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
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
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// `[N, C, H, W]`, weight `[O, C / groups, kh, kw]`, perhaps bias `[O]` -> `[N, O, H', W']`.
    Conv2d(Convolution),
    /// `[N, C, H, W]` or `[N, C]`, then weight, bias, running mean and running variance, each `[C]`.
    BatchNorm {
        /// Added to the variance.
        epsilon: f32,
    },
    /// max(x, 0).
    Relu,
    /// Maximum over windows of `[N, C, H, W]`.
    MaxPool(Window),
    /// Mean over windows of `[N, C, H, W]`.
    MeanPool {
        /// The windows.
        window: Window,
        /// Whether padding counts as zeros; else the mean is over the cells of the map alone.
        padding_counts: bool,
    },
    /// Cells added on all four sides of `[N, C, H, W]`, as many as it says: the map mirrored at its border, whose
    /// own cells are not repeated. The map must be wider and higher than that.
    ReflectPad(usize),
    /// A part of `[N, C, H, W]`: -> `[N, C, height, width]`.
    Crop(Region),
    /// Mean over all pixels: `[N, C, H, W]` -> `[N, C]`.
    GlobalMean,
    /// Sum over all pixels: `[N, C, H, W]` -> `[N, C]`.
    GlobalSum,
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
    /// |x|.
    Abs,
    /// -1, 0 or 1.
    Sign,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// ln(1 + e^x), which is x itself in float32 from about 17 on.
    Softplus,
    /// x Φ(x) with the distribution function Φ of the normal distribution (the form with `erf`).
    Gelu,
    /// e^x over the sum along that axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
    /// The same values in other axes: 0 keeps the length of that axis, -1 (once) takes what is left.
    Reshape(Vec<i64>),
    /// The values in rows as long as those of the second input `[_, _, H, W]`: `[N, C, P, 1]` -> `[N, C, H, W]`.
    ReshapeLike,
    /// The axes in another order: axis i of the result is axis `axes[i]` of the input.
    Permute(Vec<usize>),
    /// Matrix products over the last two axes: `[A, B, M, K]`, `[A, B, K, N]` -> `[A, B, M, N]`; the first two axes
    /// broadcast.
    MatMul,
    /// (x - mean) / sqrt(biased variance + epsilon) * weight + bias over axis 1, for each pixel: `[N, C, H, W]`, then weight and
    /// bias, each `[C]`.
    LayerNorm {
        /// Added to the variance.
        epsilon: f32,
    },
    /// Attention with several heads: queries `[N, width, Q, 1]`, keys and values `[N, width, P, 1]`, perhaps what is added to
    /// the logits (it broadcasts to `[N, heads, Q, P]`) -> `[N, width, Q, 1]`.
    ///
    /// Heads take consecutive parts of the channels. In each, softmax over P of q k / √(width / heads) weighs the values.
    Attention {
        /// Number of heads; it divides the width.
        heads: usize,
        /// Number of channels.
        width: usize,
    },
    /// The channels (axis 1) from `from` up to `to`, or up to the last one.
    Channels {
        /// The first.
        from: usize,
        /// The one behind the last.
        to: Option<usize>,
    },
    /// Sum over axis 1, which stays with length 1: `[N, C]` -> `[N, 1]`, `[N, C, H, W]` -> `[N, 1, H, W]`.
    SumChannels,
    /// y = W x + b for each row: `[N, C]`, weight `[O, C]`, perhaps bias `[O]` -> `[N, O]`; or for each pixel:
    /// `[N, C, H, W]` -> `[N, O, H, W]`.
    Linear,
    /// Rows as the pixels of a map one pixel wide: k times `[N, C]` -> `[N, C, k, 1]`.
    StackPixels,
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
/// It has one input, `[N, C, H, W]` with any N, and any H and W unless it is made for one size.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) channels: usize,
    /// What an ONNX file calls the input.
    pub(crate) input: &'static str,
    /// Height and width of the input, where they are fixed.
    pub(crate) size: Option<[usize; 2]>,
    pub(crate) values: Vec<Source>,
    pub(crate) outputs: Vec<(String, Value)>,
}

impl Plan {
    /// An empty plan whose input has that many channels, and the input's value.
    pub fn new(channels: usize) -> (Self, Value) {
        let plan = Self {
            channels,
            input: INPUT,
            size: None,
            values: vec![Source::Input],
            outputs: Vec::new(),
        };
        (plan, Value(0))
    }

    /// As [`Plan::new`], for inputs of that height and width only.
    pub fn for_size(channels: usize, size: [usize; 2]) -> (Self, Value) {
        let (mut plan, input) = Self::new(channels);
        plan.size = Some(size);
        (plan, input)
    }

    /// The same plan with an input of that name, where it takes no pictures; an ONNX file calls it so.
    #[must_use]
    pub fn with_input_name(self, name: &'static str) -> Self {
        Self { input: name, ..self }
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

    /// Height and width of the input, where the plan is made for one size.
    pub fn size(&self) -> Option<[usize; 2]> {
        self.size
    }

    /// Names of the outputs, in order.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(|(name, _)| name.as_str())
    }

    /// The operations in the order they run.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        self.values.iter().filter_map(|source| match source {
            Source::Step(step) => Some(step.operation.clone()),
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
                    match &step.operation {
                        Operation::Conv2d(_)
                        | Operation::MaxPool(_)
                        | Operation::MeanPool { .. }
                        | Operation::ReflectPad(_)
                        | Operation::MatMul
                        | Operation::LayerNorm { .. }
                        | Operation::Attention { .. }
                        | Operation::ReshapeLike
                        | Operation::Crop(_)
                        | Operation::StackPixels
                        | Operation::ResizeLike(_) => 4,
                        Operation::Reshape(shape) => shape.len(),
                        Operation::Permute(axes) => axes.len(),
                        Operation::GlobalMean | Operation::GlobalSum | Operation::GlobalMax => 2,
                        Operation::BatchNorm { .. }
                        | Operation::Relu
                        | Operation::Abs
                        | Operation::Sign
                        | Operation::Sigmoid
                        | Operation::Softplus
                        | Operation::Gelu
                        | Operation::Softmax { .. }
                        | Operation::Channels { .. }
                        | Operation::SumChannels
                        | Operation::Linear
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

    /// Height and width of a map, in a plan for one size; none for other plans, for values that are no maps, and
    /// for windows that do not fit into what they walk over.
    pub fn map_size(&self, value: Value) -> Option<[usize; 2]> {
        let mut sizes: Vec<Option<[usize; 2]>> = Vec::with_capacity(value.0 + 1);
        for source in self.values.iter().take(value.0 + 1) {
            let size = match source {
                Source::Input => self.size,
                Source::Constant(tensor) => match tensor.shape[..] {
                    [_, _, height, width] => Some([height, width]),
                    _ => None,
                },
                Source::Step(step) => self.step_size(step, &sizes),
            };
            sizes.push(size);
        }
        sizes.last().copied().flatten()
    }

    /// Height and width of what a step yields, from those of the values before it.
    fn step_size(&self, step: &Step, sizes: &[Option<[usize; 2]>]) -> Option<[usize; 2]> {
        let size = |input: usize| {
            let value = step.inputs.get(input)?;
            sizes.get(value.0).copied().flatten()
        };
        match &step.operation {
            Operation::Conv2d(walk) => {
                let kernel = self.constant_of(*step.inputs.get(1)?)?.shape.get(2..4)?;
                let walked = |axis: usize| {
                    let reach = walk.dilation[axis] * kernel.get(axis)?.checked_sub(1)?;
                    let room = (size(0)?[axis] + 2 * walk.padding[axis]).checked_sub(reach + 1)?;
                    Some(room / walk.stride[axis] + 1)
                };
                Some([walked(0)?, walked(1)?])
            }
            Operation::MaxPool(window) | Operation::MeanPool { window, .. } => {
                let walked = |axis: usize| {
                    let (stride, padding) = (window.stride[axis], window.padding[axis]);
                    let length = size(0)?[axis];
                    let beyond = if window.ceil { stride.saturating_sub(1) } else { 0 };
                    let room = (length + 2 * padding + beyond).checked_sub(window.size[axis])?;
                    // A partial window counts if it begins within the map or the padding before it.
                    let all_padding = room / stride * stride >= length + padding;
                    Some(room / stride + usize::from(!(window.ceil && all_padding)))
                };
                Some([walked(0)?, walked(1)?])
            }
            Operation::ReflectPad(cells) => Some(size(0)?.map(|side| side + 2 * cells)),
            Operation::Crop(region) => Some([region.height, region.width]),
            Operation::ResizeLike(_) | Operation::ReshapeLike => size(1),
            Operation::StackPixels => Some([step.inputs.len(), 1]),
            Operation::GlobalMean
            | Operation::GlobalSum
            | Operation::GlobalMax
            | Operation::Reshape(_)
            | Operation::Permute(_)
            | Operation::MatMul => None,
            Operation::Concat { axis } => {
                let all: Option<Vec<[usize; 2]>> = (0..step.inputs.len()).map(size).collect();
                let all = all?;
                let mut joined = *all.first()?;
                if let Some(along) = axis.checked_sub(2) {
                    *joined.get_mut(along)? = all.iter().filter_map(|one| one.get(along)).sum();
                }
                Some(joined)
            }
            Operation::BatchNorm { .. }
            | Operation::Relu
            | Operation::Abs
            | Operation::Sign
            | Operation::Sigmoid
            | Operation::Softplus
            | Operation::Gelu
            | Operation::Softmax { .. }
            | Operation::ClampMin(_)
            | Operation::Sqrt
            | Operation::LayerNorm { .. }
            | Operation::Attention { .. }
            | Operation::Channels { .. }
            | Operation::SumChannels
            | Operation::Linear => size(0),
            Operation::Add | Operation::Mul | Operation::Div | Operation::Pow => {
                let maps = (0..step.inputs.len()).filter_map(size);
                maps.reduce(|a, b| [a[0].max(b[0]), a[1].max(b[1])])
            }
        }
    }

    fn push(&mut self, source: Source) -> Value {
        self.values.push(source);
        Value(self.values.len() - 1)
    }
}
