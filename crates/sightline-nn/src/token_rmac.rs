//! The Token project's R-MAC: the sum over regions, not normalised, and a learned whitening (MCC-WH/Token, `RMAC` in
//! `networks/RetrievalNet.py`, with the levels and the epsilon that its constructor forgets).

use crate::Ops;
use crate::parameters::Parameters;
use crate::pooling::rmac;
use crate::token_head::show;
use crate::token_whitening::TokenWhitening;
use burn::module::Module;

#[derive(Module, Debug)]
pub struct TokenRmacModule {
    whiten: TokenWhitening,
    #[module(skip)]
    levels: usize,
    #[module(skip)]
    epsilon: f32,
}

impl TokenRmacModule {
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        dim: Option<usize>,
        levels: usize,
        epsilon: f32,
        channels: usize,
    ) -> Self {
        Self {
            whiten: TokenWhitening::take(parameters, dim, channels),
            levels,
            epsilon,
        }
    }

    /// `[N, C, H, W]` -> `[N, D]`; `tap` is shown the sum over regions as `pooled`, `[N, C, 1, 1]`, and the descriptor before
    /// it is normalised as `whiten`.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let x = rmac(ops, x, self.levels, self.epsilon);
        show(ops, "pooled", &x, tap);
        self.whiten.forward(ops, x, tap)
    }
}
