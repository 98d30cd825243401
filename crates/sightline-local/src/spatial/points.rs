//! The matches of two pictures, laid out so that a map is judged by all of them quickly.

use super::model::PointMatch;

/// Matches of one block; loops over it become vector instructions.
const LANES: usize = 8;

/// Blocks between two looks at the test whether judging on is worth it.
const STEP: usize = 4;

/// Matches in a step.
pub(super) const STEP_MATCHES: usize = STEP * LANES;

/// Coordinates beyond this are no pixels; such matches fit nothing.
const FARTHEST: f64 = 1e9;

/// Some matches, each coordinate by itself; places behind the last match are NaN, which fits nothing.
#[derive(Clone, Copy)]
struct Block {
    from_x: [f64; LANES],
    from_y: [f64; LANES],
    to_x: [f64; LANES],
    to_y: [f64; LANES],
}

/// How well a map fits all matches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    /// Sum of threshold^2 - error^2 over the inliers, square pixels: truncated squares, as in MSAC (Torr and Zisserman, 2000).
    pub(super) value: f64,
    /// Matches with an error below the threshold.
    pub(super) inliers: usize,
}

/// The matches in the order in which they are judged.
pub(super) struct Points {
    blocks: Vec<Block>,
    matches: Vec<PointMatch>,
    /// Squared threshold of the forward transfer error, in pixels of the second picture.
    threshold: f64,
}

impl Points {
    /// `matches` in random order, so that the first of them speak for all.
    pub(super) fn new(matches: Vec<PointMatch>, threshold: f64) -> Self {
        let none = Block {
            from_x: [f64::NAN; LANES],
            from_y: [f64::NAN; LANES],
            to_x: [f64::NAN; LANES],
            to_y: [f64::NAN; LANES],
        };
        // Whole steps, so that no loop has a rest.
        let steps = matches.len().div_ceil(STEP_MATCHES);
        let mut blocks = vec![none; steps * STEP];
        for (index, PointMatch { from, to }) in matches.iter().enumerate() {
            let near = |value: &f64| value.abs() <= FARTHEST;
            if from.iter().chain(to).all(near) {
                let (block, lane) = (&mut blocks[index / LANES], index % LANES);
                (block.from_x[lane], block.from_y[lane]) = (from[0], from[1]);
                (block.to_x[lane], block.to_y[lane]) = (to[0], to[1]);
            }
        }
        Self {
            blocks,
            matches,
            threshold: threshold * threshold,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.matches.len()
    }

    pub(super) fn get(&self, index: usize) -> PointMatch {
        self.matches[index]
    }

    /// The score of a map, judged by all matches.
    pub(super) fn score(&self, h: &[f64; 9]) -> Score {
        let mut sums = Sums::default();
        for block in &self.blocks {
            sums.add(block, h, self.threshold);
        }
        sums.score()
    }

    /// The same, or none as soon as `go_on`, told the inliers of each step of [`STEP_MATCHES`] matches but the last, says
    /// no. Judging begins at step `first` (of as many as there are, over and over) and goes round.
    pub(super) fn score_while(
        &self,
        h: &[f64; 9],
        first: usize,
        mut go_on: impl FnMut(usize) -> bool,
    ) -> Option<Score> {
        // Steps that are full; what is left behind them need not fill one.
        let full = self.len() / STEP_MATCHES;
        let (steps, rest) = self.blocks.split_at(full * STEP);
        let mut total = Sums::default();
        let mut before = 0;
        let (end, start) = steps.split_at(first.checked_rem(full).unwrap_or(0) * STEP);
        for step in start.chunks_exact(STEP).chain(end.chunks_exact(STEP)) {
            for block in step {
                total.add(block, h, self.threshold);
            }
            let inliers = total.inliers();
            if !go_on(inliers - before) {
                return None;
            }
            before = inliers;
        }
        for block in rest {
            total.add(block, h, self.threshold);
        }
        Some(total.score())
    }

    /// Which matches have an error below `factor` times the threshold, ascending.
    pub(super) fn within(&self, h: &[f64; 9], factor: f64) -> Vec<u32> {
        let limit = self.threshold * factor * factor;
        let mut found = Vec::new();
        for (number, block) in self.blocks.iter().enumerate() {
            let errors = errors(block, h);
            for (lane, error) in errors.into_iter().enumerate() {
                if error < limit {
                    found.push((number * LANES + lane) as u32);
                }
            }
        }
        found
    }
}

/// Squared forward transfer errors, infinite on and behind the horizon; NaN where a coordinate is.
fn errors(block: &Block, h: &[f64; 9]) -> [f64; LANES] {
    std::array::from_fn(|lane| {
        let (x, y) = (block.from_x[lane], block.from_y[lane]);
        let w = h[6] * x + h[7] * y + h[8];
        let inverse = 1.0 / w;
        let across = (h[0] * x + h[1] * y + h[2]) * inverse - block.to_x[lane];
        let down = (h[3] * x + h[4] * y + h[5]) * inverse - block.to_y[lane];
        let error = across * across + down * down;
        if w > 0.0 { error } else { f64::INFINITY }
    })
}

/// Sums of each lane; added up in one fixed order at the end.
#[derive(Default)]
struct Sums {
    value: [f64; LANES],
    inliers: [f64; LANES],
}

impl Sums {
    fn add(&mut self, block: &Block, h: &[f64; 9], threshold: f64) {
        let errors = errors(block, h);
        for (lane, error) in errors.into_iter().enumerate() {
            // Sums over both, chosen without a branch.
            let inside = error < threshold;
            self.value[lane] += if inside { threshold - error } else { 0.0 };
            self.inliers[lane] += if inside { 1.0 } else { 0.0 };
        }
    }

