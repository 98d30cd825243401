//! The pass down the columns: it changes the height.

use super::coefficients::{Coefficients, HALF, clip};
use super::{ResizeError, View, allocate};

/// Resamples every column to `weights.len()` pixels, rounded and clipped to 8 bits.
///
/// `first` is the position, in the coordinates of the weights, of the source's first row.
pub(super) fn pass(source: View<'_>, first: usize, weights: &Coefficients) -> Result<Vec<u8>, ResizeError> {
    let mut data = allocate(source.width, weights.len(), source.channels)?;
    #[cfg(target_arch = "x86_64")]
    if super::avx2::columns(source, first, weights, &mut data) {
        return Ok(data);
    }
    portable(source, first, weights, &mut data);
    Ok(data)
}

/// The pass in plain code: what every machine can do, and what the quick kernel is compared with.
pub(super) fn portable(source: View<'_>, first: usize, weights: &Coefficients, data: &mut [u8]) {
    let stride = source.stride();
    let mut sums = vec![0; stride];
    for (index, target) in data.chunks_exact_mut(stride).enumerate() {
        columns(source, first, weights, index, 0, &mut sums, target);
    }
}

/// One output row from byte `from` on; `sums` is scratch space at least as long as `target`.
pub(super) fn columns(
    source: View<'_>,
    first: usize,
    weights: &Coefficients,
    index: usize,
    from: usize,
    sums: &mut [i32],
    target: &mut [u8],
) {
    let (start, weights) = weights.of(index);
    let sums = &mut sums[..target.len()];
    sums.fill(HALF);
    for (tap, weight) in weights.iter().enumerate() {
        let row = &source.row(start - first + tap)[from..];
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(*value)));
        }
    }
    for (target, sum) in target.iter_mut().zip(sums) {
        *target = clip(*sum);
    }
}
