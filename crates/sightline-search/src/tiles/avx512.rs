//! Fourteen queries against a panel in twenty-eight registers.

// Indices name the register that is meant; iterators would hide it.
#![allow(unsafe_code, clippy::needless_range_loop)]
use super::{LARGEST, Lead, Line, Panel, Products, check, keep};
use std::arch::x86_64::*;

/// Queries of a tile.
pub(super) const QUERIES: usize = 14;

/// As `Tiles::lead`.
#[target_feature(enable = "avx512f,avx512vl")]
pub(super) fn lead(queries: &[f32], panel: Panel<'_>, number: u32, leads: &mut [Lead]) {
    keep(&products(queries, panel), panel.halves, number, leads);
}

/// The inner products of a tile with a panel, each summed value after value.
#[target_feature(enable = "avx512f,avx512vl")]
#[inline]
pub(super) fn products(queries: &[f32], panel: Panel<'_>) -> Products {
    check(QUERIES, queries, &panel);
    let (mut query, mut word) = (queries.as_ptr(), panel.words.as_ptr().cast::<f32>());
    let mut sums = [[_mm512_setzero_ps(); 2]; QUERIES];
    for _ in 0..panel.dim {
        // SAFETY: `check` has seen 2 · dim lines of words and dim · QUERIES values of queries; each turn takes two
        // lines and QUERIES values, and the pointers end one past the last.
        unsafe {
            let (left, right) = (_mm512_load_ps(word), _mm512_load_ps(word.add(16)));
            for q in 0..QUERIES {
                let value = _mm512_set1_ps(*query.add(q));
                sums[q][0] = _mm512_fmadd_ps(value, left, sums[q][0]);
                sums[q][1] = _mm512_fmadd_ps(value, right, sums[q][1]);
            }
            word = word.add(32);
            query = query.add(QUERIES);
        }
    }
    let mut out = [[Line::ZERO; 2]; LARGEST];
    for q in 0..QUERIES {
        for half in 0..2 {
            // SAFETY: sixteen floats are written to an aligned array of sixteen.
            unsafe { _mm512_store_ps(out[q][half].0.as_mut_ptr(), sums[q][half]) };
        }
    }
    out
}
