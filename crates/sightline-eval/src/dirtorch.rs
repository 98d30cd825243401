//! dirtorch's measures: ground-truth lists, labelled sets, top-k.
//!
//! Source: naver/deep-image-retrieval, `dirtorch/test_dir.py`, `dirtorch/datasets/generic.py`, `dataset.py` and
//! `dirtorch/utils/evaluation.py`.
//!
//! Differences from cirtorch ([`crate::revisited`]): an image that is both positive and junk is junk; a positive
//! named twice counts once; equal scores put the higher index first; labelled sets use the step rule.

use crate::average_precision::step_from_ranks;
use crate::positions::Positions;
use crate::ranking::{Rank, Ranked, Ties, score_key};

/// The k of top-k; only those below the number of images are reported.
pub const TOPS: [usize; 6] = [1, 5, 10, 20, 50, 100];

/// What dirtorch writes for a query without positives; such an AP is in no mean.
pub const WITHOUT_POSITIVES: f64 = -1.0;

/// Positives without repeats and without what is also removed, ascending; and what is removed, likewise.
pub(crate) fn labelled(positives: &[&[u32]], removed: &[&[u32]]) -> (Vec<u32>, Vec<u32>) {
    let distinct = |lists: &[&[u32]]| {
        let mut all: Vec<u32> = lists.iter().flat_map(|list| list.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let removed = distinct(removed);
    let mut positives = distinct(positives);
    positives.retain(|image| removed.binary_search(image).is_err());
    (positives, removed)
}

/// Positions of one query's positives in a ranked list, in dirtorch's reading of the lists.
///
/// ```
/// use sightline_eval::dirtorch;
/// // 5 is both, so it is junk; 2 is named twice and counts once.
/// let found = dirtorch::positions(&[5, 2, 0], &[2, 2, 5], &[5]);
/// assert_eq!((found.junk_free(), found.named), (vec![0], 1));
/// ```
pub fn positions(list: &[u32], positives: &[u32], removed: &[u32]) -> Positions {
    let (positives, removed) = labelled(&[positives], &[removed]);
    Positions::in_list(list, &positives, &removed)
}

/// [`positions`] from scores (one an image, higher is better; equal scores put the higher index first), by counting.
pub fn positions_from_scores(scores: &[f32], positives: &[u32], removed: &[u32]) -> Positions {
    let mut wanted: Vec<u32> = positives.iter().chain(removed).copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let ranks = crate::ranking::ranks_from_scores(scores, &wanted);
    positions_from_ranks(&Ranked::new(&wanted, &ranks), &[positives], &[removed])
}

pub(crate) fn positions_from_ranks(
    ranked: &Ranked<'_>,
    positives: &[&[u32]],
    removed: &[&[u32]],
) -> Positions {
    let (positives, removed) = labelled(positives, removed);
    Positions::from_ranks(ranked, &[&positives], &[&removed], Ties::HighFirst)
}

/// Mean of every AP that is not negative; NaN where there is none. In the classic evaluation a query without
/// positives has AP 0 and so pulls the mean down; in the others it has [`WITHOUT_POSITIVES`] and is left out.
pub fn mean(aps: &[f64]) -> f64 {
    let counted: Vec<f64> = aps.iter().copied().filter(|ap| *ap >= 0.0).collect();
    counted.iter().sum::<f64>() / counted.len() as f64
}

/// AP of one query of a labelled set by the step rule, from the ranks of the images with its label.
///
/// `own`: the query's own rank where gallery and queries are one set; it is dropped and must not be among
/// `positives`. `named`: how many images share the label, the query itself not counted.
pub fn label_ap(positives: &[Rank], own: Option<Rank>, named: usize) -> f64 {
    if named == 0 {
        return WITHOUT_POSITIVES;
    }
    step_from_ranks(positives, own.as_slice(), named)
}

/// Whether any of the `k` best images shares the query's label, from the ranks of all images with that label. The
/// query itself is **not** dropped: pass its own rank too.
pub fn top(with_label: &[Rank], k: usize) -> bool {
    with_label.iter().any(|rank| rank.position(Ties::LowFirst) < k)
}

/// Share of rows of `logits` ([rows, classes]) whose `target` is among the k largest scores, lower class first among
/// equals; `accuracy_topk` (shares in 0..1). NaN without rows.
///
/// ```
/// let share = sightline_eval::dirtorch::accuracy(&[0.1, 0.9, 0.3, 0.2], 2, &[1, 1], 1);
/// assert_eq!(share, 0.5);
/// ```
pub fn accuracy(logits: &[f32], classes: usize, target: &[usize], k: usize) -> f64 {
    if classes == 0 {
        return f64::NAN;
    }
    let hits = logits.chunks_exact(classes).zip(target).filter(|(row, target)| {
        let Some(own) = row.get(**target).map(|score| score_key(*score)) else {
            return false;
        };
        let ahead = row.iter().enumerate().filter(|(class, score)| {
            let key = score_key(**score);
            key > own || (key == own && class < *target)
        });
        ahead.count() < k
    });
    hits.count() as f64 / target.len() as f64
}
