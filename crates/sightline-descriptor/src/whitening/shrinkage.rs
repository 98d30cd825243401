//! HOW's PCA whitening with shrinkage (`how/utils/whitening.py` `pcawhitenlearn_shrinkage`).

use super::eigen::eigen;
use super::learned::{check, moments, scaled_axes};
use super::{LearnError, Learned, Samples};

/// The least eigenvalue that HOW divides by.
const FLOOR: f64 = 1e-14;

/// P = diag(eigenvalue^(-shrinkage / 2)) V^T of the covariance (divisor N), eigenvalues raised to at least 1e-14: shrinkage 1 is
/// full whitening, 0 a rotation. `dims` keeps the first axes. The rank is not asked about: along axes beyond it ([`Learned::rank`])
/// other descriptors are blown up by up to 1e7.
///
/// # Errors
/// When there are no rows, they hold NaN, or the shrinkage is not between 0 and 1.
pub fn learn_shrinkage(
    samples: &Samples<'_>,
    shrinkage: f64,
    dims: Option<usize>,
) -> Result<Learned, LearnError> {
    if !(0.0..=1.0).contains(&shrinkage) {
        return Err(LearnError::Shrinkage { shrinkage });
    }
    check(samples, 1, dims)?;
    let (mean, mut covariance) = moments(samples)?;
    let count = samples.count() as f64;
    covariance.iter_mut().for_each(|x| *x /= count);
    let found = eigen(&covariance, samples.dim())?;
    let kept = dims.unwrap_or(samples.dim());
    Ok(scaled_axes(mean, &found, kept, |variance| {
        variance.max(FLOOR).powf(-0.5 * shrinkage)
    }))
}
