//! The best rows of one query so far.

use crate::order::Candidate;
use std::cmp::Reverse;

/// Leaves the `k` best, in any order.
pub(crate) fn keep_best(kept: &mut Vec<Candidate>, k: usize) {
    if kept.len() > k {
        kept.select_nth_unstable_by_key(k - 1, |candidate| Reverse(*candidate));
        kept.truncate(k);
    }
}

/// The best rows of one query so far. Candidates gather in a buffer that is cut back to the k best when it is full:
/// constant work a candidate, whatever k is.
#[derive(Clone)]
pub(crate) struct Selection {
    k: usize,
    /// Cut back at this length.
    room: usize,
    excluded: Option<usize>,
    /// A candidate must be better than this once there were k.
    worst: Option<Candidate>,
    kept: Vec<Candidate>,
}

impl Selection {
    pub(crate) fn new(k: usize, excluded: Option<usize>) -> Self {
        Self {
            k,
            room: k.saturating_add(k.max(64)),
            excluded,
            worst: None,
            kept: Vec::new(),
        }
    }

    /// As [`Selection::new`], going on from candidates that were kept before, with less memory: half of `k` more at most.
    pub(crate) fn going_on(k: usize, kept: Vec<Candidate>) -> Self {
        let mut selection = Self {
            room: k.saturating_add((k / 2).max(32)),
            kept,
            ..Self::new(k, None)
        };
        selection.cut();
        selection
    }

    /// One without candidates that keeps only such as this one would keep too.
    pub(crate) fn beside(&self) -> Self {
        Self {
            kept: Vec::new(),
            ..*self
        }
    }

    /// A row with this score is no better if it comes behind all that were kept; NaN where nothing can be said.
    pub(crate) fn threshold(&self) -> f32 {
        self.worst.map_or(f32::NAN, Candidate::score)
    }

    /// Takes the scores of the rows from `first` on; rows only ever come in ascending order.
    pub(crate) fn offer(&mut self, first: usize, scores: &[f32]) {
        const CHUNK: usize = 16;
        for (chunk, scores) in scores.chunks(CHUNK).enumerate() {
            // A later row with a score equal to the worst kept is no better, so most chunks are passed by at a glance.
            // NaN as the worst lets every chunk through.
            let worst = self.threshold();
            if scores.iter().map(|score| u32::from(*score <= worst)).sum::<u32>() as usize == scores.len() {
                continue;
            }
            for (i, score) in scores.iter().enumerate() {
                if *score > worst || worst.is_nan() {
                    self.take(first + chunk * CHUNK + i, *score);
                }
            }
        }
    }

    /// Takes one row, in any order.
    pub(crate) fn take(&mut self, row: usize, score: f32) {
        if self.excluded != Some(row) {
            self.keep(Candidate::new(score, row as u32));
        }
    }

    /// Takes what another kept, in any order.
    pub(crate) fn join(&mut self, kept: &[Candidate]) {
        kept.iter().for_each(|candidate| self.keep(*candidate));
    }

    fn keep(&mut self, candidate: Candidate) {
        if self.worst.is_some_and(|worst| candidate < worst) {
            return;
        }
        if self.kept.len() == self.kept.capacity() {
            // As a vector grows by itself, but never beyond what is ever filled.
            let length = (2 * self.kept.len()).clamp(64.min(self.room), self.room);
            self.kept
                .reserve_exact(length.saturating_sub(self.kept.len()).max(1));
        }
        self.kept.push(candidate);
        if self.kept.len() >= self.room {
            self.cut();
        }
    }

    fn cut(&mut self) {
        keep_best(&mut self.kept, self.k);
        if self.kept.len() >= self.k {
            self.worst = self.kept.get(self.k - 1).copied();
        }
    }

    /// What was kept so far, in any order; the k best are among them.
    pub(crate) fn kept(&self) -> &[Candidate] {
        &self.kept
    }

    /// As [`Selection::kept`].
    pub(crate) fn into_kept(self) -> Vec<Candidate> {
        self.kept
    }

    /// The k best, best first.
    pub(crate) fn into_best(self) -> Vec<Candidate> {
        let mut kept = self.kept;
        keep_best(&mut kept, self.k);
        kept.sort_unstable_by_key(|candidate| Reverse(*candidate));
        kept
    }
}
