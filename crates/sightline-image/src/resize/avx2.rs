//! Both passes with AVX2, chosen at run time; equal to the portable passes to the last bit.
//!
//! A 22-bit weight does not fit the 16-bit multiply-and-add of the instruction set, so each is split exactly into
//! `high * 2^11 + low`; the two sums are put together at the end. All sums wrap modulo 2^32, as those of the portable
//! passes do.

use super::View;
use super::coefficients::{Coefficients, HALF, PRECISION};
use super::columns;
use std::arch::x86_64::*;
use std::ops::Range;

/// Bits of the lower part of a split weight.
const LOW_BITS: u32 = 11;
/// Weights below this have a higher part of 16 bits.
const LARGEST: i32 = 1 << (LOW_BITS + 15);
/// Bytes that a load may read past the last pixel it needs.
const SLACK: usize = 16;
/// Pixels taken together by one step of the pass along the rows.
const QUAD: usize = 4;
/// Rows worked on together, so that a weight is loaded once for all.
const ROWS: usize = 4;

/// Two neighbouring weights as two 16-bit numbers in one word, for the higher and the lower parts.
fn split(pair: [i32; 2]) -> (i32, i32) {
    let join = |a: i32, b: i32| (a & 0xFFFF) | (b << 16);
    let low = (1 << LOW_BITS) - 1;
    (
        join(pair[0] >> LOW_BITS, pair[1] >> LOW_BITS),
        join(pair[0] & low, pair[1] & low),
    )
}

fn usable(weights: &Coefficients) -> bool {
    is_x86_feature_detected!("avx2") && weights.weights.iter().all(|weight| weight.abs() < LARGEST)
}

/// The pass along the rows for three channels; `false` (nothing done) where the machine or the weights do not allow it.
pub(super) fn rows(source: View<'_>, rows: Range<usize>, weights: &Coefficients, data: &mut [u8]) -> bool {
    if source.channels != 3 || !usable(weights) {
        return false;
    }
    let quads = weights.taps.div_ceil(QUAD);
    let mut split_weights = Vec::with_capacity(weights.len() * quads);
    for index in 0..weights.len() {
        let (_, own) = weights.of(index);
        let at = |tap: usize| own.get(tap).copied().unwrap_or(0);
        for tap in (0..quads).map(|quad| quad * QUAD) {
            let (high_a, low_a) = split([at(tap), at(tap + 1)]);
            let (high_b, low_b) = split([at(tap + 2), at(tap + 3)]);
            split_weights.push([high_a, high_b, low_a, low_b]);
        }
    }
    // The rows are copied to where there is room behind them: quads and loads reach past the last pixel.
    let stride = source.stride() + quads * QUAD * 3 + SLACK;
    let mut padded = vec![0_u8; ROWS * stride];
    let target_stride = weights.len() * 3;
    let mut y = rows.start;
    for block in data.chunks_mut(ROWS * target_stride) {
        let count = block.len() / target_stride;
        for (target, row) in padded.chunks_exact_mut(stride).zip(y..y + count) {
            target[..source.stride()].copy_from_slice(source.row(row));
        }
        y += count;
        // SAFETY: `usable` has found AVX2; the function's own conditions on lengths are asserted in it.
        #[allow(unsafe_code)]
        unsafe {
            four_rows(
                &padded,
                stride,
                &weights.starts,
                &split_weights,
                quads,
                block,
                target_stride,
            );
        }
    }
    true
}

