//! PyTorch's bilinear interpolation of tensors (`align_corners=False`), with and without antialiasing.
//!
//! ```
//! use sightline_image::ImageTensor;
//! use sightline_image::torch_resize::{Coordinates, scale};
//!
//! let tensor = ImageTensor { channels: 1, height: 1, width: 2, data: vec![0.0, 4.0] };
//! let twice = scale(&tensor, 2.0, Coordinates::Recomputed)?;
//! assert_eq!((twice.height, twice.width), (2, 4));
//! assert_eq!(twice.data[..4], [0.0, 1.0, 3.0, 4.0]);
//! # Ok::<(), sightline_image::torch_resize::InterpolateError>(())
//! ```

use crate::pixels::ImageTensor;

/// What source coordinates are computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coordinates {
    /// The scale itself (`scale_factor=s`; cirtorch, Token, SOLAR).
    Given,
    /// The ratio of the sizes (`recompute_scale_factor=True`; HOW. SuperGlobal's resize of tensors is the same).
    Recomputed,
}

/// Why a tensor could not be interpolated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InterpolateError {
    /// The scale is no positive number.
    #[error("A picture cannot be scaled by {0}; a scale is a number above 0.")]
    BadScale(f64),
    /// A side would have no pixel left.
    #[error(
        "A tensor of {height} x {width} (height x width) cannot become {to_height} x {to_width}; every side needs at least 1 value."
    )]
    Empty {
        /// Rows.
        height: usize,
        /// Values per row.
        width: usize,
        /// Requested rows.
        to_height: usize,
        /// Requested values per row.
        to_width: usize,
    },
    /// The result does not fit into memory.
    #[error("There is not enough memory for a tensor of {channels} x {height} x {width} values.")]
    OutOfMemory {
        /// Channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Values per row.
        width: usize,
    },
}

/// Scales both sides by `factor`: the new sides are `floor(side * factor)`.
///
/// # Errors
/// When the factor is no positive number, a side would vanish, or memory does not suffice.
pub fn scale(
    tensor: &ImageTensor,
    factor: f64,
    coordinates: Coordinates,
) -> Result<ImageTensor, InterpolateError> {
    if !factor.is_finite() || factor <= 0.0 {
        return Err(InterpolateError::BadScale(factor));
    }
    let side = |side: usize| (side as f64 * factor).floor() as usize;
    let size = (side(tensor.height), side(tensor.width));
    match coordinates {
        Coordinates::Given => {
            let step = (1.0 / factor) as f32;
            interpolate(tensor, size, (step, step))
        }
        Coordinates::Recomputed => resize(tensor, size),
    }
}

/// Resizes to (height, width) without antialiasing (`interpolate(size=...)`).
///
/// # Errors
/// When a side is 0 or memory does not suffice.
pub fn resize(tensor: &ImageTensor, size: (usize, usize)) -> Result<ImageTensor, InterpolateError> {
    let step = |from: usize, to: usize| from as f32 / to as f32;
    interpolate(
        tensor,
        size,
        (step(tensor.height, size.0), step(tensor.width, size.1)),
    )
}

fn interpolate(
    tensor: &ImageTensor,
    size: (usize, usize),
    steps: (f32, f32),
) -> Result<ImageTensor, InterpolateError> {
    let (height, width) = size;
    let mut data = allocate(tensor, size)?;
    let rows = neighbours(height, tensor.height, steps.0);
    let columns = neighbours(width, tensor.width, steps.1);
    // The two source rows around an output row, resampled; neighbouring output rows often share them.
    let mut near = Line {
        row: None,
        values: vec![0.0; width],
    };
    let mut far = Line {
        row: None,
        values: vec![0.0; width],
    };
    let planes = tensor.data.chunks_exact(tensor.width * tensor.height);
    for (plane, target) in planes.zip(data.chunks_exact_mut(width * height)) {
        near.row = None;
        far.row = None;
        for (at, target) in rows.iter().zip(target.chunks_exact_mut(width)) {
            if far.row == Some(at.first) {
                std::mem::swap(&mut near, &mut far);
            }
            near.fill(plane, tensor.width, at.first, &columns);
            far.fill(plane, tensor.width, at.second, &columns);
            let share = 1.0 - at.share;
            for ((target, near), far) in target.iter_mut().zip(&near.values).zip(&far.values) {
                *target = share * near + at.share * far;
            }
        }
    }
    Ok(ImageTensor {
        channels: tensor.channels,
        height,
        width,
        data,
    })
}

/// A source row resampled to the output's width.
struct Line {
    row: Option<usize>,
    values: Vec<f32>,
}

impl Line {
    fn fill(&mut self, plane: &[f32], width: usize, row: usize, columns: &[Neighbours]) {
        if self.row == Some(row) {
            return;
        }
        self.row = Some(row);
        let source = &plane[row * width..][..width];
        for (value, at) in self.values.iter_mut().zip(columns) {
            *value = (1.0 - at.share) * source[at.first] + at.share * source[at.second];
        }
    }
}

/// The two source positions around an output position, and the share of the second.
struct Neighbours {
    first: usize,
    second: usize,
    share: f32,
}

fn neighbours(output: usize, input: usize, step: f32) -> Vec<Neighbours> {
    let last = input - 1;
    let at = |index: usize| {
        let source = (step * (index as f32 + 0.5) - 0.5).max(0.0);
        let first = (source as usize).min(last);
        Neighbours {
            first,
            second: (first + 1).min(last),
            share: (source - first as f32).clamp(0.0, 1.0),
        }
    };
    (0..output).map(at).collect()
}

