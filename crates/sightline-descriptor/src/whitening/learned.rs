//! A whitening that was learned, and why none could be.

use sightline_checkpoint::recognise::{WhiteningForm, WhiteningParams};
use sightline_checkpoint::{Tensor, TensorError};

use super::eigen::Eigen;
use super::scatter::{mean, scatter};
use super::{Samples, Whitening, WhiteningError, WhiteningSettings};

/// Longest descriptors that are learned from: the matrices have as many rows and columns (2 GiB each at this length).
const LONGEST: usize = 16_384;

/// Why no whitening could be learned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LearnError {
    /// Too few rows, or none.
    #[error(
        "A whitening cannot be learned from {rows} descriptors. Give at least {least}, and better many more than they have values."
    )]
    TooFew {
        /// Rows given.
        rows: usize,
        /// Rows needed.
        least: usize,
    },
    /// Rows that are too long, or empty.
    #[error(
        "A whitening cannot be learned from descriptors of {dim} values. It can from 1 to {LONGEST} values."
    )]
    Length {
        /// Values of a row.
        dim: usize,
    },
    /// A row with NaN or infinity.
    #[error(
        "A whitening cannot be learned from descriptors of which row {row} (from 0) holds a value that is no finite number. Leave it out."
    )]
    NotFinite {
        /// The row.
        row: usize,
    },
    /// More axes than the descriptors spread over.
    #[error(
        "The {rows} descriptors of {dim} values spread over {rank} axes only, and what {asked} axes need would be divided by \
         nothing. Keep at most {rank} (--dims {rank}), or learn from more descriptors."
    )]
    Rank {
        /// Rows given.
        rows: usize,
        /// Values of a row.
        dim: usize,
        /// Axes asked for.
        asked: usize,
        /// Axes that there are.
        rank: usize,
    },
    /// Descriptors that are all the same.
    #[error("The {rows} descriptors are all the same, so there is nothing to learn from them. Give others.")]
    AllTheSame {
        /// Rows given.
        rows: usize,
    },
    /// Other numbers of axes than there can be.
    #[error("{asked} axes cannot be kept of descriptors of {dim} values. Keep 1 to {dim}.")]
    Dims {
        /// Axes asked for.
        asked: usize,
        /// Values of a row.
        dim: usize,
    },
    /// No pairs.
    #[error("A whitening cannot be learned from no pairs. Name descriptors that show the same thing.")]
    NoPairs,
    /// A pair of a row that is not there.
    #[error("A pair names descriptor {row} (from 0), and there are {rows}.")]
    Pair {
        /// The row that is named.
        row: usize,
        /// Rows given.
        rows: usize,
    },
    /// A shrinkage outside 0 to 1.
    #[error("The shrinkage {shrinkage} is no number from 0 (a rotation) to 1 (full whitening).")]
    Shrinkage {
        /// What was given.
        shrinkage: f64,
    },
    /// The matrix could not be decomposed.
    #[error(
        "The {dim} x {dim} matrix of a whitening could not be decomposed: its values are too large or too unlike each other, or the memory does not suffice. Look for odd descriptors."
    )]
    NoDecomposition {
        /// Its side.
        dim: usize,
    },
}

/// A whitening as it was learned: `mean` `[dim]` and `matrix` `[axes, dim]`, an axis a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// How it is applied: [`WhiteningForm::PcaWhiten`] (dirtorch's) or [`WhiteningForm::MeanP`] (cirtorch's and HOW's).
    pub form: WhiteningForm,
    /// The mean of the descriptors, `[dim]`.
    pub mean: Vec<f64>,
    /// The axes `[axes, dim]`, row by row. (HOW keeps this matrix transposed.)
    pub matrix: Vec<f64>,
    /// Explained variance `[axes]` of a PCA.
    pub variance: Option<Vec<f64>>,
    /// How many axes the descriptors spread over beyond rounding.
    pub rank: usize,
}

impl Learned {
    /// Values of the descriptors that go in.
    #[must_use]
    pub fn input_dim(&self) -> usize {
        self.mean.len()
    }

    /// Values of the descriptors that come out.
    #[must_use]
    pub fn output_dim(&self) -> usize {
        self.matrix.len().checked_div(self.mean.len()).unwrap_or(0)
    }

    /// The form that files hold.
    ///
    /// # Errors
    /// Never for what was learned; when fields were changed so that they contradict each other.
    pub fn params(&self) -> Result<WhiteningParams, TensorError> {
        let variance = self.variance.as_deref();
        Ok(WhiteningParams {
            form: self.form,
            mean: Some(Tensor::from_f64(vec![self.input_dim()], &self.mean)?),
            matrix: Tensor::from_f64(vec![self.output_dim(), self.input_dim()], &self.matrix)?,
            variance: variance
                .map(|variance| Tensor::from_f64(vec![variance.len()], variance))
                .transpose()?,
        })
    }