/// Up to [`ROWS`] rows at once: `padded` holds that many of `stride` bytes, `block` as many output rows as there are.
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn four_rows(
    padded: &[u8],
    stride: usize,
    starts: &[usize],
    weights: &[[i32; 4]],
    quads: usize,
    block: &mut [u8],
    target_stride: usize,
) {
    let furthest = starts
        .iter()
        .max()
        .map_or(0, |start| (start + quads * QUAD) * 3 + SLACK);
    assert!(furthest <= stride && padded.len() == ROWS * stride && weights.len() == starts.len() * quads);
    // Bytes of two pixels r g b r g b become 16-bit r r g g b b 0 0; the same for the next two pixels.
    let first_two = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
    ));
    let next_two = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1,
    ));
    let half = _mm256_set1_epi32(HALF);
    let base = padded.as_ptr();
    for (index, (start, weights)) in starts.iter().zip(weights.chunks_exact(quads.max(1))).enumerate() {
        let mut high = [_mm256_setzero_si256(); 2];
        let mut low = [half; 2];
        for (quad, weight) in weights.iter().enumerate() {
            let offset = (start + quad * QUAD) * 3;
            let [high_a, high_b, low_a, low_b] = weight.map(|pair| _mm256_set1_epi32(pair));
            for pair in 0..2 {
                // SAFETY: offset + 16 <= furthest <= stride, asserted above, and there are four rows of that stride.
                let pixels = unsafe {
                    let upper = _mm_loadu_si128(base.add(2 * pair * stride + offset).cast());
                    let lower = _mm_loadu_si128(base.add((2 * pair + 1) * stride + offset).cast());
                    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(upper), lower)
                };
                let a = _mm256_shuffle_epi8(pixels, first_two);
                let b = _mm256_shuffle_epi8(pixels, next_two);
                let more = _mm256_add_epi32(_mm256_madd_epi16(a, high_a), _mm256_madd_epi16(b, high_b));
                high[pair] = _mm256_add_epi32(high[pair], more);
                let more = _mm256_add_epi32(_mm256_madd_epi16(a, low_a), _mm256_madd_epi16(b, low_b));
                low[pair] = _mm256_add_epi32(low[pair], more);
            }
        }
        let words = _mm256_packs_epi32(joined(high[0], low[0]), joined(high[1], low[1]));
        let bytes = _mm256_packus_epi16(words, words);
        let rows = [
            _mm256_extract_epi32::<0>(bytes),
            _mm256_extract_epi32::<4>(bytes),
            _mm256_extract_epi32::<1>(bytes),
            _mm256_extract_epi32::<5>(bytes),
        ];
        for (row, target) in rows.iter().zip(block.chunks_exact_mut(target_stride)) {
            target[3 * index..][..3].copy_from_slice(&row.to_le_bytes()[..3]);
        }
    }
}

/// The pass down the columns; `false` (nothing done) where the machine or the weights do not allow it.
pub(super) fn columns(source: View<'_>, first: usize, weights: &Coefficients, data: &mut [u8]) -> bool {
    if !usable(weights) {
        return false;
    }
    let stride = source.stride();
    let whole = stride / 32 * 32;
    let mut sums = vec![0; stride - whole];
    let mut pairs = Vec::with_capacity(weights.taps.div_ceil(2));
    for (index, target) in data.chunks_exact_mut(stride).enumerate() {
        let (start, own) = weights.of(index);
        pairs.clear();
        for (tap, pair) in own.chunks(2).enumerate() {
            let upper = start - first + 2 * tap;
            // A last weight without partner takes its own row twice, the second time with weight 0.
            let lower = upper + pair.len() - 1;
            let (high, low) = split([pair[0], pair.get(1).copied().unwrap_or(0)]);
            pairs.push(Pair {
                upper: source.row(upper),
                lower: source.row(lower),
                high,
                low,
            });
        }
        let (blocks, rest) = target.split_at_mut(whole);
        // SAFETY: `usable` has found AVX2; the function's own conditions on lengths are asserted in it.
        #[allow(unsafe_code)]
        unsafe {
            one_row(&pairs, blocks);
        }
        columns::columns(source, first, weights, index, whole, &mut sums, rest);
    }
    true
}

/// Two source rows and their split weights.
struct Pair<'a> {
    upper: &'a [u8],
    lower: &'a [u8],
    high: i32,
    low: i32,
}

