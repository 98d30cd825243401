//! The measures of Google Landmarks v2: mAP@100 for retrieval, GAP for recognition.
//!
//! Source: Weyand et al., "Google Landmarks Dataset v2", CVPR 2020; the organisers' metrics module in
//! tensorflow/models, research/delf.

use std::cmp::Ordering;

/// Answers that count for mAP.
pub const LIMIT: usize = 100;

/// AP@limit of one query from the ascending 0-based positions of its relevant images (each at its first place; a
/// repeated answer takes a place but is not right again), and how many relevant images there are.
///
/// AP@100 = (1 / min(m, 100)) Σ over k ≤ 100 of P(k) rel(k). NaN where `relevant` is 0: such a query is not in the set.
pub fn ap_at(positions: &[usize], relevant: usize, limit: usize) -> f64 {
    if relevant == 0 || limit == 0 {
        return f64::NAN;
    }
    let sum: f64 = positions
        .iter()
        .take_while(|position| **position < limit)
        .enumerate()
        .map(|(found, position)| (found + 1) as f64 / (position + 1) as f64)
        .sum();
    sum / relevant.min(limit) as f64
}

/// [`ap_at`] from a list of answers, best first, and the relevant images (repeats in either count once).
///
/// ```
/// use sightline_eval::landmarks::ap_at_list;
/// // Right, the same again, right: (1 + 2/3) / 2.
/// assert!((ap_at_list(&[4, 4, 9], &[9, 4], 100) - 5.0 / 6.0).abs() < 1e-15);
/// ```
pub fn ap_at_list(answers: &[u32], relevant: &[u32], limit: usize) -> f64 {
    let mut left = relevant.to_vec();
    left.sort_unstable();
    left.dedup();
    let count = left.len();
    let mut seen = vec![false; count];
    let mut positions = Vec::new();
    for (place, answer) in answers.iter().enumerate().take(limit) {
        if let Ok(at) = left.binary_search(answer)
            && !std::mem::replace(&mut seen[at], true)
        {
            positions.push(place);
        }
    }
    ap_at(&positions, count, limit)
}

/// One recognition answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Number of the query, from 0.
    pub query: usize,
    /// The landmark.
    pub class: i64,
    /// Confidence, higher is surer; NaN counts as least sure.
    pub confidence: f32,
}

/// Which queries without any landmark take part in [`gap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutLandmark {
    /// Answers to them stay in the list and can only hurt: the challenge's measure.
    Kept,
    /// Answers to them are dropped first.
    Dropped,
}

/// Global average precision (microAP): all answers of all queries by descending confidence (ties by ascending query,
/// then class), (1 / M) Σ P(i) rel(i), with M the queries that have at least one landmark, answered or not.
///
/// `truth[q]`: the landmarks of query q. NaN where no query has a landmark.
pub fn gap(answers: &[Answer], truth: &[Vec<i64>], without: WithoutLandmark) -> f64 {
    let with_landmark = truth.iter().filter(|classes| !classes.is_empty()).count();
    let classes = |query: usize| truth.get(query).map_or(&[][..], Vec::as_slice);
    let mut order: Vec<Answer> = answers
        .iter()
        .copied()
        .filter(|answer| without == WithoutLandmark::Kept || !classes(answer.query).is_empty())
        .collect();
    order.sort_by(surer_first);
    let mut right = 0_usize;
    let mut sum = 0.0;
    for (place, answer) in order.iter().enumerate() {
        if classes(answer.query).contains(&answer.class) {
            right += 1;
            sum += right as f64 / (place + 1) as f64;
        }
    }
    sum / with_landmark as f64
}

fn surer_first(a: &Answer, b: &Answer) -> Ordering {
    let key = |answer: &Answer| crate::ranking::score_key(answer.confidence);
    key(b)
        .cmp(&key(a))
        .then(a.query.cmp(&b.query))
        .then(a.class.cmp(&b.class))
}

/// Share of the queries that have a landmark for which one of the answers names it.
pub fn top_1(answers: &[Answer], truth: &[Vec<i64>]) -> f64 {
    let mut right = vec![false; truth.len()];
    for answer in answers {
        if truth
            .get(answer.query)
            .is_some_and(|classes| classes.contains(&answer.class))
        {
            right[answer.query] = true;
        }
    }
    let with_landmark = truth.iter().filter(|classes| !classes.is_empty()).count();
    right.iter().filter(|right| **right).count() as f64 / with_landmark as f64
}
