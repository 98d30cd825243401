//! The operations that every network's forward pass is written over.

use crate::batch_norm::BatchNorm;
use burn::module::Param;
use burn::tensor::Tensor;
use sightline_plan::{Convolution, Interpolation, Region, Tensor as PlainTensor, Window};

/// How attention divides its channels among heads: consecutive parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Channels of each.
    pub width: usize,
}

impl Heads {
    /// What the logits are multiplied by.
    pub fn scale(self) -> f32 {
        (self.width as f32).powf(-0.5)
    }
}

/// The operations that every network's forward pass is written over.
///
/// [`BurnOps`](crate::BurnOps) computes them with Burn tensors, [`PlanRecorder`](crate::PlanRecorder) writes them
/// into a plan; so a network is written once. `T<D>` is a value with D axes. Binary operations broadcast axes of
/// length one.
pub trait Ops {
    /// A value with D axes.
    type T<const D: usize>: Clone;

    /// A learned parameter as a value.
    fn parameter<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) -> Self::T<D>;
    /// A fixed tensor with D axes as a value; `like` says where (on which device) it is wanted.
    fn constant<const D: usize>(&mut self, tensor: PlainTensor, like: &Self::T<4>) -> Self::T<D>;

    /// Height and width of a map. A recorder knows them only when it records for one size of pictures.
    fn map_size(&mut self, map: &Self::T<4>) -> [usize; 2];
    /// A part of a map, `[N, C, H, W]` -> `[N, C, h, w]`.
    fn crop(&mut self, map: Self::T<4>, region: Region) -> Self::T<4>;
    /// `[N, C, H, W]`, weight `[O, C / groups, kh, kw]`, bias `[O]` -> `[N, O, H', W']`.
    fn conv2d(
        &mut self,
        x: Self::T<4>,
        weight: Self::T<4>,
        bias: Option<Self::T<1>>,
        walk: Convolution,
    ) -> Self::T<4>;
    /// Batch norm over axis 1 of `[N, C, H, W]` or `[N, C]`, by running or by batch statistics, as the executor trains
    /// or not.
    fn batch_norm<const D: usize>(&mut self, x: Self::T<D>, norm: &BatchNorm) -> Self::T<D>;
    /// As [`Ops::batch_norm`] of `[N, C, P, 1]`, but the statistics of the batch are those of the rows that count: `rows`
    /// `[N, 1, P, 1]` is 1 there, else 0.
    fn batch_norm_counted(&mut self, x: Self::T<4>, rows: &Self::T<4>, norm: &BatchNorm) -> Self::T<4>;
    /// max(x, 0).
    fn relu<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// Maximum over windows of `[N, C, H, W]`; the padding never wins.
    fn max_pool(&mut self, x: Self::T<4>, window: Window) -> Self::T<4>;
    /// Mean over windows of `[N, C, H, W]`; the padding counts as zeros, or not at all.
    fn mean_pool(&mut self, x: Self::T<4>, window: Window, padding_counts: bool) -> Self::T<4>;
    /// The map mirrored at its border (whose own pixels are not repeated), `[N, C, H, W]` ->
    /// `[N, C, H + 2 pixels, W + 2 pixels]`; it must be wider and higher than `pixels`.
    fn reflect_pad(&mut self, x: Self::T<4>, pixels: usize) -> Self::T<4>;
    /// Mean over all pixels, `[N, C, H, W]` -> `[N, C]`.
    fn global_mean(&mut self, x: Self::T<4>) -> Self::T<2>;
    /// Sum over all pixels, `[N, C, H, W]` -> `[N, C]`.
    fn global_sum(&mut self, x: Self::T<4>) -> Self::T<2>;
    /// Maximum over all pixels, `[N, C, H, W]` -> `[N, C]`. Its gradient goes wholly to the first maximal pixel
    /// in row-major order.
    fn global_max(&mut self, x: Self::T<4>) -> Self::T<2>;
    /// `map` `[N, C, h, w]` resized to the height and width of `like`.
    fn resize_like(&mut self, map: Self::T<4>, like: &Self::T<4>, how: Interpolation) -> Self::T<4>;
    /// a and b after one another along the channels (axis 1).
    fn concat<const D: usize>(&mut self, a: Self::T<D>, b: Self::T<D>) -> Self::T<D>;
    /// Rows as the pixels of a map one pixel wide, k times `[N, C]` -> `[N, C, k, 1]`.
    fn stack_pixels(&mut self, rows: Vec<Self::T<2>>) -> Self::T<4>;
    /// y = W x + b over axis 1, for each row or pixel: `[N, C]` or `[N, C, H, W]`, weight `[O, C]`, bias `[O]` ->
    /// `[N, O]` or `[N, O, H, W]`.
    fn linear<const D: usize>(
        &mut self,
        x: Self::T<D>,
        weight: Self::T<2>,
        bias: Option<Self::T<1>>,
    ) -> Self::T<D>;
    /// Matrix products over the last two axes, `[A, B, M, K]`, `[A, B, K, N]` -> `[A, B, M, N]`; the first two axes
    /// broadcast.
    fn matmul(&mut self, a: Self::T<4>, b: Self::T<4>) -> Self::T<4>;
    /// (x - mean) / sqrt(biased variance + epsilon) * weight + bias over axis 1, for each pixel: `[N, C, H, W]`, weight and bias
    /// `[C]`.
    fn layer_norm(&mut self, x: Self::T<4>, weight: Self::T<1>, bias: Self::T<1>, epsilon: f32)
    -> Self::T<4>;
    /// Attention with several heads: queries `[N, D, Q, 1]`, keys and values `[N, D, P, 1]` -> `[N, D, Q, 1]`; D is the heads'
    /// number times their width. `hidden`, where given, is added to the logits: `[N, 1, 1, P]`, very low where there is nothing
    /// to look at. `dropout` is the share of the weights that training drops.
    fn attention(
        &mut self,
        queries_keys_values: [Self::T<4>; 3],
        heads: Heads,
        hidden: Option<&Self::T<4>>,
        dropout: f32,
    ) -> Self::T<4>;
    /// The channels (axis 1) from `from` up to `to`, or up to the last one.
    fn channels<const D: usize>(&mut self, x: Self::T<D>, from: usize, to: Option<usize>) -> Self::T<D>;
    /// The same values in other axes, as ONNX's `Reshape`: 0 keeps the length of that axis, -1 (once) takes what is
    /// left.
    fn reshape<const A: usize, const B: usize>(&mut self, x: Self::T<A>, shape: [i64; B]) -> Self::T<B>;
    /// The pixels of x in rows as long as those of `like`: `[N, C, P, 1]` -> `[N, C, H, W]` with P = H W.
    fn reshape_like(&mut self, x: Self::T<4>, like: &Self::T<4>) -> Self::T<4>;
    /// The axes in another order: axis i of the result is axis `axes[i]` of x.
    fn permute<const D: usize>(&mut self, x: Self::T<D>, axes: [usize; D]) -> Self::T<D>;
    /// e^x over the sum along that axis.
    fn softmax<const D: usize>(&mut self, x: Self::T<D>, axis: usize) -> Self::T<D>;
    /// Sum over axis 1, which stays with length 1: `[N, C, ...]` -> `[N, 1, ...]`.
    fn sum_channels<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// a + b.
    fn add<const D: usize>(&mut self, a: Self::T<D>, b: Self::T<D>) -> Self::T<D>;
    /// x + number.
    fn add_number<const D: usize>(&mut self, x: Self::T<D>, number: f32) -> Self::T<D>;
    /// a * b.
    fn mul<const D: usize>(&mut self, a: Self::T<D>, b: Self::T<D>) -> Self::T<D>;
    /// x * number.
    fn mul_number<const D: usize>(&mut self, x: Self::T<D>, number: f32) -> Self::T<D>;
    /// a / b.
    fn div<const D: usize>(&mut self, a: Self::T<D>, b: Self::T<D>) -> Self::T<D>;
    /// |x|.
    fn abs<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// -1, 0 or 1. Its gradient is 0.
    fn sign<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// 1 / (1 + e^-x).
    fn sigmoid<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// ln(1 + e^x), x itself where x > 20.
    fn softplus<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// x (1 + erf(x / √2)) / 2.
    fn gelu<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// max(x, least). Its gradient passes where x >= least.
    fn clamp_min<const D: usize>(&mut self, x: Self::T<D>, least: f32) -> Self::T<D>;
    /// Square root.
    fn sqrt<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// x ^ p with one power for all or one for each channel (axis 1).
    fn power<const D: usize>(&mut self, x: Self::T<D>, p: &Param<Tensor<1>>) -> Self::T<D>;
    /// x ^ (1 / p), as [`Ops::power`].
    fn root<const D: usize>(&mut self, x: Self::T<D>, p: &Param<Tensor<1>>) -> Self::T<D>;
    /// x ^ p with a power that is not learned.
    fn power_number<const D: usize>(&mut self, x: Self::T<D>, p: f32) -> Self::T<D>;
    /// x, through which no gradient passes.
    fn detach<const D: usize>(&mut self, x: Self::T<D>) -> Self::T<D>;
    /// x; while training with dropout each number is 0 with the probability `share`, and the others are divided by
    /// 1 - share.
    fn dropout<const D: usize>(&mut self, x: Self::T<D>, share: f32) -> Self::T<D>;
    /// As [`Ops::dropout`], but whole samples (axis 0) are dropped: stochastic depth.
    fn drop_path<const D: usize>(&mut self, x: Self::T<D>, share: f32) -> Self::T<D>;
}
