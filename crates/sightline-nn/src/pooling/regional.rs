//! Regional pooling: any pooling on the regions of R-MAC, whitened, summed.

use super::regions::pool_regions;
use super::{Pooling, PoolingKind, Power};
use crate::Ops;
use crate::linear::Linear;
use crate::normalise::{L2N_EPSILON, l2n};
use crate::parameters::{Parameters, TensorProblem};
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::Device;

/// cirtorch's `Rpool` (`layers/pooling.py`): every region is pooled, normalised, whitened and normalised again;
/// the descriptor is the normalised sum.
#[derive(Module, Debug)]
pub struct RegionalPooling {
    /// What pools a region.
    pub pooling: Pooling,
    /// The linear layer over the regions' vectors.
    pub whiten: Option<Linear>,
    #[module(skip)]
    levels: usize,
}

impl RegionalPooling {
    /// Levels of regions in cirtorch's networks.
    pub const LEVELS: usize = 3;

    /// The layer with parameters `rpool.p` (where the pooling has a power), `whiten.weight` `[C, C]` and `whiten.bias`
    /// `[C]` (where it whitens).
    ///
    /// # Errors
    /// When one of them is missing or has another shape.
    pub fn load(
        kind: PoolingKind,
        channels: usize,
        levels: usize,
        whitened: bool,
        weights: &Weights<'_>,
    ) -> Result<Self, TensorProblem> {
        Parameters::build(weights, &Device::flex(), |parameters| {
            Self::take(parameters, "", kind, channels, levels, whitened)
        })
    }

    /// Takes `{prefix}rpool.p` and `{prefix}whiten`.
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        prefix: &str,
        kind: PoolingKind,
        channels: usize,
        levels: usize,
        whitened: bool,
    ) -> Self {
        let rpool = format!("{prefix}rpool");
        Self {
            pooling: Pooling::take(parameters, &rpool, kind, channels, Power::Required),
            whiten: whitened
                .then(|| Linear::take(parameters, &format!("{prefix}whiten"), channels, channels)),
            levels,
        }
    }

    /// The vectors of the regions as the pixels of a map, the whole picture first: `[N, C, H, W]` -> `[N, C, R, 1]`.
    pub fn regions<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        // What is done to each pixel alone is done once, not once for each region that a pixel lies in.
        let x = self.pooling.raise(ops, x);
        let vectors = pool_regions(ops, x, self.levels, |ops, part| self.pooling.reduce(ops, part));
        let vectors = l2n(ops, vectors, L2N_EPSILON);
        match &self.whiten {
            Some(whiten) => {
                let vectors = whiten.forward(ops, vectors);
                l2n(ops, vectors, L2N_EPSILON)
            }
            None => vectors,
        }
    }

    /// The normalised sum of the regions' vectors: `[N, C, R, 1]` -> `[N, C]`.
    pub fn aggregate<O: Ops>(ops: &mut O, regions: O::T<4>) -> O::T<2> {
        let sum = ops.global_sum(regions);
        l2n(ops, sum, L2N_EPSILON)
    }
}
