//! CSA's training, batch by batch (MCC-WH/CSA, `train.py`).

use crate::parameter_gradients::read;
use crate::{
    CsaBatch, CsaLosses, LossWeights, ParameterGradients, Sgd, TrainError, WarmupCosine, contrastive,
    feature_distance,
};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use sightline_nn::{BurnOps, Csa};

/// How CSA is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CsaSettings {
    /// Weight of the second loss (`alpha`).
    pub alpha: f64,
    /// The optimiser's momentum.
    pub momentum: f64,
    /// What the optimiser adds of the parameters of two axes or more (`weight_decay`).
    pub weight_decay: f64,
    /// The longest that all gradients together may be (`clip_max_norm`); 0 for any length.
    pub clip_max_norm: f64,
    /// Batches whose gradients are summed for one step of the optimiser (`update_every`).
    pub update_every: usize,
    /// The learning rate of every step, scaled already ([`WarmupCosine::scaled`]).
    pub rates: WarmupCosine,
    /// Whether affinities are rounded to 16-bit numbers first, as the original does.
    pub half_inputs: bool,
    /// Seed of what dropout drops (the shares are the network's); none to drop nothing.
    pub dropout_seed: Option<u64>,
}

impl CsaSettings {
    /// Those of the original's launch scripts, for four devices with batches of 64. The steps of an epoch are the data's to say.
    pub const PUBLISHED: Self = Self {
        alpha: 0.2,
        momentum: 0.9,
        weight_decay: 1e-6,
        clip_max_norm: 0.0,
        update_every: 1,
        rates: WarmupCosine {
            warmup: 0.000_25,
            base: 0.025,
            last: 0.0,
            warmup_epochs: 20,
            epochs: 100,
            steps_per_epoch: 0,
        },
        half_inputs: true,
        dropout_seed: Some(0),
    };
}

/// Largest absolute values of gradients, which the original logs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// In `topk_proj`.
    pub projection: f32,
    /// In the last block.
    pub last_block: f32,
}

/// A step of the optimiser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CsaUpdate {
    /// Its learning rate.
    pub rate: f64,
    /// Length of all gradients together, before clipping.
    pub gradient_norm: f64,
}

/// What came of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CsaReport {
    /// Its losses.
    pub losses: CsaLosses,
    /// Of the gradients that were summed since the last step of the optimiser, before clipping; none where a loss was no finite number.
    pub peaks: Option<Peaks>,
    /// The step that followed, if one did.
    pub update: Option<CsaUpdate>,
}

/// Both losses of a batch, and the gradient of their weighted sum by every parameter; none where the sum is no finite number.
///
/// `network` must be in training ([`Module::train`]) on `device`. `ops` may switch dropout on.
///
/// # Errors
/// When the batch does not fit the network, the network lacks `feature_align`, or the device does not give its numbers.
pub fn csa_gradients(
    network: &Csa,
    batch: &CsaBatch,
    weights: LossWeights,
    ops: &mut BurnOps,
    device: &Device,
) -> Result<(CsaLosses, Option<ParameterGradients>), TrainError> {
    let (anchors, tokens) = (network.sizes().anchors, check(batch, network)?);
    let device = device.clone().autodiff();
    let affinity = TensorData::new(batch.affinity.data.clone(), batch.affinity.shape.clone());
    let made = network.forward_training(ops, Tensor::<4>::from_data(affinity, &device));
    let aligned = made.aligned.ok_or(TrainError::NoFeatureAlign)?;
    let first = read("similarities", made.exp_sim.clone())?;
    let first = contrastive(&first, &batch.relevant, tokens);
    let second = read("aligned features", aligned.clone())?;
    let second = feature_distance(&batch.affinity.data, &second, anchors, tokens);
    let losses = CsaLosses {
        contrastive: first.value,
        distance: second.value,
        total: weights.contrastive * first.value + weights.distance * second.value,
    };
    if !losses.total.is_finite() {
        return Ok((losses, None));
    }
    // The gradients by what the network yields go back into it as those of its product with them.
    let first = TensorData::new(first.gradient, made.exp_sim.dims());
    let first = (made.exp_sim * Tensor::from_data(first, &device)).sum() * weights.contrastive;
    let second = TensorData::new(second.gradient, aligned.dims());
    let second = (aligned * Tensor::from_data(second, &device)).sum() * weights.distance;
    let gradients = (first + second).backward();
    Ok((losses, Some(ParameterGradients::of(network, gradients))))
}

