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

#[cfg(test)]
mod tests {
    use crate::{BurnOps, Ops, Weights};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn training_remembers_the_unbiased_variance() {
        let mut weights = Weights::new();
        for (name, value) in [
            ("n.weight", 2.0),
            ("n.bias", 0.5),
            ("n.running_mean", 1.0),
            ("n.running_var", 4.0),
        ] {
            weights.insert(name, &[1], vec![value]);
        }
        let device = Device::flex();
        let mut parameters = super::Parameters::from_weights(&weights, &device);
        let norm = super::BatchNorm::take(&mut parameters, "n", 1);
        let x = Tensor::<4>::from_data([[[[1.0, 2.0]]], [[[3.0, 6.0]]]], &device);
        let mut train = BurnOps {
            train_batch_norm: true,
        };
        let y = train
            .batch_norm(x.clone(), &norm)
            .into_data()
            .try_to_vec::<f32>()
            .unwrap();
        // Mean 3, biased variance 3.5 normalises; the unbiased one, 14 / 3, is remembered (torch's numbers).
        for (got, x) in y.iter().zip([1.0_f32, 2.0, 3.0, 6.0]) {
            let want = (x - 3.0) / (3.5_f32 + 1e-5).sqrt() * 2.0 + 0.5;
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
        let value = |state: &burn::module::RunningState<Tensor<1>>| {
            state.value_sync().into_data().try_to_vec::<f32>().unwrap()[0]
        };
        assert!((value(&norm.running_mean) - (0.9 + 0.3)).abs() < 1e-6);
        assert!((value(&norm.running_variance) - (3.6 + 14.0 / 30.0)).abs() < 1e-6);
        // In test mode the running statistics count, and stay.
        let y = BurnOps::default()
            .batch_norm(x, &norm)
            .into_data()
            .try_to_vec::<f32>()
            .unwrap();
        let deviation = (3.6_f32 + 14.0 / 30.0 + 1e-5).sqrt();
        assert!((y[0] - ((1.0 - 1.2) / deviation * 2.0 + 0.5)).abs() < 1e-5);
        assert!((value(&norm.running_mean) - 1.2).abs() < 1e-6);
    }
}
