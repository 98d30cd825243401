//! Positions of positives and junk in one ranking: what every list protocol is computed from.

use crate::ranking::{Ranked, Ties};

/// Where the positives of a query, and the images to be stepped over, stand in its ranking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// Ascending 0-based positions of the positives, junk still counted. A positive named twice has one position.
    pub positives: Vec<usize>,
    /// Ascending 0-based positions of what is removed (neither right nor wrong).
    pub removed: Vec<usize>,
    /// Length of the ground truth's list of positives as written.
    pub named: usize,
}

impl Positions {
    /// Positions in a ranked list of image indices, best first; the list may be shorter than the gallery.
    ///
    /// ```
    /// use sightline_eval::positions::Positions;
    /// let found = Positions::in_list(&[7, 2, 5, 3], &[2, 3, 9], &[7]);
    /// assert_eq!(found.positives, [1, 3]);
    /// assert_eq!(found.junk_free(), [0, 2]);
    /// assert_eq!(found.named, 3);
    /// ```
    pub fn in_list(list: &[u32], positives: &[u32], removed: &[u32]) -> Self {
        let places = |of: &[u32]| {
            let mut sorted = of.to_vec();
            sorted.sort_unstable();
            list.iter()
                .enumerate()
                .filter(|(_, image)| sorted.binary_search(image).is_ok())
                .map(|(place, _)| place)
                .collect()
        };
        Self {
            positives: places(positives),
            removed: places(removed),
            named: positives.len(),
        }
    }

    /// The same from ranks; `positives` and `removed` may come in several lists.
    pub(crate) fn from_ranks(
        ranked: &Ranked<'_>,
        positives: &[&[u32]],
        removed: &[&[u32]],
        ties: Ties,
    ) -> Self {
        let places = |lists: &[&[u32]]| {
            let mut places: Vec<usize> = lists
                .iter()
                .flat_map(|list| list.iter())
                .filter_map(|image| ranked.get(*image))
                .map(|rank| rank.position(ties))
                .collect();
            places.sort_unstable();
            // Different images have different positions, so equal ones are one image named twice.
            places.dedup();
            places
        };
        Self {
            positives: places(positives),
            removed: places(removed),
            named: positives.iter().map(|list| list.len()).sum(),
        }
    }

    /// Positions of the positives after what is removed has been taken out of the list: each less the number of
    /// removed images strictly before it. An image that is both positive and removed (inconsistent ground truth) is
    /// counted as both, as in cirtorch, so two positives can then share a position.
    pub fn junk_free(&self) -> Vec<usize> {
        let mut before = 0;
        self.positives
            .iter()
            .map(|position| {
                while self.removed.get(before).is_some_and(|removed| removed < position) {
                    before += 1;
                }
                position - before
            })
            .collect()
    }
}
