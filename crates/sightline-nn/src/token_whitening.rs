//! The last layer of the Token project's SOLAR, DELG and R-MAC.

use crate::Ops;
use crate::conv2d::Conv2d;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use burn::module::Module;
use sightline_plan::Convolution;

/// A learned whitening, which is a 1x1 convolution there, and the division by the length.
#[derive(Module, Debug)]
pub(crate) struct TokenWhitening {
    whiten: Conv2d,
}

impl TokenWhitening {
    /// Takes `whiten.weight` `[dim, channels, 1, 1]` and `whiten.bias`; without `dim` as many rows as channels.
    pub(crate) fn take(parameters: &mut Parameters<'_>, dim: Option<usize>, channels: usize) -> Self {
        let shape = [dim.unwrap_or(channels), channels, 1, 1];
        Self {
            whiten: Conv2d::take_with_bias(parameters, "whiten", shape, Convolution::default()),
        }
    }

    /// `[N, C]` -> `[N, D]`; `tap` is shown the result before it is normalised, which is what training classifies, as
    /// `whiten`, `[N, D, 1, 1]`.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<2>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let pixel = ops.reshape::<2, 4>(x, [0, -1, 1, 1]);
        let pixel = self.whiten.forward(ops, pixel);
        tap("whiten", &pixel);
        let x = ops.reshape::<4, 2>(pixel, [0, -1]);
        l2_normalise(ops, x)
    }
}
