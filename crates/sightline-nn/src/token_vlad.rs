//! The Token project's NetVLAD: self-attention over the local features, then the sums of their differences from learned
//! centres (MCC-WH/Token, `VLADLayer` in `networks/backbone.py`; Arandjelović et al., *NetVLAD*, CVPR 2016).

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::head::read_up_to;
use crate::linear::Linear;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::token_encoder::TokenEncoder;
use crate::token_head::{HEADS, show};
use crate::weights::Weights;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use sightline_plan::Convolution;
use std::fmt;

/// Centres, and length of the reduced features and of the descriptor, without a file.
const CLUSTERS: usize = 4;
const DIM: usize = 2048;
/// The most that a name may ask for.
const MOST_CLUSTERS: usize = 256;
const WIDEST: usize = 1 << 13;

/// Options of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenVladOptions {
    /// Number of centres; none means as many as the file has (4 without a file). Option `-k4`.
    pub clusters: Option<usize>,
    /// Length of the reduced features and of the descriptor; none means what the file has (2048 without a file). Option `-d2048`.
    pub width: Option<usize>,
    /// Heads of the attention, which must divide the length. Option `-h8`.
    pub heads: usize,
}

impl Default for TokenVladOptions {
    fn default() -> Self {
        Self {
            clusters: None,
            width: None,
            heads: HEADS,
        }
    }
}

impl TokenVladOptions {
    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if let Some(clusters) = option.strip_prefix('k') {
            self.clusters = Some(read_up_to(clusters, MOST_CLUSTERS)?);
        } else if let Some(width) = option.strip_prefix('d') {
            self.width = Some(read_up_to(width, WIDEST)?);
        } else {
            self.heads = read_up_to(option.strip_prefix('h')?, WIDEST)?;
        }
        Some(())
    }

    /// Takes over what a file decides.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        self.clusters = self.clusters.or(weights.size("vlad.centroids", 2, MOST_CLUSTERS));
        self.width = self.width.or(weights.size("vlad.centroids", 1, WIDEST));
    }

    /// Length of the descriptor.
    pub(crate) fn width(self) -> usize {
        self.width.unwrap_or(DIM)
    }

    fn clusters(self) -> usize {
        self.clusters.unwrap_or(CLUSTERS)
    }
}

impl fmt::Display for TokenVladOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (letter, value, usual) in [
            ('k', self.clusters(), CLUSTERS),
            ('d', self.width(), DIM),
            ('h', self.heads, HEADS),
        ] {
            if value != usual {
                write!(f, "-{letter}{value}")?;
            }
        }
        Ok(())
    }
}

#[derive(Module, Debug)]
pub struct TokenVladModule {
    centroids: Param<Tensor<3>>,
    conv: Conv2d,
    conv_norm: BatchNorm,
    encoder: TokenEncoder,
    proj: Linear,
    proj_norm: BatchNorm,
    #[module(skip)]
    width: usize,
    #[module(skip)]
    clusters: usize,
}

impl TokenVladModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &TokenVladOptions, channels: usize) -> Self {
        let (width, clusters) = (options.width(), options.clusters());
        let shape = [width, channels, 1, 1];
        Self {
            centroids: parameters.take("vlad.centroids", [1, width, clusters]),
            conv: Conv2d::take_with_bias(parameters, "vlad.conv.0", shape, Convolution::default()),
            conv_norm: BatchNorm::take(parameters, "vlad.conv.1", width),
            encoder: TokenEncoder::take(parameters, "vlad.encoder", width, options.heads),
            proj: Linear::take(parameters, "vlad.proj.0", width, clusters * width),
            proj_norm: BatchNorm::take(parameters, "vlad.proj.1", width),
            width,
            clusters,
        }
    }

    /// `[N, C, H, W]` -> `[N, D]`; `tap` is shown the sums of differences as `residuals`, `[N, 1, K, D]`, the descriptor before
    /// it is normalised as `vlad`, `[N, D, 1, 1]`, and how alike the centres' sums are as `regularisation`, `[N, 1, 1, 1]`.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let x = self.conv.forward(ops, x);
        let x = ops.reshape::<4, 4>(x, [0, 0, -1, 1]);
        let x = self.conv_norm.forward(ops, x);
        let x = self.encoder.forward(ops, x, None);
        let residuals = self.residuals(ops, x);
        let regularisation = self.regularisation(ops, residuals.clone());
        tap("regularisation", &regularisation);
        let flat = ops.reshape::<4, 2>(residuals, [0, -1]);
        let y = self.proj.forward(ops, flat);
        let y = self.proj_norm.forward(ops, y);
        show(ops, "vlad", &y, tap);
        l2_normalise(ops, y)
    }

    /// Σ_i a_ik (x_i - c_k) with a_i the softmax over the centres of ⟨x_i, c_k⟩: `[N, D, P, 1]` -> `[N, 1, K, D]`.
    fn residuals<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let width = self.width as i64;
        let places = ops.reshape::<4, 4>(x, [0, 1, width, -1]);
        let centroids = ops.parameter(&self.centroids);
        let centroids = ops.reshape::<3, 4>(centroids, [1, 1, width, -1]);
        let centroids = ops.permute(centroids, [0, 1, 3, 2]);
        let scores = ops.matmul(centroids.clone(), places.clone());
        let shares = ops.softmax(scores, 2);
        // Sum over the places, which have to be the axis of channels for that.
        let by_place = ops.permute(shares.clone(), [0, 3, 2, 1]);
        let weight = ops.sum_channels(by_place);
        let places = ops.permute(places, [0, 1, 3, 2]);
        let sums = ops.matmul(shares, places);
        let centres = ops.mul(weight, centroids);
        let centres = ops.mul_number(centres, -1.0);
        ops.add(sums, centres)
    }

    /// The mean over all K² pairs of centres of the cosine between their sums, a centre's with itself counted as 0.
    fn regularisation<O: Ops>(&self, ops: &mut O, residuals: O::T<4>) -> O::T<4> {
        let (width, clusters) = (self.width as i64, self.clusters as i64);
        let rows = ops.reshape::<4, 4>(residuals, [0, clusters, width, 1]);
        let rows = ops.permute(rows, [0, 2, 1, 3]);
        let rows = l2_normalise(ops, rows);
        // All cosines together are the squared length of the sum; less those of a centre with itself.
        let sum = ops.permute(rows.clone(), [0, 2, 1, 3]);
        let sum = ops.sum_channels(sum);
        let all = ops.mul(sum.clone(), sum);
        let all = ops.permute(all, [0, 2, 1, 3]);
        let all = ops.sum_channels(all);
        let own = ops.mul(rows.clone(), rows);
        let own = ops.sum_channels(own);
        let own = ops.permute(own, [0, 2, 1, 3]);
        let own = ops.sum_channels(own);
        let own = ops.mul_number(own, -1.0);
        let sum = ops.add(all, own);
        ops.mul_number(sum, 1.0 / (self.clusters * self.clusters) as f32)
    }
}
