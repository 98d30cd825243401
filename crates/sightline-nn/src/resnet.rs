//! ResNet (He et al. 2016, <https://arxiv.org/abs/1512.03385>) and ResNeXt (Xie et al. 2017,
//! <https://arxiv.org/abs/1611.05431>) trunks as torchvision, dirtorch and cirtorch build them.

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::parameters::Parameters;
use crate::relup::Relup;
use crate::residual_block::{BLOCK_NAMES, Block, BlockNames, BlockShape, ConvNorm};
use crate::second_order_attention::SecondOrderAttention;
use crate::solar_head::SolarHead;
use crate::trunk::{Cells, Naming};
use burn::module::Module;
use sightline_plan::{Convolution, Window};
use std::fmt;

/// Which residual network, where it ends, and how its stages step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResidualTrunk {
    form: Form,
    /// The last stage, 1 to 4.
    last_stage: usize,
    /// Step of the first block of each stage, 1 to 9.
    strides: [usize; 4],
    /// Dilation of the 3x3 convolutions of each stage, 1 to 9.
    dilations: [usize; 4],
}

/// What tells one residual network from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    name: &'static str,
    blocks: [usize; 4],
    bottleneck: bool,
    /// Groups of the 3x3 convolutions, and their channels in the first stage.
    groups: usize,
    width: usize,
}

impl Form {
    const fn new(
        name: &'static str,
        blocks: [usize; 4],
        bottleneck: bool,
        groups: usize,
        width: usize,
    ) -> Self {
        Self {
            name,
            blocks,
            bottleneck,
            groups,
            width,
        }
    }
}

const FORMS: [Form; 8] = [
    Form::new("resnet18", [2, 2, 2, 2], false, 1, 64),
    Form::new("resnet34", [3, 4, 6, 3], false, 1, 64),
    Form::new("resnet50", [3, 4, 6, 3], true, 1, 64),
    Form::new("resnet101", [3, 4, 23, 3], true, 1, 64),
    Form::new("resnet152", [3, 8, 36, 3], true, 1, 64),
    Form::new("resnext50_32x4d", [3, 4, 6, 3], true, 32, 128),
    Form::new("resnext101_32x4d", [3, 4, 23, 3], true, 32, 128),
    Form::new("resnext101_64x4d", [3, 4, 23, 3], true, 64, 256),
];

/// Step of the first block of each stage in the original networks.
pub(crate) const STRIDES: [usize; 4] = [1, 2, 2, 2];
const DILATIONS: [usize; 4] = [1; 4];

impl ResidualTrunk {
    /// All networks of the kind, whole.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        FORMS.into_iter().map(|form| Self {
            form,
            last_stage: 4,
            strides: STRIDES,
            dilations: DILATIONS,
        })
    }

    /// Its name without options and stage.
    pub fn name(self) -> &'static str {
        self.form.name
    }

    /// The last stage, 1 to 4.
    pub fn last_stage(self) -> usize {
        self.last_stage
    }

    pub(crate) fn is_resnext(self) -> bool {
        self.form.groups > 1
    }

    /// The same trunk with all four stages.
    pub(crate) fn whole(self) -> Self {
        Self {
            last_stage: 4,
            ..self
        }
    }

    /// The same trunk with the steps `usual`, unless it has other steps than the original network.
    pub(crate) fn with_usual_steps(self, usual: [usize; 4]) -> Self {
        let strides = if self.strides == STRIDES {
            usual
        } else {
            self.strides
        };
        Self { strides, ..self }
    }

    /// The same trunk up to each of its stages, the first stage first.
    pub(crate) fn stages(self) -> impl Iterator<Item = Self> {
        (1..=4).map(move |last_stage| Self { last_stage, ..self })
    }

    /// Applies an option of its name, `s1221` or `d1112`; none if it is neither.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        let digits = option.get(1..)?;
        let each: Vec<usize> = digits
            .chars()
            .map(|digit| digit.to_digit(10).filter(|digit| *digit > 0))
            .map(|digit| digit.map(|digit| digit as usize))
            .collect::<Option<_>>()?;
        let each = <[usize; 4]>::try_from(each).ok()?;
        match option.as_bytes().first() {
            Some(b's') => self.strides = each,
            Some(b'd') => self.dilations = each,
            _ => return None,
        }
        Some(())
    }

    /// Ends the trunk after `layer1` to `layer4`; none for other names.
    pub(crate) fn end_at(&mut self, stage: &str) -> Option<()> {
        let stage = stage.strip_prefix("layer")?.parse().ok()?;
        (1..=4).contains(&stage).then(|| self.last_stage = stage)
    }

    /// What the trunk's last map is called.
    pub(crate) fn last_map(self, naming: Naming) -> String {
        Names::of(self, naming).map(self.last_stage)
    }

    /// Where the cells of the last map lie: every window is centred on its cell.
    pub(crate) fn cells(self) -> Cells {
        Cells {
            stride: 4 * self.strides[..self.last_stage].iter().product::<usize>(),
            ..Cells::PIXELS
        }
    }

    /// Channels of the map that leaves the trunk.
    pub fn channels(self) -> usize {
        self.stage_channels(self.last_stage)
    }

    /// Channels of the map that leaves a stage, 1 to 4.
    pub(crate) fn stage_channels(self, stage: usize) -> usize {
        (32 << stage) * if self.form.bottleneck { 4 } else { 1 }
    }
}

