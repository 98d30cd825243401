//! Which local features of two pictures may show the same thing, by their descriptors.

use sightline_search::{Neighbour, Rows, SearchError, nearest};

/// Two features that look alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Feature of the first picture.
    pub first: u32,
    /// Feature of the second picture: the nearest to the other.
    pub second: u32,
    /// Euclidean distance of their descriptors.
    pub distance: f64,
    /// That distance divided by the one to the second nearest feature of the second picture; 0 where there is none, 1 where both are 0.
    pub ratio: f64,
}

/// Which pairs of nearest neighbours are kept. Nothing asked for: every feature of the first picture with its nearest of the second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Matching {
    /// Only pairs that are each other's nearest.
    pub mutual: bool,
    /// Only pairs whose distance is less than this share of the distance to the second nearest (Lowe, IJCV 2004).
    pub ratio: Option<f64>,
    /// Only pairs with a distance of less than this.
    pub max_distance: Option<f64>,
}

impl Matching {
    /// DELG's putative matches: nearest neighbours closer than 0.99, several of which may share a feature of the second
    /// picture (`feymanpriv/DELG`, `tools/revisitop/example_evaluate_with_local.py`).
    pub const DELG: Self = Self {
        mutual: false,
        ratio: None,
        max_distance: Some(0.99),
    };

    /// DELF's: the same with 0.9 (`detect_to_retrieve/image_reranking.py`).
    pub const DELF: Self = Self {
        mutual: false,
        ratio: None,
        max_distance: Some(0.9),
    };

    /// The matches of descriptors `[n, dim]` with others `[m, dim]`, by ascending feature of the first. Equal
    /// distances go to the lower index.
    ///
    /// # Errors
    /// Rows that are not whole, or of different length.
    pub fn matches(&self, first: Rows<'_>, second: Rows<'_>) -> Result<Vec<Match>, SearchError> {
        // Two neighbours each, or fewer where the second picture has fewer features.
        let each = second.count().min(2);
        let forth = nearest(first, second, 2)?;
        let back = if self.mutual {
            nearest(second, first, 1)?
        } else {
            Vec::new()
        };
        let keeps = |found: &Match| {
            self.ratio.is_none_or(|ratio| found.ratio < ratio)
                && self.max_distance.is_none_or(|limit| found.distance < limit)
                && (!self.mutual
                    || back
                        .get(found.second as usize)
                        .is_some_and(|nearest| nearest.index == found.first))
        };
        let pairs = forth.chunks_exact(each.max(1));
        Ok((0..)
            .zip(pairs)
            .filter_map(|(first, neighbours)| pair(first, neighbours))
            .filter(keeps)
            .collect())
    }
}

/// A feature and its nearest one or two.
fn pair(first: u32, neighbours: &[Neighbour]) -> Option<Match> {
    let distance = |neighbour: &Neighbour| f64::from(neighbour.distance).sqrt();
    let nearest = neighbours.first()?;
    let found = distance(nearest);
    let ratio = match neighbours.get(1).map(distance) {
        Some(second) if second > 0.0 => found / second,
        Some(_) => 1.0,
        None => 0.0,
    };
    // Descriptors that are no numbers match nothing.
    (!found.is_nan()).then_some(Match {
        first,
        second: nearest.index,
        distance: found,
        ratio,
    })
}

/// The indices of matches, best first: by how much nearer than the second nearest they are, then by distance.
#[must_use]
pub fn by_quality(matches: &[Match]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..matches.len() as u32).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&matches[a as usize], &matches[b as usize]);
        a.ratio
            .total_cmp(&b.ratio)
            .then(a.distance.total_cmp(&b.distance))
    });
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pairs(matching: Matching, first: &[f32], second: &[f32]) -> Vec<(u32, u32)> {
        matching
            .matches(Rows::f32(first, 1), Rows::f32(second, 1))
            .unwrap()
            .iter()
            .map(|found| (found.first, found.second))
            .collect()
    }

    #[test]
    fn each_rule_keeps_what_it_says() {
        let (first, second) = ([0.0, 1.0, 10.0, 40.0], [0.25, 11.0, 12.0]);
        let with = |mutual, ratio, max_distance| Matching {
            mutual,
            ratio,
            max_distance,
        };
        assert_eq!(
            pairs(Matching::default(), &first, &second),
            [(0, 0), (1, 0), (2, 1), (3, 2)]
        );
        assert_eq!(pairs(with(true, None, None), &first, &second), [(0, 0), (2, 1)]);
        assert_eq!(
            pairs(with(false, Some(0.5), None), &first, &second),
            [(0, 0), (1, 0)]
        );
        assert_eq!(
            pairs(with(false, Some(0.51), None), &first, &second),
            [(0, 0), (1, 0), (2, 1)]
        );
        assert_eq!(
            pairs(with(false, None, Some(1.0)), &first, &second),
            [(0, 0), (1, 0)]
        );
        assert_eq!(pairs(with(true, Some(0.9), Some(0.5)), &first, &second), [(0, 0)]);
    }

    #[test]
    fn ties_go_to_the_lower_index_and_odd_numbers_match_nothing() {
        assert_eq!(
            pairs(Matching::default(), &[1.0], &[3.0, 2.0, 2.0, 0.0]),
            [(0, 1)]
        );
        assert_eq!(pairs(Matching::default(), &[1.0], &[5.0]), [(0, 0)]);
        assert!(pairs(Matching::default(), &[f32::NAN], &[5.0, 6.0]).is_empty());
        let mutual = Matching {
            mutual: true,
            ..Matching::default()
        };
        // Twins: only the first of them is anybody's nearest.
        assert_eq!(pairs(mutual, &[1.0, 1.0], &[1.0, 1.0]), [(0, 0)]);
    }

    #[test]
    fn the_best_stand_out_most() {
        let one = |distance, ratio| Match {
            first: 0,
            second: 0,
            distance,
            ratio,
        };
        let order = by_quality(&[one(0.3, 0.9), one(0.5, 0.2), one(0.4, 0.9), one(0.1, 0.95)]);
        assert_eq!(order, [1, 0, 2, 3]);
    }
}
