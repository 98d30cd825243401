//! The learning rate of every step: a straight rise, then half a cosine (MCC-WH/CSA, `utils/helpfunc.py`, `WarmupCos_Scheduler`; the
//! form is that of SwAV and DINO).

use crate::TrainError;
use std::f64::consts::PI;

/// A learning rate that rises evenly for some epochs and falls along a cosine for the others, in 64-bit numbers.
///
/// With n the steps of an epoch, the rise has `warmup_epochs` n steps from `warmup` to `base`, both of which occur (a rise of one step is
/// `warmup` alone); then step i of the T that remain has `last` + (`base` - `last`) (1 + cos(π i / T)) / 2. So `base` occurs twice where
/// the two meet, and `last` is never reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmupCosine {
    /// Where the rise begins.
    pub warmup: f64,
    /// Where it ends and the fall begins.
    pub base: f64,
    /// Where the fall would end.
    pub last: f64,
    /// Epochs of the rise.
    pub warmup_epochs: usize,
    /// All epochs.
    pub epochs: usize,
    /// Steps of the optimiser in an epoch; see [`WarmupCosine::steps_of_batches`].
    pub steps_per_epoch: usize,
}

impl WarmupCosine {
    /// The batch at which published rates are meant as they are.
    pub const REFERENCE_BATCH: f64 = 256.0;

    /// Steps of an epoch of so many batches, of which `update_every` make a step; what is left over makes none.
    pub fn steps_of_batches(batches: usize, update_every: usize) -> usize {
        batches / update_every.max(1)
    }

    /// The same schedule with all three rates times `batch` `update_every` / 256, as CSA's training scales them; `batch` is that of one
    /// device.
    #[must_use]
    pub fn scaled(self, batch: usize, update_every: usize) -> Self {
        let factor = batch as f64 * update_every as f64 / Self::REFERENCE_BATCH;
        Self {
            warmup: self.warmup * factor,
            base: self.base * factor,
            last: self.last * factor,
            ..self
        }
    }

    /// Checks the rates.
    ///
    /// # Errors
    /// When one is negative or no number.
    pub fn check(&self) -> Result<(), TrainError> {
        let named = [
            ("warmup_lr", self.warmup),
            ("base_lr", self.base),
            ("final_lr", self.last),
        ];
        for (name, value) in named {
            TrainError::check_setting(name, value, "a number from 0", |rate| rate >= 0.0)?;
        }
        Ok(())
    }

    /// All steps.
    pub fn steps(&self) -> usize {
        self.steps_per_epoch.saturating_mul(self.epochs)
    }

    /// The step with which epoch `epoch` (counted from 0) begins after a resume: `batches` `epoch` / `update_every`, rounded down.
    /// Where batches are left over at the end of an epoch this is later than the step at which an uninterrupted run would be, as in the
    /// original.
    pub fn first_step(batches: usize, epoch: usize, update_every: usize) -> usize {
        batches.saturating_mul(epoch) / update_every.max(1)
    }

    /// The learning rate of step `step`, counted from 0. Steps behind the last one have its rate; a schedule without steps is 0.
    pub fn rate(&self, step: usize) -> f64 {
        let Some(last_step) = self.steps().checked_sub(1) else {
            return 0.0;
        };
        let step = step.min(last_step);
        let rise = self.steps_per_epoch.saturating_mul(self.warmup_epochs);
        if let Some(index) = step.checked_sub(rise) {
            let share = index as f64 / (self.steps() - rise) as f64;
            return self.last + 0.5 * (self.base - self.last) * (1.0 + (PI * share).cos());
        }
        // Numpy's `linspace`: the end is hit exactly.
        match rise - 1 {
            0 => self.warmup,
            end if step == end => self.base,
            end => step as f64 * ((self.base - self.warmup) / end as f64) + self.warmup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WarmupCosine;

    const SCHEDULE: WarmupCosine = WarmupCosine {
        warmup: 1.0,
        base: 3.0,
        last: 1.0,
        warmup_epochs: 1,
        epochs: 2,
        steps_per_epoch: 3,
    };

    fn table(schedule: WarmupCosine) -> Vec<f64> {
        (0..schedule.steps()).map(|step| schedule.rate(step)).collect()
    }

    #[test]
    fn it_rises_evenly_and_falls_along_a_cosine() {
        let want = [1.0, 2.0, 3.0, 3.0, 2.5, 1.5];
        for (got, want) in table(SCHEDULE).iter().zip(want) {
            assert!((got - want).abs() < 1e-15, "{got} {want}");
        }
        // Behind the end the last one holds.
        assert_eq!(SCHEDULE.rate(6), SCHEDULE.rate(5));
        assert_eq!(SCHEDULE.rate(usize::MAX), SCHEDULE.rate(5));
    }

    #[test]
    fn the_ends_of_the_settings() {
        let short = WarmupCosine {
            steps_per_epoch: 1,
            ..SCHEDULE
        };
        assert_eq!(table(short), [1.0, 3.0]);
        let no_rise = WarmupCosine {
            warmup_epochs: 0,
            steps_per_epoch: 1,
            ..SCHEDULE
        };
        assert_eq!(table(no_rise), [3.0, 2.0]);
        // A rise that is longer than the training is cut.
        let rising = WarmupCosine {
            warmup_epochs: 4,
            steps_per_epoch: 1,
            ..SCHEDULE
        };
        assert_eq!(table(rising), [1.0, 1.0 + 2.0 / 3.0]);
        let none = WarmupCosine {
            steps_per_epoch: 0,
            ..SCHEDULE
        };
        assert_eq!(none.rate(0), 0.0);
        assert!(
            WarmupCosine {
                base: f64::NAN,
                ..SCHEDULE
            }
            .check()
            .is_err()
        );
        assert!(
            WarmupCosine {
                last: -1.0,
                ..SCHEDULE
            }
            .check()
            .is_err()
        );
        assert!(SCHEDULE.check().is_ok());
    }

    #[test]
    fn batches_and_updates_scale_rates_and_count_steps() {
        // The launch scripts: 256 images over 4 GPUs.
        let scaled = WarmupCosine {
            base: 0.1,
            ..SCHEDULE
        }
        .scaled(64, 1);
        assert_eq!((scaled.base, scaled.warmup), (0.025, 0.25));
        assert_eq!(WarmupCosine::steps_of_batches(5, 2), 2);
        assert_eq!(WarmupCosine::first_step(5, 3, 2), 7);
    }
}
