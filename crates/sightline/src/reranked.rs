//! Rankings whose first answers stand in a new order.

use sightline_eval::{Rank, Ranking};

/// The first answers of every query in a new order; all others follow as they stood.
///
/// Only the first answers are stored, so memory does not grow with the gallery: where an image stands behind them is counted
/// in the ranking beneath.
pub struct Reordered<'a> {
    beneath: &'a dyn Ranking,
    /// Images and their places, by image.
    heads: Vec<Vec<(u32, u32)>>,
}

impl<'a> Reordered<'a> {
    /// `heads`: the first answers of each query, best first, by the index of the image in `beneath`, each once.
    #[must_use]
    pub fn new(beneath: &'a dyn Ranking, heads: impl Iterator<Item = Vec<u32>>) -> Self {
        let by_image = |head: Vec<u32>| {
            let mut head: Vec<(u32, u32)> = head.into_iter().zip(0..).collect();
            head.sort_unstable();
            head
        };
        Self {
            beneath,
            heads: heads.map(by_image).collect(),
        }
    }

    fn head(&self, query: usize) -> &[(u32, u32)] {
        self.heads.get(query).map_or(&[], Vec::as_slice)
    }
}

impl Ranking for Reordered<'_> {
    fn queries(&self) -> usize {
        self.beneath.queries()
    }

    fn images(&self) -> Option<usize> {
        self.beneath.images()
    }

    fn gallery(&self) -> Option<usize> {
        self.beneath.gallery()
    }

    fn ranks(&self, first_query: usize, wanted: &[Vec<u32>]) -> Vec<Vec<Option<Rank>>> {
        let place = |query: usize, image: u32| {
            let head = self.head(query);
            let at = head.binary_search_by_key(&image, |(image, _)| *image).ok()?;
            Some(head[at].1 as usize)
        };
        // What is behind the first answers, and these, to know how many of them stood before it.
        let ask = |(query, images): (usize, &Vec<u32>)| {
            let mut behind: Vec<u32> = images.clone();
            behind.retain(|image| place(query, *image).is_none());
            if !behind.is_empty() {
                behind.extend(self.head(query).iter().map(|(image, _)| *image));
            }
            behind
        };
        let asked: Vec<Vec<u32>> = (first_query..).zip(wanted).map(ask).collect();
        let found = match asked.iter().all(Vec::is_empty) {
            true => vec![Vec::new(); asked.len()],
            false => self.beneath.ranks(first_query, &asked),
        };
        let one = |(query, (images, found)): (usize, (&Vec<u32>, Vec<Option<Rank>>))| {
            let head = self.head(query).len();
            let (behind, first) = found.split_at(found.len().saturating_sub(head));
            let mut before: Vec<(usize, usize)> = first.iter().flatten().map(order).collect();
            before.sort_unstable();
            let mut behind = behind.iter();
            let rank = |image: &u32| match place(query, *image) {
                Some(place) => Some(Rank {
                    above: place,
                    equal_before: 0,
                    equal: 1,
                }),
                None => {
                    let rank = (*behind.next()?)?;
                    let passed = before.partition_point(|first| *first < order(&rank));
                    let position = rank.above + rank.equal_before;
                    Some(Rank {
                        above: head + position - passed,
                        equal_before: 0,
                        equal: 1,
                    })
                }
            };
            images.iter().map(rank).collect()
        };
        (first_query..).zip(wanted.iter().zip(found)).map(one).collect()
    }
}

/// Orders images as the ranking does, the lower index first among equal scores.
fn order(rank: &Rank) -> (usize, usize) {
    (rank.above, rank.equal_before)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sightline_eval::ranking::Ties;
    use sightline_eval::{RankedLists, ScoreMatrix};

    #[test]
    fn the_others_follow_as_they_stood() {
        // By score: 2, 0, 3, 1, 4 and 4, 3, 2, 1, 0.
        let scores = [0.8, 0.5, 0.9, 0.8, 0.1, 0.0, 0.1, 0.2, 0.3, 0.4];
        let beneath = ScoreMatrix::new(&scores, 5).unwrap();
        let heads = [vec![1, 2], vec![0, 3, 4, 1, 2]];
        let reordered = Reordered::new(&beneath, heads.into_iter());
        let all = vec![vec![0, 1, 2, 3, 4]; 2];
        let places = |ranking: &dyn Ranking, first: usize, wanted: &[Vec<u32>]| -> Vec<Vec<usize>> {
            let ranks = ranking.ranks(first, wanted);
            let place = |rank: &Option<Rank>| rank.unwrap().position(Ties::LowFirst);
            ranks
                .iter()
                .map(|ranks| ranks.iter().map(place).collect())
                .collect()
        };
        assert_eq!(places(&reordered, 0, &all), [[2, 0, 1, 3, 4], [0, 3, 4, 1, 2]]);
        assert_eq!(places(&reordered, 1, &[vec![4, 0]]), [[2, 0]]);
        assert_eq!((reordered.images(), reordered.queries()), (Some(5), 2));
    }

    #[test]
    fn what_a_short_list_lacks_is_never_found() {
        let beneath = RankedLists::new(vec![vec![3, 1, 0]], false).unwrap();
        let reordered = Reordered::new(&beneath, std::iter::once(vec![1, 3]));
        let ranks = reordered.ranks(0, &[vec![0, 2, 3]]);
        let places: Vec<_> = ranks[0].iter().map(|rank| rank.map(|rank| rank.above)).collect();
        assert_eq!(places, [Some(2), None, Some(1)]);
    }
}
