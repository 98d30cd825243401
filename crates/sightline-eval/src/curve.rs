//! The precision-recall curve of a whole evaluation: interpolated, averaged over queries.
//!
//! At each recall a query's precision is the largest at that recall or a higher one (Manning, Raghavan, Schütze,
//! "Introduction to Information Retrieval", section 8.4), so that every query has a value at every recall and the mean
//! is defined. Its eleven points at 0, 0.1, ... 1 are the classic table; here are the hundred and one between them too.
//! The area below is near the mean average precision but not equal to it, since AP is not interpolated.

/// Steps of recall from 0 to 1.
pub const STEPS: usize = 100;

/// Mean interpolated precision at the recalls 0, 0.01, ... 1 over the queries with positives.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Which answers are right: `easy`, `medium`, `hard` for revisited sets, else `all`.
    pub setup: String,
    /// Queries that the mean is over.
    pub queries: usize,
    sums: Vec<f64>,
}

impl Curve {
    pub(crate) fn new(setup: &str) -> Self {
        Self {
            setup: setup.to_owned(),
            queries: 0,
            sums: vec![0.0; STEPS + 1],
        }
    }

    /// Adds a query: ascending 0-based positions of the positives that were found, and how many there are. One without
    /// positives has no curve and is left out.
    pub(crate) fn add(&mut self, positions: &[usize], named: usize) {
        if named == 0 {
            return;
        }
        self.queries += 1;
        // From the last positive down: the best precision at this recall or above.
        let mut best = 0.0_f64;
        let mut step = STEPS;
        for (found, position) in positions.iter().enumerate().rev() {
            // What lies above this positive's recall gets what was best beyond it.
            let reached = ((found + 1) * STEPS / named).min(STEPS);
            while step > reached {
                self.sums[step] += best;
                step -= 1;
            }
            // Two positives share a place where an inconsistent ground truth also calls one of them junk.
            best = best.max(((found + 1) as f64 / (position + 1) as f64).min(1.0));
        }
        for sum in &mut self.sums[..=step] {
            *sum += best;
        }
    }

    /// Mean precision at the recall `step` / [`STEPS`]; none where no query counts or the step is beyond 1.
    ///
    /// At recall 0 it is the largest precision anywhere.
    pub fn precision(&self, step: usize) -> Option<f64> {
        let sum = self.sums.get(step)?;
        (self.queries > 0).then(|| sum / self.queries as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_its_definition(gaps in prop::collection::vec(0..5_usize, 0..30), lost in 0..10_usize) {
            let positions: Vec<usize> = gaps.iter().scan(0, |next, gap| {
                *next += gap + 1;
                Some(*next - 1)
            }).collect();
            let named = positions.len() + lost;
            prop_assume!(named > 0);
            let mut curve = Curve::new("all");
            curve.add(&positions, named);
            for step in 0..=STEPS {
                let best = positions
                    .iter()
                    .enumerate()
                    .filter(|(found, _)| (found + 1) * STEPS >= step * named)
                    .map(|(found, position)| (found + 1) as f64 / (position + 1) as f64)
                    .fold(0.0, f64::max);
                prop_assert_eq!(curve.precision(step), Some(best), "recall {}", step);
            }
        }
    }

    #[test]
    fn a_mean_over_queries_with_positives() {
        let mut curve = Curve::new("all");
        assert_eq!(curve.precision(0), None);
        curve.add(&[0, 1], 2);
        curve.add(&[3], 2);
        curve.add(&[], 0);
        assert_eq!(curve.queries, 2);
        assert_eq!(curve.precision(0), Some(0.625));
        assert_eq!(curve.precision(50), Some(0.625));
        assert_eq!(curve.precision(51), Some(0.5));
        assert_eq!(curve.precision(STEPS + 1), None);
    }
}
