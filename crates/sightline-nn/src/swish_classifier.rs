//! The auxiliary classifier of the TensorFlow project's two networks (`net/ml.py`), which only training uses.

use crate::Ops;
use crate::batch_norm::{BatchNorm, BatchNormOptions, Remembered};
use crate::linear::Linear;
use crate::parameters::Parameters;
use burn::module::Module;

/// The most classes that a name or a file may ask for: the last layer has the square of them.
pub(crate) const MOST_CLASSES: usize = 1 << 13;

/// Batch norm over rows as `tf.keras.layers.BatchNormalization` does it.
pub(crate) const KERAS_ROWS: BatchNormOptions = BatchNormOptions {
    epsilon: 1e-3,
    momentum: 0.01,
    remembered: Remembered::Biased,
    affine: true,
};

/// A linear layer, swish, a batch norm and another linear layer, both as wide as there are classes.
#[derive(Module, Debug)]
pub(crate) struct SwishClassifier {
    dense: Linear,
    norm: BatchNorm,
    predictions: Linear,
}

impl SwishClassifier {
    /// `dense` is what the file calls the first layer. The batch norm is called `logits` there, though the logits come
    /// after it.
    pub(crate) fn take(parameters: &mut Parameters<'_>, dense: &str, classes: usize, inputs: usize) -> Self {
        Self {
            dense: Linear::take(parameters, dense, classes, inputs),
            norm: BatchNorm::take_with(parameters, "logits", classes, KERAS_ROWS),
            predictions: Linear::take(parameters, "softmax_predictions", classes, classes),
        }
    }

    /// `[N, C]` -> the values `[N, classes]` whose softmax are the probabilities.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<2>) -> O::T<2> {
        let x = self.dense.forward(ops, x);
        let x = swish(ops, x);
        let x = self.norm.forward(ops, x);
        self.predictions.forward(ops, x)
    }
}

/// x / (1 + e^-x).
pub(crate) fn swish<O: Ops, const D: usize>(ops: &mut O, x: O::T<D>) -> O::T<D> {
    let gate = ops.sigmoid(x.clone());
    ops.mul(x, gate)
}
