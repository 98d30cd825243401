//! The ResNet trunk (He et al. 2016, <https://arxiv.org/abs/1512.03385>) as torchvision and dirtorch build it:
//! the stride of a bottleneck sits in its 3x3 convolution.

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::parameters::Parameters;
use burn::module::Module;
use sightline_plan::{Convolution, Window};

/// Which ResNet, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Trunk {
    /// 18, 34, 50, 101 or 152.
    depth: usize,
    /// The last stage, 1 to 4.
    last_stage: usize,
}

impl Trunk {
    /// All depths.
    pub const DEPTHS: [usize; 5] = [18, 34, 50, 101, 152];

    /// The trunk of that depth that ends after `layer{last_stage}`; none for other depths or stages.
    pub fn new(depth: usize, last_stage: usize) -> Option<Self> {
        (Self::DEPTHS.contains(&depth) && (1..=4).contains(&last_stage)).then_some(Self { depth, last_stage })
    }

    /// 18, 34, 50, 101 or 152.
    pub fn depth(self) -> usize {
        self.depth
    }

    /// The last stage, 1 to 4.
    pub fn last_stage(self) -> usize {
        self.last_stage
    }

    /// The same trunk with all four stages.
    pub(crate) fn whole(self) -> Self {
        Self {
            last_stage: 4,
            ..self
        }
    }

    /// Channels of the map that leaves the trunk.
    pub fn channels(self) -> usize {
        self.stage_channels(self.last_stage)
    }

    fn is_bottleneck(self) -> bool {
        self.depth >= 50
    }

    fn stage_channels(self, stage: usize) -> usize {
        planes(stage) * if self.is_bottleneck() { 4 } else { 1 }
    }

    fn blocks(self) -> [usize; 4] {
        match self.depth {
            18 => [2, 2, 2, 2],
            34 | 50 => [3, 4, 6, 3],
            101 => [3, 4, 23, 3],
            _ => [3, 8, 36, 3],
        }
    }
}

impl std::fmt::Display for Trunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "resnet{}", self.depth)?;
        if self.last_stage < 4 {
            write!(f, ":layer{}", self.last_stage)?;
        }
        Ok(())
    }
}

/// Width of a stage's 3x3 convolutions.
fn planes(stage: usize) -> usize {
    32 << stage
}

/// How a project names the parts of the trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `conv1`, `bn1`, `layer1`, ...: torchvision and dirtorch.
    Torchvision,
    /// `features.0`, `features.1`, `features.4`, ...: cirtorch.
    Sequence,
}

impl Naming {
    /// The name of what the map after the max pool (0) or after a stage (1 to 4) is called.
    pub(crate) fn stage(self, stage: usize) -> String {
        match self {
            Self::Torchvision if stage == 0 => "stem".to_owned(),
            Self::Torchvision => format!("layer{stage}"),
            Self::Sequence => format!("features.{}", stage + 3),
        }
    }

    fn stem(self) -> (&'static str, &'static str) {
        match self {
            Self::Torchvision => ("conv1", "bn1"),
            Self::Sequence => ("features.0", "features.1"),
        }
    }
}

/// A convolution and its batch norm.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let x = self.conv.forward(ops, x);
        self.norm.forward(ops, x)
    }
}

/// One residual block: two 3x3 convolutions, or a bottleneck of three.
#[derive(Module, Debug)]
pub struct Block {
    steps: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
}

/// Shape of a residual block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockShape {
    /// Channels of its input.
    pub(crate) inputs: usize,
    /// Width of its 3x3 convolutions.
    pub(crate) planes: usize,
    pub(crate) stride: usize,
    /// Of the 3x3 convolution of a bottleneck.
    pub(crate) dilation: usize,
    pub(crate) bottleneck: bool,
}

