//! OpenCV's `resize`: `INTER_LINEAR` of bytes and floats, `INTER_AREA` of bytes.
//!
//! Checked against OpenCV 4.5 and 5.0 (`modules/imgproc/src/resize.cpp`): linear bytes are equal, area bytes within 1
//! (ties of float32 sums), floats within rounding. It is not for other interpolations.
//!
//! ```
//! use sightline_image::RgbImage;
//! use sightline_image::cv2_resize::{Target, linear};
//!
//! let picture = RgbImage { width: 2, height: 1, data: vec![0, 0, 0, 100, 100, 100] };
//! let wide = linear(&picture, Target::Size(4, 1))?;
//! assert_eq!(wide.data.iter().step_by(3).copied().collect::<Vec<_>>(), [0, 25, 75, 100]);
//! # Ok::<(), sightline_image::cv2_resize::Cv2ResizeError>(())
//! ```

mod area;
mod linear;

use crate::gray::GrayImage;
use crate::pixels::{ImageTensor, RgbImage};

/// What to resize to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Width and height (`dsize`).
    Size(u32, u32),
    /// Both sides times this, rounded half to even (`fx = fy`, no `dsize`); coordinates use the factor itself.
    Factor(f64),
}

/// Why a picture could not be resized.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Cv2ResizeError {
    /// The factor is no positive number.
    #[error("A picture cannot be scaled by {0}; a scale is a number above 0.")]
    BadFactor(f64),
    /// A side would have no pixel left, or the picture has none.
    #[error(
        "A picture of {width} x {height} cannot become {to_width} x {to_height}; every side needs at least 1 pixel."
    )]
    Empty {
        /// Pixels per row.
        width: u64,
        /// Rows.
        height: u64,
        /// Requested pixels per row.
        to_width: f64,
        /// Requested rows.
        to_height: f64,
    },
    /// The result does not fit into memory.
    #[error("There is not enough memory to resize a picture to {width} x {height} pixels.")]
    OutOfMemory {
        /// Pixels per row.
        width: u64,
        /// Rows.
        height: u64,
    },
}

/// Sizes and scales of one resize; a scale is source pixels per output pixel.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    from: (usize, usize),
    to: (usize, usize),
    /// How much larger the output is, per axis.
    growth: (f64, f64),
    scale: (f64, f64),
}

/// The size that a picture of (width, height) gets.
///
/// # Errors
/// When the factor is no positive number or a side would vanish or leave 32 bits.
pub fn target_size(size: (u32, u32), target: Target) -> Result<(u32, u32), Cv2ResizeError> {
    let (to_width, to_height) = match target {
        Target::Size(width, height) => (f64::from(width), f64::from(height)),
        Target::Factor(factor) if factor.is_finite() && factor > 0.0 => {
            let side = |side: u32| (f64::from(side) * factor).round_ties_even();
            (side(size.0), side(size.1))
        }
        Target::Factor(factor) => return Err(Cv2ResizeError::BadFactor(factor)),
    };
    let fits = |side: f64| (1.0..=f64::from(i32::MAX)).contains(&side);
    if size.0 == 0 || size.1 == 0 || !fits(to_width) || !fits(to_height) {
        return Err(Cv2ResizeError::Empty {
            width: size.0.into(),
            height: size.1.into(),
            to_width,
            to_height,
        });
    }
    Ok((to_width as u32, to_height as u32))
}

impl Geometry {
    fn new(size: (u32, u32), target: Target) -> Result<Self, Cv2ResizeError> {
        let to = target_size(size, target)?;
        let growth = match target {
            Target::Size(..) => (
                f64::from(to.0) / f64::from(size.0),
                f64::from(to.1) / f64::from(size.1),
            ),
            Target::Factor(factor) => (factor, factor),
        };
        Ok(Self {
            from: (size.0 as usize, size.1 as usize),
            to: (to.0 as usize, to.1 as usize),
            growth,
            scale: (1.0 / growth.0, 1.0 / growth.1),
        })
    }

    /// Both scales as whole numbers, where they are such.
    fn whole_scales(&self) -> Option<(usize, usize)> {
        let whole = |scale: f64| {
            let rounded = scale.round_ties_even();
            ((scale - rounded).abs() < f64::EPSILON && rounded >= 1.0).then_some(rounded as usize)
        };
        whole(self.scale.0).zip(whole(self.scale.1))
    }
}

/// Interleaved samples of `channels` channels.
struct Samples<'a, T> {
    channels: usize,
    data: &'a [T],
}

