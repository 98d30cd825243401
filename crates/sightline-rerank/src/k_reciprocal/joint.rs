//! Queries and images encoded together.

use super::KReciprocal;
use super::encoding::{Sparse, encode};
use super::lists::Lists;
use crate::Gallery;
use rayon::prelude::*;
use sightline_search::{KnnGraph, Rows, SearchError, inner_products};
use std::ops::Range;

/// Queries and images as one set, and what their rows are made of.
pub(super) struct Joint<'a> {
    queries: Rows<'a>,
    images: &'a Gallery<'a>,
    lambda: f64,
    lists: Lists,
    encoded: Sparse,
    /// The images that have a value at each row.
    images_by_row: Sparse,
}

impl<'a> Joint<'a> {
    /// `stored`: the neighbours of the images, where they are known.
    pub(super) fn new(
        how: &KReciprocal,
        queries: Rows<'a>,
        images: &'a Gallery<'a>,
        stored: Option<&KnnGraph>,
    ) -> Result<Self, SearchError> {
        let rows = Gallery::new(queries, images.sets())?;
        let longest = how.k1.saturating_add(1).max(how.k2);
        let lists = Lists::new(&rows, queries, images, longest, stored)?;
        let encoded = encode(how, &rows, &lists);
        let images_by_row = encoded.inverted(queries.count());
        Ok(Self {
            queries,
            images,
            lambda: how.lambda,
            lists,
            encoded,
            images_by_row,
        })
    }

    /// The final distances of some queries to all images `[some, G]`.
    pub(super) fn distances(&self, some: Range<usize>) -> Result<Vec<f32>, SearchError> {
        let count = self.images.count();
        let mut distances = vec![0.0; some.len() * count];
        let mut first = 0;
        for set in self.images.sets() {
            let products = inner_products(self.queries.slice(some.clone()), *set)?;
            let rows = products.chunks_exact(set.count().max(1));
            for (row, products) in distances.chunks_exact_mut(count.max(1)).zip(rows) {
                row[first..first + set.count()].copy_from_slice(products);
            }
            first += set.count();
        }
        let rows = distances.par_chunks_mut(count.max(1)).zip(some);
        rows.for_each(|(row, query)| self.finish(query, row));
        Ok(distances)
    }

    /// Makes the inner products of a query with all images its final distances.
    fn finish(&self, query: usize, row: &mut [f32]) {
        let mut shared = vec![0.0_f64; row.len()];
        for (column, value) in self.encoded.row(query) {
            for (image, other) in self.images_by_row.row(column as usize) {
                shared[image as usize] += f64::from(value.min(other));
            }
        }
        let squares = &self.lists.squares;
        let images = &squares[self.queries.count()..];
        for ((out, shared), square) in row.iter_mut().zip(&shared).zip(images) {
            let squared = (squares[query] + square - 2.0 * f64::from(*out)).max(0.0);
            let original = self.lists.share(query, squared);
            let jaccard = 1.0 - shared / (2.0 - shared);
            *out = (jaccard * (1.0 - self.lambda) + original * self.lambda) as f32;
        }
    }
}
