//! The TensorFlow project's simple reference model (PuchatekwSzortach/
//! combination_of_multiple_global_descriptors_for_image_retrieval, `net/ml.py`, `ImagesSimilarityComputer`): two
//! convolutions and two linear layers on the whole map, so that it takes pictures of one size.

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::head::read_up_to;
use crate::linear::Linear;
use crate::parameters::Parameters;
use crate::swish_classifier::{KERAS_ROWS, MOST_CLASSES, SwishClassifier, swish};
use crate::weights::Weights;
use burn::module::Module;
use sightline_plan::Convolution;
use std::fmt;

/// Sides of the square pictures that the project trains on.
const SIZE: usize = 224;
/// The largest pictures that a name may ask for.
const LARGEST: usize = 4096;
/// Pixels of a picture for each of the map's, along one axis, behind a whole Keras ResNet.
const STRIDE: usize = 32;
/// Channels after the first and the second convolution, numbers after the first linear layer, length of the descriptor.
const WIDTHS: [usize; 4] = [512, 128, 1024, 512];

/// Options of the reference model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceHead {
    /// Height and width of the pictures that it takes; none means what the file's first linear layer fits (224 without a
    /// file). Option `-sizeN`.
    pub size: Option<usize>,
    /// Classes of the auxiliary head; none means as many as the file has, and without a file there is no such head.
    /// Option `-classesN`.
    pub classes: Option<usize>,
}

impl ReferenceHead {
    /// The project's sizes.
    pub const fn new() -> Self {
        Self {
            size: None,
            classes: None,
        }
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if let Some(size) = option.strip_prefix("size") {
            self.size = Some(read_up_to(size, LARGEST)?);
        } else {
            self.classes = Some(read_up_to(option.strip_prefix("classes")?, MOST_CLASSES)?);
        }
        Some(())
    }

    /// Takes over the sizes that a file decides.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        let columns = weights.shape("dense.weight").and_then(|shape| shape.get(1));
        let side = columns.map(|columns| (columns / WIDTHS[1]).isqrt());
        let held = side.map(|side| side.saturating_mul(STRIDE));
        let held = held.filter(|size| (1..=LARGEST).contains(size));
        self.size = self.size.or(held);
        let held = weights.size("softmax_predictions.weight", 0, MOST_CLASSES);
        self.classes = self.classes.or(held);
    }

    /// Height and width of the pictures that it takes.
    pub(crate) fn picture_size(&self) -> [usize; 2] {
        [self.size.unwrap_or(SIZE); 2]
    }

    /// Length of the descriptor.
    pub(crate) fn dim() -> usize {
        WIDTHS[3]
    }
}

impl Default for ReferenceHead {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ReferenceHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cgd-tf-reference")?;
        if let Some(size) = self.size.filter(|size| *size != SIZE) {
            write!(f, "-size{size}")?;
        }
        self.classes
            .map_or(Ok(()), |classes| write!(f, "-classes{classes}"))
    }
}

#[derive(Module, Debug)]
pub struct ReferenceModule {
    convolutions: Vec<Conv2d>,
    dense: Linear,
    norm: BatchNorm,
    embeddings: Linear,
    auxiliary: Option<SwishClassifier>,
}

impl ReferenceModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &ReferenceHead, channels: usize) -> Self {
        let [first, second, wide, out] = WIDTHS;
        let mut convolution = |name: &str, outputs: usize, inputs: usize| {
            let shape = [outputs, inputs, 1, 1];
            Conv2d::take_with_bias(parameters, name, shape, Convolution::default())
        };
        let convolutions = vec![
            convolution("conv2d", first, channels),
            convolution("conv2d_1", second, first),
        ];
        let side = options.picture_size()[0].div_ceil(STRIDE);
        Self {
            convolutions,
            dense: Linear::take(parameters, "dense", wide, side * side * second),
            norm: BatchNorm::take_with(parameters, "batch_normalization", wide, KERAS_ROWS),
            embeddings: Linear::take(parameters, "dense_1", out, wide),
            auxiliary: options
                .classes
                .map(|classes| SwishClassifier::take(parameters, "dense_2", classes, out)),
        }
    }

    /// `[N, C, H, W]` of the one size -> descriptors `[N, 512]`, which are not normalised.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, map: O::T<4>) -> O::T<2> {
        let mut x = map;
        for convolution in &self.convolutions {
            x = convolution.forward(ops, x);
            x = swish(ops, x);
        }
        // Keras flattens its maps pixel by pixel, the channels of each together.
        let x = ops.permute(x, [0, 2, 3, 1]);
        let x = ops.reshape(x, [0, -1]);
        let x = self.dense.forward(ops, x);
        let x = swish(ops, x);
        let x = self.norm.forward(ops, x);
        self.embeddings.forward(ops, x)
    }

    /// As [`ReferenceModule::forward`], and the values of the classes `[N, K]` where the head has them.
    pub(crate) fn forward_with_classes<O: Ops>(
        &self,
        ops: &mut O,
        map: O::T<4>,
    ) -> (O::T<2>, Option<O::T<2>>) {
        let descriptor = self.forward(ops, map);
        let auxiliary = self.auxiliary.as_ref();
        let classes = auxiliary.map(|auxiliary| auxiliary.forward(ops, descriptor.clone()));
        (descriptor, classes)
    }
}
