//! DenseNet (Huang et al. 2017, <https://arxiv.org/abs/1608.06993>), torchvision's `densenet121` to `densenet201`,
//! with the ReLU behind `norm5` that torchvision and cirtorch both apply.

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::parameters::Parameters;
use crate::sequence::Layer;
use burn::module::Module;
use sightline_plan::{Convolution, Window};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) name: &'static str,
    /// Channels of the first convolution.
    first: usize,
    /// Channels that each layer of a block adds.
    growth: usize,
    /// Layers of each block.
    layers: [usize; 4],
}

pub(crate) const FORMS: [Form; 4] = [
    form("densenet121", 64, 32, [6, 12, 24, 16]),
    form("densenet161", 96, 48, [6, 12, 36, 24]),
    form("densenet169", 64, 32, [6, 12, 32, 32]),
    form("densenet201", 64, 32, [6, 12, 48, 32]),
];

const fn form(name: &'static str, first: usize, growth: usize, layers: [usize; 4]) -> Form {
    Form {
        name,
        first,
        growth,
        layers,
    }
}

pub(crate) fn layers(form: Form) -> Vec<Layer> {
    let walk = Convolution {
        stride: [2, 2],
        padding: [3, 3],
        ..Convolution::default()
    };
    let mut layers = vec![
        Layer::Conv {
            outputs: form.first,
            size: 7,
            walk,
            bias: false,
        },
        Layer::Norm,
        Layer::Relu,
        Layer::MaxPool(Window {
            size: [3, 3],
            stride: [2, 2],
            padding: [1, 1],
            ceil: false,
        }),
    ];
    for (index, count) in form.layers.into_iter().enumerate() {
        if index > 0 {
            layers.push(Layer::Transition);
        }
        layers.push(Layer::DenseBlock {
            layers: count,
            growth: form.growth,
        });
    }
    layers.extend([Layer::Norm, Layer::Relu]);
    layers
}

/// What torchvision calls the layer of that number; the last ReLU has no name there (and no parameters).
pub(crate) fn layer_name(index: usize) -> &'static str {
    const NAMES: [&str; 12] = [
        "conv0",
        "norm0",
        "relu0",
        "pool0",
        "denseblock1",
        "transition1",
        "denseblock2",
        "transition2",
        "denseblock3",
        "transition3",
        "denseblock4",
        "norm5",
    ];
    NAMES.get(index).copied().unwrap_or("relu5")
}

/// Batch norm and ReLU *before* a convolution without bias.
#[derive(Module, Debug)]
struct NormConv {
    norm: BatchNorm,
    conv: Conv2d,
}

impl NormConv {
    /// `names` are the norm's and the convolution's, `shape` the convolution's outputs, inputs and kernel size.
    fn take(parameters: &mut Parameters<'_>, names: [&str; 2], [o, i, k]: [usize; 3]) -> Self {
        let walk = Convolution {
            padding: [k / 2; 2],
            ..Convolution::default()
        };
        Self {
            norm: BatchNorm::take(parameters, names[0], i),
            conv: Conv2d::take(parameters, names[1], [o, i, k, k], walk),
        }
    }

    fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let x = self.norm.forward(ops, x);
        let x = ops.relu(x);
        self.conv.forward(ops, x)
    }
}

/// Layers each of which sees the outputs of all before it.
#[derive(Module, Debug)]
pub(crate) struct DenseBlock {
    layers: Vec<[NormConv; 2]>,
}

impl DenseBlock {
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        name: &str,
        inputs: usize,
        layers: usize,
        growth: usize,
    ) -> Self {
        let mut layer = |index: usize| {
            let part = |part: &str| format!("{name}.denselayer{}.{part}", index + 1);
            let mut take = |number: usize, shape: [usize; 3]| {
                let (norm, conv) = (part(&format!("norm{number}")), part(&format!("conv{number}")));
                NormConv::take(parameters, [&norm, &conv], shape)
            };
            [
                take(1, [4 * growth, inputs + index * growth, 1]),
                take(2, [growth, 4 * growth, 3]),
            ]
        };
        Self {
            layers: (0..layers).map(&mut layer).collect(),
        }
    }

    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let mut x = x;
        for [narrow, wide] in &self.layers {
            let y = narrow.forward(ops, x.clone());
            let y = wide.forward(ops, y);
            x = ops.concat(x, y);
        }
        x
    }
}

/// Between two blocks: half the channels, half the pixels along either axis.
#[derive(Module, Debug)]
pub(crate) struct Transition {
    half: NormConv,
}

impl Transition {
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, inputs: usize) -> Self {
        let (norm, conv) = (format!("{name}.norm"), format!("{name}.conv"));
        Self {
            half: NormConv::take(parameters, [&norm, &conv], [inputs / 2, inputs, 1]),
        }
    }

    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let x = self.half.forward(ops, x);
        let window = Window {
            size: [2, 2],
            stride: [2, 2],
            padding: [0, 0],
            ceil: false,
        };
        ops.mean_pool(x, window, true)
    }
}
