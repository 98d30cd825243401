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
    #[module(skip)]
    channels: usize,
}

impl LayerNorm {
    /// Takes `{name}.weight` and `{name}.bias`, each `[channels]`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, channels: usize) -> Self {
        Self {
            weight: parameters.take(&format!("{name}.weight"), [channels]),
            bias: parameters.take(&format!("{name}.bias"), [channels]),
            channels,
        }
    }

    /// `[N, C, H, W]` -> the same shape.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let part = 1.0 / self.channels as f32;
        let sum = ops.sum_channels(x.clone());
        let mean = ops.mul_number(sum, -part);
        let centred = ops.add(x, mean);
        let squares = ops.mul(centred.clone(), centred.clone());
        let sum = ops.sum_channels(squares);
        let variance = ops.mul_number(sum, part);
        let variance = ops.add_number(variance, EPSILON);
        let deviation = ops.sqrt(variance);
        let x = ops.div(centred, deviation);
        let [weight, bias] = [&self.weight, &self.bias].map(|parameter| {
            let parameter = ops.parameter(parameter);
            ops.reshape::<1, 4>(parameter, [1, -1, 1, 1])
        });
        let x = ops.mul(x, weight);
        ops.add(x, bias)
    }
}
