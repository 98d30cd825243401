//! Sign bits of vectors, packed, and the normalised Hamming distance (`hamming.pyx` of jenicek/asmk).

/// Dimensions of one packed word.
pub const BITS: usize = 32;

/// Packed words of a vector of `dim` values.
#[must_use]
pub const fn packed_len(dim: usize) -> usize {
    dim.div_ceil(BITS)
}

/// Appends the signs of a vector: bit 1 where a value is above 0 (so not for 0, -0 and NaN). The first dimension is the
/// most significant bit; the last word is filled up with zeros at its low end.
pub fn pack(vector: &[f32], to: &mut Vec<u32>) {
    let (whole, rest) = vector.as_chunks::<BITS>();
    to.extend(whole.iter().map(word));
    if !rest.is_empty() {
        let mut last = [0.0; BITS];
        last[..rest.len()].copy_from_slice(rest);
        to.push(word(&last));
    }
}

/// The signs of as many values as a word holds.
fn word(values: &[f32; BITS]) -> u32 {
    // Without a carried shift, so that it becomes vector code.
    let mut bits = 0;
    for (place, value) in values.iter().enumerate() {
        bits |= if *value > 0.0 { 1 << (BITS - 1 - place) } else { 0 };
    }
    bits
}

/// Bits in which two packed vectors differ.
#[must_use]
pub fn differing_bits(a: &[u32], b: &[u32]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

/// Hamming distance divided by `divisor`; without one by the bits of the packed words, padding included, as the match
/// kernel does. In [0, 1].
#[must_use]
pub fn distance(a: &[u32], b: &[u32], divisor: Option<f32>) -> f32 {
    differing_bits(a, b) as f32 / divisor.unwrap_or((BITS * a.len()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dimension_is_the_highest_bit() {
        let mut packed = Vec::new();
        pack(&[1.0, -0.0, f32::NAN, 1e-30], &mut packed);
        assert_eq!(packed, [0b1001 << 28]);
        packed.clear();
        let mut vector = [0.0; 33];
        (vector[31], vector[32]) = (2.0, 3.0);
        pack(&vector, &mut packed);
        assert_eq!(packed, [1, 1 << 31]);
        assert_eq!(packed_len(33), 2);
    }

    #[test]
    fn padding_counts_unless_a_divisor_is_given() {
        let (ones, zeros) = ([u32::MAX, 0xFFFF_0000], [0, 0]);
        assert_eq!(distance(&ones, &zeros, None), 0.75);
        assert_eq!(distance(&ones, &zeros, Some(48.0)), 1.0);
    }
}
