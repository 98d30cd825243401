//! Sums over many rows: their mean, and their scatter matrix.
//!
//! Rows are visited in blocks, so a mapped set of any length streams; the sums are taken in one fixed order, so the result
//! has the same bits for any number of threads.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows whose sums are taken by one thread, one after the other.
const ROWS_OF_A_SUM: usize = 2048;
/// Rows that are widened to 64 bits at a time.
const ROWS_OF_A_BLOCK: usize = 1024;
/// Side of the tiles of the matrix that threads share out.
const TILE: usize = 128;

/// The mean of `count` rows of `dim` values; `read` writes one of them. No rows give NaN.
pub(super) fn mean(count: usize, dim: usize, read: impl Fn(usize, &mut [f64]) + Sync) -> Vec<f64> {
    let sums: Vec<Vec<f64>> = (0..count.div_ceil(ROWS_OF_A_SUM))
        .into_par_iter()
        .map(|part| {
            let (mut sum, mut row) = (vec![0.0; dim], vec![0.0; dim]);
            for index in part * ROWS_OF_A_SUM..count.min((part + 1) * ROWS_OF_A_SUM) {
                read(index, &mut row);
                sum.iter_mut().zip(&row).for_each(|(sum, x)| *sum += x);
            }
            sum
        })
        .collect();
    let mut total = vec![0.0; dim];
    for sum in &sums {
        total.iter_mut().zip(sum).for_each(|(total, x)| *total += x);
    }
    total.iter_mut().for_each(|x| *x /= count as f64);
    total
}

/// The sum of x x^T over `count` rows x of `dim` values, `[dim, dim]` and exactly symmetric; `read` writes one of them.
pub(super) fn scatter(count: usize, dim: usize, read: impl Fn(usize, &mut [f64]) + Sync) -> Vec<f64> {
    let starts = || (0..dim).step_by(TILE);
    let side = |start: usize| TILE.min(dim - start);
    let mut tiles: Vec<(usize, usize, Vec<f64>)> = starts()
        .flat_map(|i| starts().filter(move |j| *j <= i).map(move |j| (i, j)))
        .map(|(i, j)| (i, j, vec![0.0; side(i) * side(j)]))
        .collect();
    let mut block = vec![0.0; ROWS_OF_A_BLOCK.min(count) * dim];
    for first in (0..count).step_by(ROWS_OF_A_BLOCK) {
        let rows = ROWS_OF_A_BLOCK.min(count - first);
        let block = &mut block[..rows * dim];
        block
            .par_chunks_mut(dim)
            .enumerate()
            .for_each(|(index, row)| read(first + index, row));
        let block = MatRef::from_row_major_slice(block, rows, dim);
        tiles.par_iter_mut().for_each(|(i, j, sums)| {
            // One thread a tile, whatever the pool: the order of additions within a tile never changes.
            matmul(
                MatMut::from_row_major_slice_mut(sums, side(*i), side(*j)),
                Accum::Add,
                block.subcols(*i, side(*i)).transpose(),
                block.subcols(*j, side(*j)),
                1.0,
                Par::Seq,
            );
        });
    }
    let mut whole = vec![0.0; dim * dim];
    for (i, j, sums) in &tiles {
        for (r, row) in sums.chunks_exact(side(*j)).enumerate() {
            for (c, value) in row.iter().enumerate().filter(|(c, _)| j + c <= i + r) {
                whole[(i + r) * dim + j + c] = *value;
                whole[(j + c) * dim + i + r] = *value;
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(row: usize, column: usize) -> f64 {
        ((row * 7919 + column * 104_729) % 1009) as f64 / 500.0 - 1.0
    }

    #[test]
    fn the_sums_are_those_of_the_definition_for_any_number_of_threads() {
        for (count, dim) in [(1, 1), (5, 3), (2500, 150)] {
            let read = |index: usize, row: &mut [f64]| {
                row.iter_mut().enumerate().for_each(|(i, x)| *x = value(index, i));
            };
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .unwrap();
                pool.install(|| (mean(count, dim, read), scatter(count, dim, read)))
            };
            let (mean, matrix) = run(1);
            assert_eq!((mean.clone(), matrix.clone()), run(3));
            for i in 0..dim {
                let want = (0..count).map(|row| value(row, i)).sum::<f64>() / count as f64;
                assert!((mean[i] - want).abs() < 1e-12);
                for j in 0..dim {
                    let want: f64 = (0..count).map(|row| value(row, i) * value(row, j)).sum();
                    assert!((matrix[i * dim + j] - want).abs() < 1e-9);
                }
            }
        }
    }
}
