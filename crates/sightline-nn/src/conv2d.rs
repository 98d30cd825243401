//! A two-dimensional convolution.

use crate::Ops;
use crate::parameters::Parameters;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use sightline_plan::Convolution;

/// A two-dimensional convolution, as `torch.nn.Conv2d`.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[O, C / groups, kh, kw]`.
    pub weight: Param<Tensor<4>>,
    /// `[O]`, where it has one.
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    walk: Convolution,
}

impl Conv2d {
    /// Takes `{name}.weight` of the given shape; no bias.
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        name: &str,
        shape: [usize; 4],
        walk: Convolution,
    ) -> Self {
        Self {
            weight: parameters.take(&format!("{name}.weight"), shape),
            bias: None,
            walk,
        }
    }

    /// Takes `{name}.weight` of the given shape and `{name}.bias`.
    pub(crate) fn take_with_bias(
        parameters: &mut Parameters<'_>,
        name: &str,
        shape: [usize; 4],
        walk: Convolution,
    ) -> Self {
        let conv = Self::take(parameters, name, shape, walk);
        Self {
            bias: Some(parameters.take(&format!("{name}.bias"), [shape[0]])),
            ..conv
        }
    }

    /// `[N, C, H, W]` -> `[N, O, H', W']`.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let weight = ops.parameter(&self.weight);
        let bias = self.bias.as_ref().map(|bias| ops.parameter(bias));
        ops.conv2d(x, weight, bias, self.walk)
    }
}
