//! Wald's sequential probability ratio test: a bad map is given up after few matches.

use super::points::STEP_MATCHES;

/// The test, and what it expects of a good map.
pub(super) struct Wald {
    /// By how much a step of matches with so many inliers speaks for a bad map.
    factors: [f64; STEP_MATCHES + 1],
    /// Share of inliers that the map of a good sample has.
    good: f64,
}

impl Wald {
    /// A map is given up when it is so many times as likely to be bad; one in so many good ones is given up.
    pub(super) const LIMIT: f64 = 200.0;
    /// Share of inliers of a bad map: wrong samples with some right matches have more than chance gives.
    const BAD: f64 = 0.02;
    /// Share of a good map's inliers that the map of one noisy sample has already.
    const AT_FIRST: f64 = 0.35;

    pub(super) fn new(good: f64) -> Self {
        let mut test = Self {
            factors: [1.0; STEP_MATCHES + 1],
            good: 0.0,
        };
        test.expect(good);
        test
    }

    /// Expects the best map to have that share of inliers, if it is more than before.
    pub(super) fn expect(&mut self, good: f64) {
        let good = good * Self::AT_FIRST;
        if good <= self.good {
            return;
        }
        self.good = good;
        let bad = Self::BAD.min(good / 4.0);
        let (inlier, outlier) = (bad / good, (1.0 - bad) / (1.0 - good));
        for (inliers, factor) in self.factors.iter_mut().enumerate() {
            *factor = 1.0;
            for place in 0..STEP_MATCHES {
                *factor *= if place < inliers { inlier } else { outlier };
            }
        }
    }

    pub(super) fn begin(&self) -> Judge<'_> {
        Judge {
            factors: &self.factors,
            likelihood: 1.0,
        }
    }
}

/// The test of one map.
pub(super) struct Judge<'a> {
    factors: &'a [f64; STEP_MATCHES + 1],
    likelihood: f64,
}

impl Judge<'_> {
    /// Whether judging goes on after a step with so many inliers.
    pub(super) fn goes_on(&mut self, inliers: usize) -> bool {
        self.likelihood *= self.factors[inliers.min(STEP_MATCHES)];
        self.likelihood <= Wald::LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_maps_are_given_up_soon_and_good_ones_are_not() {
        let steps_of = |inliers: usize| {
            let test = Wald::new(0.3);
            let mut judge = test.begin();
            (0..100).take_while(|_| judge.goes_on(inliers)).count()
        };
        assert!(steps_of(0) < 3 && steps_of(1) < 10);
        assert_eq!(steps_of(STEP_MATCHES / 10), 100);
        assert_eq!(steps_of(STEP_MATCHES * 3 / 10), 100);
        assert_eq!(steps_of(STEP_MATCHES), 100);
    }

    #[test]
    fn one_outlier_never_decides() {
        let test = Wald::new(1.0);
        assert!(test.begin().goes_on(STEP_MATCHES - 1));
    }
}
