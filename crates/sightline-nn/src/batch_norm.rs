//! Batch norm with an explicit train flag.
//!
//! Burn's own switches by the kind of device and remembers the biased variance of a batch; torch, whose numbers
//! count here, is told which mode it is in and remembers the unbiased one.

use crate::Ops;
use crate::parameters::Parameters;
use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

/// Batch norm over `[N, C, H, W]`, as `torch.nn.BatchNorm2d` with its default options.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[C]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[C]`.
    pub bias: Param<Tensor<1>>,
    /// Mean used in test mode, `[C]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// Variance used in test mode, `[C]`.
    pub running_variance: RunningState<Tensor<1>>,
}

impl BatchNorm {
    /// Added to the variance.
    pub const EPSILON: f32 = 1e-5;
    /// Share of a batch's statistics in the running ones.
    pub const MOMENTUM: f32 = 0.1;

    /// Takes `{name}.weight`, `.bias`, `.running_mean` and `.running_var`, each `[channels]`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, channels: usize) -> Self {
        let mut part = |part: &str| parameters.take(&format!("{name}.{part}"), [channels]);
        let (weight, bias) = (part("weight"), part("bias"));
        let (mean, variance) = (part("running_mean"), part("running_var"));
        Self {
            weight,
            bias,
            running_mean: RunningState::new(mean.val().set_require_grad(false)),
            running_variance: RunningState::new(variance.val().set_require_grad(false)),
        }
    }

    /// The forward pass of any executor.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        ops.batch_norm(x, self)
    }

    /// Computes with Burn; `train` normalises by the batch's own statistics and remembers them.
    pub(crate) fn compute(&self, x: Tensor<4>, train: bool) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let epsilon = f64::from(Self::EPSILON);
        if !train {
            let mean = self.running_mean.value_sync();
            let variance = self.running_variance.value_sync();
            return batch_norm(x, weight, bias, mean, variance, epsilon);
        }
        let [batch, _, height, width] = x.dims();
        let count = (batch * height * width) as f32;
        let result = batch_norm_train(x, weight, bias, epsilon);
        // A batch of a single pixel has no unbiased variance; torch refuses it, here it leaves the biased one.
        let unbiased = result.variance * (count / (count - 1.0).max(1.0));
        remember(&self.running_mean, result.mean);
        remember(&self.running_variance, unbiased);
        result.output
    }
}

fn remember(state: &RunningState<Tensor<1>>, batch: Tensor<1>) {
    let kept = state.value_sync() * (1.0 - BatchNorm::MOMENTUM);
    state.update((kept + batch.detach() * BatchNorm::MOMENTUM).detach());
}
