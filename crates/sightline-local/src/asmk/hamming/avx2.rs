//! AVX2 and POPCNT: the plain code, compiled for these instructions.
#![allow(unsafe_code)]

use super::portable;

/// As `Runnable::distances`.
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn distances(code: &[u32], codes: &[u32], out: &mut [u16]) {
    portable::distances(code, codes, out);
}
