//! Dividing descriptors by their length, in the two ways of the originals.

use crate::Ops;

/// x / max(‖x‖, 1e-12) for each row of `[N, C]`: torch's `normalize`, used by dirtorch and by Sightline's own
/// networks.
pub fn l2_normalise<O: Ops>(ops: &mut O, x: O::T<2>) -> O::T<2> {
    let norm = norm(ops, x.clone());
    let norm = ops.clamp_min(norm, 1e-12);
    ops.div(x, norm)
}

/// x / (‖x‖ + 1e-6) for each row of `[N, C]`: cirtorch's `L2N`, whose results are a little short of unit length.
pub fn l2n<O: Ops>(ops: &mut O, x: O::T<2>) -> O::T<2> {
    let norm = norm(ops, x.clone());
    let norm = ops.add_number(norm, 1e-6);
    ops.div(x, norm)
}

fn norm<O: Ops>(ops: &mut O, x: O::T<2>) -> O::T<2> {
    let squares = ops.mul(x.clone(), x);
    let sum = ops.sum_channels(squares);
    ops.sqrt(sum)
}
