//! The weights of one resampling pass, in Pillow's fixed point.

use super::ResizeError;
use super::filter::Weight;
use std::ops::Range;

/// Bits behind the binary point of a weight.
pub(super) const PRECISION: u32 = 22;

/// Half of the last place, added before the shift so that sums round.
pub(super) const HALF: i32 = 1 << (PRECISION - 1);

/// For every output position the first source position and the weights from there on.
pub(super) struct Coefficients {
    /// First source position of each output.
    pub(super) starts: Vec<usize>,
    /// How many weights each output has.
    pub(super) counts: Vec<usize>,
    /// The weights times 2^22, `taps` places for each output, zero where it has fewer.
    pub(super) weights: Vec<i32>,
    /// Places per output.
    pub(super) taps: usize,
}

impl Coefficients {
    /// The weights for `output` positions over `input` source positions of which `from..to` is shown
    /// (Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`).
    pub(super) fn new(
        input: usize,
        from: f32,
        to: f32,
        output: usize,
        support: f64,
        weight: Weight,
    ) -> Result<Self, ResizeError> {
        let scale = f64::from(to - from) / output as f64;
        let filter_scale = scale.max(1.0);
        let support = support * filter_scale;
        let inverse = 1.0 / filter_scale;
        let mut taps = 0;
        let mut starts = Vec::new();
        let mut counts = Vec::new();
        let out_of_memory = |_| ResizeError::OutOfMemory {
            width: output as u64,
            height: input as u64,
        };
        starts.try_reserve_exact(output).map_err(out_of_memory)?;
        counts.try_reserve_exact(output).map_err(out_of_memory)?;
        let center = |index: usize| f64::from(from) + (index as f64 + 0.5) * scale;
        for index in 0..output {
            let center = center(index);
            // `as` truncates towards zero and stops at zero, as Pillow's cast and its lower bound do.
            let start = ((center - support + 0.5) as usize).min(input);
            let end = ((center + support + 0.5) as usize).clamp(start, input);
            starts.push(start);
            counts.push(end - start);
            taps = taps.max(end - start);
        }
        let places = output
            .checked_mul(taps)
            .filter(|places| *places <= isize::MAX as usize / 4);
        let Some(places) = places else {
            return Err(ResizeError::OutOfMemory {
                width: output as u64,
                height: input as u64,
            });
        };
        let mut weights: Vec<i32> = Vec::new();
        weights.try_reserve_exact(places).map_err(out_of_memory)?;
        let mut exact = vec![0.0; taps];
        for (index, (start, count)) in starts.iter().zip(&counts).enumerate() {
            let center = center(index);
            let mut sum = 0.0;
            for (tap, exact) in exact[..*count].iter_mut().enumerate() {
                *exact = weight(((tap + start) as f64 - center + 0.5) * inverse);
                sum += *exact;
            }
            weights.extend(exact[..*count].iter().map(|exact| {
                let share = if sum == 0.0 { *exact } else { exact / sum };
                fixed_point(share)
            }));
            weights.resize((index + 1) * taps, 0);
        }
        Ok(Self {
            starts,
            counts,
            weights,
            taps,
        })
    }

    /// Number of output positions.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// First source position and weights of one output.
    pub(super) fn of(&self, index: usize) -> (usize, &[i32]) {
        (
            self.starts[index],
            &self.weights[index * self.taps..][..self.counts[index]],
        )
    }

    /// The source positions that any output reads.
    pub(super) fn span(&self) -> Range<usize> {
        let end = |(start, count): (&usize, &usize)| start + count;
        let last = self.starts.iter().zip(&self.counts).map(end).max().unwrap_or(0);
        let first = self.starts.iter().copied().min().unwrap_or(0).min(last);
        first..last
    }
}

fn fixed_point(share: f64) -> i32 {
    let scaled = share * f64::from(1 << PRECISION);
    (if share < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

/// A rounded sum back to 8 bits.
pub(super) fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}
