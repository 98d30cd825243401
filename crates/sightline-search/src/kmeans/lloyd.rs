//! Assigning vectors to their nearest words, moving words to the mean of their vectors, and making empty words anew.

use super::mersenne::Mersenne;
use super::points::Points;
use crate::RowData;
use crate::quantiser::{Neighbour, Quantiser};
use rayon::prelude::*;
use std::ops::Range;

/// Seed of the draws for empty words; faiss's, whatever seed the clustering has.
const SPLIT_SEED: u32 = 1234;
/// How far the two halves of a split word are moved apart, relative to their values.
const SPLIT: f32 = 1.0 / 1024.0;

/// What is gathered while all vectors pass.
pub(super) struct Sums {
    /// Sum of each word's vectors, `[words, dim]`.
    pub(super) sums: Vec<f32>,
    /// How many vectors each word has.
    pub(super) counts: Vec<f64>,
    /// Sum of the squared distances of the vectors to their words.
    pub(super) objective: f64,
}

impl Sums {
    pub(super) fn new(words: usize, dim: usize) -> Self {
        Self {
            sums: vec![0.0; words * dim],
            counts: vec![0.0; words],
            objective: 0.0,
        }
    }

    /// Assigns the vectors `range` and adds them, each word's in their order.
    pub(super) fn add(&mut self, points: &Points<'_>, range: Range<usize>, words: &Quantiser) {
        let found = nearest(points, range.clone(), words);
        self.objective += found.iter().map(|word| f64::from(word.distance)).sum::<f64>();
        for_each_of_word(
            points,
            range,
            &found,
            &mut self.sums,
            &mut self.counts,
            |sum, count, row| {
                *count += 1.0;
                match row {
                    RowData::F32(row) => sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value),
                    RowData::F16(row) => sum
                        .iter_mut()
                        .zip(row)
                        .for_each(|(sum, value)| *sum += value.to_f32()),
                }
            },
        );
    }

    /// The mean of each word's vectors, as faiss rounds it: the sum times the reciprocal. Zero where there are none.
    pub(super) fn means(&mut self, dim: usize) -> Vec<f32> {
        for (sum, count) in self.sums.chunks_exact_mut(dim).zip(&self.counts) {
            if *count > 0.0 {
                let share = 1.0 / *count as f32;
                sum.iter_mut().for_each(|value| *value *= share);
            }
        }
        std::mem::take(&mut self.sums)
    }
}

/// The nearest word of each vector of `range`.
pub(super) fn nearest(points: &Points<'_>, range: Range<usize>, words: &Quantiser) -> Vec<Neighbour> {
    let first = range.start;
    words.nearest_of(range.len(), 1, |part| {
        points.rows(first + part.start..first + part.end)
    })
}

/// Calls `add` with a word's values, its count and a vector for each vector of `range` in order, the words spread over
/// the cores: a word's vectors always come in the same order.
pub(super) fn for_each_of_word(
    points: &Points<'_>,
    range: Range<usize>,
    found: &[Neighbour],
    values: &mut [f32],
    counts: &mut [f64],
    add: impl Fn(&mut [f32], &mut f64, RowData<'_>) + Sync,
) {
    let dim = points.dim();
    let part = counts.len().div_ceil(rayon::current_num_threads()).max(1);
    values
        .par_chunks_mut(part * dim)
        .zip(counts.par_chunks_mut(part))
        .enumerate()
        .for_each(|(number, (values, counts))| {
            let first = number * part;
            for (place, word) in range.clone().zip(found) {
                let Some(word) = (word.index as usize).checked_sub(first) else {
                    continue;
                };
                if let Some(count) = counts.get_mut(word) {
                    add(
                        &mut values[word * dim..(word + 1) * dim],
                        count,
                        points.row(place),
                    );
                }
            }
        });
}

/// Words x the sum of squared counts / the square of their sum: 1 where all words have equally many vectors.
pub(super) fn imbalance(counts: &[f64]) -> f64 {
    let (sum, squares) = counts.iter().fold((0.0, 0.0), |(sum, squares), count| {
        (sum + count, squares + count * count)
    });
    counts.len() as f64 * squares / (sum * sum)
}

/// Makes each word without vectors out of half of another one, drawn by size (faiss's `split_clusters`); the number of
/// words made. There are more vectors, `points`, than words.
pub(super) fn split_empty(dim: usize, centroids: &mut [f32], counts: &mut [f64], points: usize) -> usize {
    let words = counts.len();
    let rest = (points - words) as f32;
    // With no word of two vectors nothing can be halved.
    if !counts.iter().any(|count| *count > 1.0) {
        return 0;
    }
    let mut random = Mersenne::new(SPLIT_SEED);
    let mut made = 0;
    for empty in 0..words {
        if counts[empty] != 0.0 {
            continue;
        }
        let mut other = 0;
        loop {
            let share = ((counts[other] - 1.0) / f64::from(rest)) as f32;
            if random.float() < share {
                break;
            }
            other = (other + 1) % words;
        }
        centroids.copy_within(other * dim..(other + 1) * dim, empty * dim);
        for d in 0..dim {
            let (up, down) = if d % 2 == 0 {
                (empty, other)
            } else {
                (other, empty)
            };
            centroids[up * dim + d] *= 1.0 + SPLIT;
            centroids[down * dim + d] *= 1.0 - SPLIT;
        }
        counts[empty] = counts[other] / 2.0;
        counts[other] -= counts[empty];
        made += 1;
    }
    made
}
