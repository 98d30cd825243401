//! Normalising each row or pixel over its own channels.

use crate::Ops;
use crate::parameters::Parameters;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// Added to the variance.
const EPSILON: f32 = 1e-5;

/// (x - mean) / sqrt(biased variance + 1e-5) * weight + bias over axis 1, as `torch.nn.LayerNorm` with its default
/// options does over the last one.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[C]`.
    pub weight: Param<Tensor<1>>,
    /// `[C]`.
    pub bias: Param<Tensor<1>>,
}

impl LayerNorm {
    /// Takes `{name}.weight` and `{name}.bias`, each `[channels]`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, channels: usize) -> Self {
        Self {
            weight: parameters.take(&format!("{name}.weight"), [channels]),
            bias: parameters.take(&format!("{name}.bias"), [channels]),
        }
    }

    /// `[N, C, H, W]` -> the same shape.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let weight = ops.parameter(&self.weight);
        let bias = ops.parameter(&self.bias);
        ops.layer_norm(x, weight, bias, EPSILON)
    }
}
