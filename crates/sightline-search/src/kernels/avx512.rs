//! AVX-512F: a sum is one register; tiles of four queries by six rows keep 24 sums in registers, so that ten loads
//! feed 24 multiply-adds.
// Indices name the register that is meant; iterators would hide it.
#![allow(clippy::needless_range_loop)]
#![allow(unsafe_code)]

use super::{Glance, LANES, walk};
use half::f16;
use std::arch::x86_64::*;

/// A value that a row may hold.
pub(super) trait Value: Copy {
    /// Sixteen values.
    ///
    /// # Safety
    /// Sixteen values lie at `from`, and the processor has AVX-512F.
    unsafe fn load(from: *const Self) -> __m512;
    /// `count` < 16 values, zeros behind them.
    ///
    /// # Safety
    /// `count` values lie at `from`, and the processor has AVX-512F.
    unsafe fn load_part(from: *const Self, count: usize) -> __m512;
}

impl Value for f32 {
    #[inline(always)]
    unsafe fn load(from: *const Self) -> __m512 {
        // SAFETY: by this function's contract.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_part(from: *const Self, count: usize) -> __m512 {
        // SAFETY: the mask admits `count` values, which lie there; others are not touched.
        unsafe { _mm512_maskz_loadu_ps(((1_u32 << count) - 1) as __mmask16, from) }
    }
}

impl Value for f16 {
    #[inline(always)]
    unsafe fn load(from: *const Self) -> __m512 {
        // SAFETY: sixteen values of two bytes are the 32 bytes that are read.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn load_part(from: *const Self, count: usize) -> __m512 {
        let mut filled = [f16::ZERO; LANES];
        // SAFETY: `count` values lie at `from` and `count` is below 16.
        unsafe {
            std::ptr::copy_nonoverlapping(from, filled.as_mut_ptr(), count);
            Self::load(filled.as_ptr())
        }
    }
}

/// As `Runnable::products`.
#[target_feature(enable = "avx512f,avx512vl")]
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
    walk!(query_count, row_count, [4, 2, 1], [6, 1], tile);
}

/// As `Glance::run`, sixteen scores at a time.
#[target_feature(enable = "avx512f,avx512vl")]
pub(super) fn glance(glance: Glance<'_>) -> f32 {
    glance.check();
    let Glance {
        scores,
        threshold,
        thresholds,
        lowest,
        hits,
    } = glance;
    let one = _mm512_set1_ps(threshold);
    let mut least = _mm512_set1_ps(f32::INFINITY);
    let whole = scores.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: at + 16 <= whole, and `check` has seen that all three slices are as long as the scores.
        let mut mask = unsafe {
            let score = _mm512_loadu_ps(scores.as_ptr().add(at));
            let others = _mm512_loadu_ps(thresholds.as_ptr().add(at));
            // Where one side is NaN the second is taken, and no comparison holds.
            let low = lowest.as_mut_ptr().add(at);
            _mm512_storeu_ps(low, _mm512_min_ps(score, _mm512_loadu_ps(low)));
            least = _mm512_min_ps(score, least);
            _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(score, one) | _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(score, others)
        };
        while mask != 0 {
            hits.push(at as u32 + mask.trailing_zeros());
            mask &= mask - 1;
        }
    }
    let first = hits.len();
    let rest = Glance {
        scores: &scores[whole..],
        threshold,
        thresholds: &thresholds[whole..],
        lowest: &mut lowest[whole..],
        hits,
    }
    .run();
    hits[first..].iter_mut().for_each(|hit| *hit += whole as u32);
    rest.min(_mm512_reduce_min_ps(least))
}

/// Inner products of `Q` queries with `R` rows.
///
/// # Safety
/// `Q * dim` values lie at `queries` and `R * dim` at `rows`.
#[target_feature(enable = "avx512f,avx512vl")]
unsafe fn tile<T: Value, const Q: usize, const R: usize>(
    dim: usize,
    queries: *const f32,
    rows: *const T,
) -> [[f32; R]; Q] {
    let mut sums = [[_mm512_setzero_ps(); R]; Q];
    let mut query = [_mm512_setzero_ps(); Q];
    let mut at = 0;
    while at + LANES <= dim {
        for q in 0..Q {
            // SAFETY: q < Q and at + 16 <= dim, so the sixteen values are within query q.
            query[q] = unsafe { f32::load(queries.add(q * dim + at)) };
        }
        for r in 0..R {
            // SAFETY: likewise within row r.
            let row = unsafe { T::load(rows.add(r * dim + at)) };
            for q in 0..Q {
                sums[q][r] = _mm512_fmadd_ps(query[q], row, sums[q][r]);
            }
        }
        at += LANES;
    }
    if at < dim {
        for q in 0..Q {
            // SAFETY: dim - at < 16 values are left of query q.
            query[q] = unsafe { f32::load_part(queries.add(q * dim + at), dim - at) };
        }
        for r in 0..R {
            // SAFETY: likewise of row r.
            let row = unsafe { T::load_part(rows.add(r * dim + at), dim - at) };
            for q in 0..Q {
                sums[q][r] = _mm512_fmadd_ps(query[q], row, sums[q][r]);
            }
        }
    }
    // By way of memory: an index that is only known at run time would keep the registers there all along.
    let mut lanes = [[[0.0; LANES]; R]; Q];
    for q in 0..Q {
        for r in 0..R {
            // SAFETY: sixteen floats are written to an array of sixteen.
            unsafe { _mm512_storeu_ps(lanes[q][r].as_mut_ptr(), sums[q][r]) };
        }
    }
    let mut out = [[0.0; R]; Q];
    let (flat, to) = (lanes.as_flattened(), out.as_flattened_mut());
    for (four, to) in flat.chunks(4).zip(to.chunks_mut(4)) {
        // SAFETY: each is an array of sixteen.
        let of = |i: usize| unsafe { _mm512_loadu_ps(four[i.min(four.len() - 1)].as_ptr()) };
        to.copy_from_slice(&sum_four(of(0), of(1), of(2), of(3))[..to.len()]);
    }
    out
}

/// The sums of four registers: four sets of lanes are halved together.
#[target_feature(enable = "avx512f,avx512vl")]
#[inline]
fn sum_four(a: __m512, b: __m512, c: __m512, d: __m512) -> [f32; 4] {
    // Lanes l + (l + 8) of a and b in one register, of c and d in another.
    let ab = _mm512_add_ps(
        _mm512_shuffle_f32x4::<0x44>(a, b),
        _mm512_shuffle_f32x4::<0xEE>(a, b),
    );
    let cd = _mm512_add_ps(
        _mm512_shuffle_f32x4::<0x44>(c, d),
        _mm512_shuffle_f32x4::<0xEE>(c, d),
    );
    // Lanes l + (l + 4) of all four.
    let all = _mm512_add_ps(
        _mm512_shuffle_f32x4::<0x88>(ab, cd),
        _mm512_shuffle_f32x4::<0xDD>(ab, cd),
    );
    // Lanes l + (l + 2), then 0 + 1, within each quarter.
    let all = _mm512_add_ps(all, _mm512_permute_ps::<0x4E>(all));
    let all = _mm512_add_ps(all, _mm512_permute_ps::<0xB1>(all));
    let firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    let mut four = [0.0; 4];
    // SAFETY: four floats are written to an array of four.
    unsafe {
        _mm_storeu_ps(
            four.as_mut_ptr(),
            _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, all)),
        )
    };
    four
}
