//! Means over the area that an output pixel covers, with OpenCV's sums and rounding.

use super::{Geometry, Samples};

/// Both scales whole: means of blocks of `scales.0` x `scales.1` pixels, at the edges of those pixels that exist.
pub(super) fn blocks(
    source: &Samples<'_, u8>,
    geometry: &Geometry,
    scales: (usize, usize),
    target: &mut [u8],
) {
    let channels = source.channels;
    let (width, height) = geometry.from;
    let factor = 1.0 / (scales.0 * scales.1) as f32;
    let rows = target.chunks_exact_mut(geometry.to.0 * channels);
    for (y, target) in rows.enumerate() {
        let top = y * scales.1;
        let bottom = (top + scales.1).min(height);
        for (x, target) in target.chunks_exact_mut(channels).enumerate() {
            let left = x * scales.0;
            let right = (left + scales.0).min(width);
            // Rounding up the size can leave an output wholly outside; OpenCV makes it black.
            if left >= right || top >= bottom {
                continue;
            }
            let whole = right - left == scales.0 && bottom - top == scales.1;
            for (channel, target) in target.iter_mut().enumerate() {
                let sum: u64 = (top..bottom)
                    .flat_map(|y| (left..right).map(move |x| (y * width + x) * channels + channel))
                    .map(|index| u64::from(source.data[index]))
                    .sum();
                *target = if whole && scales == (2, 2) {
                    ((sum + 2) >> 2) as u8
                } else if whole {
                    (sum as f32 * factor).round_ties_even() as u8
                } else {
                    let count = (right - left) * (bottom - top);
                    (sum as f32 / count as f32).round_ties_even() as u8
                };
            }
        }
    }
}

/// The source positions under one output position and what each weighs.
struct Cell {
    first: usize,
    weights: Vec<f32>,
}

/// OpenCV's `computeResizeAreaTab`: whole pixels weigh alike, the two at the ends by their covered share.
fn axis(input: usize, output: usize, scale: f64) -> Vec<Cell> {
    /// A share below this is left out.
    const LEAST: f64 = 1e-3;
    let last = input - 1;
    let cell = |index: usize| {
        let from = index as f64 * scale;
        let to = from + scale;
        let length = scale.min(input as f64 - from);
        let end = (to.floor() as usize).min(last);
        let begin = (from.ceil() as usize).min(end);
        let mut first = begin;
        let mut weights = Vec::new();
        let before = begin as f64 - from;
        if before > LEAST && begin > 0 {
            first = begin - 1;
            weights.push((before / length) as f32);
        }
        weights.extend((begin..end).map(|_| (1.0 / length) as f32));
        let after = to - end as f64;
        if after > LEAST {
            weights.push((after.min(1.0).min(length) / length) as f32);
        }
        Cell { first, weights }
    };
    (0..output).map(cell).collect()
}

/// Any scales of at least 1.
pub(super) fn cells(source: &Samples<'_, u8>, geometry: &Geometry, target: &mut [u8]) {
    let channels = source.channels;
    let stride = geometry.from.0 * channels;
    let target_stride = geometry.to.0 * channels;
    let columns = axis(geometry.from.0, geometry.to.0, geometry.scale.0);
    let rows = axis(geometry.from.1, geometry.to.1, geometry.scale.1);
    let mut line = vec![0.0_f32; target_stride];
    let mut sums = vec![0.0_f32; target_stride];
    for (cell, target) in rows.iter().zip(target.chunks_exact_mut(target_stride)) {
        sums.fill(0.0);
        for (tap, weight) in cell.weights.iter().enumerate() {
            let source = &source.data[(cell.first + tap) * stride..][..stride];
            for (values, column) in line.chunks_exact_mut(channels).zip(&columns) {
                values.fill(0.0);
                let pixels = source[column.first * channels..].chunks_exact(channels);
                for (weight, pixel) in column.weights.iter().zip(pixels) {
                    for (value, sample) in values.iter_mut().zip(pixel) {
                        *value += f32::from(*sample) * weight;
                    }
                }
            }
            for (sum, value) in sums.iter_mut().zip(&line) {
                *sum += weight * value;
            }
        }
        for (target, sum) in target.iter_mut().zip(&sums) {
            *target = sum.round_ties_even() as u8;
        }
    }
}
