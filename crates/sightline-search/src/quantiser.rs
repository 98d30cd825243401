//! The nearest words of many vectors, by squared Euclidean distance.

use crate::rows::check_pair;
use crate::shortlist::Shortlist;
use crate::tiles::{LANES, Lead, Line, PANEL, Panel, Tiles};
use crate::{Kernel, RowData, Rows, SearchError};
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Queries that a core works on at a time at most; a multiple of every kernel's tile.
const BLOCK_QUERIES: usize = 168;
/// Bytes of these queries at most, so that they stay in the second-level cache.
const BLOCK_BYTES: usize = 512 << 10;
/// Tiles of queries whose candidates are kept at a time.
const SHORTLIST_TILES: usize = 4;
/// Scores grow beyond what f32 holds above this product of two norms.
const LARGEST_PRODUCT: f64 = 1e37;
/// Half a unit in the last place of f32.
const ROUNDING: f64 = 1.0 / 16_777_216.0;

/// One of the words nearest to a query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Neighbour {
    /// Row of the word.
    pub index: u32,
    /// Squared Euclidean distance.
    pub distance: f32,
}

/// For each of `queries` ([n, dim]) its `k` nearest of `words` ([words, dim], fewer than 2^32), nearest first: k
/// neighbours of the first query, then k of the next; fewer where there are fewer words.
///
/// The distance is the sum of squared differences in f64, rounded once. Words whose distances are equal in f64 stand in the order of
/// their rows; NaN comes last. The answer is the same for any number of threads and instruction set. Works on rayon's
/// current pool. To ask the same words again and again, prepare them once: [`Quantiser`].
///
/// Errors: rows that are not whole, different `dim`, too many words.
///
/// ```
/// use sightline_search::{Rows, nearest};
/// let words = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
/// let found = nearest(Rows::f32(&[0.25, 0.0], 2), Rows::f32(&words, 2), 2)?;
/// assert_eq!(found.iter().map(|word| word.index).collect::<Vec<_>>(), [0, 2]);
/// assert_eq!(found[0].distance, 0.0625);
/// # Ok::<(), sightline_search::SearchError>(())
/// ```
pub fn nearest(queries: Rows<'_>, words: Rows<'_>, k: usize) -> Result<Vec<Neighbour>, SearchError> {
    check_pair(&queries, &words)?;
    Quantiser::new(words)?.nearest(queries, k)
}

/// Words prepared for [`nearest`]: twice their size in f32.
#[derive(Clone, Debug)]
pub struct Quantiser {
    dim: usize,
    /// `[words, dim]`.
    words: Vec<f32>,
    tiles: Tiles,
    /// Panels of 32 words, `[panels, dim, 2]`.
    lines: Vec<Line>,
    /// |c|²/2 of the words of each panel.
    halves: Vec<[Line; 2]>,
    /// The largest norm of a word; not finite where a word is not.
    largest: f64,
}

impl Quantiser {
    /// Prepares `words`, `[words, dim]`.
    ///
    /// Errors: rows that are not whole, 2^32 words or more.
    pub fn new(words: Rows<'_>) -> Result<Self, SearchError> {
        Self::with_kernel(Kernel::best(), words)
    }

    /// [`Quantiser::new`] with a kernel of one's choice (plain code where the processor lacks it); for measuring, since
    /// all kernels answer alike.
    pub fn with_kernel(kernel: Kernel, words: Rows<'_>) -> Result<Self, SearchError> {
        let (count, dim) = (words.check("words")?, words.dim);
        if count > u32::MAX as usize {
            return Err(SearchError::TooManyRows { rows: count });
        }
        let words = wide(words.data).into_owned();
        let panels = count.div_ceil(PANEL);
        let mut lines = vec![Line::ZERO; panels * 2 * dim];
        let mut halves = vec![[Line([f32::INFINITY; LANES]); 2]; panels];
        let mut largest = 0.0_f64;
        for (word, row) in words.chunks_exact(dim).enumerate() {
            let (panel, half, lane) = (word / PANEL, word % PANEL / LANES, word % LANES);
            for (d, value) in row.iter().enumerate() {
                lines[(panel * dim + d) * 2 + half].0[lane] = *value;
            }
            let squared = squared_distance(row, None);
            halves[panel][half].0[lane] = (squared / 2.0) as f32;
            // Kept where it is NaN, which `max` would drop.
            largest = if largest >= squared { largest } else { squared };
            if squared.is_nan() {
                largest = f64::INFINITY;
            }
        }
        Ok(Self {
            dim,
            words,
            tiles: Tiles::new(kernel),
            lines,
            halves,
            largest: largest.sqrt(),
        })
    }