/// Checks a batch and gives the number of its tokens.
fn check(batch: &CsaBatch, network: &Csa) -> Result<usize, TrainError> {
    let anchors = network.sizes().anchors;
    match batch.affinity.shape[..] {
        [samples, length, tokens, 1]
            if batch.affinity.is_consistent()
                && length == anchors
                && samples.checked_mul(tokens) == Some(batch.relevant.len())
                && !batch.relevant.is_empty() =>
        {
            Ok(tokens)
        }
        _ => Err(TrainError::Batch {
            shape: batch.affinity.shape.clone(),
            labels: batch.relevant.len(),
            anchors,
        }),
    }
}

/// A network in training.
///
/// Memory beside the network's own: its parameters twice more (momentum, gradients) and what a batch's gradients need of every layer,
/// which the attention weights lead: 4 N T² bytes a head and block, several times over.
pub struct CsaTrainer {
    network: Csa,
    settings: CsaSettings,
    device: Device,
    ops: BurnOps,
    optimiser: Sgd,
    /// Steps made, or skipped with their place in the schedule.
    step: usize,
    group: Group,
}

/// Batches since the last step of the optimiser.
#[derive(Default)]
struct Group {
    batches: usize,
    sum: Option<ParameterGradients>,
    /// Whether a loss was no finite number.
    spoiled: bool,
}

impl CsaTrainer {
    /// The training of `network`, which was loaded on `device` ([`Csa::load_on`]), from its first step on; the momentum is 0.
    ///
    /// # Errors
    /// When a setting is out of its range.
    pub fn new(network: Csa, settings: CsaSettings, device: &Device) -> Result<Self, TrainError> {
        let from_0 = "a number from 0";
        TrainError::check_setting("alpha", settings.alpha, from_0, |alpha| alpha >= 0.0)?;
        TrainError::check_setting("clip_max_norm", settings.clip_max_norm, from_0, |most| {
            most >= 0.0
        })?;
        let every = settings.update_every as f64;
        TrainError::check_setting("update_every", every, "a whole number from 1", |n| n >= 1.0)?;
        settings.rates.check()?;
        let dropout = settings.dropout_seed;
        Ok(Self {
            network: network.train(),
            optimiser: Sgd::new(settings.momentum, settings.weight_decay)?,
            settings,
            device: device.clone(),
            ops: BurnOps {
                dropout,
                ..BurnOps::default()
            },
            step: 0,
            group: Group::default(),
        })
    }

    /// The same training at that step of the schedule ([`WarmupCosine::first_step`]). The momentum begins at 0 again, since the original does
    /// not save it.
    #[must_use]
    pub fn at_step(self, step: usize) -> Self {
        Self { step, ..self }
    }

    /// The network as it is now, in training; [`Csa::on`] copies it for use.
    pub fn network(&self) -> &Csa {
        &self.network
    }

    /// Begins an epoch: gradients that are left of the last one, for want of batches for a step, are thrown away.
    pub fn start_epoch(&mut self) {
        self.group = Group::default();
    }

