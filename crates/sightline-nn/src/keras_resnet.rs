//! ResNet as `tf.keras.applications` builds version 1 (`resnet.py`, `stack1`, `block1`): convolutions with bias, the
//! stride in the first 1x1 convolution of a block, and names for every block's map.

use crate::Ops;
use crate::batch_norm::{BatchNorm, BatchNormOptions, Remembered};
use crate::conv2d::Conv2d;
use crate::parameters::Parameters;
use crate::residual_block::{Block, ConvNorm};
use crate::trunk::Cells;
use burn::module::Module;
use sightline_plan::{Convolution, Window};
use std::fmt;

/// Keras' batch norms in these networks.
const NORM: BatchNormOptions = BatchNormOptions {
    epsilon: 1.001e-5,
    momentum: 0.01,
    remembered: Remembered::Unbiased,
    affine: true,
};

/// Which network, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KerasTrunk {
    form: Form,
    /// The last stage, 2 to 5, and its last block, from 1.
    end: (usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    name: &'static str,
    /// Blocks of the stages `conv2` to `conv5`.
    blocks: [usize; 4],
}

const FORMS: [Form; 3] = [
    Form {
        name: "keras_resnet50",
        blocks: [3, 4, 6, 3],
    },
    Form {
        name: "keras_resnet101",
        blocks: [3, 4, 23, 3],
    },
    Form {
        name: "keras_resnet152",
        blocks: [3, 8, 36, 3],
    },
];

impl Form {
    /// Every block's stage and number.
    fn each_block(self) -> impl Iterator<Item = (usize, usize)> {
        let stages = (2..).zip(self.blocks);
        stages.flat_map(|(stage, count)| (1..=count).map(move |block| (stage, block)))
    }
}

impl KerasTrunk {
    /// All networks, whole.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        FORMS.into_iter().map(|form| Self {
            form,
            end: (5, form.blocks[3]),
        })
    }

    /// Its name without the stage.
    pub fn name(self) -> &'static str {
        self.form.name
    }

    /// The same trunk with all its blocks.
    pub(crate) fn whole(self) -> Self {
        Self {
            end: (5, self.form.blocks[3]),
            ..self
        }
    }

    /// The same trunk up to each of its blocks, the first block first.
    pub(crate) fn stages(self) -> impl Iterator<Item = Self> {
        let ends = self.form.each_block();
        ends.map(move |end| Self { end, ..self })
    }

    /// Ends the trunk after a block, `conv4_block3` (or `conv4_block3_out`, as its map is called), or after a stage,
    /// `conv4`; none for other names.
    pub(crate) fn end_at(&mut self, stage: &str) -> Option<()> {
        let (stage, block) = match stage.split_once("_block") {
            None => (stage, None),
            Some((stage, block)) => (
                stage,
                Some(block.strip_suffix("_out").unwrap_or(block).parse().ok()?),
            ),
        };
        let stage: usize = stage.strip_prefix("conv")?.parse().ok()?;
        let count = *self.form.blocks.get(stage.checked_sub(2)?)?;
        let block = block.unwrap_or(count);
        (1..=count).contains(&block).then(|| self.end = (stage, block))
    }

    /// What the trunk's last map is called.
    pub(crate) fn last_map(self) -> String {
        block_name(self.end) + "_out"
    }

    /// Channels of the map that leaves the trunk.
    pub fn channels(self) -> usize {
        channels(self.end.0)
    }

    /// Where the cells of its last map lie in the picture.
    pub(crate) fn cells(self) -> Cells {
        let stem = Cells::PIXELS.walked(7, 2, 3).walked(3, 2, 1);
        // The later stages step with their first 1x1 convolution.
        (3..=self.end.0).fold(stem, |cells, _| cells.walked(1, 2, 0))
    }
}

impl fmt::Display for KerasTrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.form.name)?;
        if *self != self.whole() {
            write!(f, ":{}", block_name(self.end))?;
        }
        Ok(())
    }
}

fn block_name((stage, block): (usize, usize)) -> String {
    format!("conv{stage}_block{block}")
}

/// Channels of the maps of a stage.
fn channels(stage: usize) -> usize {
    64 << stage
}

/// A Keras ResNet without its classifier, up to a chosen block.
#[derive(Module, Debug)]
pub struct KerasResNet {
    stem: ConvNorm,
    blocks: Vec<Block>,
    #[module(skip)]
    trunk: KerasTrunk,
}

impl KerasResNet {
    pub(crate) fn take(parameters: &mut Parameters<'_>, trunk: KerasTrunk) -> Self {
        let walk = Convolution {
            stride: [2, 2],
            padding: [3, 3],
            ..Convolution::default()
        };
        let stem = take(parameters, "conv1", [64, 3, 7, 7], walk);
        let mut inputs = 64;
        let mut blocks = Vec::new();
        for (stage, block) in trunk.form.each_block().filter(|block| *block <= trunk.end) {
            let outputs = channels(stage);
            let width = outputs / 4;
            let stride = if block == 1 && stage > 2 { 2 } else { 1 };
            let strided = Convolution {
                stride: [stride; 2],
                ..Convolution::default()
            };
            let padded = Convolution {
                padding: [1, 1],
                ..Convolution::default()
            };
            let name = |part: usize| format!("{}_{part}", block_name((stage, block)));
            // Keras' own order: the shortcut, number 0, comes first.
            let shortcut = (block == 1).then(|| take(parameters, &name(0), [outputs, inputs, 1, 1], strided));
            let steps = vec![
                take(parameters, &name(1), [width, inputs, 1, 1], strided),
                take(parameters, &name(2), [width, width, 3, 3], padded),
                take(
                    parameters,
                    &name(3),
                    [outputs, width, 1, 1],
                    Convolution::default(),
                ),
            ];
            blocks.push(Block::of(steps, shortcut));
            inputs = outputs;
        }
        Self { stem, blocks, trunk }
    }

    /// `[N, 3, H, W]` -> `[N, C, ceil(H / s), ceil(W / s)]`; `tap` is shown the map after the max pool (`pool1_pool`) and
    /// after each block (`conv2_block1_out`).
    pub fn forward<O: Ops>(
        &self,
        ops: &mut O,
        image: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<4> {
        let x = self.stem.forward(ops, image);
        let x = ops.relu(x);
        // Keras pads with zeros, which never win over what left the ReLU.
        let window = Window {
            size: [3, 3],
            stride: [2, 2],
            padding: [1, 1],
            ceil: false,
        };
        let mut x = ops.max_pool(x, window);
        tap("pool1_pool", &x);
        for (block, end) in self.blocks.iter().zip(self.trunk.form.each_block()) {
            x = block.forward(ops, x);
            tap(&(block_name(end) + "_out"), &x);
        }
        x
    }
}

/// A convolution with bias, `{name}_conv`, and its batch norm, `{name}_bn`.
fn take(parameters: &mut Parameters<'_>, name: &str, shape: [usize; 4], walk: Convolution) -> ConvNorm {
    ConvNorm {
        conv: Conv2d::take_with_bias(parameters, &format!("{name}_conv"), shape, walk),
        norm: BatchNorm::take_with(parameters, &format!("{name}_bn"), shape[0], NORM),
    }
}