/// Memory for the result, or an error where it, or the picture's own bytes, do not fit.
fn allocate<T: Clone + Default>(
    geometry: &Geometry,
    channels: usize,
    given: usize,
) -> Result<Vec<T>, Cv2ResizeError> {
    let count = |size: (usize, usize)| {
        size.0
            .checked_mul(size.1)
            .and_then(|pixels| pixels.checked_mul(channels))
    };
    if count(geometry.from) != Some(given) {
        return Err(Cv2ResizeError::Empty {
            width: geometry.from.0 as u64,
            height: geometry.from.1 as u64,
            to_width: geometry.to.0 as f64,
            to_height: geometry.to.1 as f64,
        });
    }
    count(geometry.to)
        .filter(|count| Vec::<T>::new().try_reserve_exact(*count).is_ok())
        .map(|count| vec![T::default(); count])
        .ok_or(Cv2ResizeError::OutOfMemory {
            width: geometry.to.0 as u64,
            height: geometry.to.1 as u64,
        })
}

/// `INTER_LINEAR` of an 8-bit picture. Exactly half of each side is, as in OpenCV, `INTER_AREA`.
///
/// # Errors
/// As [`target_size`], and when memory does not suffice.
pub fn linear(image: &RgbImage, target: Target) -> Result<RgbImage, Cv2ResizeError> {
    let (data, (width, height)) = linear_bytes((image.width, image.height), 3, &image.data, target)?;
    Ok(RgbImage { width, height, data })
}

/// [`linear`] of a gray picture.
///
/// # Errors
/// As [`linear`].
pub fn linear_gray(image: &GrayImage, target: Target) -> Result<GrayImage, Cv2ResizeError> {
    let (data, (width, height)) = linear_bytes((image.width, image.height), 1, &image.data, target)?;
    Ok(GrayImage { width, height, data })
}

type Bytes = (Vec<u8>, (u32, u32));

fn linear_bytes(
    size: (u32, u32),
    channels: usize,
    data: &[u8],
    target: Target,
) -> Result<Bytes, Cv2ResizeError> {
    let geometry = Geometry::new(size, target)?;
    let mut result = allocate(&geometry, channels, data.len())?;
    let source = Samples { channels, data };
    if geometry.to == geometry.from {
        result.copy_from_slice(data);
    } else if geometry.whole_scales() == Some((2, 2)) {
        area::blocks(&source, &geometry, (2, 2), &mut result);
    } else {
        linear::bytes(&source, &geometry, linear::Grid::Linear, &mut result);
    }
    Ok((result, (geometry.to.0 as u32, geometry.to.1 as u32)))
}

/// `INTER_AREA` of an 8-bit picture: means of the covered area when both sides shrink; when a side grows, OpenCV (and
/// this) interpolates linearly between pixels that keep their corners.
///
/// # Errors
/// As [`linear`].
pub fn area(image: &RgbImage, target: Target) -> Result<RgbImage, Cv2ResizeError> {
    let geometry = Geometry::new((image.width, image.height), target)?;
    let mut data = allocate(&geometry, 3, image.data.len())?;
    let source = Samples {
        channels: 3,
        data: &image.data,
    };
    if geometry.to == geometry.from {
        data.copy_from_slice(&image.data);
    } else if geometry.scale.0 < 1.0 || geometry.scale.1 < 1.0 {
        linear::bytes(&source, &geometry, linear::Grid::Area, &mut data);
    } else if let Some(scales) = geometry.whole_scales() {
        area::blocks(&source, &geometry, scales, &mut data);
    } else {
        area::cells(&source, &geometry, &mut data);
    }
    Ok(RgbImage {
        width: geometry.to.0 as u32,
        height: geometry.to.1 as u32,
        data,
    })
}

/// `INTER_LINEAR` of a float picture (any number of channels, values in any range).
///
/// # Errors
/// As [`linear`].
pub fn linear_floats(image: &ImageTensor, target: Target) -> Result<ImageTensor, Cv2ResizeError> {
    let side = |side: usize| u32::try_from(side).unwrap_or(0);
    let geometry = Geometry::new((side(image.width), side(image.height)), target)?;
    let mut data = allocate(&geometry, image.channels, image.data.len())?;
    if geometry.to == geometry.from {
        data.copy_from_slice(&image.data);
    } else {
        linear::planes(&image.data, &geometry, &mut data);
    }
    Ok(ImageTensor {
        channels: image.channels,
        height: geometry.to.1,
        width: geometry.to.0,
        data,
    })
}
