//! The margin classifier that trains Token: Deng, Guo, Xue and Zafeiriou, *ArcFace: Additive Angular Margin Loss for Deep
//! Face Recognition*, CVPR 2019 (MCC-WH/Token, `ArcFace` in `networks/backbone.py`).

use crate::parameters::{Parameters, TensorProblem};
use crate::weights::Weights;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// Cosines are kept this far from -1 and 1, and pass no gradient beyond.
const FROM_THE_ENDS: f32 = 1e-6;
/// What a vector is divided by at least.
const LEAST_LENGTH: f32 = 1e-12;

/// Scaled cosines between descriptors and a learned centre for each class, the angle to the right one made larger by a
/// margin. Only training uses it, so it computes with Burn alone.
#[derive(Module, Debug)]
pub struct ArcFace {
    /// `[K, D]`.
    pub weight: Param<Tensor<2>>,
    #[module(skip)]
    margin: f32,
    #[module(skip)]
    scale: f32,
}

impl ArcFace {
    /// Token's margin for global descriptors.
    pub const MARGIN: f32 = 0.2;
    /// The Token project's margin for what its DELG makes of local features.
    pub const LOCAL_MARGIN: f32 = 0.1;

    /// Takes `{name}.weight` `[classes, dim]` of `weights`: `classifier`, or of the Token project's DELG `classifier_block5` and
    /// `classifier_block4`. `scale` is √dim there.
    ///
    /// # Errors
    /// When there is no such tensor.
    pub fn load(
        weights: &Weights<'_>,
        name: &str,
        [classes, dim]: [usize; 2],
        margin: f32,
        scale: f32,
    ) -> Result<Self, TensorProblem> {
        Parameters::build(weights, &Device::flex(), |parameters| Self {
            weight: parameters.take(&format!("{name}.weight"), [classes, dim]),
            margin,
            scale,
        })
    }

    /// Descriptors `[N, D]` of any length, and the class of each -> logits `[N, K]` for a cross-entropy.
    ///
    /// The angle to the own class grows by the margin unless it would exceed π. A label that is no class gets no margin.
    pub fn forward(&self, descriptors: Tensor<2>, labels: &[usize]) -> Tensor<2> {
        let [rows, _] = descriptors.dims();
        let centres = unit_rows(self.weight.val());
        let cosine = unit_rows(descriptors).matmul(centres.transpose());
        let most = 1.0 - FROM_THE_ENDS;
        let inside = cosine.clone().detach().abs().lower_equal_elem(most);
        let ends = cosine.clone().detach().clamp(-most, most);
        let cosine = ends.mask_where(inside, cosine);

        // cos(θ + m), which is what an angle θ up to π - m becomes.
        let sine = ((cosine.clone() + 1.0) * (-cosine.clone() + 1.0)).sqrt();
        let moved = cosine.clone() * self.margin.cos() - sine * self.margin.sin();
        let within = cosine.clone().detach().greater_equal_elem(-self.margin.cos());
        let [_, classes] = cosine.dims();
        let mut own = vec![false; rows * classes];
        for (row, label) in own.chunks_mut(classes.max(1)).zip(labels) {
            if let Some(own) = row.get_mut(*label) {
                *own = true;
            }
        }
        let own = Tensor::<2, burn::tensor::Bool>::from_data(
            TensorData::new(own, [rows, classes]),
            &cosine.device(),
        );
        cosine.mask_where(own.bool_and(within), moved) * self.scale
    }
}

/// Each row over its length.
fn unit_rows(x: Tensor<2>) -> Tensor<2> {
    let squares = (x.clone() * x.clone()).sum_dim(1);
    // The slope of a root is infinite at zero.
    x / squares
        .clamp_min(f32::MIN_POSITIVE)
        .sqrt()
        .clamp_min(LEAST_LENGTH)
}
