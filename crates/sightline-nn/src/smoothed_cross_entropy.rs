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
