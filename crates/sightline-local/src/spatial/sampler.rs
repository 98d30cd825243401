//! Which matches are tried together.
//!
//! Without an order all samples are equally likely. With one, samples come from a growing set of the best matches first, as in PROSAC
//! (Chum and Matas, "Matching with PROSAC", CVPR 2005); the set holds all matches when the last sample is drawn.

use super::random::Random;

pub(super) struct Sampler {
    matches: usize,
    drawn: usize,
    /// How many of the best matches samples come from, and the last sample with so many; none: from all.
    growth: Option<Growth>,
}

struct Growth {
    best: usize,
    /// Samples among the first `last` that all-equal drawing would take from the best only, on average.
    average: f64,
    last: f64,
}

impl Sampler {
    /// A sampler of `size` out of `matches` (no fewer than `size`), for at most `most` samples.
    pub(super) fn new(matches: usize, size: usize, ordered: bool, most: usize) -> Self {
        let growth = ordered.then(|| {
            // The share of samples that come from the best `size` matches.
            let share: f64 = (0..size)
                .map(|i| (size - i) as f64 / (matches - i) as f64)
                .product();
            Growth {
                best: size,
                average: most as f64 * share,
                last: 1.0,
            }
        });
        Self {
            matches,
            drawn: 0,
            growth,
        }
    }

    /// Draws the next sample: places in the order of matches, best first.
    pub(super) fn draw(&mut self, random: &mut Random, sample: &mut [usize]) {
        self.drawn += 1;
        let (matches, size, drawn) = (self.matches, sample.len(), self.drawn as f64);
        let Some(growth) = &mut self.growth else {
            return random.different(matches, sample);
        };
        while drawn > growth.last && growth.best < matches {
            growth.best += 1;
            let average = growth.average * growth.best as f64 / (growth.best - size) as f64;
            growth.last += (average - growth.average).ceil();
            growth.average = average;
        }
        if drawn > growth.last {
            return random.different(matches, sample);
        }
        // The newest match and others before it: samples without it were likely drawn before.
        let (newest, others) = (growth.best - 1, size - 1);
        random.different(newest, &mut sample[..others]);
        sample[others] = newest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_come_first_and_all_in_the_end() {
        let (mut sampler, mut random) = (Sampler::new(50, 4, true, 1000), Random::new(1));
        let mut largest = Vec::new();
        for _ in 0..2000 {
            let mut sample = [0; 4];
            sampler.draw(&mut random, &mut sample);
            let mut sorted = sample;
            sorted.sort_unstable();
            assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]) && sorted[3] < 50);
            largest.push(sorted[3]);
        }
        assert_eq!(largest[0], 3);
        assert!(largest[..50].iter().all(|&place| place < 30));
        assert!(largest[1000..].contains(&49));
    }

    #[test]
    fn as_many_matches_as_a_sample_needs() {
        let (mut sampler, mut random) = (Sampler::new(4, 4, true, 10), Random::new(1));
        for _ in 0..20 {
            let mut sample = [0; 4];
            sampler.draw(&mut random, &mut sample);
            sample.sort_unstable();
            assert_eq!(sample, [0, 1, 2, 3]);
        }
    }
}
