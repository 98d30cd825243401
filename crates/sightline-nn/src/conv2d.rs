//! A two-dimensional convolution.

use crate::Ops;
use crate::parameters::Parameters;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use sightline_plan::Convolution;

/// A two-dimensional convolution, as `torch.nn.Conv2d` without bias.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[O, C / groups, kh, kw]`.
    pub weight: Param<Tensor<4>>,
    #[module(skip)]
    walk: Convolution,
}

impl Conv2d {
    /// Takes `{name}.weight` of the given shape.
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        name: &str,
        shape: [usize; 4],
        walk: Convolution,
    ) -> Self {
        Self {
            weight: parameters.take(&format!("{name}.weight"), shape),
            walk,
        }
    }

    /// `[N, C, H, W]` -> `[N, O, H', W']`.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let weight = ops.parameter(&self.weight);
        ops.conv2d(x, weight, None, self.walk)
    }
}