    /// Trains on a batch. With the last of `update_every` batches the optimiser makes a step: the sum of their gradients is clipped, the
    /// learning rate is taken from the schedule, the parameters are moved.
    ///
    /// Where the loss of a batch is no finite number, the step that it belongs to is left out, and the schedule stays. Where only the
    /// gradients are none, the step is left out too, but the schedule goes on, as it does behind the original's loss scaler.
    ///
    /// # Errors
    /// As [`csa_gradients`].
    pub fn batch(&mut self, batch: &CsaBatch) -> Result<CsaReport, TrainError> {
        let mut rounded = None;
        if self.settings.half_inputs {
            let batch = rounded.insert(batch.clone());
            for value in &mut batch.affinity.data {
                *value = f16::from_f32(*value).to_f32();
            }
        }
        let batch = rounded.as_ref().unwrap_or(batch);
        let weights = LossWeights::alpha(self.settings.alpha);
        let (losses, gradients) = csa_gradients(&self.network, batch, weights, &mut self.ops, &self.device)?;
        self.group.batches += 1;
        match (gradients, self.group.sum.take()) {
            (Some(gradients), Some(sum)) => self.group.sum = Some(sum.plus(gradients)),
            (Some(gradients), None) if !self.group.spoiled => self.group.sum = Some(gradients),
            (Some(_), None) => {}
            (None, _) => self.group.spoiled = true,
        }
        let peaks = self.group.sum.as_ref().map(|sum| self.peaks(sum)).transpose()?;
        let update = if self.group.batches < self.settings.update_every {
            None
        } else {
            let group = std::mem::take(&mut self.group);
            group.sum.map_or(Ok(None), |sum| self.update(sum))?
        };
        Ok(CsaReport {
            losses,
            peaks,
            update,
        })
    }

    fn peaks(&self, gradients: &ParameterGradients) -> Result<Peaks, TrainError> {
        let sizes = self.network.sizes();
        let names: Vec<String> = Csa::parameters(sizes)
            .into_iter()
            .map(|wanted| wanted.name)
            .collect();
        let below = |prefix: String| {
            let named = names.iter().map(String::as_str);
            gradients.largest(named.filter(|name| name.starts_with(&prefix)))
        };
        Ok(Peaks {
            projection: below("topk_proj.".to_owned())?,
            last_block: below(format!("blocks.{}.", sizes.depth.saturating_sub(1)))?,
        })
    }

