//! The twin of the other kernels in plain code.

use super::{LANES, LARGEST, Line, Panel, Products, check};

/// Queries of a tile.
pub(super) const QUERIES: usize = 4;

/// The inner products of a tile with a panel, each summed value after value.
pub(super) fn products(queries: &[f32], panel: Panel<'_>) -> Products {
    check(QUERIES, queries, &panel);
    let mut out = [[Line::ZERO; 2]; LARGEST];
    // A few sums at a time, so that they stay in registers.
    for half in 0..2 {
        for first in (0..QUERIES).step_by(2) {
            let mut sums = [[0.0_f32; LANES]; 2];
            for (query, words) in queries.chunks_exact(QUERIES).zip(panel.words.chunks_exact(2)) {
                for (sums, value) in sums.iter_mut().zip(&query[first..]) {
                    for (sum, word) in sums.iter_mut().zip(words[half].0) {
                        *sum += value * word;
                    }
                }
            }
            for (out, sums) in out[first..].iter_mut().zip(sums) {
                out[half] = Line(sums);
            }
        }
    }
    out
}