    fn inliers(&self) -> usize {
        self.inliers.iter().sum::<f64>() as usize
    }

    fn score(&self) -> Score {
        Score {
            value: self.value.iter().sum(),
            inliers: self.inliers(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHIFT: [f64; 9] = [1.0, 0.0, 5.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];

    /// Match i misses the shift by i pixels.
    fn points(count: usize) -> Points {
        let one = |i: usize| PointMatch {
            from: [i as f64, 7.0],
            to: [i as f64 + 5.0, 7.0 + i as f64],
        };
        Points::new((0..count).map(one).collect(), 3.0)
    }

    #[test]
    fn squares_are_truncated_at_the_threshold() {
        for count in [3, 8, 32, 33, 100] {
            let points = points(count);
            let score = points.score(&SHIFT);
            assert_eq!((score.inliers, score.value), (3, 9.0 + 8.0 + 5.0));
            assert_eq!(points.score_while(&SHIFT, count, |_| true), Some(score));
            assert_eq!(points.within(&SHIFT, 1.0), [0, 1, 2]);
            assert_eq!(points.within(&SHIFT, 1.5).len(), count.min(5));
        }
    }

    #[test]
    fn full_steps_are_told_from_the_one_asked_for_and_round() {
        for (first, want) in [(0, [3, 0]), (1, [0, 3]), (4, [3, 0])] {
            let mut told = Vec::new();
            points(70).score_while(&SHIFT, first, |inliers| {
                told.push(inliers);
                true
            });
            assert_eq!(told, want);
        }
        assert_eq!(points(70).score_while(&SHIFT, 0, |_| false), None);
        assert!(points(31).score_while(&SHIFT, 5, |_| false).is_some());
    }

    #[test]
    fn what_is_no_pixel_fits_nothing() {
        let odd = [f64::NAN, f64::INFINITY, -1e300].map(|value| PointMatch {
            from: [value, 0.0],
            to: [value, 0.0],
        });
        let points = Points::new(odd.to_vec(), 3.0);
        assert_eq!(points.score(&[0.0; 9]).inliers, 0);
        assert_eq!(points.score(&SHIFT).inliers, 0);
        assert!(points.within(&SHIFT, 2.0).is_empty());
    }
}
