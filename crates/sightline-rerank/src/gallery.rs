//! The descriptors that are searched: a database and, behind it, distractors.

use half::slice::HalfFloatSliceExt as _;
use sightline_search::{Hit, KnnGraph, RowData, Rows, SearchError, knn_graph, top_k_among};

/// Descriptors `[N, dim]` that lie in several pieces, counted on from one to the next: the database first, then its
/// distractors. Nothing is copied; pieces may be memory-mapped.
#[derive(Clone, Debug)]
pub struct Gallery<'a> {
    sets: Vec<Rows<'a>>,
}

impl<'a> Gallery<'a> {
    /// A database and what lies behind it.
    ///
    /// # Errors
    /// When rows are not whole, differ in length, or are 2^32 and more.
    pub fn new(database: Rows<'a>, distractors: &[Rows<'a>]) -> Result<Self, SearchError> {
        // Asking for nothing checks what a search would check.
        top_k_among(Rows::f32(&[], database.dim), database, distractors, 0, None)?;
        let mut sets = vec![database];
        sets.extend(distractors);
        Ok(Self { sets })
    }

    /// The pieces.
    pub fn sets(&self) -> &[Rows<'a>] {
        &self.sets
    }

    /// How many descriptors there are.
    pub fn count(&self) -> usize {
        self.sets.iter().map(Rows::count).sum()
    }

    /// Values of one descriptor.
    pub fn dim(&self) -> usize {
        self.sets.first().map_or(0, |set| set.dim)
    }

    /// Writes descriptor `index` into `out`, of length [`Gallery::dim`]; nothing where there is no such descriptor.
    pub fn read(&self, index: usize, out: &mut [f32]) {
        let mut index = index;
        for set in &self.sets {
            if index < set.count() {
                match set.slice(index..index + 1).data {
                    RowData::F32(values) => out.copy_from_slice(values),
                    RowData::F16(values) => values.convert_to_f32_slice(out),
                }
                return;
            }
            index -= set.count();
        }
    }

    /// Copies descriptors `[indices, dim]`.
    pub fn gather(&self, indices: impl ExactSizeIterator<Item = usize>) -> Vec<f32> {
        let dim = self.dim();
        let mut rows = vec![0.0; indices.len() * dim];
        for (index, row) in indices.zip(rows.chunks_exact_mut(dim.max(1))) {
            self.read(index, row);
        }
        rows
    }

    /// The graph of `front` `[Q, dim]` and, behind them, the gallery's descriptors, of `k` neighbours at least (of all where there are fewer).
    /// `stored` is the gallery's own graph, which saves comparing the gallery with itself where its lists are long enough.
    pub(crate) fn graph_behind(
        &self,
        front: Rows<'_>,
        k: usize,
        stored: Option<&KnnGraph>,
    ) -> Result<KnnGraph, SearchError> {
        match stored.filter(|graph| graph.count() == self.count() && graph.k >= k) {
            Some(graph) => graph.with_front(front, &self.sets),
            None => knn_graph(&[&[front], &self.sets[..]].concat(), k),
        }
    }

    /// The `length` best answers of each of `queries` `[Q, dim]`, best first; equal scores put the lower index first. The images of
    /// `excluded` (ascending; one list a query, or none at all) are no answers. Memory grows with Q times `length`.
    ///
    /// # Errors
    /// When the queries have another length.
    pub fn best(
        &self,
        queries: Rows<'_>,
        length: usize,
        excluded: &[Vec<u32>],
    ) -> Result<Vec<Vec<Hit>>, SearchError> {
        let Some((first, behind)) = self.sets.split_first() else {
            return Ok(vec![Vec::new(); queries.count()]);
        };
        let most = excluded.iter().map(Vec::len).max().unwrap_or(0);
        let mut lists = top_k_among(queries, *first, behind, length.saturating_add(most), None)?;
        for (query, list) in lists.iter_mut().enumerate() {
            if let Some(excluded) = excluded.get(query) {
                list.retain(|hit| excluded.binary_search(&(hit.index as u32)).is_err());
            }
            list.truncate(length);
        }
        Ok(lists)
    }
}
