//! Whether differences between paired values could be chance: the two-sided randomisation test by flipping signs.
//!
//! If two methods were equally good, each query's difference would be as likely with the other sign. The p value is the
//! share of all ways to give signs whose sum is at least as far from 0 as the one observed.
//!
//! Source: Smucker, Allan and Carterette, "A Comparison of Statistical Significance Tests for Information Retrieval
//! Evaluation", CIKM 2007, section 3.1; they recommend this test over the sign and Wilcoxon tests. The added one of sampled
//! p values: Phipson and Smyth, "Permutation P-values Should Never Be Zero", 2010.

use crate::bootstrap::Draws;
use serde::{Deserialize, Serialize};

/// Differences that are counted exactly at most, whatever is asked for: two lists of 2^20 sums.
const MOST_EXACT: u32 = 40;
/// Sums closer than this share of the sum of absolute differences are equal: what rounding may have parted.
const SLACK: f64 = 1e-12;

/// How the test is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignFlip {
    /// With so many differences that are not 0, or fewer, all signs are counted; 40 at most.
    pub exact_up_to: u32,
    /// With more differences: how many ways to give signs are drawn.
    pub samples: u32,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for SignFlip {
    /// Exact up to 36 differences (some milliseconds), else 100,000 samples, seed 0.
    fn default() -> Self {
        Self {
            exact_up_to: 36,
            samples: 100_000,
            seed: 0,
        }
    }
}

/// What the test says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PValue {
    /// How often chance alone gives a difference like this or a larger one, above 0 and at most 1.
    pub p: f64,
    /// Whether all signs were counted; false where they were sampled.
    pub exact: bool,
}

impl SignFlip {
    /// The test of paired `differences`; zeros take no part. Without others p is 1. None where a value is not finite.
    ///
    /// Time: exact with n differences about 2^(n/2) additions and their sorting; sampled `samples` times n/4 additions.
    ///
    /// ```
    /// use sightline_eval::sign_flip::SignFlip;
    /// // Of eight ways to give signs to three differences, two are as far from 0 as all positive and all negative.
    /// let test = SignFlip::default().test(&[0.5, 0.25, 0.0, 0.125]).unwrap();
    /// assert_eq!((test.p, test.exact), (0.25, true));
    /// ```
    pub fn test(&self, differences: &[f64]) -> Option<PValue> {
        if differences.iter().any(|difference| !difference.is_finite()) {
            return None;
        }
        let differing: Vec<f64> = differences.iter().copied().filter(|one| *one != 0.0).collect();
        let total: f64 = differing.iter().map(|one| one.abs()).sum();
        let observed = differing.iter().sum::<f64>().abs();
        // A sum counts from here on.
        let limit = observed - SLACK * total;
        let exact = differing.len() <= self.exact_up_to.min(MOST_EXACT) as usize;
        let p = if limit <= 0.0 {
            1.0
        } else if exact {
            exact_share(&differing, limit)
        } else {
            self.sampled_share(&differing, limit)
        };
        Some(PValue { p, exact })
    }

    /// The share of sampled sums that are at least `limit` from 0; the observed one counts as a sample more.
    fn sampled_share(&self, differences: &[f64], limit: f64) -> f64 {
        // Sums of four differences with each of their sixteen signs, so that a draw of 64 bits gives signs to 64 of them.
        let sums: Vec<[f64; 16]> = differences
            .chunks(4)
            .map(|four| std::array::from_fn(|signs| signed_sum(four, signs)))
            .collect();
        let mut draws = Draws::new(self.seed);
        let mut far = 0_u64;
        for _ in 0..self.samples {
            let mut sum = 0.0;
            for sixteen in sums.chunks(16) {
                let mut signs = draws.bits();
                for sums in sixteen {
                    sum += sums[(signs & 15) as usize];
                    signs >>= 4;
                }
            }
            far += u64::from(sum.abs() >= limit);
        }
        (far + 1) as f64 / (f64::from(self.samples) + 1.0)
    }
}

/// The sum of `values` with signs: bit i of `signs` makes value i negative.
fn signed_sum(values: &[f64], signs: usize) -> f64 {
    let signed = |(place, value): (usize, &f64)| if signs >> place & 1 == 1 { -value } else { *value };
    values.iter().enumerate().map(signed).sum()
}

