//! Average precision of one query: by trapezoids, by steps, and quantised.

use crate::ranking::{Rank, score_key};
use std::cmp::Reverse;

/// Area under the precision-recall curve by trapezoids, the AP of Oxford5k, of the revisited protocol and of
/// dirtorch's ground-truth lists.
///
/// `positions`: ascending 0-based positions of the positives that were found, junk already removed; `named`: how
/// many positives the ground truth names (a positive that was not found adds nothing but counts here).
/// 0 where `named` is 0; whether such a query counts at all is the protocol's choice.
///
/// AP = Σ_j (p0 + p1) / (2 · named), p0 = j / r_j (1 if r_j = 0), p1 = (j + 1) / (r_j + 1);
/// `compute_ap` in cirtorch's `utils/evaluate.py`, `compute_average_precision` in dirtorch's `utils/evaluation.py`.
///
/// ```
/// use sightline_eval::average_precision::trapezoid;
/// assert_eq!(trapezoid(&[0, 1], 2), 1.0);
/// // The second positive at place 3: (1 + 1 + 1/2 + 2/3) / 4.
/// assert!((trapezoid(&[0, 2], 2) - (2.0 + 0.5 + 2.0 / 3.0) / 4.0).abs() < 1e-15);
/// ```
pub fn trapezoid(positions: &[usize], named: usize) -> f64 {
    if named == 0 {
        return 0.0;
    }
    let recall_step = 1.0 / named as f64;
    let mut area = 0.0;
    for (found, &position) in positions.iter().enumerate() {
        let before = if position == 0 {
            1.0
        } else {
            found as f64 / position as f64
        };
        let after = (found + 1) as f64 / (position + 1) as f64;
        area += (before + after) * recall_step / 2.0;
    }
    area
}

/// Finite sum of precisions over the distinct score values from high to low, all answers of one score taken
/// together: scikit-learn's `average_precision_score`, dirtorch's `compute_AP`.
///
/// `relevant` and `scores` are parallel, one entry an answer; NaN scores stand below all others. NaN where nothing
/// is relevant.
pub fn step(relevant: &[bool], scores: &[f32]) -> f64 {
    let mut order: Vec<(u32, bool)> = scores
        .iter()
        .map(|s| score_key(*s))
        .zip(relevant.iter().copied())
        .collect();
    order.sort_unstable_by_key(|answer| Reverse(answer.0));
    let mut groups = Vec::new();
    let (mut found, mut taken) = (0, 0);
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        taken += group.len();
        found += group.iter().filter(|answer| answer.1).count();
        groups.push((found, taken));
    }
    step_over_groups(&groups, found)
}

/// [`step`] from the ranks of the positives alone: nothing but they and the `dropped` images (such as the query
/// itself) needs to be ranked, however large the gallery.
///
/// `named`: how many positives there are, found or not.
pub fn step_from_ranks(positives: &[Rank], dropped: &[Rank], named: usize) -> f64 {
    let mut sorted = positives.to_vec();
    sorted.sort_unstable_by_key(|rank| rank.above);
    let mut groups = Vec::new();
    let mut found = 0;
    for group in sorted.chunk_by(|a, b| a.above == b.above) {
        found += group.len();
        let ahead = dropped.iter().filter(|rank| rank.above <= group[0].above).count();
        groups.push((found, (group[0].above + group[0].equal).saturating_sub(ahead)));
    }
    step_over_groups(&groups, named)
}

/// `groups`: after each score value, the positives found and the answers taken so far.
fn step_over_groups(groups: &[(usize, usize)], named: usize) -> f64 {
    if named == 0 {
        return f64::NAN;
    }
    let mut area = 0.0;
    let mut recall = 0.0;
    for &(found, taken) in groups {
        let now = found as f64 / named as f64;
        area += (now - recall) * (found as f64 / taken as f64);
        recall = now;
    }
    area
}

