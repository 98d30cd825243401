//! AVX2, FMA and F16C: a sum is two registers; tiles of two queries by three rows keep twelve of the sixteen registers
//! as sums.
// Indices name the register that is meant; iterators would hide it.
#![allow(clippy::needless_range_loop)]
#![allow(unsafe_code)]

use super::{Glance, LANES, walk};
use half::f16;
use std::arch::x86_64::*;

/// Lanes of one register.
const HALF: usize = 8;

/// A value that a row may hold.
pub(super) trait Value: Copy + Default {
    /// Eight values.
    ///
    /// # Safety
    /// Eight values lie at `from`, and the processor has AVX2, FMA and F16C.
    unsafe fn load(from: *const Self) -> __m256;
}

impl Value for f32 {
    #[inline(always)]
    unsafe fn load(from: *const Self) -> __m256 {
        // SAFETY: by this function's contract.
        unsafe { _mm256_loadu_ps(from) }
    }
}

impl Value for f16 {
    #[inline(always)]
    unsafe fn load(from: *const Self) -> __m256 {
        // SAFETY: eight values of two bytes are the 16 bytes that are read.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
}

/// As `Runnable::products`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn products<T: Value>(dim: usize, queries: &[f32], rows: &[T], out: &mut [f32]) {
    let (query_count, row_count) = (queries.len() / dim, rows.len() / dim);
    macro_rules! tile {
        ($q:literal, $r:literal, $query:ident, $row:ident) => {{
            let query_part = &queries[$query * dim..($query + $q) * dim];
            let row_part = &rows[$row * dim..($row + $r) * dim];
            // SAFETY: the slices hold exactly $q and $r vectors of `dim` values.
            let sums = unsafe { tile::<T, $q, $r>(dim, query_part.as_ptr(), row_part.as_ptr()) };
            for (q, sums) in sums.iter().enumerate() {
                out[($query + q) * row_count + $row..][..$r].copy_from_slice(sums);
            }
        }};
    }
    walk!(query_count, row_count, [2, 1], [3, 1], tile);
}

/// As `Glance::run`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn glance(glance: Glance<'_>) -> f32 {
    glance.run()
}

/// Inner products of `Q` queries with `R` rows.
///
/// # Safety
/// `Q * dim` values lie at `queries` and `R * dim` at `rows`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tile<T: Value, const Q: usize, const R: usize>(
    dim: usize,
    queries: *const f32,
    rows: *const T,
) -> [[f32; R]; Q] {
    let mut sums = [[[_mm256_setzero_ps(); R]; Q]; 2];
    let mut query = [_mm256_setzero_ps(); Q];
    let mut at = 0;
    while at + LANES <= dim {
        for (half, sums) in sums.iter_mut().enumerate() {
            let at = at + half * HALF;
            for q in 0..Q {
                // SAFETY: q < Q and at + 8 <= dim, so the eight values are within query q.
                query[q] = unsafe { f32::load(queries.add(q * dim + at)) };
            }
            for r in 0..R {
                // SAFETY: likewise within row r.
                let row = unsafe { T::load(rows.add(r * dim + at)) };
                for q in 0..Q {
                    sums[q][r] = _mm256_fmadd_ps(query[q], row, sums[q][r]);
                }
            }
        }
        at += LANES;
    }
    if at < dim {
        let left = dim - at;
        let mut filled = [[0.0_f32; LANES]; Q];
        for (q, filled) in filled.iter_mut().enumerate() {
            // SAFETY: `left` < 16 values are left of query q.
            unsafe { std::ptr::copy_nonoverlapping(queries.add(q * dim + at), filled.as_mut_ptr(), left) };
        }
        for r in 0..R {
            let mut row = [T::default(); LANES];
            // SAFETY: likewise of row r.
            unsafe { std::ptr::copy_nonoverlapping(rows.add(r * dim + at), row.as_mut_ptr(), left) };
            for (half, sums) in sums.iter_mut().enumerate() {
                // SAFETY: both halves of the sixteen values.
                let row = unsafe { T::load(row.as_ptr().add(half * HALF)) };
                for q in 0..Q {
                    // SAFETY: likewise.
                    let query = unsafe { f32::load(filled[q].as_ptr().add(half * HALF)) };
                    sums[q][r] = _mm256_fmadd_ps(query, row, sums[q][r]);
                }
            }
        }
    }
    let mut out = [[0.0; R]; Q];
    for q in 0..Q {
        for r in 0..R {
            out[q][r] = sum(sums[0][q][r], sums[1][q][r]);
        }
    }
    out
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn sum(low: __m256, high: __m256) -> f32 {
    let eight = _mm256_add_ps(low, high);
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}