impl Block {
    /// Takes the parameters of one block; it has a shortcut convolution where stride or width change.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, shape: BlockShape) -> Self {
        let BlockShape {
            inputs,
            planes,
            stride,
            dilation,
            bottleneck,
        } = shape;
        let outputs = if bottleneck { 4 * planes } else { planes };
        let mut take = |conv: &str, norm: &str, [o, i, k]: [usize; 3], stride: usize, dilation: usize| {
            let walk = Convolution {
                stride: [stride; 2],
                padding: [if k == 1 { 0 } else { dilation }; 2],
                dilation: [dilation; 2],
                groups: 1,
            };
            ConvNorm {
                conv: Conv2d::take(parameters, &format!("{name}{conv}"), [o, i, k, k], walk),
                norm: BatchNorm::take(parameters, &format!("{name}{norm}"), o),
            }
        };
        let steps = if bottleneck {
            vec![
                take("conv1", "bn1", [planes, inputs, 1], 1, 1),
                take("conv2", "bn2", [planes, planes, 3], stride, dilation),
                take("conv3", "bn3", [outputs, planes, 1], 1, 1),
            ]
        } else {
            vec![
                take("conv1", "bn1", [planes, inputs, 3], stride, dilation),
                take("conv2", "bn2", [planes, planes, 3], 1, dilation),
            ]
        };
        let shortcut = (stride != 1 || inputs != outputs)
            .then(|| take("downsample.0", "downsample.1", [outputs, inputs, 1], stride, 1));
        Self { steps, shortcut }
    }

    /// `[N, C, H, W]` -> `[N, C', H', W']`.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let mut y = x.clone();
        for (index, step) in self.steps.iter().enumerate() {
            if index > 0 {
                y = ops.relu(y);
            }
            y = step.forward(ops, y);
        }
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(ops, x),
            None => x,
        };
        let sum = ops.add(y, shortcut);
        ops.relu(sum)
    }
}

/// A ResNet without its classifier, up to a chosen stage.
#[derive(Module, Debug)]
pub struct ResNet {
    stem: ConvNorm,
    stages: Vec<Vec<Block>>,
    #[module(skip)]
    naming: Naming,
}

impl ResNet {
    pub(crate) fn take(parameters: &mut Parameters<'_>, trunk: Trunk, naming: Naming) -> Self {
        let (conv, norm) = naming.stem();
        let walk = Convolution {
            stride: [2, 2],
            padding: [3, 3],
            ..Convolution::default()
        };
        let stem = ConvNorm {
            conv: Conv2d::take(parameters, conv, [64, 3, 7, 7], walk),
            norm: BatchNorm::take(parameters, norm, 64),
        };
        let mut inputs = 64;
        let mut stages = Vec::new();
        for stage in 1..=trunk.last_stage {
            let blocks = (0..trunk.blocks()[stage - 1]).map(|index| {
                let shape = BlockShape {
                    inputs,
                    planes: planes(stage),
                    stride: if stage > 1 && index == 0 { 2 } else { 1 },
                    dilation: 1,
                    bottleneck: trunk.is_bottleneck(),
                };
                inputs = trunk.stage_channels(stage);
                Block::take(parameters, &format!("{}.{index}.", naming.stage(stage)), shape)
            });
            stages.push(blocks.collect());
        }
        Self { stem, stages, naming }
    }

    /// `[N, 3, H, W]` -> `[N, C, ceil(H / s), ceil(W / s)]` with stride s = 2 to the power of last stage + 1.
    ///
    /// `tap` is shown the map after the max pool and after each stage, with the project's name for it.
    pub fn forward<O: Ops>(
        &self,
        ops: &mut O,
        image: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<4> {
        let x = self.stem.forward(ops, image);
        let x = ops.relu(x);
        let window = Window {
            size: [3, 3],
            stride: [2, 2],
            padding: [1, 1],
            ceil: false,
        };
        let mut x = ops.max_pool(x, window);
        tap(&self.naming.stage(0), &x);
        for (index, blocks) in self.stages.iter().enumerate() {
            for block in blocks {
                x = block.forward(ops, x);
            }
            tap(&self.naming.stage(index + 1), &x);
        }
        x
    }
}
