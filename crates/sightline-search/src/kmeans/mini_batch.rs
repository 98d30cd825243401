//! Mini-batch k-means (Sculley 2010): each batch moves the words a little, so that many words are trained on many
//! vectors in about one pass.

use super::lloyd::{for_each_of_word, imbalance, nearest, split_empty};
use super::mersenne::rand_perm;
use super::points::Points;
use super::{CHUNK, Iteration, KMeansState};
use crate::quantiser::Quantiser;
use crate::{RowData, Rows, SearchError};

/// A word that has met no vector is made anew once there have been so many vectors a word.
const SETTLED: usize = 16;

/// The batches: a random order of all vectors, then another one, cut into equal parts.
pub(super) struct Batches {
    size: usize,
    seed: u64,
    /// Which order it is, and the order.
    order: Option<(usize, Vec<u32>)>,
}

impl Batches {
    pub(super) fn new(size: usize, seed: u64) -> Self {
        Self {
            size,
            seed,
            order: None,
        }
    }

    /// The vectors of batch `number`, in the order in which they lie.
    fn vectors(&mut self, number: usize, count: usize) -> Vec<u32> {
        let mut batch = Vec::with_capacity(self.size);
        // Numbers beyond 64 bits would take more batches than can be run.
        let mut at = number as u128 * self.size as u128;
        while batch.len() < self.size {
            let (epoch, first) = ((at / count as u128) as usize, (at % count as u128) as usize);
            if self.order.as_ref().is_none_or(|(of, _)| *of != epoch) {
                // The seeds before are those of the start.
                let seed = self.seed.wrapping_add(3).wrapping_add(epoch as u64);
                self.order = Some((epoch, rand_perm(count, seed)));
            }
            let order = self.order.as_ref().map_or(&[][..], |(_, order)| order);
            let part = &order[first..count.min(first + self.size - batch.len())];
            batch.extend(part);
            at += part.len() as u128;
        }
        // A mapped file is read from front to back.
        batch.sort_unstable();
        batch
    }
}

/// One batch: every vector pulls its word towards itself by 1 / (how many vectors the word has met).
///
/// `watch` is told how many vectors of the batch are assigned; false where it answers no, with the state as it was.
pub(super) fn step(
    points: &Points<'_>,
    batches: &mut Batches,
    state: &mut KMeansState,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<bool, SearchError> {
    let batch = points.choose(batches.vectors(state.iterations.len(), points.count()))?;
    let (count, dim) = (batch.count(), points.dim());
    let quantiser = Quantiser::new(Rows::f32(&state.centroids, dim))?;
    let mut found = Vec::with_capacity(count);
    for first in (0..count).step_by(CHUNK) {
        if !watch(first, count) {
            return Ok(false);
        }
        let range = first..count.min(first + CHUNK);
        found.extend(nearest(&batch, range, &quantiser));
    }
    let mut of_batch = vec![0.0; state.counts.len()];
    found.iter().for_each(|word| of_batch[word.index as usize] += 1.0);
    for_each_of_word(
        &batch,
        0..count,
        &found,
        &mut state.centroids,
        &mut state.counts,
        |word, count, row| {
            *count += 1.0;
            let share = (1.0 / *count) as f32;
            match row {
                RowData::F32(row) => pull(word, row.iter().copied(), share),
                RowData::F16(row) => pull(word, row.iter().map(|value| value.to_f32()), share),
            }
        },
    );
    let (words, met) = (
        state.counts.len(),
        (state.iterations.len() + 1).saturating_mul(count),
    );
    let splits = if met / words >= SETTLED {
        split_empty(dim, &mut state.centroids, &mut state.counts, met)
    } else {
        0
    };
    state.iterations.push(Iteration {
        vectors: count,
        objective: found.iter().map(|word| f64::from(word.distance)).sum(),
        imbalance: imbalance(&of_batch),
        splits,
    });
    Ok(true)
}

fn pull(word: &mut [f32], row: impl Iterator<Item = f32>, share: f32) {
    for (word, value) in word.iter_mut().zip(row) {
        *word += (value - *word) * share;
    }
}
