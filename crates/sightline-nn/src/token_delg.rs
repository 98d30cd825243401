//! The Token project's DELG: a global descriptor, and in training local features with an attention (MCC-WH/Token, `DELG` in
//! `networks/RetrievalNet.py`).

use crate::Ops;
use crate::conv2d::Conv2d;
use crate::head::{LARGEST_SIZE, read_size};
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::pooling::{GEM_EPSILON, gem_fixed};
use crate::token_head::show;
use crate::token_solar::GEM_POWER;
use crate::token_whitening::TokenWhitening;
use crate::weights::Weights;
use burn::module::Module;
use sightline_plan::Convolution;
use std::fmt;

/// Length of the reduced local features.
const LOCAL_DIM: usize = 128;

/// Options of the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenDelgOptions {
    /// Length of the descriptor; none means what the file has (the trunk's channels without a file). Option `-outN`.
    pub dim: Option<usize>,
    /// Length of the reduced local features of training; none means what the file has (128 without a file). Option `-r128`.
    pub local_dim: Option<usize>,
}

impl TokenDelgOptions {
    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        match option.strip_prefix("out") {
            Some(dim) => self.dim = Some(read_size(dim)?),
            None => self.local_dim = Some(read_size(option.strip_prefix('r')?)?),
        }
        Some(())
    }

    /// Takes over what a file decides.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        let rows = |name: &str| weights.size(name, 0, LARGEST_SIZE);
        self.dim = self.dim.or(rows("whiten.weight"));
        self.local_dim = self.local_dim.or(rows("reduction.weight"));
    }
}

impl fmt::Display for TokenDelgOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dim) = self.dim {
            write!(f, "-out{dim}")?;
        }
        match self.local_dim.unwrap_or(LOCAL_DIM) {
            LOCAL_DIM => Ok(()),
            dim => write!(f, "-r{dim}"),
        }
    }
}

#[derive(Module, Debug)]
pub struct TokenDelgModule {
    whiten: TokenWhitening,
    att_conv1: Conv2d,
    reduction: Conv2d,
}

impl TokenDelgModule {
    /// The map that the local branch takes, besides the last.
    pub(crate) const EARLY: &'static str = "layer3";

    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &TokenDelgOptions, channels: usize) -> Self {
        let early = channels / 2;
        let walk = Convolution::default();
        let local = [options.local_dim.unwrap_or(LOCAL_DIM), early, 1, 1];
        Self {
            whiten: TokenWhitening::take(parameters, options.dim, channels),
            att_conv1: Conv2d::take(parameters, "attention.att_conv1", [1, early, 1, 1], walk),
            reduction: Conv2d::take_with_bias(parameters, "reduction", local, walk),
        }
    }

    /// `[N, C, H, W]` -> `[N, D]`. Where the map of the stage before is given, `tap` is shown its `attention` `[N, 1, h, w]`
    /// and what training classifies of it, `local` `[N, 128, 1, 1]`.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        early: Option<O::T<4>>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        if let Some(early) = early {
            self.local(ops, early, tap);
        }
        let x = gem_fixed(ops, x, GEM_POWER, GEM_EPSILON);
        let x = l2_normalise(ops, x);
        self.whiten.forward(ops, x, tap)
    }

    /// The local branch, which lets no gradient into the trunk.
    fn local<O: Ops>(&self, ops: &mut O, early: O::T<4>, tap: &mut dyn FnMut(&str, &O::T<4>)) {
        let early = ops.detach(early);
        let attention = self.att_conv1.forward(ops, early.clone());
        let attention = ops.softplus(attention);
        tap("attention", &attention);
        let reduced = self.reduction.forward(ops, early);
        // The original divides by the length along the last axis, which is the width of the map.
        let reduced = ops.permute(reduced, [0, 3, 2, 1]);
        let reduced = l2_normalise(ops, reduced);
        let reduced = ops.permute(reduced, [0, 3, 2, 1]);
        let weighted = ops.mul(reduced, attention);
        let mean = ops.global_mean(weighted);
        show(ops, "local", &mean, tap);
    }
}
