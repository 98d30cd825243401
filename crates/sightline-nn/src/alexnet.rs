//! AlexNet in the form of Krizhevsky 2014 (<https://arxiv.org/abs/1404.5997>), torchvision's `alexnet`.

use crate::sequence::Layer;
use sightline_plan::{Convolution, Window};

pub(crate) fn layers() -> Vec<Layer> {
    let conv = |outputs: usize, size: usize, stride: usize, padding: usize| Layer::Conv {
        outputs,
        size,
        walk: Convolution {
            stride: [stride; 2],
            padding: [padding; 2],
            ..Convolution::default()
        },
        bias: true,
    };
    let pool = Layer::MaxPool(Window {
        size: [3, 3],
        stride: [2, 2],
        padding: [0, 0],
        ceil: false,
    });
    vec![
        conv(64, 11, 4, 2),
        Layer::Relu,
        pool,
        conv(192, 5, 1, 2),
        Layer::Relu,
        pool,
        conv(384, 3, 1, 1),
        Layer::Relu,
        conv(256, 3, 1, 1),
        Layer::Relu,
        conv(256, 3, 1, 1),
        Layer::Relu,
        pool,
    ]
}
