//! Plain code: the twin that the other kernels are compared with, and the one for processors that have none of their own.

use super::{LANES, Pass};

/// Rows of a tile.
pub(super) const ROWS: usize = 4;
/// Lanes of a tile.
const TILE: usize = 8;

pub(super) fn pass(pass: &mut Pass<'_>) {
    for panel in 0..pass.panels {
        let lanes = if panel + 1 == pass.panels {
            pass.last_lanes
        } else {
            LANES
        };
        for lane in (0..lanes).step_by(TILE) {
            for row in 0..pass.height {
                let right = pass.right[panel * pass.right_stride..].chunks_exact(LANES);
                let left = pass.left[row..].iter().step_by(pass.height);
                let mut sums = [0.0_f32; TILE];
                for (right, left) in right.zip(left) {
                    for (sum, right) in sums.iter_mut().zip(&right[lane..lane + TILE]) {
                        *sum = left.mul_add(*right, *sum);
                    }
                }
                let out = &mut pass.out[panel * pass.out_stride + row * LANES + lane..][..TILE];
                for (out, sum) in out.iter_mut().zip(sums) {
                    let sum = pass.bias.map_or(sum, |bias| sum + bias[row]);
                    *out = if pass.add { *out + sum } else { sum };
                }
            }
        }
    }
}
