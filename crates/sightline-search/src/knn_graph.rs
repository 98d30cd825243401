//! The nearest neighbours of every row of a database among all its rows.

mod builder;
mod front;
mod lists;

pub use builder::{GraphBuilder, GraphState};

use crate::order::Candidate;
use crate::{Hit, Rows, SearchError};

/// For every row of `[n, dim]` its `k` nearest rows, itself included.
#[derive(Clone, Debug, PartialEq)]
pub struct KnnGraph {
    /// Neighbours of a row.
    pub k: usize,
    /// Their indices `[n, k]`, best first, the lower one first among equals.
    pub indices: Vec<u32>,
    /// Their inner products with the row `[n, k]`.
    pub similarities: Vec<f32>,
    /// The least inner product of each row with any row `[n]`; NaN where all are.
    pub lowest: Vec<f32>,
}

impl KnnGraph {
    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lowest.len()
    }

    /// The neighbours of a row that exists, best first.
    pub fn list(&self, row: usize) -> impl Iterator<Item = Hit> {
        let range = row * self.k..(row + 1) * self.k;
        let pairs = self.indices[range.clone()].iter().zip(&self.similarities[range]);
        pairs.map(|(index, score)| Hit {
            index: *index as usize,
            score: *score,
        })
    }

    /// Makes sure that this may be the graph of `count` rows: whole lists of rows that exist, each in its order.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, count: usize) -> Result<(), SearchError> {
        self.check(count)?;
        if self.indices.contains(&u32::MAX) {
            return Err(SearchError::Graph("its lists are not whole"));
        }
        let candidate = |at: usize| Candidate::new(self.similarities[at], self.indices[at]);
        let ordered = |at: usize| at.is_multiple_of(self.k) || candidate(at - 1) > candidate(at);
        if !(0..self.indices.len()).all(ordered) {
            return Err(SearchError::Graph("its lists are not in their order"));
        }
        Ok(())
    }

    /// Checks that this is a graph of `count` rows, of which some lists may end early.
    fn check(&self, count: usize) -> Result<(), SearchError> {
        let refuse = |reason| Err(SearchError::Graph(reason));
        if self.lowest.len() != count {
            return refuse("it has another number of rows");
        }
        let whole = Some(self.indices.len()) == count.checked_mul(self.k);
        if self.k > count || !whole || self.similarities.len() != self.indices.len() {
            return refuse("its lists are not whole");
        }
        if !self
            .indices
            .iter()
            .all(|index| (*index as usize) < count || *index == u32::MAX)
        {
            return refuse("it names a row that does not exist");
        }
        Ok(())
    }
}

/// The `k` nearest rows (1 at least), by inner product, of every row of `sets`, which lie one behind the other; all rows where there are
/// fewer. The lists are those of [`top_k`](crate::top_k()).
///
/// Each inner product is computed once for both of its rows. The result does not depend on the number of threads. Memory: see
/// [`GraphBuilder`], which does the same in steps.
///
/// # Errors
/// When rows are not whole, differ in length, or are 2^32 and more.
///
/// ```
/// use sightline_search::{Rows, knn_graph};
/// let graph = knn_graph(&[Rows::f32(&[0.0, 1.0, 0.6, 0.8, 1.0, 0.0], 2)], 2)?;
/// assert_eq!(graph.indices, [0, 1, 1, 0, 2, 1]);
/// assert_eq!(graph.lowest, [0.0, 0.6, 0.0]);
/// # Ok::<(), sightline_search::SearchError>(())
/// ```
pub fn knn_graph(sets: &[Rows<'_>], k: usize) -> Result<KnnGraph, SearchError> {
    let mut builder = GraphBuilder::new(sets, k)?;
    while builder.step() {}
    Ok(builder.into_graph())
}

#[cfg(test)]
mod tests;
