//! The dot product of 64-bit vectors.

/// In eight running sums, which the compiler turns into vector instructions; the order of additions is fixed.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a8, a1), (b8, b1)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a8.iter().zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + a1.iter().zip(b1).map(|(a, b)| a * b).sum::<f64>()
}