/// The share of all 2^n sums that are at least `limit` (above 0) from 0: every sum is one of the first half's and one of the
/// second's, so two sorted lists of 2^(n/2) sums tell how many pairs reach the limit.
fn exact_share(differences: &[f64], limit: f64) -> f64 {
    let sums = |half: &[f64]| {
        let mut sums: Vec<f64> = (0..1_usize << half.len())
            .map(|signs| signed_sum(half, signs))
            .collect();
        sums.sort_unstable_by(f64::total_cmp);
        sums
    };
    let (first, second) = differences.split_at(differences.len() / 2);
    let (first, second) = (sums(first), sums(second));
    let mut reach = 0_u64;
    let mut from = second.len();
    for sum in &first {
        // A larger sum of the first half needs less of the second.
        while from > 0 && sum + second[from - 1] >= limit {
            from -= 1;
        }
        reach += (second.len() - from) as u64;
    }
    // With all signs turned, as many sums reach the limit below 0.
    2.0 * reach as f64 / (first.len() as f64 * second.len() as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn p(differences: &[f64]) -> f64 {
        SignFlip::default().test(differences).unwrap().p
    }

    /// Every way to give signs, in whole numbers.
    fn brute(differences: &[i64]) -> f64 {
        let observed: i64 = differences.iter().sum();
        let ways = 1_u64 << differences.len();
        let far = (0..ways).filter(|signs| {
            let signed = |(place, one): (usize, &i64)| if signs >> place & 1 == 1 { -one } else { *one };
            let sum: i64 = differences.iter().enumerate().map(signed).sum();
            sum.abs() >= observed.abs()
        });
        far.count() as f64 / ways as f64
    }

    /// Differences as average precisions have them: no sum is exact.
    fn shares(differences: &[i64]) -> Vec<f64> {
        differences.iter().map(|one| *one as f64 / 30.0).collect()
    }

    proptest! {
        #[test]
        fn counting_halves_is_counting_all(differences in prop::collection::vec(-9_i64..10, 0..13)) {
            let got = SignFlip::default().test(&shares(&differences)).unwrap();
            prop_assert!(got.exact);
            prop_assert_eq!(got.p, brute(&differences));
        }

        #[test]
        fn order_signs_and_scale_do_not_matter(differences in prop::collection::vec(-9_i64..10, 0..40)) {
            let values = shares(&differences);
            let got = p(&values);
            prop_assert!(got > 0.0 && got <= 1.0);
            let turned: Vec<f64> = values.iter().rev().map(|one| -7.0 * one).collect();
            // Sampled ones draw other signs for another order.
            let slack = if SignFlip::default().test(&values).unwrap().exact { 0.0 } else { 0.02 };
            prop_assert!((p(&turned) - got).abs() <= slack, "{} {}", p(&turned), got);
        }

        #[test]
        fn samples_come_near_the_count(differences in prop::collection::vec(-9_i64..10, 1..30), seed in 0_u64..9) {
            let values = shares(&differences);
            let sampled = SignFlip { exact_up_to: 0, samples: 20_000, seed }.test(&values).unwrap();
            let differing = values.iter().any(|one| *one != 0.0);
            prop_assert_eq!(sampled.exact, !differing);
            // Five standard deviations of a share of 20,000 draws.
            prop_assert!((sampled.p - p(&values)).abs() < 5.0 * 0.5 / 20_000_f64.sqrt(), "{} {}", sampled.p, p(&values));
        }
    }

    #[test]
    fn without_differences_there_is_no_evidence() {
        assert_eq!(p(&[]), 1.0);
        assert_eq!(p(&[0.0, -0.0]), 1.0);
        // One query alone shows nothing, however large the difference.
        assert_eq!(p(&[0.9]), 1.0);
        assert_eq!(p(&[0.5, -0.5]), 1.0);
        assert_eq!(SignFlip::default().test(&[0.1, f64::NAN]), None);
        assert_eq!(SignFlip::default().test(&[f64::INFINITY]), None);
    }

    #[test]
    fn many_gains_are_beyond_chance() {
        let exact = SignFlip::default().test(&[0.01; 36]).unwrap();
        assert_eq!((exact.p, exact.exact), (2.0 / 2_f64.powi(36), true));
        let sampled = SignFlip::default().test(&[0.01; 70]).unwrap();
        assert_eq!((sampled.p, sampled.exact), (1.0 / 100_001.0, false));
        // No more is counted than memory is meant for.
        let greedy = SignFlip {
            exact_up_to: u32::MAX,
            samples: 10,
            seed: 0,
        };
        assert!(!greedy.test(&[0.1; 41]).unwrap().exact);
    }

    #[test]
    fn the_seed_alone_decides() {
        let differences: Vec<f64> = (0..60).map(|i| f64::from(i % 7) - 2.5).collect();
        let with = |seed| {
            let samples = SignFlip {
                seed,
                ..SignFlip::default()
            };
            samples.test(&differences).unwrap().p
        };
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
    }
}
