//! New orders of a ranking's places, by what spatial verification says of them.
//!
//! Every order is a list of places (0 is the first answer of the old ranking): the answer that now comes first stood at
//! the first of them.

/// DELG's rule (`tools/revisitop/example_evaluate_with_local.py`): the first `top` places by falling number of inliers,
/// where junk counts as none; the rest stays. Equal numbers keep their order. A place without an entry has no inliers and is no junk.
#[must_use]
pub fn by_inliers_of_top(places: usize, inliers: &[u32], junk: &[bool], top: usize) -> Vec<usize> {
    let counted = |place: usize| match junk.get(place) {
        Some(true) => 0,
        _ => inliers.get(place).copied().unwrap_or(0),
    };
    let mut order: Vec<usize> = (0..places).collect();
    order[..top.min(places)].sort_by_key(|&place| std::cmp::Reverse(counted(place)));
    order
}

/// DELF's rule (`detect_to_retrieve/image_reranking.py`): the first `top` places that are no junk count their inliers, all
/// others none, and the whole list goes by number of inliers, then score, both falling. Equal ones keep their order. There
/// is a score for every place.
#[must_use]
pub fn by_inliers_then_score(scores: &[f64], inliers: &[u32], junk: &[bool], top: usize) -> Vec<usize> {
    let mut counted = vec![0; scores.len()];
    for place in verified_places(scores.len(), junk, top) {
        counted[place] = inliers.get(place).copied().unwrap_or(0);
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| {
        counted[b]
            .cmp(&counted[a])
            .then_with(|| scores[b].total_cmp(&scores[a]))
    });
    order
}

/// The places that DELF's rule verifies: the first `top` that are no junk.
#[must_use]
pub fn verified_places(places: usize, junk: &[bool], top: usize) -> Vec<usize> {
    (0..places)
        .filter(|&place| !junk.get(place).copied().unwrap_or(false))
        .take(top)
        .collect()
}

/// The first `top` places by another score, such as ASMK's, falling; the rest stays. There is a score for every place.
#[must_use]
pub fn by_score_of_top(scores: &[f64], top: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order[..top.min(scores.len())].sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_rules_on_one_ranking() {
        let inliers = [1, 5, 5, 9, 0, 7];
        let junk = [false, true, false, false, false, false];
        let scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4];
        assert_eq!(by_inliers_of_top(6, &inliers, &junk, 4), [3, 2, 0, 1, 4, 5]);
        assert_eq!(
            by_inliers_then_score(&scores, &inliers, &junk, 4),
            [3, 2, 0, 1, 4, 5]
        );
        assert_eq!(
            by_inliers_then_score(&scores, &inliers, &junk, 2),
            [2, 0, 1, 3, 4, 5]
        );
        assert_eq!(by_score_of_top(&[0.1, 0.3, 0.2, 0.9], 3), [1, 2, 0, 3]);
    }

    #[test]
    fn more_places_than_there_are_and_missing_counts() {
        assert_eq!(by_inliers_of_top(3, &[0, 2], &[], 100), [1, 0, 2]);
        assert_eq!(by_inliers_then_score(&[0.5, 0.7], &[], &[], 100), [1, 0]);
        assert!(by_score_of_top(&[], 3).is_empty());
    }
}
