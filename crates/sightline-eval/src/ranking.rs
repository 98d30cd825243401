//! Where images stand in a query's ranking, and where rankings come from.
//!
//! A protocol asks only for the ranks of the images its ground truth names, so a gallery with a million distractors
//! is counted through, never sorted.

use std::cmp::Reverse;

/// Where one image stands in the ranking of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// Images with a strictly higher score.
    pub above: usize,
    /// Images with an equal score and a lower index.
    pub equal_before: usize,
    /// Images with an equal score, itself included (so at least 1).
    pub equal: usize,
}

/// What comes first of two images with equal scores. The originals leave it to an unstable sort; these are the two
/// deterministic orders that fit their expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// The lower index: a stable sort of the negated scores, as cirtorch writes it.
    LowFirst,
    /// The higher index: a stable ascending sort read backwards, as dirtorch writes it.
    HighFirst,
}

impl Rank {
    /// 0-based position in the whole ranking.
    pub fn position(&self, ties: Ties) -> usize {
        match ties {
            Ties::LowFirst => self.above + self.equal_before,
            Ties::HighFirst => self.above + self.equal.saturating_sub(1 + self.equal_before),
        }
    }
}

/// Rankings of all queries of a data set: from scores, from lists, or from a search that streams over the gallery.
pub trait Ranking {
    /// How many queries are ranked.
    fn queries(&self) -> usize;

    /// How many images every ranking holds, distractors included; none where lists may be shorter than the gallery.
    fn images(&self) -> Option<usize>;

    /// How many images are ranked against, distractors and those that no ranking ever holds (they have no descriptor) included;
    /// none where the rankings do not know.
    fn gallery(&self) -> Option<usize> {
        self.images()
    }

    /// Ranks of the images `wanted[i]` in the ranking of query `first_query + i`, in the order asked for; none for
    /// an image that the ranking does not hold. The lists are without repeats. Only called with queries below
    /// [`Ranking::queries`].
    fn ranks(&self, first_query: usize, wanted: &[Vec<u32>]) -> Vec<Vec<Option<Rank>>>;
}

/// A score for every query and image, higher is better.
#[derive(Clone, Copy, Debug)]
pub struct ScoreMatrix<'a> {
    images: usize,
    scores: &'a [f32],
}

impl<'a> ScoreMatrix<'a> {
    /// `scores`: [queries, images], row-major. None where the length is no multiple of `images` or `images` is 0.
    pub fn new(scores: &'a [f32], images: usize) -> Option<Self> {
        (images > 0 && scores.len().is_multiple_of(images)).then_some(Self { images, scores })
    }
}

impl Ranking for ScoreMatrix<'_> {
    fn queries(&self) -> usize {
        self.scores.len() / self.images
    }

    fn images(&self) -> Option<usize> {
        Some(self.images)
    }

    fn ranks(&self, first_query: usize, wanted: &[Vec<u32>]) -> Vec<Vec<Option<Rank>>> {
        self.scores
            .chunks_exact(self.images)
            .skip(first_query)
            .zip(wanted)
            .map(|(row, wanted)| ranks_from_scores(row, wanted))
            .collect()
    }
}

