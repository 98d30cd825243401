//! Recall@k and its relatives of metric learning: labelled vectors that search each other.
//!
//! Sources: `net/analysis.py` and `net/ml.py` of the TensorFlow CGD project
//! (PuchatekwSzortach/combination_of_multiple_global_descriptors_for_image_retrieval), `utils.py` of leftthomas/CGD;
//! Musgrave et al., "A Metric Learning Reality Check", ECCV 2020, for R-precision and MAP@R.
//!
//! Distances are Euclidean, in float64, over all pairs: for sets of tens of thousands of vectors, not of millions.

use crate::EvalError;

/// Default k of Recall@k.
pub const KS: [usize; 4] = [1, 2, 4, 8];

fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            let difference = f64::from(*a) - f64::from(*b);
            difference * difference
        })
        .sum()
}

/// The first `k` of `gallery` (rows of `dim` values) by ascending distance to `query`; equal distances lower index
/// first, NaN last. `last` comes after all others.
fn nearest(query: &[f32], gallery: &[f32], dim: usize, k: usize, last: Option<usize>) -> Vec<u32> {
    let mut order: Vec<(bool, f64, u32)> = gallery
        .chunks_exact(dim)
        .enumerate()
        .map(|(index, row)| {
            (
                last == Some(index),
                squared_distance(query, row).abs(),
                index as u32,
            )
        })
        .collect();
    let compare = |a: &(bool, f64, u32), b: &(bool, f64, u32)| {
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2))
    };
    if k < order.len() {
        order.select_nth_unstable_by(k, compare);
        order.truncate(k);
    }
    order.sort_unstable_by(compare);
    order.into_iter().map(|(_, _, index)| index).collect()
}

fn rows(vectors: &[f32], dim: usize, what: &'static str) -> Result<usize, EvalError> {
    if dim == 0 || !vectors.len().is_multiple_of(dim) {
        return Err(EvalError::Shape {
            what,
            values: vectors.len(),
            dim,
        });
    }
    Ok(vectors.len() / dim)
}

/// For each of n vectors ([n, dim], as they are: nothing is normalised) the `min(k, n)` nearest by Euclidean
/// distance, lower index first among equals. A vector is its own last neighbour, so it is met only where k ≥ n.
pub fn neighbours(vectors: &[f32], dim: usize, k: usize) -> Result<Vec<Vec<u32>>, EvalError> {
    rows(vectors, dim, "vectors")?;
    Ok(vectors
        .chunks_exact(dim)
        .enumerate()
        .map(|(own, row)| nearest(row, vectors, dim, k, Some(own)))
        .collect())
}

/// For each query ([queries, dim]) its `k` nearest in a separate gallery ([n, dim]), nothing excluded.
///
/// An error where k is above the number of gallery vectors.
pub fn gallery_neighbours(
    queries: &[f32],
    gallery: &[f32],
    dim: usize,
    k: usize,
) -> Result<Vec<Vec<u32>>, EvalError> {
    rows(queries, dim, "queries")?;
    let images = rows(gallery, dim, "gallery")?;
    if k > images {
        return Err(EvalError::TooManyNeighbours { k, images });
    }
    Ok(queries
        .chunks_exact(dim)
        .map(|row| nearest(row, gallery, dim, k, None))
        .collect())
}

/// Share of **all** queries with an equal label among the first k neighbours; NaN without queries.
///
/// `neighbours`: as [`neighbours`] or [`gallery_neighbours`] give them, at least k each (or all there are).
///
/// ```
/// use sightline_eval::recall;
/// let vectors = [0.0, 1.0, 10.0];
/// let found = recall::neighbours(&vectors, 1, 3).unwrap();
/// assert_eq!(found[2], [1, 0, 2]);
/// // The third vector is alone in its class: a miss, until it meets itself.
/// assert_eq!(recall::recall(&found, &[7, 7, 8], &[7, 7, 8], 1), 2.0 / 3.0);
/// assert_eq!(recall::recall(&found, &[7, 7, 8], &[7, 7, 8], 3), 1.0);
/// ```
pub fn recall(neighbours: &[Vec<u32>], query_labels: &[usize], gallery_labels: &[usize], k: usize) -> f64 {
    let hits = neighbours.iter().zip(query_labels).filter(|(found, label)| {
        found
            .iter()
            .take(k)
            .any(|image| gallery_labels.get(*image as usize) == Some(*label))
    });
    hits.count() as f64 / neighbours.len() as f64
}

/// R-precision: the share of a query's R other class members that are among its R nearest.
///
/// `positions`: ascending 0-based positions of those members in the query's ranking, the query left out.
/// NaN where R is 0; such queries are left out of the mean.
pub fn r_precision(positions: &[usize], members: usize) -> f64 {
    positions.iter().filter(|position| **position < members).count() as f64 / members as f64
}

/// MAP@R of one query: (1 / R) Σ over its R nearest of the precision at each one that is right. Arguments and NaN as
/// in [`r_precision`].
pub fn map_at_r(positions: &[usize], members: usize) -> f64 {
    let sum: f64 = positions
        .iter()
        .take_while(|position| **position < members)
        .enumerate()
        .map(|(found, position)| (found + 1) as f64 / (position + 1) as f64)
        .sum();
    sum / members as f64
}

/// Mean of the values that are not NaN; NaN where there is none.
pub fn mean_defined(values: &[f64]) -> f64 {
    let defined: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    defined.iter().sum::<f64>() / defined.len() as f64
}

/// Mean over all vectors of the mean 0-based place of the vectors with its label, itself included, by ascending
/// distance; lower is better. `average_ranking_position` of the CGD project's `net/ml.py`: distances are float32 and
/// at least 1e-6, ties go to the lower index, so an equal vector with a lower index comes before the query itself.
///
/// ```
/// let vectors = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 2.5, 2.5, 10.0, 10.0];
/// let mean = sightline_eval::recall::average_ranking_position(&vectors, 2, &[1, 2, 3, 1, 2]).unwrap();
/// assert_eq!(mean, (1.0 + 2.0 + 0.0 + 1.5 + 1.5) / 5.0);
/// ```
pub fn average_ranking_position(vectors: &[f32], dim: usize, labels: &[usize]) -> Result<f64, EvalError> {
    let count = rows(vectors, dim, "vectors")?;
    if count != labels.len() {
        return Err(EvalError::Labels {
            labels: labels.len(),
            vectors: count,
        });
    }
    let mut sum = 0.0;
    for (query, label) in vectors.chunks_exact(dim).zip(labels) {
        let mut order: Vec<(f32, usize)> = vectors
            .chunks_exact(dim)
            .map(|row| (squared_distance(query, row).sqrt() as f32).max(1e-6))
            .zip(0..)
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let places: Vec<usize> = (0..count)
            .filter(|place| labels[order[*place].1] == *label)
            .collect();
        sum += places.iter().sum::<usize>() as f64 / places.len() as f64;
    }
    Ok(sum / count as f64)
}
