//! Pooling the descriptors of one picture over several passes (scales, or dirtorch's chains of transforms).
//!
//! Each project has its own formula; they differ in where they normalise and in the floor under small values.

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
}

impl ScalePooling {
    /// Pools `passes`, each a descriptor of the same length, run at `scales` (as many); values are computed in 64 bits.
    ///
    /// No passes give an empty descriptor; a pass shorter than the first cuts the result to its length.
    #[must_use]
    pub fn pool(self, passes: &[&[f32]], scales: &[f64]) -> Vec<f32> {
        let Some(first) = passes.first() else {
            return Vec::new();
        };
        let alone = passes.len() == 1;
        match self {
            ScalePooling::Cirtorch { .. } if alone && scales == [1.0] => return first.to_vec(),
            ScalePooling::Token if alone => return first.to_vec(),
            _ => {}
        }
        let dim = passes.iter().map(|pass| pass.len()).min().unwrap_or(0);
        let mean = |f: &dyn Fn(f64) -> f64| -> Vec<f64> {
            (0..dim)
                .map(|i| passes.iter().map(|pass| f(f64::from(pass[i]))).sum::<f64>() / passes.len() as f64)
                .collect()
        };
        let (mut pooled, floor) = match self {
            ScalePooling::DirtorchMean | ScalePooling::Token => (mean(&|x| x), 1e-12),
            ScalePooling::DirtorchGem { .. } if alone => (mean(&|x| x), 1e-12),
            ScalePooling::DirtorchGem { power } => {
                let pooled = mean(&|x| signed_power(x, power));
                (
                    pooled
                        .into_iter()
                        .map(|x| signed_power(x, power.recip()))
                        .collect(),
                    1e-12,
                )
            }
            ScalePooling::Cirtorch { msp: 1.0 } => (mean(&|x| x), 0.0),
            ScalePooling::Cirtorch { msp } => (
                mean(&|x| x.powf(msp))
                    .into_iter()
                    .map(|x| x.powf(msp.recip()))
                    .collect(),
                0.0,
            ),
        };
        let norm = pooled.iter().map(|x| x * x).sum::<f64>().sqrt().max(floor);
        pooled.iter_mut().for_each(|x| *x /= norm);
        pooled.into_iter().map(|x| x as f32).collect()
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
            ScalePooling::Token if scales.len() == 1 => return Scales::single(),
            ScalePooling::Token => ("token", None),
        };
        Scales {
            values: scales.to_vec(),
            pooling: pooling.to_owned(),
            power,
        }
    }
}

/// dirtorch's f(x, p) = sign(x) max(|x|, 1e-6)^p with sign(0) = 0.
fn signed_power(x: f64, power: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else {
        x.abs().max(1e-6).powf(power).copysign(x)
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
