//! The words that may be among the k nearest of a query, by scores that are off by a known amount at most.

use crate::order::{key_score, score_key};
use std::collections::BinaryHeap;

/// The words that may be among the k nearest of a query.
pub(crate) struct Shortlist {
    k: usize,
    slack: f64,
    /// No word with a higher score can be among them.
    limit: f32,
    /// The k smallest scores, the largest on top.
    smallest: BinaryHeap<u32>,
    kept: Vec<(f32, u32)>,
    /// Length at which those that have fallen behind are dropped.
    room: usize,
}

impl Shortlist {
    pub(crate) fn new(k: usize, slack: f64) -> Self {
        Self {
            k,
            slack,
            limit: f32::INFINITY,
            smallest: BinaryHeap::new(),
            kept: Vec::new(),
            room: k.saturating_mul(2).max(64),
        }
    }

    /// Takes the scores of the words from `first` on.
    pub(crate) fn offer(&mut self, first: u32, scores: &[f32]) {
        let limit = self.limit;
        if scores.iter().fold(true, |all, score| all & (*score > limit)) {
            return;
        }
        for (score, word) in scores.iter().zip(first..) {
            // NaN is kept: nothing is known of it.
            if *score > self.limit {
                continue;
            }
            self.kept.push((*score, word));
            let key = score_key(*score);
            if self.smallest.len() < self.k {
                self.smallest.push(key);
            } else if self.smallest.peek().is_some_and(|top| key < *top) {
                self.smallest.pop();
                self.smallest.push(key);
            } else {
                continue;
            }
            if self.smallest.len() == self.k
                && let Some(top) = self.smallest.peek()
            {
                let limit = f64::from(key_score(*top)) + self.slack;
                self.limit = if limit.is_nan() {
                    f32::INFINITY
                } else {
                    (limit as f32).next_up()
                };
            }
            if self.kept.len() >= self.room {
                self.cut();
                self.room = self.room.max(2 * self.kept.len());
            }
        }
    }

    fn cut(&mut self) {
        let limit = self.limit;
        self.kept.retain(|(score, _)| *score <= limit || score.is_nan());
    }

    pub(crate) fn finish(mut self) -> impl Iterator<Item = u32> {
        self.cut();
        self.kept.into_iter().map(|(_, word)| word)
    }
}
