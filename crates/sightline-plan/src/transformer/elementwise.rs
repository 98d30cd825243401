//! The small operations between the large ones: number by number, or sums over the channels of a token.

use super::program::{Arithmetic, Function};
use crate::kernels::{LANES, Runnable};

/// A panel of one of two values that are combined.
pub(super) struct Side<'a> {
    /// `[channels, LANES]`; from the one token's lane on, where it is one.
    pub(super) values: &'a [f32],
    pub(super) channels: usize,
    /// Whether it is one token, the same for all.
    pub(super) is_one: bool,
}

impl Side<'_> {
    /// The numbers of a channel; a single channel stands for all.
    fn row(&self, channel: usize) -> [f32; LANES] {
        let channel = if self.channels == 1 { 0 } else { channel };
        let row = &self.values[channel * LANES..];
        if self.is_one {
            return [row[0]; LANES];
        }
        std::array::from_fn(|lane| row[lane])
    }
}

/// `a` and `b` combined, into a panel.
pub(super) fn combine(arithmetic: Arithmetic, a: &Side<'_>, b: &Side<'_>, out: &mut [f32]) {
    for (channel, out) in out.chunks_exact_mut(LANES).enumerate() {
        let (a, b) = (a.row(channel), b.row(channel));
        for lane in 0..LANES {
            out[lane] = match arithmetic {
                Arithmetic::Add => a[lane] + b[lane],
                Arithmetic::Mul => a[lane] * b[lane],
                Arithmetic::Div => a[lane] / b[lane],
            };
        }
    }
}

/// The function of each number of a panel.
pub(super) fn apply(kernel: Runnable, function: Function, x: &[f32], out: &mut [f32]) {
    match function {
        Function::Gelu => {
            out.copy_from_slice(x);
            kernel.gelu(out);
        }
        Function::Sqrt => out.iter_mut().zip(x).for_each(|(out, x)| *out = x.sqrt()),
        Function::ClampMin(least) => {
            // Not `max`: what is no number stays none.
            let clamp = |x: f32| if x < least { least } else { x };
            out.iter_mut().zip(x).for_each(|(out, x)| *out = clamp(*x));
        }
    }
}

/// The sum over the channels of a panel.
pub(super) fn sum_channels(x: &[f32], out: &mut [f32]) {
    let mut sums = [0.0_f32; LANES];
    for row in x.chunks_exact(LANES) {
        for lane in 0..LANES {
            sums[lane] += row[lane];
        }
    }
    out.copy_from_slice(&sums);
}
