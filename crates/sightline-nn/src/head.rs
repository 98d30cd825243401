//! What follows the trunk: from a feature map to a descriptor.

use crate::Ops;
use crate::architecture::{CirtorchHead, DirtorchHead, Head};
use crate::center_bias::center_bias;
use crate::linear::Linear;
use crate::normalise::{l2_normalise, l2n};
use crate::parameters::Parameters;
use crate::pooling::{Pooling, PoolingKind, Power};
use burn::module::Module;

/// From a feature map `[N, C, H, W]` to a descriptor `[N, D]`.
#[derive(Module, Debug)]
pub(crate) struct HeadModule {
    pooling: Pooling,
    /// dirtorch's `fc`, a classifier's `fc`, or cirtorch's `whiten`.
    linear: Option<Linear>,
    #[module(skip)]
    head: Head,
}

impl HeadModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, head: &Head, channels: usize) -> Self {
        let (pooling, linear) = match head {
            Head::Pooled(kind) => (
                Pooling::take(parameters, "pool", *kind, channels, Power::Optional),
                None,
            ),
            Head::Dirtorch(options) => (
                Pooling::take(parameters, "adpool", options.pooling, channels, Power::Required),
                // The original builds the layer (and its checkpoints hold it) even where it is not used.
                Some(Linear::take(parameters, "fc", options.dim(), channels)),
            ),
            Head::Classifier { classes } => (
                Pooling::take(parameters, "pool", PoolingKind::Spoc, channels, Power::Required),
                Some(Linear::take(parameters, "fc", classes.unwrap_or(1000), channels)),
            ),
            Head::Cirtorch(CirtorchHead { pooling, whitening }) => (
                Pooling::take(parameters, "pool", *pooling, channels, Power::Required),
                whitening.then(|| Linear::take(parameters, "whiten", channels, channels)),
            ),
        };
        Self {
            pooling,
            linear,
            head: head.clone(),
        }
    }

    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        match &self.head {
            Head::Pooled(_) => {
                let x = self.pooling.forward(ops, x);
                l2_normalise(ops, x)
            }
            Head::Dirtorch(options) => self.dirtorch(ops, x, options),
            Head::Classifier { .. } => {
                let x = self.pooling.forward(ops, x);
                self.apply_linear(ops, x)
            }
            Head::Cirtorch(options) => {
                let x = self.pooling.forward(ops, x);
                let x = l2n(ops, x);
                if !options.whitening {
                    return x;
                }
                let x = self.apply_linear(ops, x);
                l2n(ops, x)
            }
        }
    }

    /// `ResNet_RMAC.forward` of dirtorch's `rmac_resnet.py`.
    fn dirtorch<O: Ops>(&self, ops: &mut O, x: O::T<4>, options: &DirtorchHead) -> O::T<2> {
        let x = if options.center_bias > 0.0 {
            center_bias(ops, x, options.center_bias)
        } else {
            x
        };
        let mut x = self.pooling.forward(ops, x);
        if options.norm_features {
            x = l2_normalise(ops, x);
        }
        if !options.without_fc {
            x = self.apply_linear(ops, x);
        }
        l2_normalise(ops, x)
    }

    fn apply_linear<O: Ops>(&self, ops: &mut O, x: O::T<2>) -> O::T<2> {
        match &self.linear {
            Some(linear) => linear.forward(ops, x),
            None => x,
        }
    }
}
