//! The generalised mean of Radenović et al., *Fine-tuning CNN Image Retrieval with No Human Annotation*, eq. 3.

use crate::Ops;
use burn::module::Param;
use burn::tensor::Tensor;

/// What the numbers of a map are raised to at least (cirtorch and dirtorch alike).
pub const GEM_EPSILON: f32 = 1e-6;

/// `mean(max(x, epsilon)^p)^(1/p)` over all pixels, `[N, C, H, W]` -> `[N, C]`, with one power `[1]` for all channels
/// or one for each `[C]` (cirtorch `GeM`, `GeMmp`; dirtorch `GeneralizedMeanPooling`, `GeneralizedMeanPoolingP`).
///
/// The gradient passes where x >= epsilon. In float32 epsilon^p is 0 from p = 8 upwards with the usual epsilon.
pub fn gem<O: Ops>(ops: &mut O, x: O::T<4>, p: &Param<Tensor<1>>, epsilon: f32) -> O::T<2> {
    let x = raise(ops, x, p, epsilon);
    mean_and_root(ops, x, p)
}

/// As [`gem`], with a power that is not learned.
pub fn gem_fixed<O: Ops>(ops: &mut O, x: O::T<4>, p: f32, epsilon: f32) -> O::T<2> {
    let x = raise_fixed(ops, x, p, epsilon);
    mean_and_root_fixed(ops, x, p)
}

/// `max(x, epsilon)^p` for each pixel: the part that overlapping regions share.
pub(super) fn raise<O: Ops>(ops: &mut O, x: O::T<4>, p: &Param<Tensor<1>>, epsilon: f32) -> O::T<4> {
    let x = ops.clamp_min(x, epsilon);
    ops.power(x, p)
}

/// As [`raise`], with a power that is not learned.
pub(super) fn raise_fixed<O: Ops>(ops: &mut O, x: O::T<4>, p: f32, epsilon: f32) -> O::T<4> {
    let x = ops.clamp_min(x, epsilon);
    ops.power_number(x, p)
}

/// As [`mean_and_root`], with a power that is not learned.
pub(super) fn mean_and_root_fixed<O: Ops>(ops: &mut O, x: O::T<4>, p: f32) -> O::T<2> {
    let mean = ops.global_mean(x);
    ops.power_number(mean, p.recip())
}

/// `mean(x)^(1/p)` over all pixels.
pub(super) fn mean_and_root<O: Ops>(ops: &mut O, x: O::T<4>, p: &Param<Tensor<1>>) -> O::T<2> {
    let mean = ops.global_mean(x);
    ops.root(mean, p)
}
