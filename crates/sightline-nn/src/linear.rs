//! A fully connected layer.

use crate::Ops;
use crate::parameters::Parameters;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// y = W x + b, or y = W x, as `torch.nn.Linear`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[O, C]`, torch's order.
    pub weight: Param<Tensor<2>>,
    /// `[O]`, where the layer has one.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// Takes `{name}.weight` `[outputs, inputs]` and `{name}.bias` `[outputs]`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, outputs: usize, inputs: usize) -> Self {
        Self {
            weight: parameters.take(&format!("{name}.weight"), [outputs, inputs]),
            bias: Some(parameters.take(&format!("{name}.bias"), [outputs])),
        }
    }

    /// Takes `{name}.weight` alone.
    pub(crate) fn take_without_bias(
        parameters: &mut Parameters<'_>,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Self {
        Self {
            weight: parameters.take(&format!("{name}.weight"), [outputs, inputs]),
            bias: None,
        }
    }

    /// `[N, C]` -> `[N, O]`, or the same at every pixel, `[N, C, H, W]` -> `[N, O, H, W]`.
    pub fn forward<O: Ops, const D: usize>(&self, ops: &mut O, x: O::T<D>) -> O::T<D> {
        let weight = ops.parameter(&self.weight);
        let bias = self.bias.as_ref().map(|bias| ops.parameter(bias));
        ops.linear(x, weight, bias)
    }
}
