//! Scoring the images of an inverted file against queries (`IVF.search` of jenicek/asmk).
//!
//! Images are taken in blocks, so that a block's scores stay in the nearest caches and memory does not grow with the
//! collection; within a block the query's words come in ascending order, so every image's sum is made in the order of
//! the original, whatever the blocks and threads.

use super::AsmkError;
use super::aggregate::Aggregated;
use super::hamming::Runnable;
use super::index::Index;
use super::kernel::{MatchKernel, inner_product};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::ops::Range;

/// Images of a block at most: 1 MiB of scores.
const BLOCK: usize = 1 << 17;
/// Images of a block at least, where one query is spread over the threads.
const LEAST_BLOCK: usize = 1 << 12;
/// Distances that are computed before they are summed.
const CHUNK: usize = 1024;

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The image's id in the index.
    pub id: u32,
    /// Similarity of the query and the image, 1 for the query itself; NaN where a negative similarity was raised to a
    /// fractional power.
    pub score: f64,
}

/// The `k` best images for each query, or all; best first, the lower id first among equals, NaN last.
///
/// The score of an image is Σ idf · u^alpha over the words that it shares with the query, divided by the roots of both
/// norms; where a norm is 0 (all words have idf 0, or there is no feature) it is 0. Each product is rounded to 32 bits as
/// the original does; sums and quotients are made in 64 bits, the quotients once an image instead of once a term.
/// Works on rayon's current pool and gives the same bits for any number of threads.
///
/// # Errors
/// When a query's vectors are not of the index's form.
pub fn search(
    index: &Index,
    queries: &[Aggregated],
    kernel: &MatchKernel,
    k: Option<usize>,
) -> Result<Vec<Vec<Hit>>, AsmkError> {
    let card = index.card();
    for query in queries {
        if query.units.len() != query.words.len() * card.units()
            || !query.words.is_sorted_by(|a, b| a < b)
            || query
                .words
                .last()
                .is_some_and(|word| *word as usize >= card.words)
        {
            return Err(AsmkError::Unfit(format!(
                "A query does not fit {}: it has {} numbers of 32 bits for {} words, which should ascend below {}, with {} \
                 numbers each. Aggregate it with the index's codebook and form.",
                index.path().display(),
                query.units.len(),
                query.words.len(),
                card.words,
                card.units()
            )));
        }
    }
    let images = index.images();
    let threads = rayon::current_num_threads();
    // Blocks are as large as they may where there are queries enough for all threads.
    let block = if threads == 1 || queries.len() >= 4 * threads {
        BLOCK
    } else {
        (images * queries.len().max(1))
            .div_ceil(4 * threads)
            .clamp(LEAST_BLOCK, BLOCK)
    };
    let blocks = images.div_ceil(block);
    let k = k.unwrap_or(images);
    let job = Job {
        index,
        kernel,
        table: if card.binary {
            kernel.table(card.units())
        } else {
            Vec::new()
        },
        hamming: Runnable::best(),
    };
    let best: Vec<Vec<Candidate>> = (0..queries.len() * blocks)
        .into_par_iter()
        .map_init(Room::default, |room, task| {
            let first = task % blocks * block;
            let range = first as u32..(first + block).min(images) as u32;
            job.best_of_block(&queries[task / blocks], range, k, room)
        })
        .collect();
    Ok((0..queries.len())
        .into_par_iter()
        .map(|query| {
            let mut found = best[query * blocks..(query + 1) * blocks].concat();
            keep_best(&mut found, k);
            found.sort_unstable_by_key(|candidate| Reverse(*candidate));
            found.into_iter().map(Candidate::hit).collect()
        })
        .collect())
}

/// What all tasks of a search share.
struct Job<'a> {
    index: &'a Index,
    kernel: &'a MatchKernel,
    /// What each number of differing bits counts, before idf.
    table: Vec<f32>,
    hamming: Runnable,
}

/// Memory that a thread uses again and again.
#[derive(Default)]
struct Room {
    scores: Vec<f64>,
    distances: Vec<u16>,
    values: Vec<f64>,
}

