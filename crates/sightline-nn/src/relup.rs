//! SuperGlobal's ReLUP: a ReLU whose least value is a little above zero (Shao et al., *Global Features are All You Need for
//! Image Retrieval and Reranking*, ICCV 2023; ShihaoShao-GH/SuperGlobal `modules/coarse_retrieval/relup.py`).

use crate::Ops;

/// The least value of the published networks.
pub const RELUP: f32 = 0.014;

/// max(x, least): what lies below becomes `least`, not 0.
pub fn relup<O: Ops, const D: usize>(ops: &mut O, x: O::T<D>, least: f32) -> O::T<D> {
    ops.clamp_min(x, least)
}

/// ReLUP with that least value, or ReLU.
pub(crate) fn rectify<O: Ops>(ops: &mut O, x: O::T<4>, least: Option<f32>) -> O::T<4> {
    match least {
        Some(least) => relup(ops, x, least),
        None => ops.relu(x),
    }
}

/// Where ReLUP with which least value takes the place of ReLU in a residual trunk; the stem, stage 4 and the ReLUs within
/// the blocks of stages 2 and 3 stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Relup {
    /// Within the blocks of stage 1.
    pub(crate) inner: Option<f32>,
    /// At the end of every block of stages 1 to 3.
    pub(crate) ends: Option<f32>,
}
