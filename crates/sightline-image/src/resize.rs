//! Resizing of 8-bit pictures, bit for bit as Pillow before version 10 (the versions the original projects run on).
//!
//! A filter pass along the rows comes first, then one down the columns; between the two the picture is rounded and
//! clipped to 8 bits. (Newer Pillow versions go down the columns first where the height shrinks markedly more than the
//! width, which moves many pixels by 1.) Source of every formula: Pillow's `src/libImaging/Resample.c`, `Reduce.c`,
//! `Geometry.c` and `PIL/Image.py`.
//!
//! ```
//! use sightline_image::RgbImage;
//! use sightline_image::resize::{Filter, resize, thumbnail};
//!
//! let picture = RgbImage { width: 4, height: 2, data: vec![90; 24] };
//! let half = resize(&picture, (2, 1), Filter::Lanczos, None)?;
//! assert_eq!(half.data, [90; 6]);
//! // A thumbnail keeps the aspect ratio and never enlarges.
//! assert_eq!(thumbnail(&picture, (3.9, 100.0), Filter::Lanczos)?.width, 3);
//! # Ok::<(), sightline_image::resize::ResizeError>(())
//! ```

#[cfg(target_arch = "x86_64")]
mod avx2;
mod coefficients;
mod columns;
mod filter;
mod nearest;
mod reduce;
mod rows;
mod thumbnail;

pub use filter::{Filter, UnknownFilter};
pub use reduce::{reduce, reduce_gray};
pub use thumbnail::{REDUCING_GAP, resize_reducing_gap, thumbnail, thumbnail_size};

use crate::gray::GrayImage;
use crate::pixels::RgbImage;
use coefficients::Coefficients;

/// Why a picture could not be resized.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ResizeError {
    /// A side of the requested size is below one pixel.
    #[error("A picture cannot be resized to {width} x {height}; both sides must be at least 1 pixel.")]
    EmptyTarget {
        /// Requested pixels per row.
        width: f64,
        /// Requested rows.
        height: f64,
    },
    /// The picture has no pixels, or fewer bytes than its size says.
    #[error("The picture to resize is empty or its bytes do not fit its size of {width} x {height}.")]
    BadPicture {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The box to resize from is turned round, no number or outside the picture.
    #[error(
        "The box {region:?} (left, top, right, bottom) does not lie within the picture of {width} x {height} pixels."
    )]
    BadBox {
        /// Left, top, right, bottom in pixels.
        region: [f64; 4],
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A reduction by zero.
    #[error("A picture cannot be reduced by {0} x {1}; both factors must be at least 1.")]
    BadFactor(u32, u32),
    /// A reducing gap below 1.
    #[error("The reducing gap is {0}; it must be 1 or more.")]
    BadGap(f64),
    /// The result does not fit into memory.
    #[error("There is not enough memory to resize a picture to {width} x {height} pixels.")]
    OutOfMemory {
        /// Pixels per row.
        width: u64,
        /// Rows.
        height: u64,
    },
}

/// Interleaved 8-bit pixels of any number of channels: what the passes work on.
#[derive(Clone, Copy)]
struct View<'a> {
    width: usize,
    height: usize,
    channels: usize,
    data: &'a [u8],
}

impl<'a> View<'a> {
    fn new(width: u32, height: u32, channels: usize, data: &'a [u8]) -> Result<Self, ResizeError> {
        let bytes = (width as usize)
            .checked_mul(height as usize)
            .and_then(|pixels| pixels.checked_mul(channels));
        if width == 0 || height == 0 || bytes != Some(data.len()) {
            return Err(ResizeError::BadPicture { width, height });
        }
        Ok(Self {
            width: width as usize,
            height: height as usize,
            channels,
            data,
        })
    }

    fn rgb(image: &'a RgbImage) -> Result<Self, ResizeError> {
        Self::new(image.width, image.height, 3, &image.data)
    }

    fn gray(image: &'a GrayImage) -> Result<Self, ResizeError> {
        Self::new(image.width, image.height, 1, &image.data)
    }

    fn stride(&self) -> usize {
        self.width * self.channels
    }

    fn row(&self, y: usize) -> &'a [u8] {
        &self.data[y * self.stride()..][..self.stride()]
    }

    /// The whole picture as a box.
    fn all(&self) -> [f64; 4] {
        [0.0, 0.0, self.width as f64, self.height as f64]
    }
}

