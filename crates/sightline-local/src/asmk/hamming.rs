//! Hamming distances of one packed code to many, by instruction set. All give the same numbers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

/// Which instructions count differing bits. A matter of speed alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HammingKernel {
    /// Plain code, on any processor.
    Portable,
    /// AVX2 and POPCNT.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, VL and VPOPCNTDQ.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl HammingKernel {
    /// Those that this processor can run, the quickest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vpopcntdq")
            {
                kernels.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
                kernels.push(Self::Avx2);
            }
        }
        kernels.push(Self::Portable);
        kernels
    }

    /// `avx512`, `avx2` or `portable`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }
}

/// A kernel that this processor has been found to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runnable(HammingKernel);

impl Runnable {
    /// Those of this processor, the quickest first.
    pub(crate) fn all() -> Vec<Self> {
        HammingKernel::available().into_iter().map(Self).collect()
    }

    /// The quickest.
    pub(crate) fn best() -> Self {
        let first = Self::all().into_iter().next();
        first.unwrap_or(Self(HammingKernel::Portable))
    }

    /// `out[i]` = bits in which `code` differs from the i-th of `codes`, for as many as `out` holds.
    ///
    /// `codes` holds `out.len()` codes of `code.len()` words each; a code has fewer than 2^16 bits.
    #[allow(unsafe_code)]
    pub(crate) fn distances(self, code: &[u32], codes: &[u32], out: &mut [u16]) {
        debug_assert_eq!(codes.len(), code.len() * out.len());
        match self.0 {
            HammingKernel::Portable => portable::distances(code, codes, out),
            // SAFETY: `all` admits a kernel only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            HammingKernel::Avx2 => unsafe { avx2::distances(code, codes, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            HammingKernel::Avx512 => unsafe { avx512::distances(code, codes, out) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every kernel against plain bit counting, for codes of any length and any number of them.
        #[test]
        fn kernels_agree(words in 1_usize..40, count in 0_usize..70, seed in any::<u64>()) {
            let random = sightline_checkpoint::formula::uniform("hamming", seed, words * (count + 1));
            let bits: Vec<u32> = random.iter().map(|value| (value * 2_147_483_648.0) as i64 as u32).collect();
            let (code, codes) = bits.split_at(words);
            let expected: Vec<u16> = codes
                .chunks_exact(words)
                .map(|other| super::super::bits::differing_bits(code, other) as u16)
                .collect();
            for kernel in Runnable::all() {
                let mut got = vec![0; count];
                kernel.distances(code, codes, &mut got);
                prop_assert_eq!(&got, &expected, "{:?}", kernel);
            }
        }
    }
}