impl fmt::Display for ResidualTrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, STRIDES)
    }
}

impl ResidualTrunk {
    /// Writes its name before a head with which the steps `usual` go unsaid.
    pub(crate) fn write(self, f: &mut fmt::Formatter<'_>, usual: [usize; 4]) -> fmt::Result {
        write!(f, "{}", self.form.name)?;
        let mut option = |letter: char, each: [usize; 4]| {
            write!(f, "-{letter}")?;
            each.iter().try_for_each(|one| write!(f, "{one}"))
        };
        if self.strides != usual {
            option('s', self.strides)?;
        }
        if self.dilations != DILATIONS {
            option('d', self.dilations)?;
        }
        if self.last_stage < 4 {
            write!(f, ":layer{}", self.last_stage)?;
        }
        Ok(())
    }
}

/// What dirtorch's `resnext101_features.py` (nested sequences made from Lua Torch) calls the parts of a block.
const NESTED_NAMES: BlockNames = [
    ["0.0.0.0", "0.0.0.1"],
    ["0.0.0.3", "0.0.0.4"],
    ["0.0.1", "0.0.2"],
    ["0.1.0", "0.1.1"],
];

/// What pycls calls the parts of a block.
const PYCLS_NAMES: BlockNames = [
    ["f.a", "f.a_bn"],
    ["f.b", "f.b_bn"],
    ["f.c", "f.c_bn"],
    ["proj", "bn"],
];

