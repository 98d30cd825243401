//! The twin of the other kernels in plain code.

/// As `Runnable::distances`.
#[inline(always)]
pub(super) fn distances(code: &[u32], codes: &[u32], out: &mut [u16]) {
    if let Ok(code) = <[u32; 4]>::try_from(code) {
        // The usual 128 bits, without a loop inside.
        let (codes, _) = codes.as_chunks::<4>();
        for (out, other) in out.iter_mut().zip(codes) {
            let low = u64::from(code[0] ^ other[0]) << 32 | u64::from(code[1] ^ other[1]);
            let high = u64::from(code[2] ^ other[2]) << 32 | u64::from(code[3] ^ other[3]);
            *out = (low.count_ones() + high.count_ones()) as u16;
        }
        return;
    }
    for (out, other) in out.iter_mut().zip(codes.chunks_exact(code.len().max(1))) {
        *out = super::super::bits::differing_bits(code, other) as u16;
    }
}
