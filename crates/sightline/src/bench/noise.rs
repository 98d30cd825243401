//! Numbers that look random and are the same everywhere.

/// Value number `index` of the stream `seed`, uniform in [-1, 1).
fn value(index: u64, seed: u64) -> f32 {
    // One step of SplitMix64.
    let mut bits = index.wrapping_add(seed << 44).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// `count` values of a stream, from its value number `first`.
pub(crate) fn values(first: u64, count: usize, seed: u64) -> Vec<f32> {
    (first..).take(count).map(|index| value(index, seed)).collect()
}

/// Row number `row` of a stream of rows of length 1.
pub(crate) fn unit_row(row: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut values = values(row as u64 * dim as u64, dim, seed);
    let squares: f32 = values.iter().map(|value| value * value).sum();
    let norm = squares.sqrt().max(f32::MIN_POSITIVE);
    values.iter_mut().for_each(|value| *value /= norm);
    values
}