    /// The whitening made ready to be applied.
    ///
    /// # Errors
    /// When no axis is to be kept.
    pub fn whitening(&self, name: &str, settings: &WhiteningSettings) -> Result<Whitening, WhiteningError> {
        let params = self.params().map_err(|error| WhiteningError::Shape {
            name: name.to_owned(),
            reason: error.to_string().trim_end_matches('.').to_owned(),
        })?;
        Whitening::from_params(name, &params, settings)
    }

    /// The projection of cirtorch's and HOW's form as a layer: weight `[axes, dim]` and bias `[axes]` with
    /// weight x + bias = P (x - m). As a 1x1 convolution the weight is `[axes, dim, 1, 1]` (HOW's `dim_reduction.py`); as a
    /// linear layer it is cirtorch's `whiten`. No normalisation is part of it.
    #[must_use]
    pub fn layer(&self) -> (Vec<f64>, Vec<f64>) {
        let bias = self
            .matrix
            .chunks_exact(self.input_dim().max(1))
            .map(|axis| -axis.iter().zip(&self.mean).map(|(p, m)| p * m).sum::<f64>())
            .collect();
        (self.matrix.clone(), bias)
    }
}

/// Checks what every method asks of its rows.
pub(super) fn check(samples: &Samples<'_>, least: usize, dims: Option<usize>) -> Result<(), LearnError> {
    let (rows, dim) = (samples.count(), samples.dim());
    if !(1..=LONGEST).contains(&dim) {
        return Err(LearnError::Length { dim });
    }
    if rows < least {
        return Err(LearnError::TooFew { rows, least });
    }
    match dims {
        Some(asked) if asked == 0 || asked > dim => Err(LearnError::Dims { asked, dim }),
        _ => Ok(()),
    }
}

/// The mean of all rows, and their scatter around it (not divided).
pub(super) fn moments(samples: &Samples<'_>) -> Result<(Vec<f64>, Vec<f64>), LearnError> {
    let (count, dim) = (samples.count(), samples.dim());
    let mean = mean(count, dim, |row, out| samples.read(row, out));
    if mean.iter().any(|x| !x.is_finite()) {
        return Err(not_finite(samples));
    }
    Ok((scatter_around(samples, &mean), mean)).map(|(scatter, mean)| (mean, scatter))
}

/// The scatter of all rows around a point.
pub(super) fn scatter_around(samples: &Samples<'_>, point: &[f64]) -> Vec<f64> {
    scatter(samples.count(), samples.dim(), |row, out| {
        samples.read(row, out);
        out.iter_mut().zip(point).for_each(|(x, m)| *x -= m);
    })
}

/// The error that names the first row with a value that is no finite number.
pub(super) fn not_finite(samples: &Samples<'_>) -> LearnError {
    let mut values = vec![0.0; samples.dim()];
    let row = (0..samples.count()).find(|row| {
        samples.read(*row, &mut values);
        values.iter().any(|x| !x.is_finite())
    });
    // Finite values whose sum is not.
    row.map_or(LearnError::NoDecomposition { dim: samples.dim() }, |row| {
        LearnError::NotFinite { row }
    })
}

/// How many axes are kept, for methods that divide by what the descriptors spread along each: those asked for, else all that
/// there are.
pub(super) fn kept_within_rank(
    samples: &Samples<'_>,
    eigen: &Eigen,
    dims: Option<usize>,
) -> Result<usize, LearnError> {
    let rank = eigen.rank();
    let rows = samples.count();
    if rank == 0 {
        return Err(LearnError::AllTheSame { rows });
    }
    let asked = dims.unwrap_or(rank);
    if asked <= rank {
        return Ok(asked);
    }
    Err(LearnError::Rank {
        rows,
        dim: samples.dim(),
        asked,
        rank,
    })
}

/// The first `kept` axes, each times `scale` of what the descriptors spread along it, in cirtorch's and HOW's form.
pub(super) fn scaled_axes(mean: Vec<f64>, found: &Eigen, kept: usize, scale: impl Fn(f64) -> f64) -> Learned {
    let axes = found.vectors.chunks_exact(mean.len().max(1)).zip(&found.values);
    let matrix = axes
        .take(kept)
        .flat_map(|(axis, value)| {
            let scale = scale(*value);
            axis.iter().map(move |x| x * scale)
        })
        .collect();
    Learned {
        form: WhiteningForm::MeanP,
        mean,
        matrix,
        variance: None,
        rank: found.rank(),
    }
}
