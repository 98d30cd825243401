//! The lists of some rows while they are being filled.

use super::KnnGraph;
use crate::kernels::{Glance, Runnable};
use crate::order::Candidate;
use crate::selection::Selection;
use rayon::prelude::*;
use std::ops::Range;

/// The best rows so far of each of some rows, and the least score of each.
pub(super) struct Lists {
    selections: Vec<Selection>,
    /// Each selection's threshold.
    thresholds: Vec<f32>,
    /// Infinity where there was none but NaN.
    lowest: Vec<f32>,
}

/// A list, best first.
pub(super) struct Finished {
    pub(super) best: Vec<Candidate>,
    /// NaN where there was nothing else.
    pub(super) lowest: f32,
}

impl Lists {
    /// Lists that begin with candidates and a least score each.
    pub(super) fn new(k: usize, begun: impl Iterator<Item = (Vec<Candidate>, f32)>) -> Self {
        let (selections, lowest): (Vec<_>, Vec<_>) = begun
            .map(|(kept, lowest)| (Selection::going_on(k, kept), lowest))
            .unzip();
        Self {
            thresholds: selections.iter().map(Selection::threshold).collect(),
            selections,
            lowest,
        }
    }

    /// Empty lists that take only what those of `all`, one behind the other, would still take.
    pub(super) fn beside<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let selections: Vec<_> = all
            .flat_map(|lists| &lists.selections)
            .map(Selection::beside)
            .collect();
        Self {
            thresholds: selections.iter().map(Selection::threshold).collect(),
            lowest: vec![f32::INFINITY; selections.len()],
            selections,
        }
    }

    /// Offers to list `place` the scores of the rows from `first` on.
    pub(super) fn offer(&mut self, place: usize, first: usize, scores: &[f32]) {
        self.selections[place].offer(first, scores);
        self.thresholds[place] = self.selections[place].threshold();
        let least = scores.iter().copied().fold(f32::INFINITY, f32::min);
        self.lowest[place] = self.lowest[place].min(least);
    }

    /// Offers to list `place`, of row `row`, the scores of the rows from `first` on, and to those rows, whose lists are `others` from
    /// `at` on, the row. Every list is offered its rows in ascending order.
    pub(super) fn offer_both(
        &mut self,
        kernel: Runnable,
        (place, row): (usize, usize),
        others: &mut Self,
        (at, first): (usize, usize),
        scores: &[f32],
        hits: &mut Vec<u32>,
    ) {
        let end = at + scores.len();
        hits.clear();
        let least = kernel.glance(Glance {
            scores,
            threshold: self.thresholds[place],
            thresholds: &others.thresholds[at..end],
            lowest: &mut others.lowest[at..end],
            hits,
        });
        self.lowest[place] = self.lowest[place].min(least);
        for hit in hits.iter().map(|hit| *hit as usize) {
            self.take(place, first + hit, scores[hit]);
            others.take(at + hit, row, scores[hit]);
        }
    }

    fn take(&mut self, place: usize, row: usize, score: f32) {
        let threshold = self.thresholds[place];
        if score > threshold || threshold.is_nan() {
            self.selections[place].take(row, score);
            self.thresholds[place] = self.selections[place].threshold();
        }
    }

    /// Takes in what `parts`, whose lists from `from` on are those of the same rows, were offered.
    pub(super) fn join(&mut self, parts: &[Self], from: usize) {
        let lists = self
            .selections
            .par_iter_mut()
            .zip(&mut self.thresholds)
            .zip(&mut self.lowest);
        lists
            .enumerate()
            .for_each(|(place, ((selection, threshold), lowest))| {
                for part in parts {
                    selection.join(part.selections[from + place].kept());
                    *lowest = lowest.min(part.lowest[from + place]);
                }
                *threshold = selection.threshold();
            });
    }

    /// Takes in the lists `rows` of a graph of rows that are counted from `from` on.
    pub(super) fn join_graph(&mut self, graph: &KnnGraph, rows: Range<usize>, from: usize) {
        for (place, row) in rows.enumerate() {
            for hit in graph.list(row) {
                self.selections[place].take(from + hit.index, hit.score);
            }
            self.thresholds[place] = self.selections[place].threshold();
            self.lowest[place] = self.lowest[place].min(graph.lowest[row]);
        }
    }

    /// The lists as they are.
    pub(super) fn finished(&self) -> Vec<Finished> {
        let lists = self.selections.par_iter().zip(&self.lowest);
        lists
            .map(|(selection, lowest)| {
                let best = selection.clone().into_best();
                let nothing_else = best.first().is_some_and(|best| best.score().is_nan());
                Finished {
                    best,
                    // One zero for both of them.
                    lowest: if nothing_else { f32::NAN } else { lowest + 0.0 },
                }
            })
            .collect()
    }
}
