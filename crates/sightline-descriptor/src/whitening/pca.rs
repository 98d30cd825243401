//! scikit-learn's PCA, the kind of object that dirtorch's checkpoints hold.

use sightline_checkpoint::recognise::WhiteningForm;

use super::eigen::eigen;
use super::learned::{check, kept_within_rank, moments};
use super::{LearnError, Learned, Samples};

/// scikit-learn `PCA(whiten=True)`: the mean over rows, axes by descending variance (divisor N - 1), each axis' entry of largest
/// absolute value positive (scikit-learn since 1.5); `dims` keeps the first axes, none all that the rows spread over.
///
/// scikit-learn decomposes the centred rows, this their covariance in 64 bits, which may be summed while a mapped file streams.
///
/// # Errors
/// When there are fewer than two rows, they hold NaN, or they spread over fewer axes than are to be kept.
pub fn learn_pca(samples: &Samples<'_>, dims: Option<usize>) -> Result<Learned, LearnError> {
    check(samples, 2, dims)?;
    let (mean, mut covariance) = moments(samples)?;
    let divisor = (samples.count() - 1) as f64;
    covariance.iter_mut().for_each(|x| *x /= divisor);
    let mut found = eigen(&covariance, samples.dim())?;
    let kept = kept_within_rank(samples, &found, dims)?;
    let rank = found.rank();
    found.values.truncate(kept);
    found.vectors.truncate(kept * samples.dim());
    Ok(Learned {
        form: WhiteningForm::PcaWhiten,
        mean,
        matrix: found.vectors,
        variance: Some(found.values),
        rank,
    })
}
