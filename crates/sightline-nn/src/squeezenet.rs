//! SqueezeNet (Iandola et al. 2016, <https://arxiv.org/abs/1602.07360>), torchvision's `squeezenet1_0` and
//! `squeezenet1_1`.

use crate::Ops;
use crate::conv2d::Conv2d;
use crate::parameters::Parameters;
use crate::sequence::Layer;
use burn::module::Module;
use sightline_plan::{Convolution, Window};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1_0,
    V1_1,
}

impl Version {
    pub(crate) const ALL: [Self; 2] = [Self::V1_0, Self::V1_1];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "squeezenet1_0",
            Self::V1_1 => "squeezenet1_1",
        }
    }
}

pub(crate) fn layers(version: Version) -> Vec<Layer> {
    let (outputs, size) = match version {
        Version::V1_0 => (96, 7),
        Version::V1_1 => (64, 3),
    };
    let stem = Layer::Conv {
        outputs,
        size,
        walk: Convolution {
            stride: [2, 2],
            ..Convolution::default()
        },
        bias: true,
    };
    let pool = Layer::MaxPool(Window {
        size: [3, 3],
        stride: [2, 2],
        padding: [0, 0],
        ceil: true,
    });
    let fire =
        [(16, 64), (32, 128), (48, 192), (64, 256)].map(|(squeeze, expand)| Layer::Fire { squeeze, expand });
    let [a, b, c, d] = fire;
    let rest = match version {
        Version::V1_0 => [a, a, b, pool, b, c, c, d, pool, d],
        Version::V1_1 => [a, a, pool, b, b, pool, c, c, d, d],
    };
    [stem, Layer::Relu, pool].into_iter().chain(rest).collect()
}

/// A 1x1 convolution to few channels, then a 1x1 and a 3x3 to many, side by side.
#[derive(Module, Debug)]
pub(crate) struct Fire {
    squeeze: Conv2d,
    expand1x1: Conv2d,
    expand3x3: Conv2d,
}

impl Fire {
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        name: &str,
        inputs: usize,
        squeeze: usize,
        expand: usize,
    ) -> Self {
        let mut take = |part: &str, [o, i, k]: [usize; 3]| {
            let walk = Convolution {
                padding: [k / 2; 2],
                ..Convolution::default()
            };
            Conv2d::take_with_bias(parameters, &format!("{name}.{part}"), [o, i, k, k], walk)
        };
        Self {
            squeeze: take("squeeze", [squeeze, inputs, 1]),
            expand1x1: take("expand1x1", [expand, squeeze, 1]),
            expand3x3: take("expand3x3", [expand, squeeze, 3]),
        }
    }

    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let x = self.squeeze.forward(ops, x);
        let x = ops.relu(x);
        let small = self.expand1x1.forward(ops, x.clone());
        let small = ops.relu(small);
        let large = self.expand3x3.forward(ops, x);
        let large = ops.relu(large);
        ops.concat(small, large)
    }
}