/// Orders scores as whole numbers: NaN lowest and all NaN alike, -0 as 0.
pub(crate) fn score_key(score: f32) -> u32 {
    if score.is_nan() {
        return 0;
    }
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// Ranks of the `wanted` images among `scores` (one an image, higher is better, NaN last), by counting: O(n log w)
/// for n scores and w wanted images, without sorting the scores. None for an index beyond the scores.
///
/// ```
/// use sightline_eval::ranking::{Ties, ranks_from_scores};
/// let ranks = ranks_from_scores(&[0.1, 0.9, 0.5, 0.5], &[3, 1]);
/// assert_eq!(ranks[0].unwrap().position(Ties::LowFirst), 2);
/// assert_eq!(ranks[0].unwrap().position(Ties::HighFirst), 1);
/// assert_eq!(ranks[1].unwrap().position(Ties::LowFirst), 0);
/// ```
pub fn ranks_from_scores(scores: &[f32], wanted: &[u32]) -> Vec<Option<Rank>> {
    // Wanted images by descending score, then ascending index; equal scores share a threshold.
    let mut sorted: Vec<(Reverse<u32>, usize)> = wanted
        .iter()
        .filter_map(|image| {
            let image = *image as usize;
            scores.get(image).map(|score| (Reverse(score_key(*score)), image))
        })
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut thresholds = Vec::new();
    let mut starts = Vec::new();
    for (i, (Reverse(key), _)) in sorted.iter().enumerate() {
        if thresholds.last() != Some(key) {
            thresholds.push(*key);
            starts.push(i);
        }
    }
    starts.push(sorted.len());
    let Some(&lowest) = thresholds.last() else {
        return vec![None; wanted.len()];
    };
    // First as counts per slot, then summed up.
    let mut above = vec![0_usize; thresholds.len() + 1];
    let mut equal = vec![0_usize; thresholds.len()];
    let mut before = vec![0_usize; sorted.len()];
    for (image, score) in scores.iter().enumerate() {
        let key = score_key(*score);
        if key < lowest {
            continue;
        }
        let slot = thresholds.partition_point(|threshold| *threshold > key);
        if thresholds[slot] == key {
            above[slot + 1] += 1;
            equal[slot] += 1;
            let group = &sorted[starts[slot]..starts[slot + 1]];
            let next = group.partition_point(|(_, wanted)| *wanted <= image);
            if next < group.len() {
                before[starts[slot] + next] += 1;
            }
        } else {
            above[slot] += 1;
        }
    }
    let mut ranks = Vec::with_capacity(sorted.len());
    let mut total = 0;
    for slot in 0..thresholds.len() {
        total += above[slot];
        let mut equal_before = 0;
        for count in &before[starts[slot]..starts[slot + 1]] {
            equal_before += count;
            ranks.push(Rank {
                above: total,
                equal_before,
                equal: equal[slot],
            });
        }
    }
    wanted
        .iter()
        .map(|image| {
            let image = *image as usize;
            let key = Reverse(score_key(*scores.get(image)?));
            let at = sorted.binary_search(&(key, image)).ok()?;
            Some(ranks[at])
        })
        .collect()
}

/// All images from best to worst, NaN last.
///
/// ```
/// use sightline_eval::ranking::{Ties, rank_all};
/// assert_eq!(rank_all(&[1.0, 2.0, 1.0], Ties::LowFirst), [1, 0, 2]);
/// assert_eq!(rank_all(&[1.0, 2.0, 1.0], Ties::HighFirst), [1, 2, 0]);
/// ```
pub fn rank_all(scores: &[f32], ties: Ties) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    if ties == Ties::HighFirst {
        order.reverse();
    }
    order.sort_by_key(|image| Reverse(score_key(scores[*image as usize])));
    order
}

/// The ranks that were found for one query, by image.
pub(crate) struct Ranked<'a> {
    images: &'a [u32],
    ranks: &'a [Option<Rank>],
}

impl<'a> Ranked<'a> {
    /// `images` ascending and without repeats, `ranks` parallel.
    pub(crate) fn new(images: &'a [u32], ranks: &'a [Option<Rank>]) -> Self {
        Self { images, ranks }
    }

    pub(crate) fn get(&self, image: u32) -> Option<Rank> {
        let at = self.images.binary_search(&image).ok()?;
        self.ranks.get(at).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counting_gives_the_positions_of_sorting(
            picks in prop::collection::vec(0..9_usize, 1..80),
            wanted in prop::collection::vec(0..90_u32, 0..40),
        ) {
            let values = [f32::NAN, -f32::NAN, f32::NEG_INFINITY, -1.0, -0.0, 0.0, 1e-40, 2.0, f32::INFINITY];
            let scores: Vec<f32> = picks.iter().map(|i| values[*i]).collect();
            for ties in [Ties::LowFirst, Ties::HighFirst] {
                let order = rank_all(&scores, ties);
                let ranks = ranks_from_scores(&scores, &wanted);
                for (image, rank) in wanted.iter().zip(ranks) {
                    let want = order.iter().position(|i| i == image);
                    prop_assert_eq!(rank.map(|r| r.position(ties)), want);
                }
            }
        }
    }

    #[test]
    fn nan_is_last_and_zeros_are_equal() {
        assert_eq!(
            rank_all(&[f32::NAN, f32::NEG_INFINITY, -0.0, 0.0], Ties::LowFirst),
            [2, 3, 1, 0]
        );
    }
}
