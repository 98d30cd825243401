//! The nearest rows of every row by Euclidean distance, and how far away the furthest is.

use crate::Gallery;
use rayon::prelude::*;
use sightline_search::{KnnGraph, Rows, SearchError, top_k_among};

/// Descriptors whose squared lengths are this near to 1 are ordered by their inner products.
const UNIT: f64 = 1e-5;
/// Candidates beyond those wanted: inner products in 32 bits are off by more than the gaps between near duplicates.
const MORE: usize = 8;
/// Rows that are searched at once.
const ROWS_AT_ONCE: usize = 4096;

/// Neighbours of all rows of a set.
pub(super) struct Lists {
    /// Entries of a list, the row itself among them.
    k: usize,
    /// `[n, k]`, nearest first, the lower row first among equals.
    indices: Vec<u32>,
    /// The largest squared distance of each row to any `[n]`.
    pub(super) furthest: Vec<f64>,
    /// The squared length of each row `[n]`.
    pub(super) squares: Vec<f64>,
}

impl Lists {
    /// The `k` nearest rows of each of `queries` and, behind them, `images`, both of which are `rows`. `stored`: the neighbours of the images
    /// alone, used where there are enough of them and rows are of unit length.
    pub(super) fn new(
        rows: &Gallery<'_>,
        queries: Rows<'_>,
        images: &Gallery<'_>,
        k: usize,
        stored: Option<&KnnGraph>,
    ) -> Result<Self, SearchError> {
        let (count, dim) = (rows.count(), rows.dim());
        let squares: Vec<f64> = (0..count)
            .into_par_iter()
            .map_init(
                || vec![0.0; dim],
                |row, index| {
                    rows.read(index, row);
                    squared_distance(row, &vec![0.0; dim])
                },
            )
            .collect();
        let unit = squares.iter().all(|square| (square - 1.0).abs() <= UNIT);
        let wanted = k.saturating_add(MORE).min(count);
        let (each, candidates, furthest) = if unit {
            let graph = images.graph_behind(queries, wanted, stored)?;
            let lowest = graph.lowest.iter().zip(&squares);
            // The furthest row is of unit length too.
            let furthest = lowest.map(|(lowest, square)| square + 1.0 - 2.0 * f64::from(*lowest));
            (graph.k, graph.indices, furthest.collect())
        } else {
            let (candidates, furthest) = of_any_length(rows, &squares, wanted)?;
            (wanted, candidates, furthest)
        };
        let k = k.min(count);
        let of_row = |(row, other): &mut (Vec<f32>, Vec<f32>), index: usize| {
            rows.read(index, row);
            let candidates = &candidates[index * each..(index + 1) * each];
            let distance = |candidate: &u32| {
                rows.read(*candidate as usize, other);
                (squared_distance(row, other), *candidate)
            };
            let mut list: Vec<(f64, u32)> = candidates.iter().take(wanted).map(distance).collect();
            list.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            list.truncate(k);
            list.into_iter().map(|(_, index)| index).collect::<Vec<u32>>()
        };
        let buffers = || (vec![0.0; dim], vec![0.0; dim]);
        let lists: Vec<Vec<u32>> = (0..count).into_par_iter().map_init(buffers, of_row).collect();
        Ok(Self {
            k,
            indices: lists.concat(),
            furthest,
            squares,
        })
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.squares.len()
    }

    /// The first `length` rows of a list, the row itself among them; fewer where there are fewer.
    pub(super) fn first(&self, row: usize, length: usize) -> &[u32] {
        let start = row * self.k;
        &self.indices[start..start + self.k.min(length)]
    }

    /// A squared distance as a share of the row's largest; 0 where all rows are the same.
    pub(super) fn share(&self, row: usize, squared: f64) -> f64 {
        match self.furthest[row] > 0.0 {
            true => squared / self.furthest[row],
            false => 0.0,
        }
    }
}

/// The nearest `wanted` rows of each and the largest squared distance, for rows of any length: the nearest to a has the largest a * b - b * b / 2,
/// the inner product of (a, 1) and (b, -b * b / 2). Memory for a copy of the rows.
fn of_any_length(
    rows: &Gallery<'_>,
    squares: &[f64],
    wanted: usize,
) -> Result<(Vec<u32>, Vec<f64>), SearchError> {
    let (count, dim) = (rows.count(), rows.dim());
    let mut longer = vec![0.0; count * (dim + 1)];
    let filled = longer.par_chunks_mut(dim + 1).zip(squares).enumerate();
    filled.for_each(|(index, (row, square))| {
        rows.read(index, &mut row[..dim]);
        row[dim] = (-square / 2.0) as f32;
    });
    let longer = Rows::f32(&longer, dim + 1);
    let mut candidates = Vec::with_capacity(count * wanted);
    let mut furthest = Vec::with_capacity(count);
    for first in (0..count).step_by(ROWS_AT_ONCE) {
        let some = first..count.min(first + ROWS_AT_ONCE);
        let with_last = |sign: f32| -> Vec<f32> {
            let own = rows.gather(some.clone());
            let rows = own.chunks_exact(dim);
            rows.flat_map(|row| row.iter().map(move |x| sign * x).chain([sign]))
                .collect()
        };
        for list in top_k_among(Rows::f32(&with_last(1.0), dim + 1), longer, &[], wanted, None)? {
            candidates.extend(list.iter().map(|hit| hit.index as u32));
        }
        let last = top_k_among(Rows::f32(&with_last(-1.0), dim + 1), longer, &[], 1, None)?;
        let (mut row, mut other) = (vec![0.0; dim], vec![0.0; dim]);
        for (index, list) in some.zip(last) {
            rows.read(index, &mut row);
            let far = list.first().map_or(index, |hit| hit.index);
            rows.read(far, &mut other);
            furthest.push(squared_distance(&row, &other));
        }
    }
    Ok((candidates, furthest))
}

/// In 64 bits, in eight sums, so that the compiler may take several values at a time.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let add = |sums: &mut [f64; LANES], a: &[f32], b: &[f32]| {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            let difference = f64::from(*a) - f64::from(*b);
            *sum += difference * difference;
        }
    };
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (last_a, last_b) = (a.remainder(), b.remainder());
    for (a, b) in a.zip(b) {
        add(&mut sums, a, b);
    }
    add(&mut sums, last_a, last_b);
    sums.iter().sum()
}
