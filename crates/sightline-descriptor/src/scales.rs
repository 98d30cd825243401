//! Pooling the descriptors of one picture over several passes (scales, or dirtorch's chains of transforms).
//!
//! Each project has its own formula; they differ in where they normalise and in the floor under small values.

use crate::how_scales;
use sightline_card::Scales;

/// How the descriptors of one picture over several passes become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScalePooling {
    /// dirtorch `utils/common.py` `pool(pooling='mean')`: plain mean over passes, then L2 (norm at least 1e-12), also for one
    /// pass.
    DirtorchMean,
    /// dirtorch `pool(pooling='gem', gemp)`: f(mean over passes of f(x, p), 1/p) with f(x, p) = sign(x) max(|x|, 1e-6)^p
    /// and sign(0) = 0, then L2 (norm at least 1e-12). One pass is only normalised. dirtorch's command line uses p = 3.
    DirtorchGem {
        /// The exponent p.
        power: f64,
    },
    /// cirtorch `extract_vectors` (`extract_ms`): v = (mean over scales of x^msp)^(1/msp), then v / norm without a floor. A
    /// single scale of exactly 1 is left as it is; any other single scale goes through the formula.
    Cirtorch {
        /// The exponent msp: the network's GeM power for plain GeM networks over several scales, else 1.
        msp: f64,
    },
    /// Token `extract_vectors`: mean over scales, then L2 (norm at least 1e-12). A single pass is left as it is, whatever its
    /// scale.
    Token,
    /// SuperGlobal `sgem.py`, its default: L2 of each pass (norm at least 1e-12), the largest of each value over scales, then L2.
    SuperglobalMax,
    /// SuperGlobal's power form of unnormalised passes: with g the smallest value of all passes, (mean of (x - g)^p)^(1/p) + g,
    /// then L2. The original's g is that of its batch, and its batch is one picture.
    SuperglobalPower {
        /// The exponent p, 10 in the original.
        power: f64,
    },
    /// SuperGlobal without pooling: the mean of unnormalised passes, then L2.
    SuperglobalMean,
    /// DELG (Cao et al. 2020, the paper's text): L2 of each pass, mean over scales, then L2.
    Delg,
    /// HOW `forward_global`: the local features of all scales times their strengths, added ([`how_over_scales`]). A pass holds
    /// what [`how_sum`] gives of its maps: the sums, then the largest strength. A single scale of exactly 1 is the network's
    /// own descriptor, and left as it is.
    ///
    /// [`how_over_scales`]: crate::how_over_scales
    /// [`how_sum`]: crate::how_sum
    How,
}

impl ScalePooling {
    /// Pools `passes`, each a descriptor of the same length, run at `scales` (as many); values are computed in 64 bits.
    ///
    /// No passes give an empty descriptor; a pass shorter than the first cuts the result to its length.
    #[must_use]
    pub fn pool(self, passes: &[&[f32]], scales: &[f64]) -> Vec<f32> {
        if self == ScalePooling::How && self.takes_local_maps(scales) {
            return how_scales::pool(passes);
        }
        let mut pooled = self.combine(passes, scales);
        if !self.leaves_alone(passes, scales) {
            let floor = match self {
                ScalePooling::Cirtorch { .. } => 0.0,
                _ => 1e-12,
            };
            let norm = pooled.iter().map(|x| x * x).sum::<f64>().sqrt().max(floor);
            pooled.iter_mut().for_each(|x| *x /= norm);
        }
        pooled.into_iter().map(|x| x as f32).collect()
    }

    /// Whether passes are sums of local features and not descriptors; see [`ScalePooling::How`].
    #[must_use]
    pub fn takes_local_maps(self, scales: &[f64]) -> bool {
        self == ScalePooling::How && scales != [1.0]
    }

