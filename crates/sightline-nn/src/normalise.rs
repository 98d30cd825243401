//! Dividing descriptors by their length, in the two ways of the originals, and the power law.

use crate::Ops;

/// What cirtorch adds to a length before dividing by it.
pub const L2N_EPSILON: f32 = 1e-6;

/// x / max(‖x‖, 1e-12) over axis 1 of `[N, C]` or `[N, C, H, W]`: torch's `normalize`, used by dirtorch and by
/// Sightline's own networks.
pub fn l2_normalise<O: Ops, const D: usize>(ops: &mut O, x: O::T<D>) -> O::T<D> {
    let norm = norm(ops, x.clone());
    let norm = ops.clamp_min(norm, 1e-12);
    ops.div(x, norm)
}

/// x / (‖x‖ + epsilon) over axis 1 of `[N, C]` or `[N, C, H, W]`: cirtorch's `L2N` (`layers/functional.py`), whose
/// results are a little short of unit length. Its own epsilon is [`L2N_EPSILON`].
pub fn l2n<O: Ops, const D: usize>(ops: &mut O, x: O::T<D>, epsilon: f32) -> O::T<D> {
    let norm = norm(ops, x.clone());
    let norm = ops.add_number(norm, epsilon);
    ops.div(x, norm)
}

/// sign(z) √|z| with z = x + epsilon, for each number: cirtorch's `powerlaw` (`layers/functional.py`), whose
/// epsilon is 1e-6 and is added to negative numbers as well.
pub fn power_law<O: Ops, const D: usize>(ops: &mut O, x: O::T<D>, epsilon: f32) -> O::T<D> {
    let z = ops.add_number(x, epsilon);
    let size = ops.abs(z.clone());
    // z / √|z|, which has a gradient on both sides of zero.
    let size = ops.clamp_min(size, f32::MIN_POSITIVE);
    let root = ops.sqrt(size);
    ops.div(z, root)
}

fn norm<O: Ops, const D: usize>(ops: &mut O, x: O::T<D>) -> O::T<D> {
    let squares = ops.mul(x.clone(), x);
    let sum = ops.sum_channels(squares);
    // The slope of a root is infinite at zero, and the gradient of a zero vector would be no number; torch's is 0.
    let sum = ops.clamp_min(sum, f32::MIN_POSITIVE);
    ops.sqrt(sum)
}
