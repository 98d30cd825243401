//! The twin of the other kernels in plain code; see the module above for the order of summation.

// Indices name the register that is meant; iterators would hide it.
#![allow(clippy::needless_range_loop)]
use super::{LANES, walk};
use half::f16;

/// A value that a row may hold.
pub(super) trait Value: Copy {
    fn wide(self) -> f32;
}

impl Value for f32 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }
}

impl Value for f16 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self.to_f32()
    }
}

/// As `Runnable::products`.
pub(super) fn products<T: Value>(dim: usize, queries: &[f32], rows: &[T], out: &mut [f32]) {
    let (query_count, row_count) = (queries.len() / dim, rows.len() / dim);
    macro_rules! tile {
        ($q:literal, $r:literal, $query:ident, $row:ident) => {{
            let query_part = &queries[$query * dim..($query + $q) * dim];
            let row_part = &rows[$row * dim..($row + $r) * dim];
            let sums = tile::<T, $q, $r>(dim, query_part, row_part);
            for (q, sums) in sums.iter().enumerate() {
                out[($query + q) * row_count + $row..][..$r].copy_from_slice(sums);
            }
        }};
    }
    walk!(query_count, row_count, [2, 1], [2, 1], tile);
}

fn tile<T: Value, const Q: usize, const R: usize>(dim: usize, queries: &[f32], rows: &[T]) -> [[f32; R]; Q] {
    let mut lanes = [[[0.0_f32; LANES]; R]; Q];
    let mut start = 0;
    while start < dim {
        let length = LANES.min(dim - start);
        for r in 0..R {
            let mut row = [0.0; LANES];
            for (to, from) in row.iter_mut().zip(&rows[r * dim + start..][..length]) {
                *to = from.wide();
            }
            for (q, lanes) in lanes.iter_mut().enumerate() {
                let mut query = [0.0; LANES];
                query[..length].copy_from_slice(&queries[q * dim + start..][..length]);
                for ((lane, a), b) in lanes[r].iter_mut().zip(query).zip(row) {
                    *lane = a.mul_add(b, *lane);
                }
            }
        }
        start += LANES;
    }
    lanes.map(|of_query| of_query.map(sum))
}

fn sum(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}
