//! One block of a residual network.

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::parameters::{Parameters, TensorProblem, Wanted};
use crate::relup::rectify;
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::Device;
use sightline_plan::Convolution;

/// A convolution and its batch norm.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    pub(crate) conv: Conv2d,
    pub(crate) norm: BatchNorm,
}

impl ConvNorm {
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let x = self.conv.forward(ops, x);
        self.norm.forward(ops, x)
    }
}

/// One residual block: two 3x3 convolutions, or a bottleneck of three whose stride sits in the 3x3.
#[derive(Module, Debug)]
pub struct Block {
    steps: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
    /// The least values of SuperGlobal's ReLUP in place of the ReLUs within the block and at its end.
    #[module(skip)]
    relup: [Option<f32>; 2],
}

/// Shape of a residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockShape {
    /// Channels of its input.
    pub inputs: usize,
    /// Channels of its 3x3 convolutions.
    pub width: usize,
    /// Channels of its output; a block of two convolutions has `width` of them.
    pub outputs: usize,
    /// Step of its 3x3 convolution (the first of two).
    pub stride: usize,
    /// Distance between the taps of its 3x3 convolutions, and the padding around their input.
    pub dilation: usize,
    /// Groups of its 3x3 convolution.
    pub groups: usize,
    /// Whether it has a 1x1 convolution on either side of one 3x3, instead of two 3x3.
    pub bottleneck: bool,
}

/// What a project calls the convolutions of a block and their batch norms, the shortcut last.
pub(crate) type BlockNames = [[&'static str; 2]; 4];

/// torchvision, dirtorch's ResNets and cirtorch.
pub(crate) const BLOCK_NAMES: BlockNames = [
    ["conv1", "bn1"],
    ["conv2", "bn2"],
    ["conv3", "bn3"],
    ["downsample.0", "downsample.1"],
];

impl Block {
    /// Builds one block on the CPU from weights named `{name}conv1.weight` and so on, as torchvision and dirtorch
    /// name them.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape; the first one.
    pub fn load(weights: &Weights<'_>, name: &str, shape: BlockShape) -> Result<Self, TensorProblem> {
        let device = Device::flex();
        let mut parameters = Parameters::from_weights(weights, &device);
        let block = Self::take(&mut parameters, name, &BLOCK_NAMES, shape);
        match parameters.problem() {
            Some(problem) => Err(problem.clone()),
            None => Ok(block),
        }
    }

    /// The parameters that [`Block::load`] wants.
    pub fn parameters(name: &str, shape: BlockShape) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        Self::take(&mut parameters, name, &BLOCK_NAMES, shape);
        parameters.into_wanted()
    }

    /// Takes the parameters of one block; it has a shortcut convolution where stride or width change.
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        name: &str,
        names: &BlockNames,
        shape: BlockShape,
    ) -> Self {
        let BlockShape {
            inputs,
            width,
            outputs,
            stride,
            dilation,
            groups,
            bottleneck,
        } = shape;
        let one = Convolution::default();
        let strided = Convolution {
            stride: [stride; 2],
            ..one
        };
        let dense = Convolution {
            padding: [dilation; 2],
            dilation: [dilation; 2],
            groups,
            ..one
        };
        let three = Convolution {
            stride: [stride; 2],
            ..dense
        };
        let mut take = |part: usize, [o, i, k]: [usize; 3], walk: Convolution| {
            let [conv, norm] = names[part];
            ConvNorm {
                conv: Conv2d::take(
                    parameters,
                    &format!("{name}{conv}"),
                    [o, i / walk.groups, k, k],
                    walk,
                ),
                norm: BatchNorm::take(parameters, &format!("{name}{norm}"), o),
            }
        };
        let steps = if bottleneck {
            vec![
                take(0, [width, inputs, 1], one),
                take(1, [width, width, 3], three),
                take(2, [outputs, width, 1], one),
            ]
        } else {
            vec![
                take(0, [width, inputs, 3], three),
                take(1, [outputs, width, 3], dense),
            ]
        };
        let shortcut = (stride != 1 || inputs != outputs).then(|| take(3, [outputs, inputs, 1], strided));
        Self::of(steps, shortcut)
    }

    /// A block of these convolutions, with plain ReLUs.
    pub(crate) fn of(steps: Vec<ConvNorm>, shortcut: Option<ConvNorm>) -> Self {
        Self {
            steps,
            shortcut,
            relup: [None, None],
        }
    }

    /// Puts SuperGlobal's ReLUP in place of the ReLUs within the block and at its end.
    pub(crate) fn set_relup(&mut self, inner: Option<f32>, end: Option<f32>) {
        self.relup = [inner, end];
    }

    /// Channels of its output.
    pub(crate) fn outputs(&self) -> usize {
        self.steps.last().map_or(0, |step| step.norm.channels())
    }

    /// `[N, C, H, W]` -> `[N, C', H', W']`.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let [inner, end] = self.relup;
        let mut y = x.clone();
        for (index, step) in self.steps.iter().enumerate() {
            if index > 0 {
                y = rectify(ops, y, inner);
            }
            y = step.forward(ops, y);
        }
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(ops, x),
            None => x,
        };
        let sum = ops.add(y, shortcut);
        rectify(ops, sum, end)
    }
}
