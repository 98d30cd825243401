//! Conjugate gradients, stopped after a few steps.

/// When to stop, and what to answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// So many steps at most.
    pub most: usize,
    /// Done when the length of the residual is at most this share of that of the right side.
    pub tolerance: f64,
    /// Whether the iterate of least residual is the answer where the steps do not suffice (MATLAB's `pcg`), instead of the last one
    /// (SciPy's `cg`).
    pub least_residual: bool,
}

/// Vectors that one solution after the other is computed in.
#[derive(Clone, Debug, Default)]
pub struct ConjugateGradients {
    x: Vec<f64>,
    residual: Vec<f64>,
    direction: Vec<f64>,
    product: Vec<f64>,
    best: Vec<f64>,
}

impl ConjugateGradients {
    /// Solves `A x = right` from zero without preconditioner, A a symmetric and positive definite matrix of as many rows as
    /// `right`, given as `multiply(x, out)`. On real graphs the steps do not suffice, and what they lead to is the answer.
    ///
    /// Memory: five vectors of that length.
    pub fn solve(
        &mut self,
        steps: Steps,
        right: &[f64],
        mut multiply: impl FnMut(&[f64], &mut [f64]),
    ) -> &[f64] {
        let Self {
            x,
            residual,
            direction,
            product,
            best,
        } = self;
        x.clear();
        x.resize(right.len(), 0.0);
        product.clear();
        product.resize(right.len(), 0.0);
        best.clear();
        best.extend_from_slice(x);
        residual.clear();
        residual.extend_from_slice(right);
        direction.clear();
        direction.extend_from_slice(right);
        let mut square = dot(residual, residual);
        let enough = steps.tolerance * steps.tolerance * square;
        let mut least = square;
        for _ in 0..steps.most {
            if square <= enough {
                return x;
            }
            multiply(direction, product);
            let step = square / dot(direction, product);
            // A matrix that is not positive definite, or numbers out of range.
            if !step.is_finite() {
                break;
            }
            add(x, step, direction);
            add(residual, -step, product);
            let before = std::mem::replace(&mut square, dot(residual, residual));
            if steps.least_residual && square < least {
                least = square;
                best.copy_from_slice(x);
            }
            let along = square / before;
            for (direction, residual) in direction.iter_mut().zip(&*residual) {
                *direction = residual + along * *direction;
            }
        }
        if steps.least_residual { best } else { x }
    }
}

fn add(to: &mut [f64], factor: f64, x: &[f64]) {
    for (to, x) in to.iter_mut().zip(x) {
        *to += factor * x;
    }
}

/// Summed in eight lanes, so that it is vectorised.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = chunks_a
        .remainder()
        .iter()
        .zip(chunks_b.remainder())
        .map(|(a, b)| a * b)
        .sum();
    let mut lanes = [0.0; LANES];
    for (a, b) in chunks_a.zip(chunks_b) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}
