//! Trunks that are plain sequences of layers: VGG, AlexNet, SqueezeNet, DenseNet, as torchvision builds their
//! `features`.

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::densenet::{DenseBlock, Transition};
use crate::parameters::Parameters;
use crate::squeezenet::Fire;
use crate::trunk::{Cells, Naming};
use crate::{alexnet, densenet, squeezenet, vgg};
use burn::module::Module;
use sightline_plan::{Convolution, Window};
use std::fmt;

/// Which sequence, and its last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceTrunk {
    kind: Kind,
    /// Number of the last layer that is run.
    last: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AlexNet,
    DenseNet(densenet::Form),
    SqueezeNet(squeezenet::Version),
    Vgg(vgg::Form),
}

/// One layer of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layer {
    Conv {
        outputs: usize,
        size: usize,
        walk: Convolution,
        bias: bool,
    },
    Norm,
    Relu,
    MaxPool(Window),
    Fire {
        squeeze: usize,
        /// Channels of either half of the output.
        expand: usize,
    },
    DenseBlock {
        layers: usize,
        growth: usize,
    },
    Transition,
}

impl Layer {
    /// Channels that leave the layer where `inputs` enter it.
    fn channels(self, inputs: usize) -> usize {
        match self {
            Self::Conv { outputs, .. } => outputs,
            Self::Norm | Self::Relu | Self::MaxPool(_) => inputs,
            Self::Fire { expand, .. } => 2 * expand,
            Self::DenseBlock { layers, growth } => inputs + layers * growth,
            Self::Transition => inputs / 2,
        }
    }

    /// Where the cells of the map that leaves the layer lie.
    fn cells(self, cells: Cells) -> Cells {
        match self {
            Self::Conv { size, walk, .. } => cells.walked(size, walk.stride[0], walk.padding[0]),
            Self::MaxPool(window) => cells.walked(window.size[0], window.stride[0], window.padding[0]),
            Self::Transition => cells.walked(2, 2, 0),
            Self::Norm | Self::Relu | Self::Fire { .. } | Self::DenseBlock { .. } => cells,
        }
    }

    /// Pixels along one axis of a map that leaves the layer where `pixels` enter it; 0 if there would be none.
    fn pixels(self, pixels: usize) -> usize {
        let steps = |size: usize, stride: usize, padding: usize, ceil: bool| {
            let beyond = if ceil { stride - 1 } else { 0 };
            (pixels + 2 * padding + beyond)
                .checked_sub(size)
                .map_or(0, |room| room / stride + 1)
        };
        match self {
            Self::Conv { size, walk, .. } => steps(size, walk.stride[0], walk.padding[0], false),
            Self::MaxPool(window) => steps(window.size[0], window.stride[0], window.padding[0], window.ceil),
            Self::Transition => pixels / 2,
            Self::Norm | Self::Relu | Self::Fire { .. } | Self::DenseBlock { .. } => pixels,
        }
    }
}

impl Kind {
    fn all() -> impl Iterator<Item = Self> {
        let vgg = vgg::FORMS.into_iter().map(Self::Vgg);
        let densenet = densenet::FORMS.into_iter().map(Self::DenseNet);
        let squeezenet = squeezenet::Version::ALL.into_iter().map(Self::SqueezeNet);
        vgg.chain([Self::AlexNet]).chain(densenet).chain(squeezenet)
    }

    fn name(self) -> &'static str {
        match self {
            Self::AlexNet => "alexnet",
            Self::DenseNet(form) => form.name,
            Self::SqueezeNet(version) => version.name(),
            Self::Vgg(form) => form.name,
        }
    }

    fn layers(self) -> Vec<Layer> {
        match self {
            Self::AlexNet => alexnet::layers(),
            Self::DenseNet(form) => densenet::layers(form),
            Self::SqueezeNet(version) => squeezenet::layers(version),
            Self::Vgg(form) => vgg::layers(form),
        }
    }
}

impl SequenceTrunk {
    fn new(kind: Kind) -> Self {
        let layers = kind.layers();
        // As cirtorch: a max pool at the end only makes the map smaller.
        let ends_in_pool = matches!(layers.last(), Some(Layer::MaxPool(_)));
        Self {
            kind,
            last: layers.len().saturating_sub(if ends_in_pool { 2 } else { 1 }),
        }
    }

