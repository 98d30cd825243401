//! First answers with new scores.

use sightline_search::Hit;

/// Gives the first answers of a list new scores and puts them in their order: higher first, the lower index first among equals, NaN last. The
/// rest of the list stays as it is.
pub(crate) fn rescore(list: &mut [Hit], scores: &[f32]) {
    let scored = list.len().min(scores.len());
    let first = &mut list[..scored];
    for (hit, score) in first.iter_mut().zip(scores) {
        hit.score = *score;
    }
    first.sort_by(by_score);
}

/// The order of answers.
pub(crate) fn by_score(a: &Hit, b: &Hit) -> std::cmp::Ordering {
    let key = |hit: &Hit| {
        if hit.score.is_nan() {
            f32::NEG_INFINITY
        } else {
            hit.score + 0.0
        }
    };
    let nan_last = a.score.is_nan().cmp(&b.score.is_nan());
    key(b)
        .total_cmp(&key(a))
        .then(nan_last)
        .then(a.index.cmp(&b.index))
}

/// Places by falling score, NaN last; equal ones keep their order.
pub(crate) fn falling(scores: &[f64], mut places: Vec<usize>) -> Vec<usize> {
    places.sort_by(|a, b| {
        let (a, b) = (scores[*a], scores[*b]);
        b.partial_cmp(&a).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
    });
    places
}

/// The inner product of two descriptors, summed in 64 bits.
pub(crate) fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_new_score_moves() {
        let mut list: Vec<Hit> = [4, 2, 9, 7, 1].map(|index| Hit { index, score: 0.5 }).to_vec();
        rescore(&mut list, &[f32::NAN, 0.0, -0.0, 3.0]);
        let order: Vec<usize> = list.iter().map(|hit| hit.index).collect();
        assert_eq!(order, [7, 2, 9, 4, 1]);
        assert_eq!((list[0].score, list[4].score), (3.0, 0.5));
    }
}
