//! Batch norm with an explicit train flag.
//!
//! Burn's own switches by the kind of device and remembers the biased variance of a batch; torch, whose numbers
//! count here, is told which mode it is in and remembers the unbiased one.

use crate::Ops;
use crate::counted::Counted;
use crate::parameters::Parameters;
use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

/// Which variance of a batch goes into the running one. The batch itself is always normalised by its biased variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// The sum of squares over n - 1, as torch does (and Keras' fused kernel, for maps).
    Unbiased,
    /// The sum of squares over n, as Keras does for rows.
    Biased,
}

/// What a batch norm does besides normalising.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormOptions {
    /// Added to the variance.
    pub epsilon: f32,
    /// Share of a batch's statistics in the running ones (one minus what Keras calls momentum).
    pub momentum: f32,
    /// Which variance of a batch is remembered.
    pub remembered: Remembered,
    /// Whether a learned scale and shift follow.
    pub affine: bool,
}

impl Default for BatchNormOptions {
    /// torch's.
    fn default() -> Self {
        Self {
            epsilon: 1e-5,
            momentum: 0.1,
            remembered: Remembered::Unbiased,
            affine: true,
        }
    }
}

/// Batch norm over axis 1 of `[N, C, H, W]` or `[N, C]`, as `torch.nn.BatchNorm2d` and `BatchNorm1d`.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[C]`; none without affine parameters.
    pub weight: Option<Param<Tensor<1>>>,
    /// Shift, `[C]`; none without affine parameters.
    pub bias: Option<Param<Tensor<1>>>,
    /// Mean used in test mode, `[C]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// Variance used in test mode, `[C]`.
    pub running_variance: RunningState<Tensor<1>>,
    #[module(skip)]
    options: BatchNormOptions,
}