    /// All sequences, whole.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Kind::all().map(Self::new)
    }

    /// Its name without the stage.
    pub fn name(self) -> &'static str {
        self.kind.name()
    }

    /// The same trunk up to the layer at which it ends by default.
    pub(crate) fn whole(self) -> Self {
        Self::new(self.kind)
    }

    /// Without the ReLU that the whole trunk ends with.
    pub(crate) fn without_last_relu(self) -> Self {
        let ends_in_relu = matches!(self.layers().last(), Some(Layer::Relu));
        if self == self.whole() && ends_in_relu {
            let last = self.last - 1;
            return Self { last, ..self };
        }
        self
    }

    /// The same trunk up to each of its layers, the first layer first.
    pub(crate) fn stages(self) -> impl Iterator<Item = Self> {
        (0..=self.whole().last).map(move |last| Self { last, ..self })
    }

    /// Number of the very last layer that a name may end at.
    pub(crate) fn last_of_all(self) -> usize {
        self.kind.layers().len().saturating_sub(1)
    }

    /// Ends the trunk after `features.N`; none for other names.
    pub(crate) fn end_at(&mut self, stage: &str) -> Option<()> {
        let last = stage.strip_prefix("features.")?.parse().ok()?;
        (last <= self.last_of_all()).then(|| self.last = last)
    }

    /// What the trunk's last map is called.
    pub(crate) fn last_map(self) -> String {
        format!("features.{}", self.last)
    }

    fn layers(self) -> impl Iterator<Item = Layer> {
        self.kind.layers().into_iter().take(self.last + 1)
    }

    /// Where the cells of the last map lie.
    pub(crate) fn cells(self) -> Cells {
        self.layers()
            .fold(Cells::PIXELS, |cells, layer| layer.cells(cells))
    }

    /// Channels of the map that leaves the trunk.
    pub fn channels(self) -> usize {
        self.layers().fold(3, |channels, layer| layer.channels(channels))
    }

    /// The shortest side of a picture, in pixels, whose map has a pixel.
    pub fn shortest_side(self) -> usize {
        self.side_for_map(1)
    }

    /// The shortest side of a picture, in pixels, whose map has at least `least` pixels along it (a few).
    pub(crate) fn side_for_map(self, least: usize) -> usize {
        let layers: Vec<Layer> = self.layers().collect();
        let pixels = |side| layers.iter().fold(side, |pixels, layer| layer.pixels(pixels));
        // No sequence here needs more than 64 for a pixel, and 32 for each further one.
        (1..=256).find(|side| pixels(*side) >= least).unwrap_or(256)
    }
}

impl fmt::Display for SequenceTrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        if self.last != self.whole().last {
            write!(f, ":features.{}", self.last)?;
        }
        Ok(())
    }
}

/// A layer's parameters.
// There are a few dozen in a network.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
enum LayerModule {
    Conv(Conv2d),
    Norm(BatchNorm),
    Fire(Fire),
    DenseBlock(DenseBlock),
    Transition(Transition),
}

#[derive(Module, Debug)]
struct Step {
    /// None in layers without parameters.
    module: Option<LayerModule>,
    #[module(skip)]
    layer: Layer,
}

/// A sequence of layers, up to a chosen one.
#[derive(Module, Debug)]
pub struct Sequence {
    steps: Vec<Step>,
}

impl Sequence {
    pub(crate) fn take(parameters: &mut Parameters<'_>, trunk: SequenceTrunk, naming: Naming) -> Self {
        let mut inputs = 3;
        let mut steps = Vec::new();
        for (index, layer) in trunk.layers().enumerate() {
            let name = match (trunk.kind, naming) {
                (Kind::DenseNet(_), Naming::Torchvision | Naming::Dirtorch) => {
                    format!("features.{}", densenet::layer_name(index))
                }
                (_, Naming::Netvlad) => format!("encoder.{index}"),
                _ => format!("features.{index}"),
            };
            let module = match layer {
                Layer::Conv {
                    outputs,
                    size,
                    walk,
                    bias,
                } => {
                    let shape = [outputs, inputs, size, size];
                    let take = if bias {
                        Conv2d::take_with_bias
                    } else {
                        Conv2d::take
                    };
                    Some(LayerModule::Conv(take(parameters, &name, shape, walk)))
                }
                Layer::Norm => Some(LayerModule::Norm(BatchNorm::take(parameters, &name, inputs))),
                Layer::Relu | Layer::MaxPool(_) => None,
                Layer::Fire { squeeze, expand } => {
                    let fire = Fire::take(parameters, &name, inputs, squeeze, expand);
                    Some(LayerModule::Fire(fire))
                }
                Layer::DenseBlock { layers, growth } => {
                    let block = DenseBlock::take(parameters, &name, inputs, layers, growth);
                    Some(LayerModule::DenseBlock(block))
                }
                Layer::Transition => {
                    let transition = Transition::take(parameters, &name, inputs);
                    Some(LayerModule::Transition(transition))
                }
            };
            steps.push(Step { module, layer });
            inputs = layer.channels(inputs);
        }
        Self { steps }
    }

    /// `[N, 3, H, W]` -> `[N, C, H', W']`.
    ///
    /// `tap` is shown the map after each layer, called `features.0`, `features.1`, ...
    pub fn forward<O: Ops>(
        &self,
        ops: &mut O,
        image: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<4> {
        let mut x = image;
        for (index, step) in self.steps.iter().enumerate() {
            x = match (&step.module, step.layer) {
                (Some(LayerModule::Conv(conv)), _) => conv.forward(ops, x),
                (Some(LayerModule::Norm(norm)), _) => norm.forward(ops, x),
                (Some(LayerModule::Fire(fire)), _) => fire.forward(ops, x),
                (Some(LayerModule::DenseBlock(block)), _) => block.forward(ops, x),
                (Some(LayerModule::Transition(transition)), _) => transition.forward(ops, x),
                (None, Layer::MaxPool(window)) => ops.max_pool(x, window),
                (None, _) => ops.relu(x),
            };
            tap(&format!("features.{index}"), &x);
        }
        x
    }
}
