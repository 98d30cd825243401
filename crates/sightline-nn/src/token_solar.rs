//! The Token project's SOLAR: second-order attention on the last map, GeM with a fixed power, a learned whitening
//! (MCC-WH/Token, `SOLAR` in `networks/RetrievalNet.py`).

use crate::Ops;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::pooling::{GEM_EPSILON, gem_fixed};
use crate::second_order_attention::{Attended, SecondOrderAttention};
use crate::token_head::show;
use crate::token_whitening::TokenWhitening;
use burn::module::Module;

/// The power of the generalised mean.
pub(crate) const GEM_POWER: f32 = 3.0;

#[derive(Module, Debug)]
pub struct TokenSolarModule {
    pooling: SecondOrderAttention,
    whiten: TokenWhitening,
}

impl TokenSolarModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, dim: Option<usize>, channels: usize) -> Self {
        Self {
            pooling: SecondOrderAttention::take(parameters, "pooling.", channels, channels / 2),
            whiten: TokenWhitening::take(parameters, dim, channels),
        }
    }

    /// `[N, C, H, W]` -> `[N, D]`; `tap` is shown what is pooled as `pooled`, `[N, C, 1, 1]`, and the descriptor before it is
    /// normalised as `whiten`.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let Attended { map, .. } = self.pooling.forward(ops, x, SecondOrderAttention::POWER);
        let x = gem_fixed(ops, map, GEM_POWER, GEM_EPSILON);
        show(ops, "pooled", &x, tap);
        let x = l2_normalise(ops, x);
        self.whiten.forward(ops, x, tap)
    }
}