impl BatchNorm {
    /// Takes `{name}.weight`, `.bias`, `.running_mean` and `.running_var`, each `[channels]`; torch's options.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, channels: usize) -> Self {
        Self::take_with(parameters, name, channels, BatchNormOptions::default())
    }

    /// As [`BatchNorm::take`], with other options; without affine parameters there is no weight and no bias.
    pub(crate) fn take_with(
        parameters: &mut Parameters<'_>,
        name: &str,
        channels: usize,
        options: BatchNormOptions,
    ) -> Self {
        let mut part = |part: &str| parameters.take(&format!("{name}.{part}"), [channels]);
        let weight = options.affine.then(|| part("weight"));
        let bias = options.affine.then(|| part("bias"));
        let (mean, variance) = (part("running_mean"), part("running_var"));
        Self {
            weight,
            bias,
            options,
            running_mean: RunningState::with_id(mean.id, mean.val().set_require_grad(false)),
            running_variance: RunningState::with_id(variance.id, variance.val().set_require_grad(false)),
        }
    }

    /// The options.
    pub fn options(&self) -> BatchNormOptions {
        self.options
    }

    /// Channels that it normalises.
    pub(crate) fn channels(&self) -> usize {
        let [channels] = self.running_mean.value_sync().dims();
        channels
    }

    /// The forward pass of any executor.
    pub fn forward<O: Ops, const D: usize>(&self, ops: &mut O, x: O::T<D>) -> O::T<D> {
        ops.batch_norm(x, self)
    }

    /// As [`BatchNorm::forward`] of `[N, C, P, 1]`, by the statistics of the rows that count.
    pub(crate) fn forward_counted<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        counted: Option<&Counted<O::T<4>>>,
    ) -> O::T<4> {
        match counted {
            None => ops.batch_norm(x, self),
            Some(counted) => ops.batch_norm_counted(x, &counted.rows, self),
        }
    }

    /// Scale and shift; ones and zeros where there are none.
    pub(crate) fn scale_and_shift(&self) -> [Tensor<1>; 2] {
        let mean = self.running_mean.value_sync();
        let (channels, device) = (mean.dims(), mean.device());
        let weight = self.weight.as_ref().map(Param::val);
        let bias = self.bias.as_ref().map(Param::val);
        [
            weight.unwrap_or_else(|| Tensor::ones(channels, &device)),
            bias.unwrap_or_else(|| Tensor::zeros(channels, &device)),
        ]
    }

    /// Computes with Burn; `train` normalises by the batch's own statistics and remembers them.
    pub(crate) fn compute<const D: usize>(&self, x: Tensor<D>, train: bool) -> Tensor<D> {
        let [weight, bias] = self.scale_and_shift();
        let epsilon = f64::from(self.options.epsilon);
        if !train {
            let mean = self.running_mean.value_sync();
            let variance = self.running_variance.value_sync();
            return batch_norm(x, weight, bias, mean, variance, epsilon);
        }
        let shape = x.dims();
        let count = (shape.iter().product::<usize>() / shape[1].max(1)) as f32;
        let result = batch_norm_train(x, weight, bias, epsilon);
        self.remember(result.mean, result.variance, count);
        result.output
    }

    /// As [`BatchNorm::compute`] of `[N, C, P, 1]`; `rows` `[N, 1, P, 1]` is 1 where a row counts, else 0.
    pub(crate) fn compute_counted(&self, x: Tensor<4>, rows: &Tensor<4>, train: bool) -> Tensor<4> {
        if !train {
            return self.compute(x, false);
        }
        let [_, channels, ..] = x.dims();
        let count = rows.clone().sum();
        let over_rows = |x: Tensor<4>| {
            let sum = (x * rows.clone()).sum_dim(0).sum_dim(2);
            sum / count.clone().reshape([1, 1, 1, 1])
        };
        let mean = over_rows(x.clone());
        let centred = x - mean.clone();
        let variance = over_rows(centred.clone() * centred.clone());
        let deviation = (variance.clone() + self.options.epsilon).sqrt();
        let [weight, bias] = self.scale_and_shift();
        let wide = |each: Tensor<1>| each.reshape([1, channels, 1, 1]);
        let count = count.clone().detach().into_scalar::<f32>();
        self.remember(mean.reshape([channels]), variance.reshape([channels]), count);
        centred / deviation * wide(weight) + wide(bias)
    }

    /// Lets the mean and the biased variance of a batch of `count` pixels or rows into the running ones.
    fn remember(&self, mean: Tensor<1>, variance: Tensor<1>, count: f32) {
        let variance = match self.options.remembered {
            // A batch of a single pixel has no unbiased variance; torch refuses it, here it leaves the biased one.
            Remembered::Unbiased => variance * (count / (count - 1.0).max(1.0)),
            Remembered::Biased => variance,
        };
        let momentum = self.options.momentum;
        for (state, batch) in [(&self.running_mean, mean), (&self.running_variance, variance)] {
            let kept = state.value_sync() * (1.0 - momentum);
            state.update((kept + batch.detach() * momentum).detach());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BatchNorm, BatchNormOptions, Remembered};
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
        let norm = BatchNorm::take(&mut parameters, "n", 1);
        let x = Tensor::<4>::from_data([[[[1.0, 2.0]]], [[[3.0, 6.0]]]], &device);
        let mut train = BurnOps {
            train_batch_norm: true,
            ..BurnOps::default()
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
    #[test]
    fn other_projects_normalise_rows_otherwise() {
        let mut weights = Weights::new();
        weights.insert("n.running_mean", &[2], vec![1.0, 0.0]);
        weights.insert("n.running_var", &[2], vec![4.0, 1.0]);
        let device = Device::flex();
        let mut parameters = super::Parameters::from_weights(&weights, &device);
        let keras = BatchNormOptions {
            epsilon: 0.5,
            momentum: 0.01,
            remembered: Remembered::Biased,
            affine: false,
        };
        let norm = BatchNorm::take_with(&mut parameters, "n", 2, keras);
        assert_eq!(parameters.problem(), None);
        let values = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().unwrap();
        let x = Tensor::<2>::from_data([[1.0, 5.0], [3.0, 5.0]], &device);
        let mut train = BurnOps {
            train_batch_norm: true,
            ..BurnOps::default()
        };
        let y = values(train.batch_norm(x.clone(), &norm).reshape([4]));
        // Mean 2 and biased variance 1, mean 5 and variance 0.
        let first = 1.0 / 1.5_f32.sqrt();
        for (got, want) in y.iter().zip([-first, 0.0, first, 0.0]) {
            assert!((got - want).abs() < 1e-6, "{y:?}");
        }
        for (state, want) in [
            (&norm.running_mean, [0.99 + 0.02, 0.05]),
            (&norm.running_variance, [3.96 + 0.01, 0.99]),
        ] {
            let got = values(state.value_sync());
            assert!(
                (got[0] - want[0]).abs() < 1e-6 && (got[1] - want[1]).abs() < 1e-6,
                "{got:?}"
            );
        }
        let y = values(BurnOps::default().batch_norm(x, &norm).reshape([4]));
        assert!((y[0] - (1.0 - 1.01) / 4.47_f32.sqrt()).abs() < 1e-6, "{y:?}");
    }
}
