//! Inner products of a few queries with a run of rows, by instruction set.
//!
//! One order of summation for all: sixteen lanes, lane l takes the values l, l + 16, l + 32, ... in turn with fused
//! multiply-add (a last part of fewer than 16 values is filled up with zeros); then the lanes are added in halves:
//! l + (l + 8), l + (l + 4), l + (l + 2), 0 + 1. So AVX-512 (one register), AVX2 (two), NEON (four) and plain code
//! give the same bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod glance;
mod portable;

use crate::RowData;
pub(crate) use glance::Glance;

/// Lanes of one sum.
pub(crate) const LANES: usize = 16;

/// Which instructions compute inner products. All give the same bits, so this is a matter of speed alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Plain code, on any processor. Quick where the compilation target has fused multiply-add (as AArch64 has).
    Portable,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// Those that this processor can run, the quickest first.
    pub fn available() -> Vec<Self> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                kernels.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                kernels.push(Self::Avx2);
            }
        }
        kernels.push(Self::Portable);
        kernels
    }

    /// The quickest that this processor can run.
    pub fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self::Portable)
    }

    /// `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }

    /// Itself where this processor can run it, else plain code.
    pub(crate) fn or_portable(self) -> Self {
        if Self::available().contains(&self) {
            self
        } else {
            Self::Portable
        }
    }
}

/// A kernel that this processor has been found to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runnable(Kernel);

impl Runnable {
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self(kernel.or_portable())
    }

    /// `out[q * rows + r]` = ⟨query q, row r⟩ for all of `queries` ([q, dim]) and `rows` ([r, dim]).
    #[allow(unsafe_code)]
    pub(crate) fn products(self, dim: usize, queries: &[f32], rows: RowData<'_>, out: &mut [f32]) {
        match (self.0, rows) {
            (Kernel::Portable, RowData::F32(rows)) => portable::products(dim, queries, rows, out),
            (Kernel::Portable, RowData::F16(rows)) => portable::products(dim, queries, rows, out),
            // SAFETY: `new` admits a kernel only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            (Kernel::Avx2, RowData::F32(rows)) => unsafe { avx2::products(dim, queries, rows, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Kernel::Avx2, RowData::F16(rows)) => unsafe { avx2::products(dim, queries, rows, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Kernel::Avx512, RowData::F32(rows)) => unsafe { avx512::products(dim, queries, rows, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Kernel::Avx512, RowData::F16(rows)) => unsafe { avx512::products(dim, queries, rows, out) },
        }
    }

    /// As [`Glance::run`].
    #[allow(unsafe_code)]
    pub(crate) fn glance(self, glance: Glance<'_>) -> f32 {
        match self.0 {
            Kernel::Portable => glance.run(),
            // SAFETY: `new` admits a kernel only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { avx2::glance(glance) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { avx512::glance(glance) },
        }
    }
}

/// The whole tiles of `Q` queries by `R` rows, then what is left; shared by the kernels, which pass their own tile.
/// Rows outside, so that a few rows stay in the nearest cache while all queries pass.
macro_rules! walk {
    ($queries:expr, $rows:expr, $q_sizes:tt, $r_sizes:tt, $tile:ident) => {
        walk!(@rows 0, $queries, $rows, $q_sizes, $r_sizes, $tile)
    };
    (@rows $from:expr, $queries:expr, $rows:expr, $q_sizes:tt, [$($r:literal),+], $tile:ident) => {{
        let mut row = $from;
        $(
            while $rows - row >= $r {
                walk!(@queries $queries, row, $r, $q_sizes, $tile);
                row += $r;
            }
        )+
        debug_assert_eq!(row, $rows);
    }};
    (@queries $queries:expr, $row:ident, $r:literal, [$($q:literal),+], $tile:ident) => {{
        let mut query = 0;
        $(
            while $queries - query >= $q {
                $tile!($q, $r, query, $row);
                query += $q;
            }
        )+
        debug_assert_eq!(query, $queries);
    }};
}
use walk;

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    fn run(kernel: Kernel, dim: usize, queries: &[f32], rows: RowData<'_>) -> Vec<f32> {
        let mut out = vec![f32::NAN; queries.len() / dim * (rows.len() / dim)];
        Runnable::new(kernel).products(dim, queries, rows, &mut out);
        out
    }

    proptest! {
        #[test]
        fn every_kernel_gives_the_bits_of_plain_code(
            dim in 1..70_usize, queries in 0..11_usize, rows in 0..27_usize, seed in any::<u32>(),
        ) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            let queries: Vec<f32> = (0..queries * dim).map(|_| next()).collect();
            let rows: Vec<f32> = (0..rows * dim).map(|_| next()).collect();
            let halves: Vec<f16> = rows.iter().map(|v| f16::from_f32(*v)).collect();
            for data in [RowData::F32(&rows), RowData::F16(&halves)] {
                let want: Vec<u32> = run(Kernel::Portable, dim, &queries, data).iter().map(|v| v.to_bits()).collect();
                for kernel in Kernel::available() {
                    let got: Vec<u32> = run(kernel, dim, &queries, data).iter().map(|v| v.to_bits()).collect();
                    prop_assert_eq!(&got, &want, "{}", kernel.name());
                }
            }
            let exact = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let got = run(Kernel::best(), dim, &queries, RowData::F32(&rows));
            let want = queries.chunks(dim).flat_map(|q| rows.chunks(dim).map(move |r| exact(q, r)));
            for (got, want) in got.into_iter().zip(want) {
                prop_assert!((f64::from(got) - want).abs() < 1e-5, "{got} {want}");
            }
        }
    }

    #[test]
    fn infinities_and_nan_pass_through() {
        let mut rows = vec![0.5_f32; 3 * 37];
        rows[36] = f32::INFINITY;
        rows[37] = f32::NAN;
        for kernel in Kernel::available() {
            let got = run(kernel, 37, &[1.0; 37], RowData::F32(&rows));
            assert_eq!(got[0], f32::INFINITY);
            assert!(got[1].is_nan());
            assert_eq!(got[2], 18.5);
        }
    }

    #[test]
    fn all_half_values_are_read_exactly() {
        let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
        for kernel in Kernel::available() {
            let mut query = [0.0; 16];
            query[0] = 1.0;
            let rows: Vec<f16> = halves
                .iter()
                .flat_map(|h| [[*h].as_slice(), &[f16::ZERO; 15]].concat())
                .collect();
            for (got, want) in run(kernel, 16, &query, RowData::F16(&rows)).iter().zip(&halves) {
                let want = want.to_f32();
                assert!(*got == want || (got.is_nan() && want.is_nan()), "{got} {want}");
            }
        }
    }
}
