//! What a row is made of: a weight for every one of its k-reciprocal neighbours.

use super::KReciprocal;
use super::lists::{Lists, squared_distance};
use crate::Gallery;
use rayon::prelude::*;

/// Sparse rows: of each, columns with a value, ascending.
pub(super) struct Sparse {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl Sparse {
    fn new(rows: &[Vec<(u32, f32)>]) -> Self {
        let mut sparse = Self {
            starts: vec![0],
            columns: Vec::with_capacity(rows.iter().map(Vec::len).sum()),
            values: Vec::with_capacity(rows.iter().map(Vec::len).sum()),
        };
        for row in rows {
            sparse.columns.extend(row.iter().map(|(column, _)| column));
            sparse.values.extend(row.iter().map(|(_, value)| value));
            sparse.starts.push(sparse.columns.len());
        }
        sparse
    }

    fn count(&self) -> usize {
        self.starts.len() - 1
    }

    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (u32, f32)> {
        let range = self.starts[row]..self.starts[row + 1];
        let columns = self.columns[range.clone()].iter().copied();
        columns.zip(self.values[range].iter().copied())
    }

    /// By column the rows from `first` on that have a value there, counted from `first`.
    pub(super) fn inverted(&self, first: usize) -> Self {
        let count = self.count();
        let kept = self.starts[first.min(count)]..self.columns.len();
        let mut starts = vec![0; count + 1];
        for column in &self.columns[kept.clone()] {
            starts[*column as usize + 1] += 1;
        }
        for column in 0..count {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let mut inverted = Self {
            starts,
            columns: vec![0; kept.len()],
            values: vec![0.0; kept.len()],
        };
        for row in first..count {
            for (column, value) in self.row(row) {
                let place = &mut next[column as usize];
                inverted.columns[*place] = (row - first) as u32;
                inverted.values[*place] = value;
                *place += 1;
            }
        }
        inverted
    }
}

/// The rows' encodings: exp(-distance) of the k-reciprocal neighbours, which sum up to 1, averaged over the k2 nearest rows.
pub(super) fn encode(how: &KReciprocal, rows: &Gallery<'_>, lists: &Lists) -> Sparse {
    let dim = rows.dim();
    let of_row = |(own, other): &mut (Vec<f32>, Vec<f32>), row: usize| {
        rows.read(row, own);
        let mut weights: Vec<(u32, f64)> = expanded(how, lists, row)
            .into_iter()
            .map(|index| {
                rows.read(index as usize, other);
                let distance = lists.share(row, squared_distance(own, other));
                (index, (-distance).exp())
            })
            .collect();
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        weights.iter_mut().for_each(|(_, weight)| *weight /= sum);
        let weights = weights.into_iter();
        weights.map(|(index, weight)| (index, weight as f32)).collect()
    };
    let buffers = || (vec![0.0; dim], vec![0.0; dim]);
    let encoded: Vec<Vec<(u32, f32)>> = (0..lists.count())
        .into_par_iter()
        .map_init(buffers, of_row)
        .collect();
    let encoded = Sparse::new(&encoded);
    if how.k2 == 1 {
        return encoded;
    }
    let mean = |row: usize| {
        let near = lists.first(row, how.k2);
        let mut all: Vec<(u32, f32)> = near.iter().flat_map(|near| encoded.row(*near as usize)).collect();
        // Stable, so that values of a column are added nearest row first.
        all.sort_by_key(|(column, _)| *column);
        let groups = all.chunk_by(|a, b| a.0 == b.0);
        groups
            .filter_map(|group| {
                let sum: f64 = group.iter().map(|(_, value)| f64::from(*value)).sum();
                Some((group.first()?.0, (sum / near.len() as f64) as f32))
            })
            .collect()
    };
    let averaged: Vec<Vec<(u32, f32)>> = (0..lists.count()).into_par_iter().map(mean).collect();
    Sparse::new(&averaged)
}

/// The k-reciprocal neighbours of a row and those of its neighbours that share more than two thirds of theirs with it, ascending.
fn expanded(how: &KReciprocal, lists: &Lists, row: usize) -> Vec<u32> {
    let own = reciprocal(lists, row as u32, how.k1.saturating_add(1));
    let mut all = own.clone();
    for candidate in &own {
        let theirs = reciprocal(lists, *candidate, how.half_list());
        let shared = theirs.iter().filter(|index| own.contains(index)).count();
        if 3 * shared > 2 * theirs.len() {
            all.extend(theirs);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Those among the first `length` of a row's list that have it among the first `length` of theirs.
fn reciprocal(lists: &Lists, row: u32, length: usize) -> Vec<u32> {
    let first = lists.first(row as usize, length).iter().copied();
    first
        .filter(|other| lists.first(*other as usize, length).contains(&row))
        .collect()
}