/// Resizes to (height, width) with antialiasing when shrinking: a triangle as wide as the ratio of the sizes
/// (torchvision's resize of tensors from version 0.17 on).
///
/// # Errors
/// When a side is 0 or memory does not suffice.
pub fn resize_antialias(tensor: &ImageTensor, size: (usize, usize)) -> Result<ImageTensor, InterpolateError> {
    let (height, width) = size;
    let mut data = allocate(tensor, size)?;
    let columns = triangles(width, tensor.width);
    let rows = triangles(height, tensor.height);
    let mut between = vec![0.0; width * tensor.height];
    let planes = tensor.data.chunks_exact(tensor.width * tensor.height);
    for (plane, target) in planes.zip(data.chunks_exact_mut(width * height)) {
        for (source, between) in plane
            .chunks_exact(tensor.width)
            .zip(between.chunks_exact_mut(width))
        {
            for (value, (start, weights)) in between.iter_mut().zip(&columns) {
                *value = weights
                    .iter()
                    .zip(&source[*start..])
                    .map(|(weight, value)| weight * value)
                    .sum();
            }
        }
        for ((start, weights), target) in rows.iter().zip(target.chunks_exact_mut(width)) {
            for (weight, source) in weights.iter().zip(between.chunks_exact(width).skip(*start)) {
                for (target, value) in target.iter_mut().zip(source) {
                    *target += weight * value;
                }
            }
        }
    }
    Ok(ImageTensor {
        channels: tensor.channels,
        height,
        width,
        data,
    })
}

/// First source position and normalised weights of every output.
fn triangles(output: usize, input: usize) -> Vec<(usize, Vec<f32>)> {
    let scale = input as f32 / output as f32;
    let support = scale.max(1.0);
    let at = |index: usize| {
        let center = scale * (index as f32 + 0.5);
        let start = ((center - support + 0.5) as usize).min(input - 1);
        let end = ((center + support + 0.5) as usize).clamp(start + 1, input);
        let weight = |position: usize| (1.0 - ((position as f32 - center + 0.5) / support).abs()).max(0.0);
        let weights: Vec<f32> = (start..end).map(weight).collect();
        let sum: f32 = weights.iter().sum();
        let weights = weights
            .into_iter()
            .map(|weight| if sum == 0.0 { weight } else { weight / sum });
        (start, weights.collect())
    };
    (0..output).map(at).collect()
}

fn allocate(tensor: &ImageTensor, size: (usize, usize)) -> Result<Vec<f32>, InterpolateError> {
    let (height, width) = size;
    let pixels = tensor.width.checked_mul(tensor.height);
    let expected = pixels.and_then(|pixels| pixels.checked_mul(tensor.channels));
    if height == 0 || width == 0 || pixels == Some(0) || expected != Some(tensor.data.len()) {
        return Err(InterpolateError::Empty {
            height: tensor.height,
            width: tensor.width,
            to_height: height,
            to_width: width,
        });
    }
    let values = height
        .checked_mul(width)
        .and_then(|pixels| pixels.checked_mul(tensor.channels));
    values
        .filter(|values| Vec::<f32>::new().try_reserve_exact(*values).is_ok())
        .map(|values| vec![0.0; values])
        .ok_or(InterpolateError::OutOfMemory {
            channels: tensor.channels,
            height,
            width,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn stays_within_the_values_and_keeps_constants(
            height in 1_usize..20, width in 1_usize..20, factor in 0.2_f64..3.0, value in -2.0_f32..2.0, seed in any::<u32>(),
        ) {
            let count = 2 * height * width;
            let constant = ImageTensor { channels: 2, height, width, data: vec![value; count] };
            let noise = (0..count as u32).map(|i| ((i ^ seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 1e7).collect();
            let noise = ImageTensor { data: noise, ..constant.clone() };
            let range = noise.data.iter().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
            for coordinates in [Coordinates::Given, Coordinates::Recomputed] {
                match scale(&constant, factor, coordinates) {
                    Ok(scaled) => {
                        prop_assert_eq!(scaled.height, (height as f64 * factor) as usize);
                        prop_assert!(scaled.data.iter().all(|got| (got - value).abs() <= 1e-6));
                        let noise = scale(&noise, factor, coordinates).unwrap();
                        prop_assert!(noise.data.iter().all(|v| *v >= range.0 - 1e-6 && *v <= range.1 + 1e-6));
                    }
                    Err(_) => prop_assert!((height.min(width) as f64) * factor < 1.0),
                }
            }
            let smooth = resize_antialias(&constant, (height.div_ceil(3), width.div_ceil(2))).unwrap();
            prop_assert!(smooth.data.iter().all(|got| (got - value).abs() <= 1e-5));
        }
    }

    #[test]
    fn scale_one_recomputed_is_a_copy() {
        let data: Vec<f32> = (0..3 * 7 * 5).map(|i| (i as f32 * 0.37).sin()).collect();
        let tensor = ImageTensor {
            channels: 3,
            height: 7,
            width: 5,
            data,
        };
        assert_eq!(scale(&tensor, 1.0, Coordinates::Recomputed).unwrap(), tensor);
        assert_eq!(resize_antialias(&tensor, (7, 5)).unwrap(), tensor);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let tensor = ImageTensor {
            channels: 1,
            height: 2,
            width: 2,
            data: vec![0.0; 4],
        };
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 0.1, 1e300] {
            assert!(scale(&tensor, bad, Coordinates::Given).is_err(), "{bad}");
        }
        let lying = ImageTensor {
            data: vec![],
            ..tensor
        };
        assert!(scale(&lying, 1.0, Coordinates::Recomputed).is_err());
    }
}
