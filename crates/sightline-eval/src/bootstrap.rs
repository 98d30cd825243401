//! Confidence interval of a mean over queries by the percentile bootstrap.
//!
//! Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

use serde::{Deserialize, Serialize};

/// How the interval is computed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Resamples drawn.
    pub resamples: u32,
    /// Share of resamples within the interval, in 0..1.
    pub level: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 10,000 resamples, 95 %, seed 0.
    fn default() -> Self {
        Self {
            resamples: 10_000,
            level: 0.95,
            seed: 0,
        }
    }
}

/// An interval of plausible means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// splitmix64 (Steele et al., 2014): fixed here so that a number never changes with a dependency.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next index below `count`; the bias of the multiplication is below count / 2^64.
    fn index(&mut self, count: usize) -> usize {
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }
}

impl Bootstrap {
    /// The interval of the mean of `values` (one a query): means of resamples of the same size drawn with
    /// replacement, their percentiles by linear interpolation. None where there are no values, no resamples, or the
    /// level is not within 0..1.
    ///
    /// ```
    /// use sightline_eval::bootstrap::Bootstrap;
    /// let interval = Bootstrap::default().interval(&[0.2, 0.4, 0.9, 1.0]).unwrap();
    /// assert!(0.2 <= interval.low && interval.low < 0.625 && 0.625 < interval.high && interval.high <= 1.0);
    /// ```
    pub fn interval(&self, values: &[f64]) -> Option<Interval> {
        if values.is_empty() || self.resamples == 0 || !(self.level > 0.0 && self.level < 1.0) {
            return None;
        }
        let mut draws = Draws::new(self.seed);
        let mut means: Vec<f64> = (0..self.resamples)
            .map(|_| {
                let sum: f64 = (0..values.len()).map(|_| values[draws.index(values.len())]).sum();
                sum / values.len() as f64
            })
            .collect();
        means.sort_unstable_by(f64::total_cmp);
        Some(Interval {
            low: quantile(&means, (1.0 - self.level) / 2.0),
            high: quantile(&means, (1.0 + self.level) / 2.0),
        })
    }
}

/// `sorted` is not empty, `share` in 0..1; as numpy's default.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_covers_the_normal_interval_of_many_values() {
        let values: Vec<f64> = (0..2000).map(|i| f64::from(i % 101) / 100.0).collect();
        let mean = values.iter().sum::<f64>() / 2000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2000.0;
        let half = 1.959_964 * (variance / 2000.0).sqrt();
        let got = Bootstrap {
            resamples: 4000,
            ..Bootstrap::default()
        }
        .interval(&values)
        .unwrap();
        assert!(
            (got.low - (mean - half)).abs() < half * 0.06,
            "{got:?} {mean} {half}"
        );
        assert!(
            (got.high - (mean + half)).abs() < half * 0.06,
            "{got:?} {mean} {half}"
        );
    }

    #[test]
    fn the_seed_alone_decides() {
        let values = [0.1, 0.5, 0.7, 0.2, 1.0, 0.33];
        let with = |seed| {
            Bootstrap {
                seed,
                ..Bootstrap::default()
            }
            .interval(&values)
        };
        assert_eq!(with(3), with(3));
        assert_ne!(with(3), with(4));
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[5.0], 0.975), 5.0);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(Bootstrap::default().interval(&[]), None);
        assert_eq!(
            Bootstrap {
                level: f64::NAN,
                ..Bootstrap::default()
            }
            .interval(&[1.0]),
            None
        );
        assert_eq!(
            Bootstrap {
                resamples: 0,
                ..Bootstrap::default()
            }
            .interval(&[1.0]),
            None
        );
    }
}