/// Resizes a picture (`Image.resize(size, filter, box)`).
///
/// `size` is (width, height); `region` the part to resize, (left, top, right, bottom) in pixels, fractions allowed, the
/// whole picture where it is `None`. Whole picture and same size: a copy, whatever the filter.
///
/// # Errors
/// When a side of `size` is 0, the box does not lie within the picture, or memory does not suffice.
pub fn resize(
    image: &RgbImage,
    size: (u32, u32),
    filter: Filter,
    region: Option<[f64; 4]>,
) -> Result<RgbImage, ResizeError> {
    let data = resize_view(View::rgb(image)?, size, filter, region)?;
    Ok(RgbImage {
        width: size.0,
        height: size.1,
        data,
    })
}

/// [`resize`] of a gray picture.
///
/// # Errors
/// As [`resize`].
pub fn resize_gray(
    image: &GrayImage,
    size: (u32, u32),
    filter: Filter,
    region: Option<[f64; 4]>,
) -> Result<GrayImage, ResizeError> {
    let data = resize_view(View::gray(image)?, size, filter, region)?;
    Ok(GrayImage {
        width: size.0,
        height: size.1,
        data,
    })
}

fn resize_view(
    source: View<'_>,
    size: (u32, u32),
    filter: Filter,
    region: Option<[f64; 4]>,
) -> Result<Vec<u8>, ResizeError> {
    check_target(size)?;
    let (width, height) = (size.0 as usize, size.1 as usize);
    let region = check_region(&source, region.unwrap_or(source.all()))?;
    let whole = source.all().map(|corner| corner as f32);
    if region == whole && (width, height) == (source.width, source.height) {
        return Ok(source.data.to_vec());
    }
    let Some((support, weight)) = filter.kernel() else {
        return nearest::resize(source, (width, height), region);
    };
    // Before anything that grows with the size is computed.
    check_memory(width, height, source.channels)?;
    let [left, top, right, bottom] = region;
    let across = (width != source.width || left != 0.0 || right != width as f32)
        .then(|| Coefficients::new(source.width, left, right, width, support, weight))
        .transpose()?;
    let down = (height != source.height || top != 0.0 || bottom != height as f32)
        .then(|| Coefficients::new(source.height, top, bottom, height, support, weight))
        .transpose()?;
    match (across, down) {
        (None, None) => Ok(source.data.to_vec()),
        (Some(across), None) => rows::pass(source, 0..source.height, &across),
        (None, Some(down)) => columns::pass(source, 0, &down),
        (Some(across), Some(down)) => {
            // Only the rows that the second pass will read are computed by the first.
            let needed = down.span();
            let between = rows::pass(source, needed.clone(), &across)?;
            let narrowed = View {
                width,
                height: needed.len(),
                channels: source.channels,
                data: &between,
            };
            columns::pass(narrowed, needed.start, &down)
        }
    }
}

fn check_target(size: (u32, u32)) -> Result<(), ResizeError> {
    if size.0 == 0 || size.1 == 0 {
        return Err(ResizeError::EmptyTarget {
            width: size.0.into(),
            height: size.1.into(),
        });
    }
    Ok(())
}

/// The box as Pillow takes it, float32, after its checks.
fn check_region(source: &View<'_>, region: [f64; 4]) -> Result<[f32; 4], ResizeError> {
    let rounded = region.map(|corner| corner as f32);
    let [left, top, right, bottom] = rounded;
    let inside = left >= 0.0
        && top >= 0.0
        && right <= source.width as f32
        && bottom <= source.height as f32
        && right - left >= 0.0
        && bottom - top >= 0.0;
    if inside {
        return Ok(rounded);
    }
    Err(ResizeError::BadBox {
        region,
        width: source.width as u32,
        height: source.height as u32,
    })
}

/// Refuses results that do not fit into memory.
fn check_memory(width: usize, height: usize, channels: usize) -> Result<usize, ResizeError> {
    width
        .checked_mul(height)
        .and_then(|pixels| pixels.checked_mul(channels))
        .filter(|bytes| Vec::<u8>::new().try_reserve_exact(*bytes).is_ok())
        .ok_or(ResizeError::OutOfMemory {
            width: width as u64,
            height: height as u64,
        })
}

/// Zeroed bytes for a result, or an error where there is not enough memory.
fn allocate(width: usize, height: usize, channels: usize) -> Result<Vec<u8>, ResizeError> {
    // Asking first turns a failure into an error; memory that comes zeroed costs nothing until it is written.
    Ok(vec![0; check_memory(width, height, channels)?])
}
