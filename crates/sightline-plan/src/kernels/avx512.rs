//! AVX-512F: tiles of 14 rows by 32 lanes keep 28 sums in registers, so that 14 broadcast values and two loads feed 28
//! multiply-adds.
// Indices name the register that is meant; iterators would hide it.
#![allow(clippy::needless_range_loop)]
#![allow(unsafe_code)]

use super::columns::compile;
use super::{LANES, Pass};
use std::arch::x86_64::*;

/// Rows of a tile.
pub(super) const ROWS: usize = 14;
/// Lanes of a register.
const WIDTH: usize = 16;

compile!("avx512f,avx2,fma");

/// As `Runnable::pass`.
#[target_feature(enable = "avx512f,avx2,fma")]
pub(super) fn pass(pass: &mut Pass<'_>) {
    macro_rules! by_height {
        ($($height:literal)*) => {
            match pass.height {
                $($height => rows::<$height>(pass),)*
                _ => {}
            }
        };
    }
    by_height!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

#[target_feature(enable = "avx512f,avx2,fma")]
fn rows<const R: usize>(pass: &mut Pass<'_>) {
    let steps = pass.left.len() / R;
    if let Some(bias) = pass.bias {
        assert!(bias.len() >= R);
    }
    for panel in 0..pass.panels {
        let lanes = if panel + 1 == pass.panels {
            pass.last_lanes
        } else {
            LANES
        };
        let right = &pass.right[panel * pass.right_stride..][..steps * LANES];
        let out = &mut pass.out[panel * pass.out_stride..][..R * LANES];
        // An even part of what the next pass reads of the left matrix is fetched meanwhile.
        let part = pass.ahead.len() / pass.panels;
        let ahead = &pass.ahead[panel * part..][..part];
        // SAFETY: the slices hold `steps` times R values, `steps` times LANES values and R times LANES values.
        unsafe {
            let (left, right, out) = (pass.left.as_ptr(), right.as_ptr(), out.as_mut_ptr());
            if lanes > WIDTH {
                tile::<R, 2>(steps, left, right, out, pass.bias, pass.add, ahead);
            } else {
                tile::<R, 1>(steps, left, right, out, pass.bias, pass.add, ahead);
            }
        }
    }
}

/// The sums of `R` rows and `V` registers of lanes.
///
/// # Safety
/// `steps * R` values lie at `left`, `steps * LANES` at `right` and `R * LANES` at `out`; `bias` has at least `R` values. `ahead` is
/// fetched into the second cache meanwhile, a line every four steps.
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn tile<const R: usize, const V: usize>(
    steps: usize,
    left: *const f32,
    right: *const f32,
    out: *mut f32,
    bias: Option<&[f32]>,
    add: bool,
    ahead: &[f32],
) {
    let mut sums = [[_mm512_setzero_ps(); V]; R];
    for row in 0..R {
        for v in 0..V {
            // SAFETY: within the R rows of LANES values. What is added to, or written, at the end is on its way meanwhile.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(out.add(row * LANES + v * WIDTH).cast()) };
        }
    }
    macro_rules! step {
        ($step:expr) => {{
            let mut lanes = [_mm512_setzero_ps(); V];
            for v in 0..V {
                // SAFETY: $step < steps, and V registers are at most LANES values.
                lanes[v] = unsafe { _mm512_loadu_ps(right.add($step * LANES + v * WIDTH)) };
            }
            for row in 0..R {
                // SAFETY: $step < steps and row < R.
                let value = _mm512_set1_ps(unsafe { *left.add($step * R + row) });
                for v in 0..V {
                    sums[row][v] = _mm512_fmadd_ps(value, lanes[v], sums[row][v]);
                }
            }
        }};
    }
    let mut at = 0;
    let lines = ahead.len() / WIDTH;
    let mut line = 0;
    while at + 4 <= steps {
        if line < lines {
            // SAFETY: an address is not read by this; and it is within `ahead`.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(ahead.as_ptr().add(line * WIDTH).cast()) };
            line += 1;
        }
        step!(at);
        step!(at + 1);
        step!(at + 2);
        step!(at + 3);
        at += 4;
    }
    while at < steps {
        step!(at);
        at += 1;
    }
    for row in 0..R {
        for v in 0..V {
            let mut sum = sums[row][v];
            if let Some(bias) = bias {
                // SAFETY: the bias has at least R values.
                sum = _mm512_add_ps(sum, _mm512_set1_ps(unsafe { *bias.get_unchecked(row) }));
            }
            // SAFETY: within the R rows of LANES values.
            unsafe {
                let to = out.add(row * LANES + v * WIDTH);
                if add {
                    sum = _mm512_add_ps(_mm512_loadu_ps(to), sum);
                }
                _mm512_storeu_ps(to, sum);
            }
        }
    }
}
