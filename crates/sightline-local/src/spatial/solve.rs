//! Small systems of linear equations.

/// A pivot below this share of the matrix's largest diagonal entry counts as none.
const SINGULAR: f64 = 1e-10;

/// Solves a symmetric, positive definite system by Cholesky's decomposition. `matrix` needs only its lower half; none
/// where it is singular, or no number.
pub(super) fn solve<const N: usize>(mut matrix: [[f64; N]; N], mut right: [f64; N]) -> Option<[f64; N]> {
    let largest = (0..N).map(|i| matrix[i][i]).fold(0.0, f64::max);
    for column in 0..N {
        let before: f64 = matrix[column][..column].iter().map(|value| value * value).sum();
        let pivot = matrix[column][column] - before;
        // False for NaN too.
        let regular = pivot > SINGULAR * largest && pivot.is_finite();
        if !regular {
            return None;
        }
        let root = pivot.sqrt();
        matrix[column][column] = root;
        for row in column + 1..N {
            let before = dot(&matrix[row][..column], &matrix[column]);
            matrix[row][column] = (matrix[row][column] - before) / root;
        }
    }
    for row in 0..N {
        right[row] = (right[row] - dot(&matrix[row][..row], &right)) / matrix[row][row];
    }
    for row in (0..N).rev() {
        for k in row + 1..N {
            right[row] -= matrix[k][row] * right[k];
        }
        right[row] /= matrix[row][row];
    }
    Some(right)
}

/// The sum of products of the entries that both have.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_system_is_solved_from_its_lower_half() {
        // [4 2 1; 2 5 3; 1 3 6] times (1, -2, 3).
        let matrix = [[4.0, 9.0, 9.0], [2.0, 5.0, 9.0], [1.0, 3.0, 6.0]];
        let got = solve(matrix, [3.0, 1.0, 13.0]).unwrap();
        for (got, want) in got.iter().zip([1.0, -2.0, 3.0]) {
            assert!((got - want).abs() < 1e-12, "{got}");
        }
    }

    #[test]
    fn a_singular_system_has_no_solution() {
        assert_eq!(solve([[1.0, 0.0], [2.0, 4.0]], [1.0, 2.0]), None);
        assert_eq!(solve([[0.0, 0.0], [0.0, 0.0]], [0.0, 0.0]), None);
        assert_eq!(solve([[f64::NAN]], [0.0]), None);
    }
}
