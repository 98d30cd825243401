//! The graph of mutual neighbours and its Laplacian, as sparse rows.

use rayon::prelude::*;
use sightline_search::KnnGraph;
use std::ops::Range;

/// `L = I - alpha S` of a graph of mutual neighbours, S its symmetrically normalised weights. Symmetric and positive definite.
///
/// Only the entries off the diagonal are kept, which is all ones: 12 bytes an entry, at most kd - 1 entries a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Laplacian {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl Laplacian {
    /// The Laplacian of fyang93/diffusion (`get_affinity`, `get_laplacian`), in single precision as there.
    ///
    /// Two rows are joined when each is among the first `kd` of the other's list, which count the row itself; the weight is their
    /// similarity, 0 where it is negative, to the power `gamma`. Degrees are row sums + 1e-12. A row that is joined to none
    /// has a row of the identity.
    ///
    /// The original takes the first place of a list to be the row itself. Where a duplicate stands there it drops that neighbour
    /// and joins the row to itself; here the row itself is left out wherever it stands.
    #[must_use]
    pub fn offline(graph: &KnnGraph, kd: usize, gamma: f64, alpha: f64) -> Self {
        let weight = |similarity: f32| {
            let weight = f64::from(similarity.max(0.0)).powf(gamma) as f32;
            f64::from(weight.min(f32::MAX))
        };
        let mut rows = Self::mutual(graph, kd, weight);
        let scales: Vec<f32> = rows.scales(|degree| (degree + 1e-12).powf(-0.5) as f32);
        let alpha = alpha as f32;
        rows.scale(|weight, row, column| -f64::from(alpha * (scales[row] * weight as f32 * scales[column])));
        rows
    }

    /// The Laplacian of ahmetius/diffusion-retrieval (`knngraph.m`, `transition_matrix.m`), in double precision as there.
    ///
    /// Two rows are joined when each is among the first `k` of the other's list, which count the row itself; the weight is their
    /// similarity to the power `gamma`, 0 where that is negative.
    ///
    /// A row that is joined to none gives infinities in the original; here it has a row of the identity, so that diffusion leaves
    /// its own start value with it.
    #[must_use]
    pub fn online(graph: &KnnGraph, k: usize, gamma: f64, alpha: f64) -> Self {
        let weight = |similarity: f32| f64::from(similarity).powf(gamma).clamp(0.0, 1e250);
        let mut rows = Self::mutual(graph, k, weight);
        let scales = rows.scales(|degree| degree.sqrt().recip());
        rows.scale(|weight, row, column| -alpha * (scales[row] * weight * scales[column]));
        rows
    }

    /// The weights above 0 between rows that are each among the first `k` of the other.
    fn mutual(graph: &KnnGraph, k: usize, weight: impl Fn(f32) -> f64 + Sync) -> Self {
        let lists: Vec<Vec<(u32, f64)>> = (0..graph.count())
            .into_par_iter()
            .map(|row| {
                let near = near(graph, row, k).filter(|at| graph.indices[*at] as usize != row);
                let joined = near.filter(|at| {
                    let back = self::near(graph, graph.indices[*at] as usize, k);
                    graph.indices[back].contains(&(row as u32))
                });
                let weighed = joined.map(|at| (graph.indices[at], weight(graph.similarities[at])));
                weighed.filter(|(_, weight)| *weight > 0.0).collect()
            })
            .collect();
        let mut starts = vec![0];
        starts.extend(lists.iter().scan(0, |end, list| {
            *end += list.len();
            Some(*end)
        }));
        Self {
            starts,
            columns: lists.iter().flatten().map(|(column, _)| *column).collect(),
            values: lists.iter().flatten().map(|(_, weight)| *weight).collect(),
        }
    }

    fn scales<T: Send>(&self, scale: impl Fn(f64) -> T + Sync) -> Vec<T> {
        let rows = self.starts.par_windows(2);
        rows.map(|ends| scale(self.values[ends[0]..ends[1]].iter().sum()))
            .collect()
    }

    fn scale(&mut self, scaled: impl Fn(f64, usize, usize) -> f64) {
        for (row, ends) in self.starts.windows(2).enumerate() {
            for at in ends[0]..ends[1] {
                self.values[at] = scaled(self.values[at], row, self.columns[at] as usize);
            }
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether no two rows are joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The columns and values of a row that exists, off the diagonal.
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = (u32, f64)> {
        let range = self.starts[row]..self.starts[row + 1];
        let columns = self.columns[range.clone()].iter();
        columns
            .zip(&self.values[range])
            .map(|(column, value)| (*column, *value))
    }

    /// The product with a vector of as many values as there are rows.
    pub fn multiply(&self, x: &[f64], out: &mut [f64]) {
        for (row, (out, own)) in out.iter_mut().zip(x).enumerate() {
            let terms = self.row(row).map(|(column, value)| value * x[column as usize]);
            *out = own + terms.sum::<f64>();
        }
    }

    /// For every row the lowest row that can be reached from it over joined rows: equal for two rows exactly where one can be reached
    /// from the other.
    #[must_use]
    pub fn components(&self) -> Vec<u32> {
        let mut components = vec![u32::MAX; self.count()];
        let mut open = Vec::new();
        for first in 0..self.count() {
            if components[first] != u32::MAX {
                continue;
            }
            components[first] = first as u32;
            open.push(first);
            while let Some(row) = open.pop() {
                for (column, _) in self.row(row) {
                    if components[column as usize] == u32::MAX {
                        components[column as usize] = first as u32;
                        open.push(column as usize);
                    }
                }
            }
        }
        components
    }
}

/// Where the first `k` of a row's list are, itself counted among them even where duplicates have pushed it out.
fn near(graph: &KnnGraph, row: usize, k: usize) -> Range<usize> {
    let start = row * graph.k;
    let first = start..start + k.min(graph.k);
    if graph.indices[first.clone()].contains(&(row as u32)) {
        first
    } else {
        start..first.end.min(start + k.saturating_sub(1))
    }
}
