//! The graph of rows with others in front of them.

use super::{GraphBuilder, KnnGraph};
use crate::{Rows, SearchError};

impl KnnGraph {
    /// The graph of the rows of `front` and, behind them, those of `gallery`, whose graph this is, with as many neighbours: the very
    /// graph of all of them, without comparing the gallery with itself again. Gallery row i becomes row `front.count() + i`.
    ///
    /// # Errors
    /// When rows are not whole, differ in length, or are 2^32 and more, or this is no graph of so many rows as the gallery has.
    ///
    /// ```
    /// use sightline_search::{Rows, knn_graph};
    /// let (query, gallery) = ([0.5], [1.0, 2.0]);
    /// let (query, gallery) = (Rows::f32(&query, 1), [Rows::f32(&gallery, 1)]);
    /// let stacked = knn_graph(&gallery, 1)?.with_front(query, &gallery)?;
    /// assert_eq!(stacked, knn_graph(&[query, gallery[0]], 1)?);
    /// # Ok::<(), sightline_search::SearchError>(())
    /// ```
    pub fn with_front(&self, front: Rows<'_>, gallery: &[Rows<'_>]) -> Result<Self, SearchError> {
        self.verify(gallery.iter().map(Rows::count).sum())?;
        let sets = [&[front], gallery].concat();
        let mut builder = GraphBuilder::new(&sets, self.k)?;
        while builder.rows() < front.count() && builder.step() {}
        builder.join(self, front.count());
        Ok(builder.into_lists())
    }
}
