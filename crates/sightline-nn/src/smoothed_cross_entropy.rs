//! The class loss of both forms of CGD (leftthomas/CGD, `utils.py`, `LabelSmoothingCrossEntropyLoss`; the TensorFlow
//! project, `net/losses.py`).

use burn::tensor::{Tensor, TensorData, activation};

/// Cross-entropy of the softmax of `values / temperature` against labels that keep 1 - `smoothing` and share the rest
/// among all classes; the mean over the batch, `[1]`. `values` is `[N, K]`, a label is below K.
///
/// A label that is not is nobody's: only the smoothing counts in its row.
pub fn smoothed_cross_entropy(
    values: Tensor<2>,
    labels: &[usize],
    temperature: f32,
    smoothing: f32,
) -> Tensor<1> {
    let [rows, classes] = values.dims();
    let share = smoothing / classes as f32;
    let mut targets = vec![share; rows * classes];
    for (row, label) in targets.chunks_mut(classes.max(1)).zip(labels) {
        if let Some(target) = row.get_mut(*label) {
            *target += 1.0 - smoothing;
        }
    }
    let targets = TensorData::new(targets, [rows, classes]);
    let targets = Tensor::<2>::from_data(targets, &values.device());
    let logarithms = activation::log_softmax(values / temperature, 1);
    (logarithms * targets).sum() / -(rows as f32)
}

#[cfg(test)]
mod tests {
    use super::smoothed_cross_entropy;
    use burn::tensor::{Device, Tensor};

    #[test]
    fn two_classes_by_hand() {
        // Differences of 2 ln 3 at temperature 2 are odds of 3 to 1.
        let d = 2.0 * 3.0_f32.ln();
        let values = Tensor::<2>::from_data([[d, 0.0], [0.0, d]], &Device::flex());
        let loss = smoothed_cross_entropy(values, &[0, 0], 2.0, 0.2);
        let got = loss.into_data().try_to_vec::<f32>().unwrap()[0];
        let (right, wrong) = (-(0.75_f32.ln()), -(0.25_f32.ln()));
        let want = ((0.9 * right + 0.1 * wrong) + (0.9 * wrong + 0.1 * right)) / 2.0;
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
}