    /// [`ScalePooling::pool`] before its last normalisation; of HOW's sums, their mean.
    #[must_use]
    pub fn combine(self, passes: &[&[f32]], scales: &[f64]) -> Vec<f64> {
        let alone = passes.len() == 1;
        let dim = passes.iter().map(|pass| pass.len()).min().unwrap_or(0);
        let mean = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
            (0..dim)
                .map(|i| passes.iter().map(|pass| f(f64::from(pass[i]))).sum::<f64>() / passes.len() as f64)
                .collect()
        };
        let powered = |f: &dyn Fn(f64) -> f64, back: &dyn Fn(f64) -> f64| -> Vec<f64> {
            mean(f).into_iter().map(back).collect()
        };
        match self {
            _ if self.leaves_alone(passes, scales) => mean(&|x| x),
            ScalePooling::DirtorchMean
            | ScalePooling::Token
            | ScalePooling::SuperglobalMean
            | ScalePooling::How => mean(&|x| x),
            ScalePooling::DirtorchGem { .. } if alone => mean(&|x| x),
            ScalePooling::DirtorchGem { power } => {
                powered(&|x| signed_power(x, power), &|x| signed_power(x, power.recip()))
            }
            ScalePooling::Cirtorch { msp: 1.0 } => mean(&|x| x),
            ScalePooling::Cirtorch { msp } => powered(&|x| x.powf(msp), &|x| x.powf(msp.recip())),
            ScalePooling::SuperglobalPower { power } => superglobal_power(passes, power, smallest(passes)),
            ScalePooling::SuperglobalMax => {
                let units: Vec<Vec<f64>> = passes.iter().map(|pass| unit(pass)).collect();
                (0..dim)
                    .map(|i| {
                        units
                            .iter()
                            .fold(f64::NEG_INFINITY, |most, pass| most.max(pass[i]))
                    })
                    .collect()
            }
            ScalePooling::Delg => {
                let units: Vec<Vec<f64>> = passes.iter().map(|pass| unit(pass)).collect();
                (0..dim)
                    .map(|i| units.iter().map(|pass| pass[i]).sum::<f64>() / passes.len() as f64)
                    .collect()
            }
        }
    }

    /// Whether a single pass is the result as it stands.
    fn leaves_alone(self, passes: &[&[f32]], scales: &[f64]) -> bool {
        passes.len() == 1
            && match self {
                ScalePooling::Cirtorch { .. } | ScalePooling::How => scales == [1.0],
                ScalePooling::Token => true,
                _ => false,
            }
    }

    /// The scales that are run where `asked` are asked for: Token ignores the value of a single one.
    #[must_use]
    pub fn scales_to_run(self, asked: &[f64]) -> Vec<f64> {
        match self {
            ScalePooling::Token if asked.len() == 1 => vec![1.0],
            _ => asked.to_vec(),
        }
    }

    /// How the card states this pooling over `scales`.
    #[must_use]
    pub fn spelled_out(self, scales: &[f64]) -> Scales {
        let (pooling, power) = match self {
            ScalePooling::DirtorchMean => ("dirtorch-mean", None),
            // The exponent takes no part where there is one pass only.
            ScalePooling::DirtorchGem { .. } if scales.len() == 1 => ("dirtorch-mean", None),
            ScalePooling::DirtorchGem { power } => ("dirtorch-gem", Some(power)),
            ScalePooling::Cirtorch { .. } if scales == [1.0] => return Scales::single(),
            ScalePooling::Cirtorch { msp } => ("cirtorch", Some(msp)),
            ScalePooling::How if scales == [1.0] => return Scales::single(),
            ScalePooling::How => ("how", None),
            ScalePooling::Token if scales.len() == 1 => return Scales::single(),
            ScalePooling::Token => ("token", None),
            ScalePooling::SuperglobalMax => ("superglobal-max", None),
            ScalePooling::SuperglobalPower { power } => ("superglobal-power", Some(power)),
            ScalePooling::SuperglobalMean => ("superglobal-mean", None),
            ScalePooling::Delg => ("delg", None),
        };
        Scales {
            values: scales.to_vec(),
            pooling: pooling.to_owned(),
            power,
        }
    }
}

impl ScalePooling {
    /// The pooling of a card's scales, the opposite of [`ScalePooling::spelled_out`]; none where it is called otherwise than any
    /// that is known.
    #[must_use]
    pub fn of_card(scales: &Scales) -> Option<ScalePooling> {
        Some(match (scales.pooling.as_str(), scales.power) {
            ("none", _) => ScalePooling::Cirtorch { msp: 1.0 },
            ("dirtorch-mean", _) => ScalePooling::DirtorchMean,
            ("dirtorch-gem", Some(power)) => ScalePooling::DirtorchGem { power },
            ("cirtorch", power) => ScalePooling::Cirtorch {
                msp: power.unwrap_or(1.0),
            },
            ("token", _) => ScalePooling::Token,
            ("superglobal-max", _) => ScalePooling::SuperglobalMax,
            ("superglobal-power", Some(power)) => ScalePooling::SuperglobalPower { power },
            ("superglobal-mean", _) => ScalePooling::SuperglobalMean,
            ("delg", _) => ScalePooling::Delg,
            ("how", _) => ScalePooling::How,
            _ => return None,
        })
    }
}

