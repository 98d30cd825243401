//! cirtorch's Cholesky factor of a matrix that may be singular.

use super::dot::dot;

/// The largest multiple of the identity that is added, relative to the matrix' largest entry: a matrix of finite numbers has long
/// become definite.
const MOST: f64 = 1e6;

/// The lower Cholesky factor `[dim, dim]` of `matrix` + a I for the first a of 0, 1e-10, 1e-9, 1e-8, ... with which every pivot is
/// above zero (`cirtorch/utils/whiten.py` `cholesky`). None where that never happens.
pub(super) fn raised_cholesky(matrix: &[f64], dim: usize) -> Option<Vec<f64>> {
    let largest = matrix.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let mut raise = 0.0;
    while raise <= MOST * largest.max(1.0) {
        if let Some(factor) = cholesky(matrix, dim, raise) {
            return Some(factor);
        }
        raise = if raise == 0.0 { 1e-10 } else { raise * 10.0 };
    }
    None
}

fn cholesky(matrix: &[f64], dim: usize, raise: f64) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; dim * dim];
    for i in 0..dim {
        let (done, rest) = factor.split_at_mut(i * dim);
        let row = &mut rest[..dim];
        for j in 0..i {
            let other = &done[j * dim..][..dim];
            row[j] = (matrix[i * dim + j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = matrix[i * dim + i] + raise - dot(&row[..i], &row[..i]);
        // NaN is no pivot either.
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        row[i] = pivot.sqrt();
    }
    Some(factor)
}

/// The inverse of a lower triangular matrix `[dim, dim]`, lower triangular too.
pub(super) fn inverse_of_lower(lower: &[f64], dim: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; dim * dim];
    for i in 0..dim {
        let (done, rest) = inverse.split_at_mut(i * dim);
        let (row, pivot) = (&mut rest[..dim], lower[i * dim + i]);
        // Row i of the inverse is (e_i - sum over k < i of L[i, k] * row k) / L[i, i].
        for k in 0..i {
            let share = lower[i * dim + k];
            for (x, y) in row[..=k].iter_mut().zip(&done[k * dim..]) {
                *x -= share * y;
            }
        }
        row[i] = 1.0;
        row[..=i].iter_mut().for_each(|x| *x /= pivot);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_singular_matrix_is_raised_and_a_definite_one_is_not() {
        let factor = raised_cholesky(&[4.0, 2.0, 2.0, 5.0], 2).unwrap();
        assert_eq!(factor, [2.0, 0.0, 1.0, 2.0]);
        assert_eq!(inverse_of_lower(&factor, 2), [0.5, 0.0, -0.25, 0.5]);
        let singular = raised_cholesky(&[1.0, 0.0, 0.0, 0.0], 2).unwrap();
        assert!((singular[3] - 1e-5).abs() < 1e-15, "{singular:?}");
        let negative = raised_cholesky(&[-0.5], 1).unwrap();
        assert!((negative[0] - 0.5_f64.sqrt()).abs() < 1e-12, "raised by 1");
        assert!(raised_cholesky(&[f64::NAN], 1).is_none());
    }
}
