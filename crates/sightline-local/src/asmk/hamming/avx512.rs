//! AVX-512 with VPOPCNTDQ: eight codes of 128 bits at a time; longer and shorter codes one at a time, sixteen words
//! in a register.
#![allow(unsafe_code)]

use super::portable;
use std::arch::x86_64::*;

/// As `Runnable::distances`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq,popcnt,ssse3")]
pub(super) fn distances(code: &[u32], codes: &[u32], out: &mut [u16]) {
    if let Ok(code) = <[u32; 4]>::try_from(code) {
        let (eights, rest) = codes.as_chunks::<32>();
        let (out_eights, out_rest) = out.as_chunks_mut::<8>();
        of_eights(&code, eights, out_eights);
        return portable::distances(&code, rest, out_rest);
    }
    for (out, other) in out.iter_mut().zip(codes.chunks_exact(code.len().max(1))) {
        let mut sum = _mm512_setzero_si512();
        for (a, b) in code.chunks(16).zip(other.chunks(16)) {
            let there = ((1_u32 << a.len()) - 1) as __mmask16;
            // SAFETY: both parts have the same length, and the mask admits that many words.
            let (a, b) = unsafe {
                (
                    _mm512_maskz_loadu_epi32(there, a.as_ptr().cast()),
                    _mm512_maskz_loadu_epi32(there, b.as_ptr().cast()),
                )
            };
            sum = _mm512_add_epi32(sum, _mm512_popcnt_epi32(_mm512_xor_si512(a, b)));
        }
        *out = _mm512_reduce_add_epi32(sum) as u16;
    }
}

/// Eight codes of four words at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq,ssse3")]
fn of_eights(code: &[u32; 4], codes: &[[u32; 32]], out: &mut [[u16; 8]]) {
    // SAFETY: four words are the 16 bytes that are read.
    let code = unsafe { _mm512_broadcast_i32x4(_mm_loadu_si128(code.as_ptr().cast())) };
    // The sums of halves come in the order 0, 4, 1, 5, 2, 6, 3, 7.
    let order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    for (out, codes) in out.iter_mut().zip(codes) {
        // SAFETY: 32 words are the two times 64 bytes that are read.
        let (first, second) = unsafe {
            let start: *const i32 = codes.as_ptr().cast();
            (_mm512_loadu_epi32(start), _mm512_loadu_epi32(start.add(16)))
        };
        let first = _mm512_popcnt_epi64(_mm512_xor_si512(first, code));
        let second = _mm512_popcnt_epi64(_mm512_xor_si512(second, code));
        let sums = _mm512_add_epi64(
            _mm512_unpacklo_epi64(first, second),
            _mm512_unpackhi_epi64(first, second),
        );
        let ordered = _mm_shuffle_epi8(_mm512_cvtepi64_epi16(sums), order);
        // SAFETY: eight 16-bit numbers are the 16 bytes that are written.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), ordered) };
    }
}