    /// A step of the optimiser, if the gradients are finite.
    fn update(&mut self, gradients: ParameterGradients) -> Result<Option<CsaUpdate>, TrainError> {
        let gradient_norm = gradients.norm()?;
        let rate = self.settings.rates.rate(self.step);
        self.step += 1;
        if !gradient_norm.is_finite() {
            return Ok(None);
        }
        let gradients = match self.settings.clip_max_norm {
            0.0 => gradients,
            most => gradients.clipped(gradient_norm, most),
        };
        self.network = self.optimiser.step(self.network.clone(), &gradients, rate);
        Ok(Some(CsaUpdate { rate, gradient_norm }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline_nn::{CsaSizes, Weights, parameter_values};
    use sightline_plan::Tensor as PlainTensor;

    const SIZES: CsaSizes = CsaSizes {
        anchors: 3,
        width: 8,
        depth: 1,
        heads: 2,
        hidden: 8,
        qkv_bias: true,
    };

    fn trainer(settings: CsaSettings) -> CsaTrainer {
        let network = Csa::load(&Weights::for_csa(SIZES, 3), Some(SIZES.heads)).unwrap();
        CsaTrainer::new(network, settings, &Device::flex()).unwrap()
    }

    fn settings() -> CsaSettings {
        let mut settings = CsaSettings::PUBLISHED;
        settings.rates = WarmupCosine {
            warmup_epochs: 0,
            epochs: 1,
            steps_per_epoch: 4,
            ..settings.rates
        };
        settings
    }

    fn batch(first: f32) -> CsaBatch {
        let mut data: Vec<f32> = (0..24).map(|i| (i * 37 % 23) as f32 / 23.0).collect();
        data[0] = first;
        CsaBatch {
            affinity: PlainTensor::new(&[2, 3, 4, 1], data).unwrap(),
            relevant: vec![true, true, false, false, true, false, true, false],
        }
    }

    fn weight(trainer: &CsaTrainer) -> PlainTensor {
        parameter_values(trainer.network(), "feature_align.layers.0.weight").unwrap()
    }

    #[test]
    fn a_loss_that_is_no_number_makes_no_step() {
        let mut trainer = trainer(settings());
        let before = weight(&trainer);
        let report = trainer.batch(&batch(f32::NAN)).unwrap();
        assert!(report.losses.total.is_nan());
        assert_eq!((report.peaks, report.update, trainer.step), (None, None, 0));
        assert_eq!(weight(&trainer), before);
        let report = trainer.batch(&batch(1.0)).unwrap();
        assert_eq!(report.update.unwrap().rate, settings().rates.rate(0));
        assert_ne!(weight(&trainer), before);
    }

    #[test]
    fn gradients_of_several_batches_make_a_step_or_are_thrown_away() {
        let mut trainer = trainer(CsaSettings {
            update_every: 2,
            ..settings()
        });
        let before = weight(&trainer);
        assert_eq!(trainer.batch(&batch(1.0)).unwrap().update, None);
        trainer.start_epoch();
        let one = trainer.batch(&batch(1.0)).unwrap();
        assert_eq!((one.update, weight(&trainer)), (None, before.clone()));
        let two = trainer.batch(&batch(1.0)).unwrap();
        assert!(two.update.is_some() && weight(&trainer) != before);
        // Twice the same batch: sums, not means.
        let twice = two.peaks.unwrap().projection / one.peaks.unwrap().projection;
        assert!((twice - 2.0).abs() < 1e-5, "{twice}");
        // A spoiled batch takes the other one of its step with it, whichever comes first.
        let before = weight(&trainer);
        for firsts in [[f32::NAN, 1.0], [1.0, f32::NAN]] {
            for first in firsts {
                assert_eq!(trainer.batch(&batch(first)).unwrap().update, None);
            }
        }
        assert_eq!((weight(&trainer), trainer.step), (before, 1));
    }

    #[test]
    fn dropout_comes_from_its_seed() {
        use sightline_nn::CsaDropout;
        let losses = |dropout_seed| {
            let dropout = CsaDropout {
                share: 0.3,
                attention: 0.3,
                path: 0.3,
            };
            let network = Csa::load(&Weights::for_csa(SIZES, 3), Some(SIZES.heads)).unwrap();
            let settings = CsaSettings {
                dropout_seed,
                ..settings()
            };
            let mut trainer =
                CsaTrainer::new(network.with_dropout(dropout), settings, &Device::flex()).unwrap();
            [0, 1].map(|_| trainer.batch(&batch(1.0)).unwrap().losses)
        };
        assert_eq!(losses(Some(1)), losses(Some(1)));
        assert_ne!(losses(Some(1)), losses(Some(2)));
        assert_eq!(
            losses(None)[0],
            trainer(settings()).batch(&batch(1.0)).unwrap().losses
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut trainer = trainer(settings());
        let mut wrong = batch(1.0);
        wrong.relevant.pop();
        assert!(matches!(
            trainer.batch(&wrong),
            Err(TrainError::Batch { labels: 7, .. })
        ));
        let mut wrong = batch(1.0);
        wrong.affinity.shape = vec![2, 4, 3, 1];
        assert!(matches!(
            trainer.batch(&wrong),
            Err(TrainError::Batch { anchors: 3, .. })
        ));
        let weights = Weights::for_csa(SIZES, 3);
        for settings in [
            CsaSettings {
                alpha: f64::NAN,
                ..settings()
            },
            CsaSettings {
                update_every: 0,
                ..settings()
            },
            CsaSettings {
                clip_max_norm: -1.0,
                ..settings()
            },
            CsaSettings {
                momentum: 1.5,
                ..settings()
            },
        ] {
            let network = Csa::load(&weights, Some(2)).unwrap();
            assert!(CsaTrainer::new(network, settings, &Device::flex()).is_err());
        }
    }
}
