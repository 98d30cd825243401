//! dirtorch's center bias: features in the middle of the picture count more.

use crate::Ops;
use sightline_plan::{Interpolation, Tensor};

/// Multiplies the map `[N, C, H, W]` by 1 near its border and up to 1 + `bias` in its middle.
///
/// The factor is the 4x4 map of ones with 1 + bias in the four inner cells, resized with aligned corners; so a
/// map with an axis of length 1 or 2 gets no bias. A bias of 0 or less changes nothing. (dirtorch,
/// `rmac_resnet.py`.)
pub fn center_bias<O: Ops>(ops: &mut O, x: O::T<4>, bias: f32) -> O::T<4> {
    if bias <= 0.0 {
        return x;
    }
    let mut factors = vec![1.0; 16];
    for cell in [5, 6, 9, 10] {
        factors[cell] += bias;
    }
    let factors = Tensor {
        shape: vec![1, 1, 4, 4],
        data: factors,
    };
    let factors = ops.constant(factors, &x);
    let factors = ops.resize_like(factors, &x, Interpolation::BilinearAlignedCorners);
    ops.mul(x, factors)
}
