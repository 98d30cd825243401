//! The part of a network that makes a feature map of a picture.

use crate::Ops;
use crate::keras_resnet::{KerasResNet, KerasTrunk};
use crate::parameters::{Parameters, Wanted};
use crate::relup::Relup;
use crate::resnet::{ResNet, ResidualTrunk};
use crate::sequence::{Sequence, SequenceTrunk};
use crate::solar_head::SolarHead;
use burn::module::Module;
use std::fmt;

/// Which trunk, and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trunk {
    /// ResNet or ResNeXt: `resnet101`, `resnext101_32x4d`; stages `layer1` to `layer4`; options `-sABCD` (step of
    /// each stage, 1222 without it) and `-dABCD` (dilation of each stage, 1111 without it).
    Residual(ResidualTrunk),
    /// VGG, AlexNet, SqueezeNet or DenseNet: `vgg16`, `densenet121`; stages `features.0`, `features.1`, ... by
    /// torchvision's numbering of the layers.
    Sequence(SequenceTrunk),
    /// Keras' ResNets, version 1: `keras_resnet50`; ends after any block, `conv4_block3`.
    Keras(KerasTrunk),
}

/// Where the cells of a map lie in the picture, along either axis: cell i is centred on pixel i * `stride` + `offset`,
/// where 0 is the centre of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cells {
    /// Pixels from one cell to the next.
    pub stride: usize,
    /// Pixel of the first cell's centre.
    pub offset: f32,
}

impl Cells {
    /// The pixels of the picture itself.
    pub(crate) const PIXELS: Self = Self {
        stride: 1,
        offset: 0.0,
    };

    /// The cells that a window of that size and step, with that padding, makes of these.
    pub(crate) fn walked(self, size: usize, stride: usize, padding: usize) -> Self {
        let middle = (size as f32 - 1.0) / 2.0 - padding as f32;
        Self {
            stride: self.stride * stride,
            offset: self.offset + middle * self.stride as f32,
        }
    }
}

/// Whose names the parameters of a trunk have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `conv1`, `layer1`, `features.denseblock1`, ...
    Torchvision,
    /// As torchvision, but for ResNeXt (`backbone.0`, ...).
    Dirtorch,
    /// The children's numbers in a sequence: `features.0`, `features.4`, ...
    Cirtorch,
    /// `backbone.block1.0`, `backbone.block2`, ...: the Token project's.
    Token,
    /// pycls: `stem.conv`, `s1.b1.f.a`, ...; SuperGlobal's.
    Pycls,
    /// The same behind `globalmodel.`: DELG's.
    Delg,
    /// `features.conv1.0`, `features.conv3_x`, ...: SOLAR's.
    Solar,
    /// `encoder.0`, `encoder.28`, ...: pytorch-NetVlad's.
    Netvlad,
}

impl Naming {
    pub(crate) const ALL: [Self; 8] = [
        Self::Torchvision,
        Self::Dirtorch,
        Self::Cirtorch,
        Self::Token,
        Self::Pycls,
        Self::Delg,
        Self::Solar,
        Self::Netvlad,
    ];
}

