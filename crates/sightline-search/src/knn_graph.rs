//! The nearest neighbours of every row of a database among all its rows.

use crate::{Hit, Rows, SearchError, top_k_among};

/// Rows whose neighbours are searched at once.
const ROWS_AT_ONCE: usize = 4096;

/// For every row of `[n, dim]` its `k` nearest rows, itself included.
#[derive(Clone, Debug, PartialEq)]
pub struct KnnGraph {
    /// Neighbours of a row.
    pub k: usize,
    /// Their indices `[n, k]`, best first, the lower one first among equals.
    pub indices: Vec<u32>,
    /// Their inner products with the row `[n, k]`.
    pub similarities: Vec<f32>,
    /// The least inner product of each row with any row `[n]`.
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
}

/// The `k` nearest rows, by inner product, of every row of `sets`, which lie one behind the other; all rows where there are fewer.
///
/// # Errors
/// When rows are not whole, differ in length, or are 2^32 and more.
pub fn knn_graph(sets: &[Rows<'_>], k: usize) -> Result<KnnGraph, SearchError> {
    let count: usize = sets.iter().map(Rows::count).sum();
    let k = k.min(count);
    let mut graph = KnnGraph {
        k,
        indices: Vec::with_capacity(count * k),
        similarities: Vec::with_capacity(count * k),
        lowest: Vec::with_capacity(count),
    };
    let Some((first, behind)) = sets.split_first() else {
        return Ok(graph);
    };
    for set in sets {
        for start in (0..set.count()).step_by(ROWS_AT_ONCE) {
            let rows = set.slice(start..start + ROWS_AT_ONCE);
            for list in top_k_among(rows, *first, behind, k, None)? {
                graph.indices.extend(list.iter().map(|hit| hit.index as u32));
                graph.similarities.extend(list.iter().map(|hit| hit.score));
            }
            let opposite: Vec<f32> = match rows.data {
                crate::RowData::F32(values) => values.iter().map(|x| -x).collect(),
                crate::RowData::F16(values) => values.iter().map(|x| -x.to_f32()).collect(),
            };
            let lists = top_k_among(Rows::f32(&opposite, rows.dim), *first, behind, 1, None)?;
            graph.lowest.extend(lists.iter().flatten().map(|hit| -hit.score));
        }
    }
    Ok(graph)
}
