//! Rankings in a new order, by how many matches of the query with each image agree.

use super::orders::{by_inliers_of_top, by_inliers_then_score, verified_places};
use super::verify::{Placed, Verification};
use rayon::prelude::*;

/// Whose rule orders a ranking anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RerankRule {
    /// DELG's: only the first places change, by falling number of inliers ([`by_inliers_of_top`]).
    Top,
    /// DELF's: of all places those with more inliers come first; junk is not verified ([`by_inliers_then_score`]).
    All,
}

/// How rankings are verified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpatialReranking {
    /// How a query and an image are compared.
    pub verification: Verification,
    /// Places that are verified.
    pub top: usize,
    /// How they are ordered.
    pub rule: RerankRule,
}

impl Default for SpatialReranking {
    /// The first 100 by [`Verification::default`].
    fn default() -> Self {
        Self {
            verification: Verification::default(),
            top: 100,
            rule: RerankRule::Top,
        }
    }
}

/// A ranking's new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reranked {
    /// The old places, best first.
    pub order: Vec<usize>,
    /// Matches that agree, by old place; 0 for those that were not verified.
    pub inliers: Vec<u32>,
}

impl SpatialReranking {
    /// Orders a ranking of so many `places` anew, on rayon's current pool; each thread holds the matches of one pair.
    ///
    /// `image` gives the local features of the image at a place; none (a distractor without features), like a pair whose
    /// descriptors differ in length, counts as no inliers. `junk` says which places are; those beyond its end are not. `done` is called
    /// after each pair.
    #[must_use]
    pub fn rerank<'a>(
        &self,
        query: Placed<'a>,
        places: usize,
        junk: &[bool],
        image: impl Fn(usize) -> Option<Placed<'a>> + Sync,
        done: impl Fn() + Sync,
    ) -> Reranked {
        let verified = match self.rule {
            RerankRule::Top => (0..self.top.min(places)).collect(),
            RerankRule::All => verified_places(places, junk, self.top),
        };
        let count = |&place: &usize| {
            let verified = image(place).and_then(|image| self.verification.verify(query, image).ok());
            done();
            (place, verified.map_or(0, |verified| verified.score()))
        };
        let counts: Vec<(usize, u32)> = verified.par_iter().map(count).collect();
        let mut inliers = vec![0; places];
        for (place, count) in counts {
            inliers[place] = count;
        }
        let order = match self.rule {
            RerankRule::Top => by_inliers_of_top(places, &inliers, junk, self.top),
            // A ranking's places stand for its falling scores.
            RerankRule::All => {
                let scores: Vec<f64> = (0..places).map(|place| -(place as f64)).collect();
                by_inliers_then_score(&scores, &inliers, junk, self.top)
            }
        };
        Reranked { order, inliers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalFeatures;
    use sightline_search::Rows;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Features of which `right` lie where the query's are, the others anywhere.
    fn image(right: usize) -> LocalFeatures {
        let count: usize = 30;
        let place = |feature: usize| {
            let grid = [(feature % 6) as f32 * 50.0, (feature / 6) as f32 * 40.0];
            match feature < right {
                true => grid,
                false => [(feature * 7919 % 613) as f32, (feature * 104_729 % 419) as f32],
            }
        };
        LocalFeatures {
            dim: count,
            descriptors: (0..count * count)
                .map(|value| f32::from(u8::from(value % (count + 1) == 0)))
                .collect(),
            strengths: vec![1.0; count],
            places: (0..count).map(place).collect(),
            scales: vec![1.0; count],
            size: [480, 640],
        }
    }

    #[test]
    fn images_that_agree_more_come_first() {
        let images = [image(12), image(30), image(0), image(20)];
        let query = image(30);
        let pairs = AtomicUsize::new(0);
        let reranked = |rule, top, junk: &[bool]| {
            let reranking = SpatialReranking {
                rule,
                top,
                ..SpatialReranking::default()
            };
            // The last place has no features.
            let features = |place: usize| images.get(place).map(Placed::from);
            reranking.rerank(Placed::from(&query), 5, junk, features, || {
                pairs.fetch_add(1, Ordering::Relaxed);
            })
        };
        let found = reranked(RerankRule::Top, 100, &[]);
        assert_eq!(found.order[..3], [1, 3, 0]);
        assert_eq!((found.inliers[1], found.inliers[4]), (30, 0));
        assert_eq!(pairs.load(Ordering::Relaxed), 5);
        assert_eq!(reranked(RerankRule::Top, 2, &[]).order, [1, 0, 2, 3, 4]);
        assert_eq!(
            reranked(RerankRule::Top, 2, &[false, true]).order,
            [0, 1, 2, 3, 4]
        );
        assert_eq!(reranked(RerankRule::All, 2, &[false, true]).order[0], 0);
        assert_eq!(reranked(RerankRule::All, 3, &[false, true]).order[..2], [3, 0]);
    }

    #[test]
    fn features_of_another_length_agree_with_nothing() {
        let (query, other) = (image(30), image(30));
        let other = Placed {
            descriptors: Rows::f32(&other.descriptors, 15),
            places: &other.places,
        };
        let found = SpatialReranking::default().rerank(Placed::from(&query), 1, &[], |_| Some(other), || {});
        assert_eq!(found.inliers, [0]);
    }
}
