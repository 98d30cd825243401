//! Why an answer stands where it does: its place and score after each stage.

use crate::Trace;
use serde::Serialize;

/// What one stage made of one answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Name of the method; `search` for what came in.
    pub method: &'static str,
    /// Its place among the answers, counted from 1; none where the stage's list does not hold it.
    pub rank: Option<usize>,
    /// The score that the stage gave it; none where it did not look as far down, or what came in had no scores.
    pub score: Option<f32>,
}

/// The way of image `index` through the stages as an answer to `query`. Reads through the lists of the query.
///
/// ```
/// use sightline_rerank::{Trace, explain};
/// use sightline_search::Hit;
/// let hits = |pairs: &[(usize, f32)]| vec![pairs.iter().map(|&(index, score)| Hit { index, score }).collect()];
/// let trace = [
///     Trace { method: "search", lists: hits(&[(4, 0.9), (7, 0.8)]), scored: vec![2] },
///     Trace { method: "csa", lists: hits(&[(7, 0.6), (4, 0.9)]), scored: vec![1] },
/// ];
/// let steps = explain(&trace, 0, 7);
/// assert_eq!((steps[0].rank, steps[0].score), (Some(2), Some(0.8)));
/// assert_eq!((steps[1].rank, steps[1].score), (Some(1), Some(0.6)));
/// // The second stage has scored one answer only.
/// assert_eq!(explain(&trace, 0, 4)[1].score, None);
/// ```
#[must_use]
pub fn explain(trace: &[Trace], query: usize, index: usize) -> Vec<Step> {
    let step = |stage: &Trace| {
        let list = stage.lists.get(query).map_or(&[][..], Vec::as_slice);
        let scored = stage.scored.get(query).copied().unwrap_or(0);
        let place = list.iter().position(|hit| hit.index == index);
        Step {
            method: stage.method,
            rank: place.map(|place| place + 1),
            score: place
                .filter(|place| *place < scored)
                .map(|place| list[place].score),
        }
    };
    trace.iter().map(step).collect()
}