/// The scales of SuperGlobal's evaluation with 1, 3 or 5 of them, in its order; it has no other numbers of scales.
#[must_use]
// The original's four digits, not the roots themselves.
#[allow(clippy::approx_constant)]
pub fn superglobal_scales(count: usize) -> Option<&'static [f64]> {
    const ALL: [f64; 5] = [0.5, 0.7071, 1.0, 1.4142, 2.0];
    match count {
        1 => Some(&ALL[2..3]),
        3 => Some(&ALL[1..4]),
        5 => Some(&ALL),
        _ => None,
    }
}

/// SuperGlobal's power form over a smallest value of the caller's choice (that of a whole batch, say), before the normalisation;
/// see [`ScalePooling::SuperglobalPower`].
#[must_use]
pub fn superglobal_power(passes: &[&[f32]], power: f64, smallest: f64) -> Vec<f64> {
    let dim = passes.iter().map(|pass| pass.len()).min().unwrap_or(0);
    (0..dim)
        .map(|i| {
            let powers = passes
                .iter()
                .map(|pass| (f64::from(pass[i]) - smallest).powf(power));
            (powers.sum::<f64>() / passes.len() as f64).powf(power.recip()) + smallest
        })
        .collect()
}

/// The smallest value of all passes.
fn smallest(passes: &[&[f32]]) -> f64 {
    let values = passes.iter().flat_map(|pass| pass.iter());
    values.fold(f64::INFINITY, |least, x| least.min(f64::from(*x)))
}

/// Divided by the L2 norm, which counts as at least 1e-12.
fn unit(pass: &[f32]) -> Vec<f64> {
    let norm = pass
        .iter()
        .map(|x| f64::from(*x) * f64::from(*x))
        .sum::<f64>()
        .sqrt()
        .max(1e-12);
    pass.iter().map(|x| f64::from(*x) / norm).collect()
}