    /// Values of a word.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many words there are.
    pub fn count(&self) -> usize {
        self.words.len() / self.dim
    }

    /// The words, `[words, dim]`.
    pub fn words(&self) -> &[f32] {
        &self.words
    }

    /// As [`nearest`](crate::nearest()).
    ///
    /// Errors: rows that are not whole, different `dim`.
    pub fn nearest(&self, queries: Rows<'_>, k: usize) -> Result<Vec<Neighbour>, SearchError> {
        let count = queries.check("queries")?;
        if queries.dim != self.dim {
            return Err(SearchError::Dimensions {
                queries: queries.dim,
                database: self.dim,
            });
        }
        Ok(self.nearest_of(count, k, |range| wide(queries.part(range.start, range.len()))))
    }

    /// [`Quantiser::nearest`] of `count` queries that `rows` gives by their places, `[places, dim]`.
    pub(crate) fn nearest_of<'a>(
        &self,
        count: usize,
        k: usize,
        rows: impl Fn(Range<usize>) -> Cow<'a, [f32]> + Sync,
    ) -> Vec<Neighbour> {
        let k = k.min(self.count());
        if k == 0 {
            return Vec::new();
        }
        let mut found = vec![Neighbour::default(); count * k];
        let block = self.block(count);
        found
            .par_chunks_mut(block * k)
            .enumerate()
            .for_each(|(number, found)| {
                let first = number * block;
                let rows = rows(first..first + found.len() / k);
                if k == 1 {
                    self.one(&rows, found);
                } else {
                    self.several(&rows, k, found);
                }
            });
        found
    }

    /// Queries of a block: whole tiles that fit the cache, few enough to go round. No result depends on it.
    fn block(&self, queries: usize) -> usize {
        let tile = self.tiles.queries();
        let fitting = (BLOCK_BYTES / (4 * self.dim)).min(BLOCK_QUERIES);
        let fair = queries.div_ceil(2 * rayon::current_num_threads());
        fitting.min(fair).max(tile).next_multiple_of(tile)
    }

    fn panel(&self, number: usize) -> Panel<'_> {
        Panel {
            dim: self.dim,
            words: &self.lines[number * 2 * self.dim..(number + 1) * 2 * self.dim],
            halves: &self.halves[number],
        }
    }

    fn word(&self, index: u32) -> &[f32] {
        &self.words[index as usize * self.dim..(index as usize + 1) * self.dim]
    }

    /// The nearest word of each of `rows`.
    fn one(&self, rows: &[f32], found: &mut [Neighbour]) {
        let tile = self.tiles.queries();
        let queries = self.pack(rows);
        let mut leads = vec![Lead::NONE; found.len().next_multiple_of(tile)];
        for number in 0..self.halves.len() {
            let panel = self.panel(number);
            let tiles = queries.chunks_exact(tile * self.dim);
            for (queries, leads) in tiles.zip(leads.chunks_exact_mut(tile)) {
                self.tiles.lead(queries, panel, number as u32, leads);
            }
        }
        let mut open = Vec::new();
        for (query, row) in rows.chunks_exact(self.dim).enumerate() {
            let settled = leads[query].settle();
            let margin = f64::from(settled.second) - f64::from(settled.best);
            if margin > self.slack(row) {
                found[query] = Neighbour {
                    index: settled.word,
                    distance: squared_distance(row, Some(self.word(settled.word))) as f32,
                };
            } else {
                open.push(query);
            }
        }
        let of_open: Vec<f32> = open
            .iter()
            .flat_map(|query| &rows[query * self.dim..(query + 1) * self.dim])
            .copied()
            .collect();
        let mut decided = vec![Neighbour::default(); open.len()];
        self.several(&of_open, 1, &mut decided);
        for (query, decided) in open.into_iter().zip(decided) {
            found[query] = decided;
        }
    }

    /// The `k` nearest words of each of `rows`: all whose score may be among the k smallest, then exactly.
    fn several(&self, rows: &[f32], k: usize, found: &mut [Neighbour]) {
        let tile = self.tiles.queries();
        let together = SHORTLIST_TILES * tile;
        let mut scores = vec![[0.0; PANEL]; tile];
        for (rows, found) in rows
            .chunks(together * self.dim)
            .zip(found.chunks_mut(together * k))
        {
            let queries = self.pack(rows);
            let mut lists: Vec<Shortlist> = rows
                .chunks_exact(self.dim)
                .map(|row| Shortlist::new(k, self.slack(row)))
                .collect();
            for number in 0..self.halves.len() {
                let panel = self.panel(number);
                let words = (self.count() - number * PANEL).min(PANEL);
                let tiles = queries.chunks_exact(tile * self.dim);
                for (queries, lists) in tiles.zip(lists.chunks_mut(tile)) {
                    self.tiles.scores(queries, panel, &mut scores);
                    for (list, scores) in lists.iter_mut().zip(&scores) {
                        list.offer((number * PANEL) as u32, &scores[..words]);
                    }
                }
            }
            let answers = rows.chunks_exact(self.dim).zip(found.chunks_exact_mut(k));
            for (list, (row, found)) in lists.into_iter().zip(answers) {
                self.decide(row, list, found);
            }
        }
    }

    /// The nearest of a shortlist, by their exact distances.
    fn decide(&self, row: &[f32], list: Shortlist, found: &mut [Neighbour]) {
        let mut exact: Vec<(f64, u32)> = list
            .finish()
            .map(|word| {
                let distance = squared_distance(row, Some(self.word(word)));
                // All NaN alike, and last.
                (if distance.is_nan() { f64::NAN } else { distance }, word)
            })
            .collect();
        exact.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (found, (distance, index)) in found.iter_mut().zip(exact) {
            *found = Neighbour {
                index,
                distance: distance as f32,
            };
        }
    }

    /// `rows` in tiles, `[tiles, dim, tile]`, the last one filled up with zeros.
    fn pack(&self, rows: &[f32]) -> Vec<f32> {
        let (tile, dim) = (self.tiles.queries(), self.dim);
        let count = rows.len() / dim;
        let mut packed = vec![0.0; count.next_multiple_of(tile) * dim];
        for (packed, rows) in packed.chunks_exact_mut(tile * dim).zip(rows.chunks(tile * dim)) {
            for (q, row) in rows.chunks_exact(dim).enumerate() {
                for (d, value) in row.iter().enumerate() {
                    packed[d * tile + q] = *value;
                }
            }
        }
        packed
    }

    /// How far the difference of two scores of a query can be from the truth.
    ///
    /// A score is a sum of `dim` products, |c|²/2 minus it. However the products are rounded and added, their sum is off
    /// by at most 2 · dim · u / (1 - 2 · dim · u) · |x| |c| (u: half a unit in the last place; Higham, Accuracy and
    /// Stability of Numerical Algorithms, 3.1), |c|²/2 and the difference by u of themselves. The exact distances are
    /// sums in f64, whose rounding is added, as is what the smallest numbers lose.
    fn slack(&self, row: &[f32]) -> f64 {
        let (norm, largest) = (squared_distance(row, None).sqrt(), self.largest);
        let product = norm.max(largest) * largest;
        let steps = 2.0 * self.dim as f64 * ROUNDING;
        // NaN must answer yes here.
        if !(product <= LARGEST_PRODUCT && norm <= LARGEST_PRODUCT && steps < 0.5) {
            return f64::INFINITY;
        }
        let sum = steps / (1.0 - steps) * norm * largest;
        let rest = 4.0 * ROUNDING * (largest * largest + norm * largest);
        let exact = self.dim as f64 * f64::EPSILON * (norm + largest).powi(2);
        let tiny = 4.0 * self.dim as f64 * f64::from(f32::MIN_POSITIVE);
        2.0 * (sum + rest + exact + tiny)
    }
}

