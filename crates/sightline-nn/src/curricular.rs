//! DELG's margin classifier: a cosine classifier whose hard negatives count more as training proceeds (Huang et al.,
//! *CurricularFace*, CVPR 2020; feymanpriv/DELG `model/resnet.py`, where it is called Arcface).

use crate::BurnOps;
use crate::normalise::l2_normalise;
use crate::parameters::{Parameters, TensorProblem};
use crate::weights::Weights;
use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Share of a batch in the buffer t.
const MOMENTUM: f32 = 0.01;

/// Why a batch cannot be classified.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LabelError {
    /// Not one label for each descriptor.
    #[error("{labels} labels were given for {rows} descriptors; every descriptor has one label.")]
    Count {
        /// Number of labels.
        labels: usize,
        /// Number of descriptors.
        rows: usize,
    },
    /// No such class.
    #[error("The label {label} is no class of a classifier with {classes} classes; labels count from 0.")]
    Class {
        /// The label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
}

/// Scale and margin of DELG's classifier; files do not hold them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurricularMargin {
    /// What cosines are multiplied by.
    pub scale: f32,
    /// The angle that is added to that of the right class, in radians.
    pub margin: f32,
}

impl Default for CurricularMargin {
    /// Those of DELG's configuration, 30 and 0.15.
    fn default() -> Self {
        Self {
            scale: 30.0,
            margin: 0.15,
        }
    }
}

/// A margin classifier with the buffer t, the running mean of right cosines.
#[derive(Module, Debug)]
pub struct CurricularClassifier {
    /// A direction for each class, `[K, D]`.
    pub weight: Param<Tensor<2>>,
    /// `[1]`; starts at 0 and changes in every pass, test mode included.
    pub t: RunningState<Tensor<1>>,
}

impl CurricularClassifier {
    /// The classifier with parameters `{name}.weight` `[classes, dim]` and `{name}.t` `[1]`, on the CPU.
    ///
    /// # Errors
    /// When one of them is missing or has another shape.
    pub fn load(
        weights: &Weights<'_>,
        name: &str,
        classes: usize,
        dim: usize,
    ) -> Result<Self, TensorProblem> {
        Parameters::build(weights, &Device::flex(), |parameters| {
            Self::take(parameters, name, classes, dim)
        })
    }

    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, classes: usize, dim: usize) -> Self {
        let t = parameters.take_power(&format!("{name}.t"), 1, 0.0);
        Self {
            weight: parameters.take(&format!("{name}.weight"), [classes, dim]),
            t: RunningState::with_id(t.id, t.val().set_require_grad(false)),
        }
    }

    /// Descriptors `[N, D]` of any length and their classes -> logits `[N, K]` for a cross-entropy.
    ///
    /// With c the cosines and m the margin: t becomes 0.99 t + 0.01 (mean of the right cosines); a cosine above the one
    /// that its row's right class would have at an angle larger by m becomes c (t + c); then the right class gets that
    /// cosine, or its own minus m sin(pi - m) where the angle would pass pi; all times the scale.
    ///
    /// # Errors
    /// When there is not one label for each row, or one is no class.
    pub fn logits(
        &self,
        x: Tensor<2>,
        labels: &[usize],
        margin: CurricularMargin,
    ) -> Result<Tensor<2>, LabelError> {
        let ([rows, _], [classes, _]) = (x.dims(), self.weight.dims());
        if labels.len() != rows {
            let labels = labels.len();
            return Err(LabelError::Count { labels, rows });
        }
        if let Some(label) = labels.iter().copied().find(|label| *label >= classes) {
            return Err(LabelError::Class { label, classes });
        }
        let CurricularMargin { scale, margin } = margin;
        let (sine, cosine) = f64::from(margin).sin_cos();
        let past = std::f64::consts::PI - f64::from(margin);

        let ops = &mut BurnOps::default();
        let x = l2_normalise(ops, x);
        let weight = l2_normalise(ops, self.weight.val());
        let cosines = x.matmul(weight.transpose()).clamp(-1.0, 1.0);
        let labels: Vec<i64> = labels.iter().map(|label| *label as i64).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [rows]), &cosines.device());
        let labels: Tensor<2, Int> = labels.reshape([rows, 1]);
        let right = cosines.clone().gather(1, labels.clone());
        // The slope of a root is infinite at zero, where a cosine is 1.
        let sines = (right.clone() * right.clone() * -1.0 + 1.0)
            .clamp_min(f32::MIN_POSITIVE)
            .sqrt();
        let harder = right.clone() * cosine - sines * sine;

        let t = self.t.value_sync() * (1.0 - MOMENTUM) + right.clone().detach().mean() * MOMENTUM;
        self.t.update(t.clone().detach());
        let t: Tensor<2> = t.reshape([1, 1]);

        let hard = cosines.clone().greater(harder.clone().expand([rows, classes]));
        let raised = cosines.clone() * (cosines.clone() + t);
        let negatives = cosines.mask_where(hard, raised);
        let within = right.clone().greater_elem(past.cos());
        let positive = (right - f64::from(margin) * past.sin()).mask_where(within, harder);
        let class = Tensor::<1, Int>::arange(0..classes as i64, &labels.device()).reshape([1, classes]);
        let is_right = class
            .expand([rows, classes])
            .equal(labels.expand([rows, classes]));
        Ok(negatives.mask_where(is_right, positive.expand([rows, classes])) * scale)
    }
}
