//! The pass along the rows: it changes the width.

use super::coefficients::{Coefficients, HALF, clip};
use super::{ResizeError, View, allocate};
use std::ops::Range;

/// Resamples the given rows to `weights.len()` pixels each, rounded and clipped to 8 bits.
pub(super) fn pass(
    source: View<'_>,
    rows: Range<usize>,
    weights: &Coefficients,
) -> Result<Vec<u8>, ResizeError> {
    let mut data = allocate(weights.len(), rows.len(), source.channels)?;
    #[cfg(target_arch = "x86_64")]
    if source.channels == 3 && super::avx2::rows(source, rows.clone(), weights, &mut data) {
        return Ok(data);
    }
    portable(source, rows, weights, &mut data);
    Ok(data)
}

/// The pass in plain code: what every machine can do, and what the quick kernel is compared with.
pub(super) fn portable(source: View<'_>, rows: Range<usize>, weights: &Coefficients, data: &mut [u8]) {
    let stride = weights.len() * source.channels;
    for (target, y) in data.chunks_exact_mut(stride).zip(rows) {
        match source.channels {
            3 => row::<3>(source.row(y), weights, target),
            _ => row::<1>(source.row(y), weights, target),
        }
    }
}

fn row<const CHANNELS: usize>(source: &[u8], weights: &Coefficients, target: &mut [u8]) {
    for (index, target) in target.chunks_exact_mut(CHANNELS).enumerate() {
        let (start, weights) = weights.of(index);
        let mut sums = [HALF; CHANNELS];
        let pixels = source[start * CHANNELS..].chunks_exact(CHANNELS);
        for (weight, pixel) in weights.iter().zip(pixels) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                // Weights add up to one, so that no sum comes near the limits of 32 bits.
                *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(*value)));
            }
        }
        for (target, sum) in target.iter_mut().zip(sums) {
            *target = clip(sum);
        }
    }
}