/// Values in f32.
fn wide(data: RowData<'_>) -> Cow<'_, [f32]> {
    match data {
        RowData::F32(values) => Cow::Borrowed(values),
        RowData::F16(values) => {
            let mut wide = vec![0.0; values.len()];
            values.convert_to_f32_slice(&mut wide);
            Cow::Owned(wide)
        }
    }
}

/// |a - b|², or |a|² without b, in f64: eight lanes, then these in halves.
pub(crate) fn squared_distance(a: &[f32], b: Option<&[f32]>) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0_f64; LANES];
    match b {
        Some(b) => {
            for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
                for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
                    let difference = f64::from(*a) - f64::from(*b);
                    *lane += difference * difference;
                }
            }
        }
        None => {
            for a in a.chunks(LANES) {
                for (lane, a) in lanes.iter_mut().zip(a) {
                    *lane += f64::from(*a) * f64::from(*a);
                }
            }
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(count: usize, seed: u64, levels: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as u32 % levels) as f32 / levels as f32 - 0.5
        };
        (0..count).map(|_| next()).collect()
    }

    /// All distances in f64, sorted.
    fn plain(queries: &[f32], words: &[f32], dim: usize, k: usize) -> Vec<Neighbour> {
        let mut all = Vec::new();
        for x in queries.chunks(dim) {
            let mut order: Vec<(f64, u32)> = words
                .chunks(dim)
                .zip(0..)
                .map(|(c, index)| (squared_distance(x, Some(c)), index))
                .collect();
            order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            all.extend(order.iter().take(k).map(|(distance, index)| Neighbour {
                index: *index,
                distance: *distance as f32,
            }));
        }
        all
    }

    proptest! {
        // Few levels make many ties, a large offset makes f32 scores useless.
        #[test]
        fn every_kernel_gives_the_exact_answer(
            dim in 1..40_usize, queries in 0..50_usize, words in 1..100_usize, k in 1..8_usize,
            seed in any::<u64>(), levels in prop_oneof![Just(2_u32), Just(1 << 20)],
            offset in prop_oneof![Just(0.0_f32), Just(1000.0), Just(3e25)],
        ) {
            let shift = |values: Vec<f32>| values.into_iter().map(|v| v + offset).collect::<Vec<_>>();
            let x = shift(values(queries * dim, seed, levels));
            let c = shift(values(words * dim, !seed, levels));
            let want = plain(&x, &c, dim, k);
            for kernel in Kernel::available() {
                let quantiser = Quantiser::with_kernel(kernel, Rows::f32(&c, dim)).unwrap();
                for k in [1, k] {
                    let got = quantiser.nearest(Rows::f32(&x, dim), k).unwrap();
                    let want: Vec<Neighbour> = want.chunks(want.len().checked_div(queries).unwrap_or(1).max(1))
                        .flat_map(|of_query| &of_query[..k.min(of_query.len())]).copied().collect();
                    prop_assert_eq!(&got, &want, "{}", kernel.name());
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (x, c) = (values(1000 * 24, 1, 1 << 20), values(300 * 24, 2, 1 << 20));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| nearest(Rows::f32(&x, 24), Rows::f32(&c, 24), 3).unwrap())
        };
        assert_eq!(run(1), run(5));
        assert_eq!(run(1), plain(&x, &c, 24, 3));
    }

    #[test]
    fn half_floats_and_values_that_are_not_numbers() {
        let halves: Vec<half::f16> = [1.0, 2.0, 3.0, 4.0].map(half::f16::from_f32).to_vec();
        let found = nearest(Rows::f16(&halves, 2), Rows::f16(&halves, 2), 1).unwrap();
        assert_eq!(found.iter().map(|n| n.index).collect::<Vec<_>>(), [0, 1]);
        let words = [f32::NAN, 0.0, f32::INFINITY, 0.0, 1.0, 0.0];
        let found = nearest(Rows::f32(&[2.0, 0.0], 2), Rows::f32(&words, 2), 3).unwrap();
        assert_eq!(found.iter().map(|n| n.index).collect::<Vec<_>>(), [2, 1, 0]);
        assert_eq!(found[0].distance, 1.0);
        let found = nearest(Rows::f32(&[f32::NAN, 0.0], 2), Rows::f32(&words, 2), 1).unwrap();
        assert_eq!(found[0].index, 0);
    }

    #[test]
    fn shapes_are_checked() {
        let error = nearest(Rows::f32(&[1.0; 3], 3), Rows::f32(&[1.0; 4], 2), 1).unwrap_err();
        assert!(matches!(error, SearchError::Dimensions { .. }), "{error}");
        let error = nearest(Rows::f32(&[1.0; 3], 2), Rows::f32(&[1.0; 4], 2), 1).unwrap_err();
        assert!(matches!(error, SearchError::Shape { .. }), "{error}");
        assert!(
            nearest(Rows::f32(&[], 2), Rows::f32(&[1.0; 4], 2), 1)
                .unwrap()
                .is_empty()
        );
    }
}