/// dirtorch's f(x, p) = sign(x) max(|x|, 1e-6)^p with sign(0) = 0.
fn signed_power(x: f64, power: f64) -> f64 {
    let size = x.abs();
    if size == 0.0 {
        0.0
    } else {
        // Not `max`, which would make a value of what is no number.
        let size = if size < 1e-6 { 1e-6 } else { size };
        size.powf(power).copysign(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(v: &[f32]) -> f64 {
        v.iter()
            .map(|x| f64::from(*x) * f64::from(*x))
            .sum::<f64>()
            .sqrt()
    }

    #[test]
    fn one_pass_of_each_project() {
        let x = [3.0f32, -4.0];
        let pool = |pooling: ScalePooling, scale: f64| pooling.pool(&[&x], &[scale]);
        assert_eq!(pool(ScalePooling::DirtorchGem { power: 3.0 }, 1.0), [0.6, -0.8]);
        assert_eq!(pool(ScalePooling::DirtorchMean, 1.0), [0.6, -0.8]);
        assert_eq!(pool(ScalePooling::Cirtorch { msp: 1.0 }, 1.0), x);
        assert_eq!(pool(ScalePooling::Cirtorch { msp: 1.0 }, 0.5), [0.6, -0.8]);
        assert_eq!(pool(ScalePooling::Token, 0.5), x);
    }

    #[test]
    fn the_floor_of_dirtorch_lifts_small_means() {
        // Means of cubes below 1e-6 become 1e-6, so 0.001 and 0.005 both come out as 0.01 before the normalisation.
        let pooled = ScalePooling::DirtorchGem { power: 3.0 }
            .pool(&[&[0.001, 0.005, 0.0], &[0.001, 0.005, 0.0]], &[1.0, 0.5]);
        assert_eq!(pooled[0], pooled[1]);
        assert_eq!(pooled[2], 0.0);
        assert!((norm(&pooled) - 1.0).abs() < 1e-6);
        let pooled =
            ScalePooling::DirtorchGem { power: 3.0 }.pool(&[&[f32::NAN, 1.0], &[0.5, 1.0]], &[1.0, 0.5]);
        assert!(pooled[0].is_nan());
    }

    #[test]
    fn cirtorch_with_a_power_is_the_generalised_mean() {
        let pooled = ScalePooling::Cirtorch { msp: 2.0 }.pool(&[&[1.0, 0.0], &[0.0, 0.5]], &[1.0, 0.5]);
        // sqrt(1/2) and sqrt(1/8), normalised: 2 : 1.
        assert!((pooled[0] / pooled[1] - 2.0).abs() < 1e-6, "{pooled:?}");
    }

    #[test]
    fn what_does_not_change_the_numbers_does_not_change_the_card() {
        assert_eq!(
            ScalePooling::Cirtorch { msp: 2.9 }.spelled_out(&[1.0]),
            Scales::single()
        );
        assert_eq!(
            ScalePooling::DirtorchGem { power: 3.0 }.spelled_out(&[1.0]),
            ScalePooling::DirtorchMean.spelled_out(&[1.0])
        );
        assert_ne!(
            ScalePooling::DirtorchGem { power: 3.0 }.spelled_out(&[1.0, 0.5]),
            ScalePooling::DirtorchGem { power: 2.0 }.spelled_out(&[1.0, 0.5])
        );
    }

    #[test]
    fn every_pooling_is_found_again_from_its_card() {
        let all = [
            ScalePooling::DirtorchMean,
            ScalePooling::DirtorchGem { power: 2.0 },
            ScalePooling::Cirtorch { msp: 2.9 },
            ScalePooling::Token,
            ScalePooling::SuperglobalMax,
            ScalePooling::SuperglobalPower { power: 10.0 },
            ScalePooling::SuperglobalMean,
            ScalePooling::Delg,
        ];
        let passes: [&[f32]; 2] = [&[0.6, -0.8, 0.1], &[0.5, 0.5, 0.2]];
        for pooling in all {
            let found = ScalePooling::of_card(&pooling.spelled_out(&[1.0, 0.5])).unwrap();
            assert_eq!(found, pooling);
            let pooled = pooling.pool(&passes, &[1.0, 0.5]);
            let (length, power) = (norm(&pooled), matches!(pooling, ScalePooling::Cirtorch { .. }));
            // A fractional power of a value below zero is NaN in cirtorch too.
            assert!((length - 1.0).abs() < 1e-6 || power, "{pooling:?}: {pooled:?}");
        }
        let other = Scales {
            pooling: "of the future".to_owned(),
            ..Scales::single()
        };
        assert_eq!(ScalePooling::of_card(&other), None);
    }

    #[test]
    fn superglobal_by_hand() {
        let passes: [&[f32]; 2] = [&[3.0, 4.0], &[8.0, 6.0]];
        // Units (0.6, 0.8) and (0.8, 0.6): the largest of each are alike.
        let max = ScalePooling::SuperglobalMax.pool(&passes, &[1.0, 0.5]);
        assert!(
            (max[0] - 0.5_f32.sqrt()).abs() < 1e-6 && max[0] == max[1],
            "{max:?}"
        );
        // Smallest 3: ((0 + 25) / 2)^(1/2) + 3 and ((1 + 9) / 2)^(1/2) + 3.
        let power = ScalePooling::SuperglobalPower { power: 2.0 }.pool(&passes, &[1.0, 0.5]);
        let want = (12.5_f32.sqrt() + 3.0) / (5_f32.sqrt() + 3.0);
        assert!((power[0] / power[1] - want).abs() < 1e-5, "{power:?}");
    }

    #[test]
    fn token_ignores_a_single_scale() {
        assert_eq!(ScalePooling::Token.scales_to_run(&[0.5]), [1.0]);
        assert_eq!(ScalePooling::Token.scales_to_run(&[1.0, 0.5]), [1.0, 0.5]);
        assert_eq!(ScalePooling::Cirtorch { msp: 1.0 }.scales_to_run(&[0.5]), [0.5]);
    }

    #[test]
    fn nothing_in_nothing_out() {
        assert!(ScalePooling::Token.pool(&[], &[]).is_empty());
    }
}