/// Interpolated AP: the mean over the recalls v = 0, step, 2·step, ... below 1 of the largest precision at any place
/// with a recall strictly above v. dirtorch's `compute_average_precision_quantized` (its default step is 0.01).
///
/// `relevant`: the answers from best to worst. 0 where nothing is relevant; NaN where `step` is not above 0.
pub fn quantised(relevant: &[bool], step: f64) -> f64 {
    if step.is_nan() || step <= 0.0 {
        return f64::NAN;
    }
    let named = relevant.iter().filter(|r| **r).count();
    if named == 0 {
        return 0.0;
    }
    // Within one recall the first place has the largest precision, so only the places of positives matter.
    let mut best: Vec<(f64, f64)> = relevant
        .iter()
        .enumerate()
        .filter(|(_, relevant)| **relevant)
        .enumerate()
        .map(|(found, (place, _))| {
            let found = (found + 1) as f64;
            (found / named as f64, found / (place + 1) as f64)
        })
        .collect();
    for i in (1..best.len()).rev() {
        best[i - 1].1 = best[i - 1].1.max(best[i].1);
    }
    let (mut sum, mut checkpoints, mut first) = (0.0, 0_u64, 0);
    loop {
        let recall = checkpoints as f64 * step;
        if recall >= 1.0 {
            break;
        }
        while best[first].0 <= recall {
            first += 1;
        }
        sum += best[first].1;
        checkpoints += 1;
    }
    sum / checkpoints as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranking::ranks_from_scores;
    use proptest::prelude::*;

    /// The benchmark's own rule for Oxford5k: walk the whole list with old recall 0 and old precision 1.
    fn walked(relevant: &[bool]) -> f64 {
        let named = relevant.iter().filter(|r| **r).count() as f64;
        let (mut area, mut recall, mut precision, mut found) = (0.0, 0.0, 1.0, 0.0);
        for (place, hit) in relevant.iter().enumerate() {
            found += f64::from(u8::from(*hit));
            let (now_recall, now_precision) = (found / named, found / (place + 1) as f64);
            area += (now_recall - recall) * (precision + now_precision) / 2.0;
            (recall, precision) = (now_recall, now_precision);
        }
        area
    }

    proptest! {
        #[test]
        fn trapezoid_is_the_benchmarks_rule(relevant in prop::collection::vec(any::<bool>(), 1..60)) {
            prop_assume!(relevant.contains(&true));
            let positions: Vec<usize> = (0..relevant.len()).filter(|i| relevant[*i]).collect();
            prop_assert!((trapezoid(&positions, positions.len()) - walked(&relevant)).abs() < 1e-12);
        }

        #[test]
        fn step_from_ranks_is_step_without_the_dropped(
            answers in prop::collection::vec((any::<bool>(), 0..6_u8), 2..50),
            dropped in any::<prop::sample::Index>(),
        ) {
            let dropped = dropped.index(answers.len());
            let scores: Vec<f32> = answers.iter().map(|a| f32::from(a.1)).collect();
            let positives: Vec<u32> =
                (0..answers.len()).filter(|i| answers[*i].0 && *i != dropped).map(|i| i as u32).collect();
            prop_assume!(!positives.is_empty());
            let mut wanted = positives.clone();
            wanted.push(dropped as u32);
            let mut ranks: Vec<Rank> = ranks_from_scores(&scores, &wanted).into_iter().flatten().collect();
            let dropped_rank = ranks.pop().unwrap();
            let kept = |i: &usize| *i != dropped;
            let relevant: Vec<bool> = (0..answers.len()).filter(kept).map(|i| answers[i].0).collect();
            let left: Vec<f32> = (0..answers.len()).filter(kept).map(|i| scores[i]).collect();
            let got = step_from_ranks(&ranks, &[dropped_rank], positives.len());
            prop_assert!((got - step(&relevant, &left)).abs() < 1e-12);
        }

        #[test]
        fn quantised_is_its_definition(relevant in prop::collection::vec(any::<bool>(), 1..40), parts in 1..30_u32) {
            let step = 1.0 / f64::from(parts);
            let named = relevant.iter().filter(|r| **r).count() as f64;
            let curve: Vec<(f64, f64)> = (0..relevant.len())
                .map(|i| {
                    let found = relevant[..=i].iter().filter(|r| **r).count() as f64;
                    (found / named, found / (i + 1) as f64)
                })
                .collect();
            let checkpoints: Vec<f64> = (0..100).map(|i| f64::from(i) * step).filter(|v| *v < 1.0).collect();
            let sum: f64 = checkpoints
                .iter()
                .map(|v| curve.iter().filter(|c| c.0 > *v).map(|c| c.1).fold(0.0, f64::max))
                .sum();
            let want = if named == 0.0 { 0.0 } else { sum / checkpoints.len() as f64 };
            prop_assert!((quantised(&relevant, step) - want).abs() < 1e-12);
        }
    }

    #[test]
    fn edges_are_named() {
        assert_eq!(trapezoid(&[], 0), 0.0);
        assert_eq!(trapezoid(&[], 3), 0.0);
        assert!(step(&[false, false], &[1.0, 2.0]).is_nan());
        assert_eq!(quantised(&[false], 0.1), 0.0);
        assert!(quantised(&[true], 0.0).is_nan());
        assert!(quantised(&[true], f64::NAN).is_nan());
    }
}