impl Job<'_> {
    fn best_of_block(
        &self,
        query: &Aggregated,
        block: Range<u32>,
        k: usize,
        room: &mut Room,
    ) -> Vec<Candidate> {
        self.score(query, &block, room);
        let idf = self.index.idf();
        let query_norm: f64 = query
            .words
            .iter()
            .filter_map(|word| idf.get(*word as usize))
            .map(|idf| f64::from(*idf))
            .sum();
        let norms = self.index.norms();
        let mut found: Vec<Candidate> = Vec::new();
        let mut worst: Option<Candidate> = None;
        for (id, sum) in block.zip(&room.scores) {
            let norm = norms.get(id as usize).copied().unwrap_or(0.0);
            let score = if norm == 0.0 || query_norm == 0.0 {
                0.0
            } else {
                sum / norm.sqrt() / query_norm.sqrt()
            };
            let candidate = Candidate::new(score, id);
            if worst.is_some_and(|worst| candidate < worst) || !self.index.exists(id) {
                continue;
            }
            found.push(candidate);
            if found.len() >= k.saturating_mul(2).max(256) {
                keep_best(&mut found, k);
                worst = found.iter().min().copied();
            }
        }
        keep_best(&mut found, k);
        found
    }

    /// Sums, for each image of the block, what its entries count.
    fn score(&self, query: &Aggregated, block: &Range<u32>, room: &mut Room) {
        let card = self.index.card();
        let (units, lists) = (card.units(), self.index.lists());
        room.scores.clear();
        room.scores.resize(block.len(), 0.0);
        room.distances.resize(CHUNK, 0);
        let whole = block.start == 0 && block.end as usize == self.index.images();
        let mut filled: Option<f32> = None;
        for (word, vector) in query.words.iter().zip(query.units.chunks_exact(units)) {
            let (mut ids, mut vectors) = lists.of(*word as usize);
            if !whole {
                let start = ids.partition_point(|id| *id < block.start);
                let count = ids[start..].partition_point(|id| *id < block.end);
                (ids, vectors) = (
                    &ids[start..start + count],
                    &vectors[start * units..(start + count) * units],
                );
            }
            let idf = self.index.idf().get(*word as usize).copied().unwrap_or(1.0);
            if card.binary {
                if filled != Some(idf) {
                    filled = Some(idf);
                    room.values.clear();
                    let values = self.table.iter().map(|value| f64::from(value * idf));
                    room.values.extend(values);
                }
                self.add_codes(vector, ids, vectors, block.start, room);
            } else {
                let vector: &[f32] = bytemuck::cast_slice(vector);
                let vectors: &[f32] = bytemuck::cast_slice(vectors);
                for (id, entry) in ids.iter().zip(vectors.chunks_exact(units)) {
                    if let Some(value) = self.kernel.value(inner_product(vector, entry))
                        && let Some(score) = room.scores.get_mut(id.wrapping_sub(block.start) as usize)
                    {
                        *score += f64::from(value * idf);
                    }
                }
            }
        }
    }

    fn add_codes(&self, code: &[u32], ids: &[u32], codes: &[u32], first: u32, room: &mut Room) {
        let scores = &mut room.scores[..];
        let values = &room.values[..];
        for (ids, codes) in ids.chunks(CHUNK).zip(codes.chunks(CHUNK * code.len())) {
            let distances = &mut room.distances[..ids.len()];
            self.hamming.distances(code, codes, distances);
            for (id, distance) in ids.iter().zip(distances) {
                // Ids and distances are in bounds in any file that is whole.
                if let (Some(score), Some(value)) = (
                    scores.get_mut(id.wrapping_sub(first) as usize),
                    values.get(usize::from(*distance)),
                ) {
                    *score += value;
                }
            }
        }
    }
}

/// Leaves the `k` best, in any order.
fn keep_best(found: &mut Vec<Candidate>, k: usize) {
    if k == 0 {
        found.clear();
    } else if found.len() > k {
        found.select_nth_unstable_by_key(k - 1, |candidate| Reverse(*candidate));
        found.truncate(k);
    }
}

/// A score and an image that sort as answers do: the greater is the better, and no two images are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// The score as a whole number that sorts alike: NaN lowest, -0 as 0.
    key: u64,
    id: Reverse<u32>,
}

impl Candidate {
    fn new(score: f64, id: u32) -> Self {
        let bits = (score + 0.0).to_bits();
        let key = match bits >> 63 {
            _ if score.is_nan() => 0,
            1 => !bits,
            _ => bits | 1 << 63,
        };
        Self { key, id: Reverse(id) }
    }

    fn hit(self) -> Hit {
        let score = match self.key {
            0 => f64::NAN,
            key if key >> 63 == 1 => f64::from_bits(key & !(1 << 63)),
            key => f64::from_bits(!key),
        };
        Hit { id: self.id.0, score }
    }
}
