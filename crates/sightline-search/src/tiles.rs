//! Scores of a tile of queries with a panel of words, by instruction set, and what is kept of them.
//!
//! The score of word c for query x is |c|²/2 - ⟨x, c⟩, which orders words as their distance does. It is computed with
//! f32 rounding, which may differ between instruction sets; [`Quantiser`](crate::Quantiser) knows how far it can be
//! off and decides the rest exactly. So these kernels are a matter of speed alone.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::Kernel;

/// Values of a cache line, and words of half a panel.
pub(crate) const LANES: usize = 16;
/// Words of a panel.
pub(crate) const PANEL: usize = 2 * LANES;
/// Queries of the largest tile.
const LARGEST: usize = 14;

/// Sixteen values that begin with a cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line(pub(crate) [f32; LANES]);

impl Line {
    pub(crate) const ZERO: Self = Self([0.0; LANES]);
}

/// ⟨x, c⟩ of a tile of queries with the words of a panel.
type Products = [[Line; 2]; LARGEST];

/// The best word of one query so far, kept apart for each lane: lane l sees the words l, l + 16, l + 32, ...
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lead {
    best: [f32; LANES],
    second: [f32; LANES],
    /// Which group of sixteen words the best is in.
    group: [u32; LANES],
}

/// What a query's scores came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    /// The smallest score.
    pub(crate) best: f32,
    /// The word that has it, the first of several.
    pub(crate) word: u32,
    /// The smallest score of any other word.
    pub(crate) second: f32,
}

impl Lead {
    pub(crate) const NONE: Self = Self {
        best: [f32::INFINITY; LANES],
        second: [f32::INFINITY; LANES],
        group: [0; LANES],
    };

    pub(crate) fn settle(&self) -> Settled {
        let word = |lane: usize| self.group[lane] * LANES as u32 + lane as u32;
        let mut settled = Settled {
            best: self.best[0],
            word: word(0),
            second: self.second[0],
        };
        for lane in 1..LANES {
            let (score, word) = (self.best[lane], word(lane));
            let better = score < settled.best || (score == settled.best && word < settled.word);
            let other = if better { settled.best } else { score };
            settled.second = settled.second.min(other).min(self.second[lane]);
            if better {
                (settled.best, settled.word) = (score, word);
            }
        }
        settled
    }
}

/// Words in panels of 32: for each value of a word one line with that value of the first sixteen words and one of the
/// others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel<'a> {
    /// Values of a word.
    pub(crate) dim: usize,
    /// `[dim, 2]` lines.
    pub(crate) words: &'a [Line],
    /// |c|²/2, infinite where there is no word.
    pub(crate) halves: &'a [Line; 2],
}

/// A kernel that this processor has been found to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles(Kernel);

impl Tiles {
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self(kernel.or_portable())
    }

    /// Queries of a tile.
    pub(crate) fn queries(self) -> usize {
        match self.0 {
            Kernel::Portable => portable::QUERIES,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => avx2::QUERIES,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => avx512::QUERIES,
        }
    }

    /// Lets every query of a tile (`[dim, queries]`, so that a value of all of them lies together) see the words of
    /// panel `number`. Panels come in ascending order.
    #[allow(unsafe_code)]
    pub(crate) fn lead(self, queries: &[f32], panel: Panel<'_>, number: u32, leads: &mut [Lead]) {
        match self.0 {
            Kernel::Portable => keep(&portable::products(queries, panel), panel.halves, number, leads),
            // SAFETY: `new` admits a kernel only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { avx2::lead(queries, panel, number, leads) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { avx512::lead(queries, panel, number, leads) },
        }
    }

    /// The scores of every query of a tile with the words of a panel.
    #[allow(unsafe_code)]
    pub(crate) fn scores(self, queries: &[f32], panel: Panel<'_>, scores: &mut [[f32; PANEL]]) {
        let products = match self.0 {
            Kernel::Portable => portable::products(queries, panel),
            // SAFETY: `new` admits a kernel only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { avx2::products(queries, panel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { avx512::products(queries, panel) },
        };
        for (scores, products) in scores.iter_mut().zip(&products) {
            let lines = scores.chunks_exact_mut(LANES).zip(panel.halves).zip(products);
            for ((scores, half), product) in lines {
                for ((score, half), product) in scores.iter_mut().zip(half.0).zip(product.0) {
                    *score = half - product;
                }
            }
        }
    }
}

/// Keeps the best of new scores; inlined into the kernels, so that it is compiled with their instructions.
#[inline(always)]
fn keep(products: &Products, halves: &[Line; 2], number: u32, leads: &mut [Lead]) {
    for (lead, products) in leads.iter_mut().zip(products) {
        for (half, product) in products.iter().enumerate() {
            let group = 2 * number + half as u32;
            for lane in 0..LANES {
                let score = halves[half].0[lane] - product.0[lane];
                let before = lead.best[lane];
                let better = score < before;
                let other = if better { before } else { score };
                lead.best[lane] = if better { score } else { before };
                lead.group[lane] = if better { group } else { lead.group[lane] };
                lead.second[lane] = if other < lead.second[lane] {
                    other
                } else {
                    lead.second[lane]
                };
            }
        }
    }
}

/// Checks what the kernels rely on: a whole tile of queries and a whole panel.
#[inline(always)]
fn check(tile: usize, queries: &[f32], panel: &Panel<'_>) {
    assert!(
        queries.len() == tile * panel.dim && panel.words.len() == 2 * panel.dim,
        "a tile and a panel of the same length of vectors"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kernel_agrees_with_plain_code(dim in 1..40_usize, seed in any::<u64>()) {
            let values = |name: &str, count: usize| -> Vec<f32> {
                let mut state = seed ^ name.len() as u64;
                let mut next = || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 40) as f32 / (1 << 23) as f32 - 1.0
                };
                (0..count).map(|_| next()).collect()
            };
            let words = values("words", PANEL * dim);
            let mut lines = vec![Line::ZERO; 2 * dim];
            let mut halves = [Line::ZERO; 2];
            for (word, row) in words.chunks(dim).enumerate() {
                for (d, value) in row.iter().enumerate() {
                    lines[2 * d + word / LANES].0[word % LANES] = *value;
                }
                halves[word / LANES].0[word % LANES] = row.iter().map(|v| v * v).sum::<f32>() / 2.0;
            }
            let panel = Panel { dim, words: &lines, halves: &halves };
            for kernel in Kernel::available() {
                let tiles = Tiles::new(kernel);
                let queries = values("query", tiles.queries() * dim);
                let mut scores = vec![[0.0; PANEL]; tiles.queries()];
                tiles.scores(&queries, panel, &mut scores);
                let mut leads = vec![Lead::NONE; tiles.queries()];
                tiles.lead(&queries, panel, 0, &mut leads);
                for (q, (scores, lead)) in scores.iter().zip(&leads).enumerate() {
                    let mut order: Vec<usize> = (0..PANEL).collect();
                    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
                    for (word, score) in scores.iter().enumerate() {
                        let want: f64 = (0..dim).map(|d| {
                            let (x, c) = (f64::from(queries[d * tiles.queries() + q]), f64::from(words[word * dim + d]));
                            c * c / 2.0 - x * c
                        }).sum();
                        prop_assert!((f64::from(*score) - want).abs() < 1e-5, "{} {score} {want}", kernel.name());
                    }
                    let settled = lead.settle();
                    prop_assert_eq!(settled.best, scores[order[0]]);
                    prop_assert_eq!(settled.second, scores[order[1]]);
                    prop_assert_eq!(scores[settled.word as usize], settled.best);
                }
            }
        }
    }
}
