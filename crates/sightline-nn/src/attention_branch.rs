//! DELF's attention branch as DELG has it: local features and an attention at every pixel of a map (Noh et al., *Large-Scale
//! Image Retrieval with Attentive Deep Local Features*, ICCV 2017; feymanpriv/DELG `model/delg_model.py`
//! `SpatialAttention2d`).

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::local_maps::LocalMaps;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use burn::module::Module;
use sightline_plan::Convolution;

/// Length of a local feature, and channels from which its attention is made.
pub const DELG_LOCAL_DIM: usize = 512;

/// `localmodel` of DELG.
#[derive(Module, Debug)]
pub struct AttentionBranch {
    conv1: Conv2d,
    bn: BatchNorm,
    conv2: Conv2d,
}

impl AttentionBranch {
    /// Takes `localmodel.conv1`, `.bn` and `.conv2` behind a map of that many channels.
    pub(crate) fn take(parameters: &mut Parameters<'_>, channels: usize) -> Self {
        let mut conv = |name: &str, [outputs, inputs]: [usize; 2]| {
            let name = format!("localmodel.{name}");
            Conv2d::take_with_bias(parameters, &name, [outputs, inputs, 1, 1], Convolution::default())
        };
        let (conv1, conv2) = (
            conv("conv1", [DELG_LOCAL_DIM, channels]),
            conv("conv2", [1, DELG_LOCAL_DIM]),
        );
        Self {
            conv1,
            bn: BatchNorm::take(parameters, "localmodel.bn", DELG_LOCAL_DIM),
            conv2,
        }
    }

    /// `[N, C, H, W]` -> features `[N, 512, H, W]` of unit length and their attention `[N, 1, H, W]`, above 0.
    ///
    /// No gradient reaches the map. The original's local feature is the attention times this one; its extractor
    /// normalises it again, which gives this one.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> LocalMaps<O::T<4>> {
        let x = ops.detach(x);
        let x = self.conv1.forward(ops, x);
        let x = self.bn.forward(ops, x);
        let features = l2_normalise(ops, x.clone());
        let x = ops.relu(x);
        let x = self.conv2.forward(ops, x);
        let strengths = ops.softplus(x);
        LocalMaps { features, strengths }
    }

    /// The mean over all pixels of the features times their attention, `[N, 512]`: what the classifier of local features
    /// sees in training.
    pub fn mean<O: Ops>(ops: &mut O, local: LocalMaps<O::T<4>>) -> O::T<2> {
        let weighted = ops.mul(local.features, local.strengths);
        ops.global_mean(weighted)
    }
}
