//! The best images by diffusion.

use sightline_search::Hit;
use std::cmp::Ordering;

/// The best answers of one query, as scores come in.
#[derive(Debug)]
pub(super) struct Answers<'a> {
    length: usize,
    excluded: &'a [u32],
    kept: Vec<Hit>,
}

impl<'a> Answers<'a> {
    /// At most `length`, none of `excluded` (ascending).
    pub(super) fn new(length: usize, excluded: &'a [u32]) -> Self {
        Self {
            length,
            excluded,
            kept: Vec::new(),
        }
    }

    /// Takes the score of an image; 0 means that nothing came to it.
    pub(super) fn offer(&mut self, index: usize, score: f32) {
        if score == 0.0 || self.excluded.binary_search(&(index as u32)).is_ok() {
            return;
        }
        self.kept.push(Hit { index, score });
        if self.kept.len() >= self.length.saturating_mul(2).max(1024) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > self.length {
            self.kept.select_nth_unstable_by(self.length, better);
            self.kept.truncate(self.length);
        }
    }

    /// Best first; equal scores put the lower index first.
    pub(super) fn sorted(mut self) -> Vec<Hit> {
        self.cut();
        self.kept.sort_unstable_by(better);
        self.kept
    }
}

fn better(a: &Hit, b: &Hit) -> Ordering {
    b.score.total_cmp(&a.score).then(a.index.cmp(&b.index))
}

/// Those that are no answers of a query.
pub(super) fn excluded_of(excluded: &[Vec<u32>], query: usize) -> &[u32] {
    excluded.get(query).map_or(&[], Vec::as_slice)
}
