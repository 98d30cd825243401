//! cirtorch's two ways of learning (`cirtorch/utils/whiten.py`): from descriptors alone, and from pairs.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use sightline_checkpoint::recognise::WhiteningForm;

use super::cholesky::{inverse_of_lower, raised_cholesky};
use super::eigen::eigen;
use super::learned::{check, kept_within_rank, moments, not_finite, scaled_axes, scatter_around};
use super::scatter::{mean, scatter};
use super::{LearnError, Learned, Samples};

/// cirtorch `pcawhitenlearn`: m the mean, P = diag(eigenvalue^-1/2) V^T of the covariance (divisor N), eigenvalues descending;
/// `dims` keeps the first axes, none all that the rows spread over.
///
/// The original has no floor under the eigenvalues and gives NaN where descriptors spread over too few axes; here those axes are
/// left out, and asking for them is an error.
///
/// # Errors
/// When there are fewer than two rows, they hold NaN, or they spread over fewer axes than are to be kept.
pub fn learn_cirtorch_pca(samples: &Samples<'_>, dims: Option<usize>) -> Result<Learned, LearnError> {
    check(samples, 2, dims)?;
    let (mean, mut covariance) = moments(samples)?;
    let count = samples.count() as f64;
    covariance.iter_mut().for_each(|x| *x /= count);
    let found = eigen(&covariance, samples.dim())?;
    let kept = kept_within_rank(samples, &found, dims)?;
    Ok(scaled_axes(mean, &found, kept, |variance| 1.0 / variance.sqrt()))
}

/// cirtorch `whitenlearn`: from `pairs` (rows of a query and of a picture of the same thing).
///
/// m is the mean over the queries alone (as often as each is named); S the mean of (q - p)(q - p)^T; L the lower Cholesky factor
/// of S (its diagonal raised until its Cholesky factor exists); V the eigenvectors, by descending eigenvalue, of the scatter of **all** rows
/// around m after projection by L^-1; P = V^T L^-1. `dims` keeps the first axes.
///
/// # Errors
/// When there are no pairs, a pair names a row that is not there, or rows hold NaN.
pub fn learn_cirtorch(
    samples: &Samples<'_>,
    pairs: &[(usize, usize)],
    dims: Option<usize>,
) -> Result<Learned, LearnError> {
    check(samples, 1, dims)?;
    let (rows, dim) = (samples.count(), samples.dim());
    if pairs.is_empty() {
        return Err(LearnError::NoPairs);
    }
    if let Some(row) = pairs.iter().flat_map(|(q, p)| [*q, *p]).find(|row| *row >= rows) {
        return Err(LearnError::Pair { row, rows });
    }
    let m = mean(pairs.len(), dim, |pair, out| samples.read(pairs[pair].0, out));
    let mut spread = scatter(pairs.len(), dim, |pair, out| {
        let mut positive = vec![0.0; dim];
        samples.read(pairs[pair].0, out);
        samples.read(pairs[pair].1, &mut positive);
        out.iter_mut().zip(&positive).for_each(|(q, p)| *q -= p);
    });
    let around = scatter_around(samples, &m);
    if m.iter().chain(&spread).chain(&around).any(|x| !x.is_finite()) {
        return Err(not_finite(samples));
    }
    spread.iter_mut().for_each(|x| *x /= pairs.len() as f64);
    let factor = raised_cholesky(&spread, dim).ok_or(LearnError::NoDecomposition { dim })?;
    let inverse = inverse_of_lower(&factor, dim);

    // The scatter of the projected rows, P (X - m) (X - m)^T P^T.
    let p = MatRef::from_row_major_slice(&inverse, dim, dim);
    let mut half = Mat::<f64>::zeros(dim, dim);
    matmul(
        half.as_mut(),
        Accum::Replace,
        p,
        MatRef::from_row_major_slice(&around, dim, dim),
        1.0,
        Par::Seq,
    );
    let mut projected = vec![0.0; dim * dim];
    matmul(
        MatMut::from_row_major_slice_mut(&mut projected, dim, dim),
        Accum::Replace,
        half.as_ref(),
        p.transpose(),
        1.0,
        Par::Seq,
    );
    let found = eigen(&projected, dim)?;
    let kept = dims.unwrap_or(dim);
    let mut matrix = vec![0.0; kept * dim];
    matmul(
        MatMut::from_row_major_slice_mut(&mut matrix, kept, dim),
        Accum::Replace,
        MatRef::from_row_major_slice(&found.vectors[..kept * dim], kept, dim),
        p,
        1.0,
        Par::Seq,
    );
    Ok(Learned {
        form: WhiteningForm::MeanP,
        mean: m,
        matrix,
        variance: None,
        rank: found.rank(),
    })
}
