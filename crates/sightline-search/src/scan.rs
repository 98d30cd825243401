//! Streaming over the database: blocks of rows against a group of queries, groups and parts of the database spread
//! over the cores.

use crate::kernels::{LANES, Runnable};
use crate::{RowData, Rows};
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of packed queries, and of packed rows, that a core works on at a time: both fit its second-level cache.
const CACHE_BYTES: usize = 384 << 10;
/// Queries of a group at most. The database is read from memory once for each group.
const GROUP_QUERIES: usize = 1024;
/// Bytes of a group of queries at most, so that a core's share of the third-level cache holds it.
const GROUP_BYTES: usize = 8 << 20;
/// Bytes of the scores of one block.
const SCORE_BYTES: usize = 128 << 10;
/// Rows of a block at most. Blocks are multiples of [`TILE_ROWS`].
const BLOCK_ROWS: usize = 3072;
/// A multiple of every kernel's tile.
const TILE_ROWS: usize = 24;
/// Up to this many queries the rows are read where they lie; above, a block is first copied to the start of a cache line
/// (and widened from f16), which costs less than every query reading across two lines.
const DIRECT_QUERIES: usize = 4;
/// Rows of a part of the database at least, so that a part is worth a task.
const PART_ROWS: usize = 192;

/// How queries and database are cut up. No result depends on it.
pub(crate) struct Plan {
    /// Queries of a group.
    pub(crate) group: usize,
    /// Rows of a part.
    pub(crate) part: usize,
}

impl Plan {
    pub(crate) fn new(dim: usize, queries: usize, rows: usize) -> Self {
        let fitting = (GROUP_BYTES / dim.saturating_mul(4).max(1)).max(16) / 16 * 16;
        let group = fitting.min(GROUP_QUERIES).min(queries).max(1);
        let tasks = 2 * rayon::current_num_threads();
        let parts = tasks.div_ceil(queries.div_ceil(group).max(1));
        Self {
            group,
            part: rows.div_ceil(parts).max(PART_ROWS),
        }
    }
}

/// Runs `task` for every group of queries and part of the database, and `join` over each group's parts in order.
/// What comes back is in the order of the groups.
pub(crate) fn spread<P: Send, G: Send>(
    plan: &Plan,
    queries: usize,
    rows: usize,
    task: impl Fn(Range<usize>, Range<usize>) -> P + Sync,
    join: impl Fn(Range<usize>, Vec<P>) -> G + Sync,
) -> Vec<G> {
    let cut = |length: usize, size: usize, index: usize| index * size..length.min((index + 1) * size);
    (0..queries.div_ceil(plan.group))
        .into_par_iter()
        .map(|group| {
            let group = cut(queries, plan.group, group);
            let parts = (0..rows.div_ceil(plan.part))
                .into_par_iter()
                .map(|part| task(group.clone(), cut(rows, plan.part, part)))
                .collect();
            join(group, parts)
        })
        .collect()
}

/// A group of queries, laid out for the kernels.
pub(crate) struct Group {
    /// Filled-up queries, from `start` on.
    room: Vec<f32>,
    start: usize,
    count: usize,
    /// Values of a filled-up query.
    dim: usize,
    packed: bool,
}

impl Group {
    pub(crate) fn new(queries: &Rows<'_>, group: Range<usize>) -> Self {
        let count = group.len();
        let packed = count > DIRECT_QUERIES;
        let dim = if packed {
            queries.dim.next_multiple_of(LANES)
        } else {
            queries.dim
        };
        let mut room = Vec::new();
        let start = pack(queries.part(group.start, count), queries.dim, dim, &mut room);
        Self {
            room,
            start,
            count,
            dim,
            packed,
        }
    }

    /// Calls `visit` with (number of the query within the group, first row, scores of the rows from there on) for every
    /// query and every block of the rows `part`, rows ascending for each query, and queries ascending for each row.
    pub(crate) fn scan(
        &self,
        kernel: Runnable,
        database: &Rows<'_>,
        part: Range<usize>,
        mut visit: impl FnMut(usize, usize, &[f32]),
    ) {
        let (count, dim, packed) = (self.count, self.dim, self.packed);
        let queries = &self.room[self.start..][..count * dim];
        let cached = CACHE_BYTES / (4 * dim);
        let together = if packed {
            (cached.max(16) / 16 * 16).min(count)
        } else {
            count.max(1)
        };
        let mut block = (SCORE_BYTES / 4 / together).min(BLOCK_ROWS);
        if packed {
            block = block.min(cached);
        }
        let block = block.max(TILE_ROWS) / TILE_ROWS * TILE_ROWS;
        let mut scores = vec![0.0; block.min(part.len()) * together];
        let mut row_room = Vec::new();
        let mut first = part.start;
        while first < part.end {
            let rows = block.min(part.end - first);
            let mut data = database.part(first, rows);
            if packed {
                let start = pack(data, database.dim, dim, &mut row_room);
                data = RowData::F32(&row_room[start..][..rows * dim]);
            }
            for (some, queries) in queries.chunks(together * dim).enumerate() {
                let scores = &mut scores[..rows * (queries.len() / dim)];
                kernel.products(dim, queries, data, scores);
                for (query, scores) in scores.chunks_exact(rows).enumerate() {
                    visit(some * together + query, first, scores);
                }
            }
            first += rows;
        }
    }
}

/// Vectors of `dim` values in f32, each filled up with zeros to `padded` values, in `room` from the start of a cache
/// line on, which is what comes back. The zeros are what the kernels fill up with too, so no sum changes.
fn pack(data: RowData<'_>, dim: usize, padded: usize, room: &mut Vec<f32>) -> usize {
    let length = data.len() / dim * padded;
    room.resize(length + LANES - 1, 0.0);
    // Where the start cannot be aligned the place is still valid, only slower.
    let start = room
        .as_ptr()
        .align_offset(LANES * size_of::<f32>())
        .min(LANES - 1);
    let to = &mut room[start..start + length];
    match data {
        RowData::F32(values) => {
            for (to, from) in to.chunks_exact_mut(padded).zip(values.chunks_exact(dim)) {
                to[..dim].copy_from_slice(from);
                to[dim..].fill(0.0);
            }
        }
        RowData::F16(values) => {
            for (to, from) in to.chunks_exact_mut(padded).zip(values.chunks_exact(dim)) {
                from.convert_to_f32_slice(&mut to[..dim]);
                to[dim..].fill(0.0);
            }
        }
    }
    start
}
