//! Online diffusion: conjugate gradients over the graph of the images at query time, as ahmetius/diffusion-retrieval.

use super::answers::{Answers, excluded_of};
use super::conjugate_gradients::{ConjugateGradients, Steps};
use super::laplacian::Laplacian;
use super::nearest::graph;
use super::{Diffusion, NAME};
use crate::{Gallery, Progress, RerankError};
use rayon::prelude::*;
use sightline_search::{Hit, KnnGraph, Rows};
use std::collections::BTreeMap;

/// Queries that are diffused before progress is told.
const QUERIES_AT_ONCE: usize = 64;

/// The start vector of a query (`ymake.m`): of the `kq` greatest sums of similarities, each to the power gamma and at least 0.
/// `near` holds the nearest images of each of the query's vectors, of `count` images. Images that are not given start at 0.
#[must_use]
pub fn start(near: &[Vec<Hit>], count: usize, kq: usize, gamma: f64) -> Vec<(u32, f64)> {
    let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
    for hit in near.iter().flatten() {
        *sums.entry(hit.index as u32).or_default() += f64::from(hit.score);
    }
    let untouched = count.saturating_sub(sums.len());
    let mut sums: Vec<(u32, f64)> = sums.into_iter().collect();
    sums.sort_by(|a, b| b.1.total_cmp(&a.1));
    // The sums of all other images are 0 and come before the negative ones.
    let positive = sums.partition_point(|(_, sum)| *sum >= 0.0);
    let room = kq.saturating_sub(positive + untouched);
    sums.truncate(kq.min(positive + room));
    sums.iter_mut()
        .for_each(|(_, sum)| *sum = sum.powf(gamma).clamp(0.0, 1e250));
    sums
}

/// What the start values become (`dfs.m`): the solution over all images of the Laplacian, by a few steps of conjugate gradients,
/// of which the iterate of least residual counts.
pub fn diffuse<'a>(
    laplacian: &Laplacian,
    start: &[(u32, f64)],
    steps: Steps,
    solver: &'a mut ConjugateGradients,
) -> &'a [f64] {
    let mut right = vec![0.0; laplacian.count()];
    for (image, value) in start {
        right[*image as usize] = *value;
    }
    solver.solve(steps, &right, |x, out| laplacian.multiply(x, out))
}

/// The best `length` images by their values, none of `excluded` (ascending), none whose value is 0.
#[must_use]
pub fn ranked(values: &[f64], length: usize, excluded: &[u32]) -> Vec<Hit> {
    let mut answers = Answers::new(length, excluded);
    for (image, value) in values.iter().enumerate() {
        answers.offer(image, *value as f32);
    }
    answers.sorted()
}

/// The best `length` images of each query by diffusion over the graph of all images. Images whose value is 0 are left out.
///
/// Time: the graph, unless it is stored; for each query 20 products of a matrix with at most `kd` entries an image. Memory
/// beyond the answers: 8 bytes for each image and each of its `kd` neighbours, 12 for each joined pair, 48 for each image and
/// thread.
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
    let laplacian = how.online_laplacian(&graph)?;
    drop(graph);
    let near = gallery.best(queries, how.kq, excluded)?;
    let mut answers = Vec::with_capacity(near.len());
    for (block, some) in near.chunks(QUERIES_AT_ONCE).enumerate() {
        let best =
            some.par_iter()
                .enumerate()
                .map_init(ConjugateGradients::default, |solver, (query, near)| {
                    let excluded = excluded_of(excluded, block * QUERIES_AT_ONCE + query);
                    let mut answers = Answers::new(length, excluded);
                    let start = start(std::slice::from_ref(near), gallery.count(), how.kq, how.gamma);
                    let values = diffuse(&laplacian, &start, how.online_steps(), solver);
                    for (image, value) in values.iter().enumerate() {
                        answers.offer(image, *value as f32);
                    }
                    answers.sorted()
                });
        answers.par_extend(best);
        progress(NAME, answers.len() as u64, near.len() as u64);
    }
    Ok(answers)
}