/// One output row, whose length is a multiple of 32, from pairs of source rows at least as long.
#[target_feature(enable = "avx2")]
#[allow(unsafe_code)]
fn one_row(pairs: &[Pair<'_>], target: &mut [u8]) {
    assert!(
        pairs
            .iter()
            .all(|pair| pair.upper.len() >= target.len() && pair.lower.len() >= target.len())
    );
    let zero = _mm256_setzero_si256();
    for (block, target) in target.chunks_exact_mut(32).enumerate() {
        let mut high = [zero; 4];
        let mut low = [_mm256_set1_epi32(HALF); 4];
        for pair in pairs {
            // SAFETY: 32 * block + 32 is at most the length of the target, and the rows are at least as long, as asserted.
            let (upper, lower) = unsafe {
                (
                    _mm256_loadu_si256(pair.upper.as_ptr().add(32 * block).cast()),
                    _mm256_loadu_si256(pair.lower.as_ptr().add(32 * block).cast()),
                )
            };
            let (first, second) = (
                _mm256_unpacklo_epi8(upper, lower),
                _mm256_unpackhi_epi8(upper, lower),
            );
            let pixels = [
                _mm256_unpacklo_epi8(first, zero),
                _mm256_unpackhi_epi8(first, zero),
                _mm256_unpacklo_epi8(second, zero),
                _mm256_unpackhi_epi8(second, zero),
            ];
            let (weight_high, weight_low) = (_mm256_set1_epi32(pair.high), _mm256_set1_epi32(pair.low));
            for part in 0..4 {
                high[part] = _mm256_add_epi32(high[part], _mm256_madd_epi16(pixels[part], weight_high));
                low[part] = _mm256_add_epi32(low[part], _mm256_madd_epi16(pixels[part], weight_low));
            }
        }
        let first = _mm256_packs_epi32(joined(high[0], low[0]), joined(high[1], low[1]));
        let second = _mm256_packs_epi32(joined(high[2], low[2]), joined(high[3], low[3]));
        // SAFETY: the chunk has 32 bytes.
        unsafe { _mm256_storeu_si256(target.as_mut_ptr().cast(), _mm256_packus_epi16(first, second)) };
    }
}

/// The sums of both parts put together and shifted back to whole pixel values (not yet clipped).
#[target_feature(enable = "avx2")]
fn joined(high: __m256i, low: __m256i) -> __m256i {
    let sum = _mm256_add_epi32(_mm256_slli_epi32::<{ LOW_BITS as i32 }>(high), low);
    _mm256_srai_epi32::<{ PRECISION as i32 }>(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resize::filter::Filter;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_portable_passes(
            width in 1_usize..90, height in 1_usize..40, output in 1_usize..120, channels in prop::sample::select(vec![1_usize, 3]),
            filter in 1_usize..6, seed in any::<u64>(), from in 0.0_f32..1.0, share in 0.01_f32..1.0,
        ) {
            let mut state = seed;
            let bytes: Vec<u8> = (0..width * height * channels).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Mostly black and white, where overshoots must be clipped.
                match state >> 61 { 0..3 => 0, 3..6 => 255, _ => (state >> 40) as u8 }
            }).collect();
            let source = View { width, height, channels, data: &bytes };
            let (support, weight) = Filter::ALL[filter].kernel().unwrap();
            let part = |side: usize| {
                let from = from * side as f32 * 0.9;
                (from, (from + share * (side as f32 - from)).min(side as f32))
            };

            let (a, b) = part(width);
            let weights = Coefficients::new(width, a, b, output, support, weight).unwrap();
            let mut quick = vec![1; output * height * channels];
            if rows(source, 0..height, &weights, &mut quick) {
                let mut plain = vec![2; quick.len()];
                super::super::rows::portable(source, 0..height, &weights, &mut plain);
                prop_assert_eq!(&quick, &plain);
            }

            let (a, b) = part(height);
            let weights = Coefficients::new(height, a, b, output, support, weight).unwrap();
            let mut quick = vec![1; output * width * channels];
            if columns(source, 0, &weights, &mut quick) {
                let mut plain = vec![2; quick.len()];
                super::super::columns::portable(source, 0, &weights, &mut plain);
                prop_assert_eq!(&quick, &plain);
            }
        }
    }
}
