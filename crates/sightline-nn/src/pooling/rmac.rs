//! R-MAC: the sum of the normalised maxima of overlapping regions.

use super::regions::pool_regions;
use crate::Ops;
use crate::normalise::l2n;

/// What the length of a region's maxima is raised by before the division.
pub const RMAC_EPSILON: f32 = 1e-6;

/// Sum over the [regions](super::regions) of v / (‖v‖ + epsilon), v the maxima of a region: `[N, C, H, W]` -> `[N, C]`.
/// The sum itself is not normalised, and regions that lie alike count each. (cirtorch `layers/functional.py`, `rmac`.)
///
/// The gradient of a maximum goes to the first maximal pixel of the region in row-major order.
pub fn rmac<O: Ops>(ops: &mut O, x: O::T<4>, levels: usize, epsilon: f32) -> O::T<2> {
    let regions = pool_regions(ops, x, levels, |ops, part| ops.global_max(part));
    let regions = l2n(ops, regions, epsilon);
    ops.global_sum(regions)
}
