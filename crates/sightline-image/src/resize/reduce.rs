//! Shrinking by whole factors (Pillow's `Image.reduce`).

use super::{ResizeError, View, allocate};
use crate::gray::GrayImage;
use crate::pixels::RgbImage;

/// Shrinks by whole factors: every output pixel is the mean of a block of `factors.0` x `factors.1` pixels, blocks at
/// the right and lower edge being what is left of them (`Image.reduce(factors, box)`).
///
/// The sizes are the ceiling of side / factor. `region` is (left, top, right, bottom) in whole pixels.
/// The mean is Pillow's: ((sum + n div 2) * floor(2^24 / n)) >> 24, which for some n is one lower than rounding.
///
/// # Errors
/// When a factor is 0, or the box is empty or leaves the picture.
pub fn reduce(
    image: &RgbImage,
    factors: (u32, u32),
    region: Option<[u32; 4]>,
) -> Result<RgbImage, ResizeError> {
    let (data, (width, height)) = reduce_view(View::rgb(image)?, factors, region)?;
    Ok(RgbImage { width, height, data })
}

/// [`reduce`] of a gray picture.
///
/// # Errors
/// As [`reduce`].
pub fn reduce_gray(
    image: &GrayImage,
    factors: (u32, u32),
    region: Option<[u32; 4]>,
) -> Result<GrayImage, ResizeError> {
    let (data, (width, height)) = reduce_view(View::gray(image)?, factors, region)?;
    Ok(GrayImage { width, height, data })
}

pub(super) fn reduce_view(
    source: View<'_>,
    factors: (u32, u32),
    region: Option<[u32; 4]>,
) -> Result<(Vec<u8>, (u32, u32)), ResizeError> {
    if factors.0 == 0 || factors.1 == 0 {
        return Err(ResizeError::BadFactor(factors.0, factors.1));
    }
    let (source_width, source_height) = (source.width as u32, source.height as u32);
    let [left, top, right, bottom] = region.unwrap_or([0, 0, source_width, source_height]);
    if left >= right || top >= bottom || right > source_width || bottom > source_height {
        return Err(ResizeError::BadBox {
            region: [left, top, right, bottom].map(f64::from),
            width: source_width,
            height: source_height,
        });
    }
    let width = (right - left).div_ceil(factors.0);
    let height = (bottom - top).div_ceil(factors.1);
    let channels = source.channels;
    let mut data = allocate(width as usize, height as usize, channels)?;
    let (across, down) = (factors.0 as usize, factors.1 as usize);
    let columns = left as usize * channels..right as usize * channels;
    // Sums down the columns first: they need no knowledge of channels.
    let mut sums = vec![0_u32; columns.len()];
    let mut y = top as usize;
    for target in data.chunks_exact_mut(width as usize * channels) {
        let block_height = down.min(bottom as usize - y);
        sums.fill(0);
        for row in y..y + block_height {
            for (sum, value) in sums.iter_mut().zip(&source.row(row)[columns.clone()]) {
                *sum = sum.wrapping_add(u32::from(*value));
            }
        }
        y += block_height;
        let blocks = sums.chunks(across * channels);
        for (target, block) in target.chunks_exact_mut(channels).zip(blocks) {
            let mean = Mean::of(block.len() / channels * block_height);
            for (channel, target) in target.iter_mut().enumerate() {
                let sum = block[channel..]
                    .iter()
                    .step_by(channels)
                    .fold(0_u32, |sum, value| sum.wrapping_add(*value));
                *target = mean.apply(sum);
            }
        }
    }
    Ok((data, (width, height)))
}

/// Division by the number of pixels of a block, in Pillow's fixed point.
struct Mean {
    half: u32,
    multiplier: u32,
}

impl Mean {
    fn of(pixels: usize) -> Self {
        // A block of more than 2^24 pixels has the multiplier 0, so that its sum cannot matter, overflown or not.
        Self {
            half: (pixels / 2) as u32,
            multiplier: ((1 << 24) / pixels) as u32,
        }
    }

    fn apply(&self, sum: u32) -> u8 {
        (sum.wrapping_add(self.half).wrapping_mul(self.multiplier) >> 24) as u8
    }
}
