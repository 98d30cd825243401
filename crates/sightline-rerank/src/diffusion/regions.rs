//! Diffusion over the regions of images: pooling with the weights of generalised max pooling.

use super::NAME;
use super::conjugate_gradients::{ConjugateGradients, Steps};
use crate::{Gallery, RerankError};
use rayon::prelude::*;

/// Far more than it takes: the matrix is the identity and something of low rank.
const SOLVED: Steps = Steps {
    most: 10_000,
    tolerance: 1e-13,
    least_residual: true,
};

/// The weight of each region (`gmpweights.m`): w of `(V V' + I) w = 1`, V the descriptors of the regions of its image `[m, dim]`.
///
/// `images`: the image of each region. Time and memory grow with the regions; no m x m matrix is made.
///
/// # Errors
/// When there are not as many regions as `images`.
pub fn region_weights(regions: &Gallery<'_>, images: &[u32]) -> Result<Vec<f64>, RerankError> {
    if regions.count() != images.len() {
        return Err(RerankError::Unfit {
            method: NAME,
            reason: format!(
                "There are {} regions, and the image is given of {}. Give the image of each region.",
                regions.count(),
                images.len()
            ),
        });
    }
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by_key(|region| images[*region]);
    let groups: Vec<&[usize]> = order.chunk_by(|a, b| images[*a] == images[*b]).collect();
    let solved: Vec<Vec<f64>> = groups.par_iter().map(|group| weights(regions, group)).collect();
    let mut all = vec![0.0; images.len()];
    for (region, weight) in order.iter().zip(solved.into_iter().flatten()) {
        all[*region] = weight;
    }
    Ok(all)
}

fn weights(regions: &Gallery<'_>, group: &[usize]) -> Vec<f64> {
    let dim = regions.dim().max(1);
    let rows = regions.gather(group.iter().copied());
    let mut sum = vec![0.0; dim];
    let mut solver = ConjugateGradients::default();
    let multiply = |x: &[f64], out: &mut [f64]| {
        sum.fill(0.0);
        for (row, x) in rows.chunks_exact(dim).zip(x) {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += x * f64::from(*value);
            }
        }
        for ((row, x), out) in rows.chunks_exact(dim).zip(x).zip(out) {
            let terms = row.iter().zip(&sum).map(|(value, sum)| f64::from(*value) * sum);
            *out = x + terms.sum::<f64>();
        }
    };
    solver.solve(SOLVED, &vec![1.0; group.len()], multiply).to_vec()
}

/// The score of each of `count` images: the sum of its regions' values, each times its weight. Images from `count` on are left out.
#[must_use]
pub fn image_scores(values: &[f64], weights: &[f64], images: &[u32], count: usize) -> Vec<f64> {
    let mut scores = vec![0.0; count];
    for ((value, weight), image) in values.iter().zip(weights).zip(images) {
        if let Some(score) = scores.get_mut(*image as usize) {
            *score += weight * value;
        }
    }
    scores
}
