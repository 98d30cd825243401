//! Offline diffusion over the images alone, as the paper has it and fyang93/diffusion's `search_old`.

use super::answers::{Answers, excluded_of};
use super::nearest::{graph, truncated};
use super::offline::OfflineRows;
use super::{Diffusion, NAME};
use crate::{Gallery, Progress, RerankError};
use rayon::prelude::*;
use sightline_search::{Hit, KnnGraph, Rows};
use std::collections::HashMap;

/// Entries of the rows that are held at once.
const ENTRIES_AT_ONCE: usize = 32 << 20;

/// The best `length` images of each query by the sum of the rows of the offline matrix of its `kq` nearest images, each
/// weighted by its similarity to the power gamma. Images whose sum is 0 are left out.
///
/// Only the rows of the queries' nearest images are computed, each once for many queries. Time: the graph, unless it is stored; for
/// each such image a search and 20 products of a matrix of `n_trunc` rows with at most `kd` entries each. Memory beyond the
/// answers: 8 bytes for each image and each of its `kd` neighbours, 12 for each joined pair, rows of at most 256 MB.
pub fn search(
    queries: Rows<'_>,
    gallery: &Gallery<'_>,
    how: &Diffusion,
    stored: Option<&KnnGraph>,
    length: usize,
    excluded: &[Vec<u32>],
    progress: Progress<'_>,
) -> Result<Vec<Vec<Hit>>, RerankError> {
    let graph = graph(gallery, how.kd, stored)?;
    let laplacian = how.offline_laplacian(&graph)?;
    let near = gallery.best(queries, how.kq, excluded)?;
    let entries = how.kq.min(gallery.count()) * how.n_trunc.min(gallery.count());
    let at_once = (ENTRIES_AT_ONCE / entries.max(1)).max(1);
    let count = near.len();
    let mut answers = Vec::with_capacity(count);
    for (block, near) in near.chunks(at_once).enumerate() {
        let mut images: Vec<u32> = near.iter().flatten().map(|hit| hit.index as u32).collect();
        images.sort_unstable();
        images.dedup();
        let lists = truncated(gallery, &graph, &images, how.n_trunc)?;
        let rows: HashMap<usize, Vec<(u32, f32)>> = lists
            .par_iter()
            .map_init(
                || OfflineRows::new(&laplacian, how.offline_steps()),
                |rows, list| (list[0] as usize, rows.row(list)),
            )
            .collect();
        let best = near.par_iter().enumerate().map(|(query, near)| {
            let excluded = excluded_of(excluded, block * at_once + query);
            weighted(near, &rows, how.gamma, Answers::new(length, excluded))
        });
        answers.par_extend(best);
        progress(NAME, answers.len() as u64, count as u64);
    }
    Ok(answers)
}

/// The sum of rows, each weighted by a similarity to the power gamma, which is not cut at 0.
fn weighted(
    near: &[Hit],
    rows: &HashMap<usize, Vec<(u32, f32)>>,
    gamma: f64,
    mut answers: Answers<'_>,
) -> Vec<Hit> {
    let mut terms: Vec<(u32, f64)> = Vec::new();
    for hit in near {
        let weight = f64::from(hit.score).powf(gamma);
        // A negative similarity to a power that is not whole.
        if weight.is_nan() {
            continue;
        }
        let row = rows.get(&hit.index).into_iter().flatten();
        terms.extend(row.map(|(image, value)| (*image, weight * f64::from(*value))));
    }
    // Stable, so that sums do not depend on anything but the lists.
    terms.sort_by_key(|(image, _)| *image);
    for same in terms.chunk_by(|a, b| a.0 == b.0) {
        let sum: f64 = same.iter().map(|(_, term)| term).sum();
        answers.offer(same[0].0 as usize, sum as f32);
    }
    answers.sorted()
}
