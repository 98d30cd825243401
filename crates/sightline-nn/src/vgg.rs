//! VGG (Simonyan and Zisserman 2015, <https://arxiv.org/abs/1409.1556>), torchvision's `vgg11` to `vgg19`.

use crate::sequence::Layer;
use sightline_plan::{Convolution, Window};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) name: &'static str,
    /// Number of convolutions before each of the five max pools.
    convolutions: [usize; 5],
}

pub(crate) const FORMS: [Form; 4] = [
    form("vgg11", [1, 1, 2, 2, 2]),
    form("vgg13", [2, 2, 2, 2, 2]),
    form("vgg16", [2, 2, 3, 3, 3]),
    form("vgg19", [2, 2, 4, 4, 4]),
];

const fn form(name: &'static str, convolutions: [usize; 5]) -> Form {
    Form { name, convolutions }
}

pub(crate) fn layers(form: Form) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (count, outputs) in form.convolutions.into_iter().zip([64, 128, 256, 512, 512]) {
        for _ in 0..count {
            let walk = Convolution {
                padding: [1, 1],
                ..Convolution::default()
            };
            layers.push(Layer::Conv {
                outputs,
                size: 3,
                walk,
                bias: true,
            });
            layers.push(Layer::Relu);
        }
        layers.push(Layer::MaxPool(Window {
            size: [2, 2],
            stride: [2, 2],
            padding: [0, 0],
            ceil: false,
        }));
    }
    layers
}