impl Trunk {
    /// All trunks, whole and without options.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let residual = ResidualTrunk::all().map(Self::Residual);
        residual
            .chain(SequenceTrunk::all().map(Self::Sequence))
            .chain(KerasTrunk::all().map(Self::Keras))
    }

    /// The names of all trunks, options and stages left out.
    pub fn names() -> Vec<&'static str> {
        Self::all().map(Self::name).collect()
    }

    /// The same trunk up to each of its stages, the first stage first.
    pub(crate) fn stages(self) -> Vec<Self> {
        match self {
            Self::Residual(trunk) => trunk.stages().map(Self::Residual).collect(),
            Self::Sequence(trunk) => trunk.stages().map(Self::Sequence).collect(),
            Self::Keras(trunk) => trunk.stages().map(Self::Keras).collect(),
        }
    }

    /// The same trunk with all its stages.
    pub(crate) fn whole(self) -> Self {
        match self {
            Self::Residual(trunk) => Self::Residual(trunk.whole()),
            Self::Sequence(trunk) => Self::Sequence(trunk.whole()),
            Self::Keras(trunk) => Self::Keras(trunk.whole()),
        }
    }

    /// The same trunk with the steps `usual`, where it is a ResNet with the original steps.
    pub(crate) fn with_usual_steps(self, usual: [usize; 4]) -> Self {
        match self {
            Self::Residual(trunk) => Self::Residual(trunk.with_usual_steps(usual)),
            Self::Sequence(_) | Self::Keras(_) => self,
        }
    }

    /// Writes its name before a head with which the steps `usual` go unsaid.
    pub(crate) fn write(self, f: &mut fmt::Formatter<'_>, usual: [usize; 4]) -> fmt::Result {
        match self {
            Self::Residual(trunk) => trunk.write(f, usual),
            Self::Sequence(trunk) => write!(f, "{trunk}"),
            Self::Keras(trunk) => write!(f, "{trunk}"),
        }
    }

    /// Its name without options and stage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Residual(trunk) => trunk.name(),
            Self::Sequence(trunk) => trunk.name(),
            Self::Keras(trunk) => trunk.name(),
        }
    }

    /// Channels of the map that leaves the trunk.
    pub fn channels(self) -> usize {
        match self {
            Self::Residual(trunk) => trunk.channels(),
            Self::Sequence(trunk) => trunk.channels(),
            Self::Keras(trunk) => trunk.channels(),
        }
    }

    /// The shortest side of a picture, in pixels, whose map has a pixel.
    pub fn shortest_side(self) -> usize {
        match self {
            Self::Residual(_) | Self::Keras(_) => 1,
            Self::Sequence(trunk) => trunk.shortest_side(),
        }
    }

    /// The shortest side of a picture, in pixels, whose map has at least `least` pixels along it.
    pub(crate) fn side_for_map(self, least: usize) -> usize {
        match self {
            // A map has ceil(side / stride) pixels.
            Self::Residual(_) | Self::Keras(_) => (least - 1) * self.cells().stride + 1,
            Self::Sequence(trunk) => trunk.side_for_map(least),
        }
    }

    /// Where the cells of the trunk's last map lie in the picture.
    pub fn cells(self) -> Cells {
        match self {
            Self::Residual(trunk) => trunk.cells(),
            Self::Sequence(trunk) => trunk.cells(),
            Self::Keras(trunk) => trunk.cells(),
        }
    }

    /// Without the ReLU that a whole sequence ends with.
    pub(crate) fn without_last_relu(self) -> Self {
        match self {
            Self::Sequence(trunk) => Self::Sequence(trunk.without_last_relu()),
            Self::Residual(_) | Self::Keras(_) => self,
        }
    }

    /// What [`Trunk::without_last_relu`] takes off put back.
    pub(crate) fn with_last_relu(self) -> Self {
        let whole = self.whole();
        if self == whole.without_last_relu() {
            whole
        } else {
            self
        }
    }

    /// What the trunk's last map is called.
    pub(crate) fn last_map(self, naming: Naming) -> String {
        match self {
            Self::Residual(trunk) => trunk.last_map(naming),
            Self::Sequence(trunk) => trunk.last_map(),
            Self::Keras(trunk) => trunk.last_map(),
        }
    }

    /// The parameters that it wants, in the same order under all names.
    pub(crate) fn parameters(self, naming: Naming) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        TrunkModule::take(&mut parameters, self, naming);
        parameters.into_wanted()
    }

    /// What dirtorch calls the linear layer behind the trunk.
    pub(crate) fn dirtorch_linear(self) -> &'static str {
        match self {
            Self::Residual(trunk) if trunk.is_resnext() => "last_linear",
            _ => "fc",
        }
    }

    /// Reads `NAME[-OPTIONS][:STAGE]`; stages of a ResNet step by `usual` unless an option says otherwise.
    pub(crate) fn read(text: &str, usual: [usize; 4]) -> Result<Self, String> {
        let (named, stage) = match text.split_once(':') {
            Some((named, stage)) => (named, Some(stage)),
            None => (text, None),
        };
        let mut parts = named.split('-');
        let name = parts.next().unwrap_or(named);
        let mut trunk = Self::all().find(|trunk| trunk.name() == name).ok_or_else(|| {
            format!(
                "there is no trunk `{name}`; there are {}",
                Self::names().join(", ")
            )
        })?;
        trunk = trunk.with_usual_steps(usual);
        for option in parts {
            let applied = match &mut trunk {
                Self::Residual(trunk) => trunk.apply(option),
                Self::Sequence(_) | Self::Keras(_) => None,
            };
            applied.ok_or_else(|| format!("the trunk `{name}` has no option `{option}`"))?;
        }
        if let Some(stage) = stage {
            let (ended, stages) = match &mut trunk {
                Self::Residual(trunk) => (trunk.end_at(stage), "layer1 to layer4".to_owned()),
                Self::Sequence(trunk) => {
                    let stages = format!("features.0 to features.{}", trunk.last_of_all());
                    (trunk.end_at(stage), stages)
                }
                Self::Keras(trunk) => {
                    let stages = "conv2_block1 to conv5_block3".to_owned();
                    (trunk.end_at(stage), stages)
                }
            };
            ended.ok_or_else(|| format!("`{stage}` is no stage of {name}; they are {stages}"))?;
        }
        Ok(trunk)
    }
}

impl fmt::Display for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Residual(trunk) => trunk.fmt(f),
            Self::Sequence(trunk) => trunk.fmt(f),
            Self::Keras(trunk) => trunk.fmt(f),
        }
    }
}

// There is one in a network, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub(crate) enum TrunkModule {
    Residual(ResNet),
    Sequence(Sequence),
    Keras(KerasResNet),
}

impl TrunkModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, trunk: Trunk, naming: Naming) -> Self {
        match trunk {
            Trunk::Residual(trunk) => Self::Residual(ResNet::take(parameters, trunk, naming)),
            Trunk::Sequence(trunk) => Self::Sequence(Sequence::take(parameters, trunk, naming)),
            Trunk::Keras(trunk) => Self::Keras(KerasResNet::take(parameters, trunk)),
        }
    }

    /// The same trunk with SuperGlobal's ReLUP in place of ReLUs; only residual trunks have it.
    pub(crate) fn with_relup(self, relup: Relup) -> Self {
        match self {
            Self::Residual(trunk) => Self::Residual(trunk.with_relup(relup)),
            other => other,
        }
    }

    /// The same trunk with SOLAR's attention between its stages; only residual trunks have them.
    pub(crate) fn with_attention(self, parameters: &mut Parameters<'_>, head: SolarHead) -> Self {
        match self {
            Self::Residual(trunk) => Self::Residual(trunk.with_attention(parameters, head)),
            other => other,
        }
    }

    /// Scales the logits of attention between stages as SOLAR does for its pictures.
    pub(crate) fn draw(&mut self) {
        if let Self::Residual(trunk) = self {
            trunk.draw();
        }
    }

    /// `[N, 3, H, W]` -> `[N, C, H', W']`; `tap` is shown every map that has a name.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        image: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<4> {
        match self {
            Self::Residual(trunk) => trunk.forward(ops, image, tap),
            Self::Sequence(trunk) => trunk.forward(ops, image, tap),
            Self::Keras(trunk) => trunk.forward(ops, image, tap),
        }
    }
}
