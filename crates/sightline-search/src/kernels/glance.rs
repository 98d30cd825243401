//! Scores of one row with many others, looked at from both sides at once: the row's own list and the list of each of the
//! others.

use super::LANES;

/// The scores of one row with many, and what there is already on both sides. Plain code; the kernels run it compiled with
/// their instructions.
pub(crate) struct Glance<'a> {
    /// The scores.
    pub(crate) scores: &'a [f32],
    /// A score must be above this to be of use to the one row; NaN lets all through.
    pub(crate) threshold: f32,
    /// The same for each of the others.
    pub(crate) thresholds: &'a [f32],
    /// The least score that each of the others has seen.
    pub(crate) lowest: &'a mut [f32],
    /// Takes the places of scores that may be of use to either side.
    pub(crate) hits: &'a mut Vec<u32>,
}

impl Glance<'_> {
    /// What the kernels rely on.
    #[inline(always)]
    pub(super) fn check(&self) {
        let count = self.scores.len();
        assert!(
            self.thresholds.len() == count && self.lowest.len() == count,
            "one of each for each score"
        );
    }

    /// Adds to `hits`, brings `lowest` up to date and gives the least of the scores. NaN is never least; infinity where there is
    /// nothing else.
    #[inline(always)]
    pub(crate) fn run(self) -> f32 {
        self.check();
        let (blocks, rest) = self.scores.as_chunks::<LANES>();
        let (thresholds, rest_thresholds) = self.thresholds.as_chunks::<LANES>();
        let (lowest, rest_lowest) = self.lowest.as_chunks_mut::<LANES>();
        let threshold = self.threshold;
        let mut least = [f32::INFINITY; LANES];
        for (number, ((scores, thresholds), lowest)) in blocks.iter().zip(thresholds).zip(lowest).enumerate()
        {
            let mut useless = 0;
            for lane in 0..LANES {
                let score = scores[lane];
                useless += u32::from(score <= threshold) & u32::from(score <= thresholds[lane]);
                lowest[lane] = lesser(score, lowest[lane]);
                least[lane] = lesser(score, least[lane]);
            }
            if useless as usize == LANES {
                continue;
            }
            for lane in 0..LANES {
                if of_use(scores[lane], threshold, thresholds[lane]) {
                    self.hits.push((number * LANES + lane) as u32);
                }
            }
        }
        let before = blocks.len() * LANES;
        for (place, score) in rest.iter().enumerate() {
            if of_use(*score, threshold, rest_thresholds[place]) {
                self.hits.push((before + place) as u32);
            }
            rest_lowest[place] = lesser(*score, rest_lowest[place]);
            least[0] = lesser(*score, least[0]);
        }
        least
            .into_iter()
            .fold(f32::INFINITY, |least, one| lesser(one, least))
    }
}

/// Whether a score may be of use to either side.
#[inline(always)]
fn of_use(score: f32, one: f32, other: f32) -> bool {
    let useless = (score <= one) & (score <= other);
    !useless
}

/// The lesser of a score and one before; NaN is never it.
#[inline(always)]
fn lesser(score: f32, before: f32) -> f32 {
    if score < before { score } else { before }
}

#[cfg(test)]
mod tests {
    use super::super::{Kernel, Runnable};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kernel_sees_what_plain_code_sees(
            scores in prop::collection::vec(prop_oneof![-3..3_i8, Just(100)], 0..90), threshold in -3..4_i8,
            others in prop::collection::vec((-3..4_i8, -4..3_i8), 90),
        ) {
            // 100 and 3 stand for NaN.
            let value = |v: &i8| if *v > 2 { f32::NAN } else { f32::from(*v) };
            let scores: Vec<f32> = scores.iter().map(value).collect();
            let others = &others[..scores.len()];
            let thresholds: Vec<f32> = others.iter().map(|(one, _)| value(one)).collect();
            let see = |kernel| {
                let mut lowest: Vec<f32> = others.iter().map(|(_, low)| value(low)).collect();
                let mut hits = vec![7];
                let least = Runnable::new(kernel).glance(Glance {
                    scores: &scores,
                    threshold: value(&threshold),
                    thresholds: &thresholds,
                    lowest: &mut lowest,
                    hits: &mut hits,
                });
                (least, lowest, hits)
            };
            let want = see(Kernel::Portable);
            for kernel in Kernel::available() {
                prop_assert_eq!(&see(kernel), &want, "{}", kernel.name());
            }
            let of_use = |place: &usize| {
                let side = |threshold: f32| threshold.is_nan() || scores[*place].is_nan() || scores[*place] > threshold;
                side(value(&threshold)) || side(thresholds[*place])
            };
            let places: Vec<u32> = (0..scores.len()).filter(of_use).map(|place| place as u32).collect();
            prop_assert_eq!(&want.2[1..], &places);
            prop_assert_eq!(want.0, scores.iter().copied().fold(f32::INFINITY, f32::min));
            for (place, low) in want.1.iter().enumerate() {
                prop_assert_eq!(*low, value(&others[place].1).min(scores[place]));
            }
        }
    }
}
