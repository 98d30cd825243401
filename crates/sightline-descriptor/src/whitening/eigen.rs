//! Eigenvalues and eigenvectors of a symmetric matrix.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatRef, Par, Spec};

use super::LearnError;

/// What a symmetric matrix is made of.
pub(super) struct Eigen {
    /// Eigenvalues, largest first.
    pub(super) values: Vec<f64>,
    /// `[dim, dim]`: the eigenvector of each value as a row of length 1, its entry of largest absolute value positive (the
    /// first of several such), as scikit-learn since 1.5 signs components.
    pub(super) vectors: Vec<f64>,
}

/// Decomposes `matrix` `[dim, dim]`, of which the lower triangle is read. On one thread, since the order of its sums would
/// else depend on their number.
pub(super) fn eigen(matrix: &[f64], dim: usize) -> Result<Eigen, LearnError> {
    let failed = || LearnError::NoDecomposition { dim };
    let params = Spec::default();
    let scratch = self_adjoint_evd_scratch::<f64>(dim, ComputeEigenvectors::Yes, Par::Seq, params);
    let mut room = MemBuffer::try_new(scratch).map_err(|_| failed())?;
    let (mut values, mut vectors) = (Diag::<f64>::zeros(dim), Mat::<f64>::zeros(dim, dim));
    self_adjoint_evd(
        MatRef::from_row_major_slice(matrix, dim, dim),
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut room),
        params,
    )
    .map_err(|_| failed())?;
    let values = values.column_vector();
    // They come in ascending order.
    let mut out = Eigen {
        values: (0..dim).rev().map(|i| values[i]).collect(),
        vectors: Vec::with_capacity(dim * dim),
    };
    for axis in (0..dim).rev() {
        let start = out.vectors.len();
        out.vectors.extend((0..dim).map(|i| vectors[(i, axis)]));
        let vector = &mut out.vectors[start..];
        let largest = vector
            .iter()
            .fold(0.0_f64, |best, x| if x.abs() > best.abs() { *x } else { best });
        if largest < 0.0 {
            vector.iter_mut().for_each(|x| *x = -*x);
        }
    }
    if out.values.iter().chain(&out.vectors).all(|x| x.is_finite()) {
        Ok(out)
    } else {
        Err(failed())
    }
}

impl Eigen {
    /// How many eigenvalues are more than rounding.
    pub(super) fn rank(&self) -> usize {
        let largest = self.values.first().copied().unwrap_or(0.0).max(0.0);
        let rounding = largest * 4.0 * self.values.len().max(64) as f64 * f64::EPSILON;
        self.values.iter().filter(|value| **value > rounding).count()
    }
}