/// How one project names the parts of one residual network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Names {
    /// What stands before every name.
    prefix: &'static str,
    conv: &'static str,
    norm: &'static str,
    /// What stands before the number of a stage, and the number of the first.
    stage: (&'static str, usize),
    /// What stands before the number of a block, and the number of the first.
    number: (&'static str, usize),
    block: BlockNames,
    /// What stands before the number of a stage in the names of maps; in a sequence, `features.`, maps are called by
    /// their place in it.
    map: &'static str,
}

/// What stands before the number of a map in cirtorch's sequences.
const SEQUENCE: &str = "features.";

impl Names {
    fn of(trunk: ResidualTrunk, naming: Naming) -> Self {
        match naming {
            Naming::Cirtorch => Self {
                prefix: "",
                conv: "features.0",
                norm: "features.1",
                stage: ("features.", 4),
                number: (".", 0),
                block: BLOCK_NAMES,
                map: SEQUENCE,
            },
            Naming::Pycls | Naming::Delg => Self {
                prefix: if naming == Naming::Delg {
                    "globalmodel."
                } else {
                    ""
                },
                conv: "stem.conv",
                norm: "stem.bn",
                stage: ("s", 1),
                number: (".b", 1),
                block: PYCLS_NAMES,
                map: "s",
            },
            Naming::Token => Self {
                prefix: "",
                conv: "backbone.block1.0",
                norm: "backbone.block1.1",
                stage: ("backbone.block", 2),
                number: (".", 0),
                block: BLOCK_NAMES,
                map: "layer",
            },
            Naming::Dirtorch if trunk.is_resnext() => Self {
                prefix: "",
                conv: "backbone.0",
                norm: "backbone.1",
                stage: ("backbone.", 4),
                number: (".", 0),
                block: NESTED_NAMES,
                map: "layer",
            },
            Naming::Solar => Self {
                prefix: "features.",
                conv: "conv1.0",
                norm: "conv1.1",
                stage: ("conv", 2),
                number: ("_x.", 0),
                block: BLOCK_NAMES,
                map: "layer",
            },
            Naming::Netvlad => Self {
                prefix: "encoder.",
                conv: "0",
                norm: "1",
                stage: ("", 4),
                number: (".", 0),
                block: BLOCK_NAMES,
                map: SEQUENCE,
            },
            Naming::Dirtorch | Naming::Torchvision => Self {
                prefix: "",
                conv: "conv1",
                norm: "bn1",
                stage: ("layer", 1),
                number: (".", 0),
                block: BLOCK_NAMES,
                map: "layer",
            },
        }
    }

    /// Name of the map after the max pool (0) or after a stage (1 to 4).
    fn map(self, stage: usize) -> String {
        match stage {
            _ if self.map == SEQUENCE => format!("{SEQUENCE}{}", stage + 3),
            0 => "stem".to_owned(),
            _ => format!("{}{stage}", self.map),
        }
    }
}

/// A residual network without its classifier, up to a chosen stage.
#[derive(Module, Debug)]
pub struct ResNet {
    stem: ConvNorm,
    stages: Vec<Vec<Block>>,
    /// SOLAR's attention after each stage, with its word.
    attention: Vec<Option<SecondOrderAttention>>,
    /// SOLAR's words for it.
    #[module(skip)]
    attention_words: Vec<&'static str>,
    /// The power that scales its logits.
    #[module(skip)]
    attention_power: f32,
    #[module(skip)]
    names: Names,
}

impl ResNet {
    pub(crate) fn take(parameters: &mut Parameters<'_>, trunk: ResidualTrunk, naming: Naming) -> Self {
        let names = Names::of(trunk, naming);
        let walk = Convolution {
            stride: [2, 2],
            padding: [3, 3],
            ..Convolution::default()
        };
        let stem = ConvNorm {
            conv: Conv2d::take(
                parameters,
                &format!("{}{}", names.prefix, names.conv),
                [64, 3, 7, 7],
                walk,
            ),
            norm: BatchNorm::take(parameters, &format!("{}{}", names.prefix, names.norm), 64),
        };
        let mut inputs = 64;
        let mut stages = Vec::new();
        for stage in 1..=trunk.last_stage {
            let ((word, first), (before, first_block)) = (names.stage, names.number);
            let stage_name = format!("{}{word}{}", names.prefix, stage - 1 + first);
            let blocks = (0..trunk.form.blocks[stage - 1]).map(|index| {
                let shape = BlockShape {
                    inputs,
                    width: trunk.form.width << (stage - 1),
                    outputs: trunk.stage_channels(stage),
                    stride: if index == 0 { trunk.strides[stage - 1] } else { 1 },
                    dilation: trunk.dilations[stage - 1],
                    groups: trunk.form.groups,
                    bottleneck: trunk.form.bottleneck,
                };
                inputs = shape.outputs;
                // SOLAR's first stage lies behind the ReLU and the max pool.
                let behind = if (naming, stage) == (Naming::Solar, 1) {
                    "2."
                } else {
                    ""
                };
                let name = format!("{stage_name}{before}{behind}{}.", index + first_block);
                Block::take(parameters, &name, &names.block, shape)
            });
            stages.push(blocks.collect());
        }
        Self {
            stem,
            stages,
            attention: Vec::new(),
            attention_words: Vec::new(),
            attention_power: SecondOrderAttention::POWER,
            names,
        }
    }

    /// The same trunk with SOLAR's attention after those of its stages that the head says.
    pub(crate) fn with_attention(mut self, parameters: &mut Parameters<'_>, head: SolarHead) -> Self {
        for (index, blocks) in self.stages.iter().enumerate() {
            let (word, narrower) = head.after(index + 1).unzip();
            let channels = blocks.first().map_or(0, Block::outputs);
            self.attention.push(narrower.map(|narrower: usize| {
                let name = format!("features.{}.", word.unwrap_or_default());
                SecondOrderAttention::take(parameters, &name, channels, channels / narrower)
            }));
            self.attention_words.push(word.unwrap_or_default());
        }
        self
    }

    /// Scales the logits of attention as SOLAR does for its pictures.
    pub(crate) fn draw(&mut self) {
        self.attention_power = SecondOrderAttention::DRAWING_POWER;
    }

    /// The same trunk with SuperGlobal's ReLUP.
    pub(crate) fn with_relup(mut self, relup: Relup) -> Self {
        let last = self.stages.len().min(3);
        for (index, blocks) in self.stages[..last].iter_mut().enumerate() {
            let inner = if index == 0 { relup.inner } else { None };
            blocks
                .iter_mut()
                .for_each(|block| block.set_relup(inner, relup.ends));
        }
        self
    }

    /// `[N, 3, H, W]` -> `[N, C, ceil(H / s), ceil(W / s)]` with stride s = 4 times the product of the stages'.
    ///
    /// `tap` is shown the map after the max pool and after each stage, with the project's name for it; in a
    /// sequence also those before the max pool.
    pub fn forward<O: Ops>(
        &self,
        ops: &mut O,
        image: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<4> {
        let early = |index: usize, map: &O::T<4>, tap: &mut dyn FnMut(&str, &O::T<4>)| {
            if self.names.map == SEQUENCE {
                tap(&format!("{SEQUENCE}{index}"), map);
            }
        };
        let x = self.stem.conv.forward(ops, image);
        early(0, &x, tap);
        let x = self.stem.norm.forward(ops, x);
        early(1, &x, tap);
        let x = ops.relu(x);
        early(2, &x, tap);
        let window = Window {
            size: [3, 3],
            stride: [2, 2],
            padding: [1, 1],
            ceil: false,
        };
        let mut x = ops.max_pool(x, window);
        tap(&self.names.map(0), &x);
        for (index, blocks) in self.stages.iter().enumerate() {
            for block in blocks {
                x = block.forward(ops, x);
            }
            tap(&self.names.map(index + 1), &x);
            let attention = self.attention.get(index).and_then(Option::as_ref);
            if let (Some(attention), Some(word)) = (attention, self.attention_words.get(index)) {
                let seen = attention.forward(ops, x, self.attention_power);
                tap(&format!("{word}.attention"), &seen.attention);
                x = seen.map;
                tap(word, &x);
            }
        }
        x
    }
}
