//! Exact search in a set of noise that lies in a file.

use super::machine::MemoryWatch;
use super::noise::unit_row;
use super::rounds::{Times, timed};
use crate::Error;
use serde::{Deserialize, Serialize};
use sightline_descriptor::{DescriptorSet, RowType, SetError, SetHeader, SetWriter};
use sightline_search::{Rows, ranks, top_k};
use std::path::Path;

/// What is asked of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchSize {
    /// Queries.
    pub queries: usize,
    /// Best rows wanted for each query.
    pub k: usize,
    /// Rows whose ranks are wanted for each query.
    pub wanted: usize,
}

/// How long searching takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchTimes {
    /// Rows of the set.
    pub rows: usize,
    /// Values of a row.
    pub dim: usize,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// Queries.
    pub queries: usize,
    /// Best rows wanted for each query.
    pub k: usize,
    /// Rows whose ranks were wanted for each query.
    pub wanted: usize,
    /// Times of the best rows of all queries.
    pub top_k: Times,
    /// Times of the ranks of all queries.
    pub ranks: Times,
    /// Most bytes in memory beyond mapped files while it ran, names and queries included.
    pub memory_beyond_mapping: Option<u64>,
}

/// Stream of noise of the queries; sets have others.
const QUERIES: u64 = 0;

/// Writes a set of `rows` rows of noise, each of length 1. Another `seed` from 1 below 2^20 gives other rows; 0 is what
/// [`time_search`] searches with.
///
/// # Errors
/// When the ending of the path is none of a set's, or the file system refuses.
pub fn write_noise(
    path: &Path,
    rows: usize,
    dim: usize,
    row_type: RowType,
    seed: u64,
    progress: &mut dyn FnMut(usize),
) -> Result<(), SetError> {
    let names: Vec<String> = (0..rows).map(|row| format!("noise{row}")).collect();
    let mut writer = SetWriter::create(path, &SetHeader::new(&names, dim, row_type))?;
    for row in 0..rows {
        writer.push(&unit_row(row, dim, seed))?;
        progress(row + 1);
    }
    writer.finish()
}

/// Searches the set at `path` with queries of noise, once to warm up, then `rounds` times each.
///
/// # Errors
/// When the set cannot be read, or has no rows to search.
pub fn time_search(path: &Path, size: SearchSize, rounds: usize) -> Result<SearchTimes, Error> {
    let watch = MemoryWatch::begin();
    let set = DescriptorSet::open(path)?;
    let (dim, count) = (set.dim(), set.len());
    let queries: Vec<f32> = (0..size.queries)
        .flat_map(|query| unit_row(query, dim, QUERIES))
        .collect();
    let queries = Rows::f32(&queries, dim);
    let wanted: Vec<Vec<u32>> = (0..size.queries)
        .map(|query| {
            let row = |index: usize| (query * 7919 + index * 331) % count.max(1);
            (0..size.wanted.min(count))
                .map(|index| row(index) as u32)
                .collect()
        })
        .collect();
    let best = timed(rounds, || {
        std::hint::black_box(top_k(queries, set.rows(), size.k, None)?);
        Ok::<(), Error>(())
    })?;
    let ranked = timed(rounds, || {
        std::hint::black_box(ranks(queries, set.rows(), &wanted)?);
        Ok::<(), Error>(())
    })?;
    Ok(SearchTimes {
        rows: count,
        dim,
        value_bytes: set.row_type().size(),
        queries: size.queries,
        k: size.k,
        wanted: size.wanted.min(count),
        top_k: best,
        ranks: ranked,
        memory_beyond_mapping: watch.end(),
    })
}
