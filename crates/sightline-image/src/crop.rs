//! Cutting boxes out of pictures and placing pictures on a canvas.

use crate::pixels::{ImageTensor, RgbImage};
use serde::{Deserialize, Serialize};

/// Why a box could not be cut out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CropError {
    /// The box is no box: a corner is no number or far outside every picture.
    #[error(
        "The box {0:?} (left, top, right, bottom) cannot be cut out; its corners must be numbers of a picture's size."
    )]
    NoNumber([f64; 4]),
    /// Nothing is left of the box.
    #[error(
        "The box {region:?} (left, top, right, bottom) holds no pixel of the picture of {width} x {height} pixels; right must exceed left, and bottom top."
    )]
    Empty {
        /// Left, top, right, bottom in whole pixels.
        region: [i64; 4],
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A crop that is larger than the picture, where the original cannot do that.
    #[error(
        "A crop of {crop_width} x {crop_height} pixels is larger than the picture of {width} x {height}."
    )]
    LargerThanPicture {
        /// Pixels per row of the crop.
        crop_width: u32,
        /// Rows of the crop.
        crop_height: u32,
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The result does not fit into memory.
    #[error("There is not enough memory for a picture of {width} x {height} pixels.")]
    OutOfMemory {
        /// Pixels per row.
        width: u64,
        /// Rows.
        height: u64,
    },
}

/// How the corners of a box, given in fractions of a pixel, become whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Corners {
    /// To the nearest, halves to the even one (Python's `round`; Pillow's crop).
    RoundHalfEven,
    /// Towards zero (Python's `int`).
    Truncate,
}

/// Farther out than any picture; such a corner is refused before it can overflow.
const FAR: f64 = 4_294_967_296.0;

impl Corners {
    /// Left, top, right, bottom in whole pixels.
    ///
    /// # Errors
    /// When a corner is no number or farther than 2^32 pixels away.
    pub fn whole(self, region: [f64; 4]) -> Result<[i64; 4], CropError> {
        if region.iter().any(|corner| corner.is_nan() || corner.abs() > FAR) {
            return Err(CropError::NoNumber(region));
        }
        Ok(region.map(|corner| match self {
            Self::RoundHalfEven => corner.round_ties_even() as i64,
            Self::Truncate => corner as i64,
        }))
    }
}

/// Cuts out (left, top, right, bottom); what lies outside the picture is black (Pillow's `Image.crop`).
///
/// # Errors
/// When the box is empty or does not fit into memory.
pub fn crop(image: &RgbImage, region: [i64; 4]) -> Result<RgbImage, CropError> {
    let (width, height) = sides(image, region)?;
    let [left, top, ..] = region;
    on_canvas(
        image,
        (width, height),
        (left.saturating_neg(), top.saturating_neg()),
        [0; 3],
    )
}

/// Cuts out (left, top, right, bottom); what lies outside the picture is left away (NumPy's slicing).
///
/// # Errors
/// When nothing of the picture lies within the box.
pub fn crop_within(image: &RgbImage, region: [i64; 4]) -> Result<RgbImage, CropError> {
    let (width, height) = (i64::from(image.width), i64::from(image.height));
    let [left, top, right, bottom] = region;
    let clamped = [
        left.clamp(0, width),
        top.clamp(0, height),
        right.clamp(0, width),
        bottom.clamp(0, height),
    ];
    crop(image, clamped).map_err(|error| match error {
        CropError::Empty { width, height, .. } => CropError::Empty {
            region,
            width,
            height,
        },
        other => other,
    })
}

/// Width and height of a box.
fn sides(image: &RgbImage, region: [i64; 4]) -> Result<(u32, u32), CropError> {
    let [left, top, right, bottom] = region;
    let side = |from: i64, to: i64| {
        let side = to.checked_sub(from)?;
        u32::try_from(side).ok().filter(|side| *side > 0)
    };
    side(left, right).zip(side(top, bottom)).ok_or(CropError::Empty {
        region,
        width: image.width,
        height: image.height,
    })
}

/// Places a picture on a canvas of (width, height) in one colour, its upper left corner at `at` (x, y, negative allowed);
/// what reaches beyond the canvas is cut off.
///
/// # Errors
/// When the canvas does not fit into memory.
pub fn on_canvas(
    image: &RgbImage,
    size: (u32, u32),
    at: (i64, i64),
    colour: [u8; 3],
) -> Result<RgbImage, CropError> {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let bytes = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3));
    let bytes = bytes.filter(|bytes| Vec::<u8>::new().try_reserve_exact(*bytes).is_ok());
    let Some(bytes) = bytes else {
        return Err(CropError::OutOfMemory {
            width: size.0.into(),
            height: size.1.into(),
        });
    };
    let mut data = vec![0; bytes];
    if colour != [0; 3] {
        data.chunks_exact_mut(3)
            .for_each(|pixel| pixel.copy_from_slice(&colour));
    }
    let (columns, source_x) = overlap(at.0, image.width, size.0);
    let (rows, source_y) = overlap(at.1, image.height, size.1);
    let stride = image.width as usize * 3;
    if columns.is_empty() {
        return Ok(RgbImage {
            width: size.0,
            height: size.1,
            data,
        });
    }
    for (step, y) in rows.enumerate() {
        let from = (source_y + step) * stride + source_x * 3;
        let target = &mut data[(y * width + columns.start) * 3..(y * width + columns.end) * 3];
        target.copy_from_slice(&image.data[from..from + target.len()]);
    }
    Ok(RgbImage {
        width: size.0,
        height: size.1,
        data,
    })
}

/// Where on the canvas a line of `length` starting at `at` is seen, and with which of its own positions it begins there.
fn overlap(at: i64, length: u32, canvas: u32) -> (std::ops::Range<usize>, usize) {
    let start = at.clamp(0, canvas.into());
    let end = at.saturating_add(length.into()).clamp(start, canvas.into());
    let skipped = start.saturating_sub(at).clamp(0, length.into());
    (start as usize..end as usize, skipped as usize)
}

/// The same crop of a float picture, wholly within it.
///
/// # Errors
/// When the crop is empty or reaches beyond the picture.
pub fn crop_tensor(
    image: &ImageTensor,
    at: (usize, usize),
    size: (usize, usize),
) -> Result<ImageTensor, CropError> {
    let ((x, y), (width, height)) = (at, size);
    let fits = |at: usize, length: usize, side: usize| at.checked_add(length).is_some_and(|end| end <= side);
    if width == 0 || height == 0 || !fits(x, width, image.width) || !fits(y, height, image.height) {
        return Err(CropError::LargerThanPicture {
            crop_width: width as u32,
            crop_height: height as u32,
            width: image.width as u32,
            height: image.height as u32,
        });
    }
    let mut data = Vec::with_capacity(image.channels * width * height);
    for plane in image.data.chunks_exact(image.width * image.height) {
        for row in plane.chunks_exact(image.width).skip(y).take(height) {
            data.extend_from_slice(&row[x..x + width]);
        }
    }
    Ok(ImageTensor {
        channels: image.channels,
        height,
        width,
        data,
    })
}

/// Whose centre a crop is taken from: the projects round differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// Half to even; larger crops are filled with black, the smaller part before (torchvision's `CenterCrop`).
    Torchvision,
    /// Rounded up; larger crops are refused (DELG's and SuperGlobal's `center_crop`).
    Delg,
    /// `trunc(0.5 + slack / 2)`; larger crops are filled with black (dirtorch's `CenterCrop`).
    Dirtorch,
}

impl Centre {
    /// Where a crop of length `crop` begins within `side` pixels (negative for larger crops).
    pub fn offset(self, side: u32, crop: u32) -> i64 {
        let slack = i64::from(side) - i64::from(crop);
        let half = slack as f64 / 2.0;
        match self {
            Self::Torchvision if slack < 0 => -(slack.abs() / 2),
            Self::Torchvision => half.round_ties_even() as i64,
            Self::Delg => half.ceil() as i64,
            Self::Dirtorch => (0.5 + half) as i64,
        }
    }
}

/// Cuts (width, height) out of the middle.
///
/// # Errors
/// When the crop is empty, does not fit into memory, or is larger than the picture and [`Centre::Delg`] rules.
pub fn centre_crop(image: &RgbImage, size: (u32, u32), centre: Centre) -> Result<RgbImage, CropError> {
    if centre == Centre::Delg && (size.0 > image.width || size.1 > image.height) {
        return Err(CropError::LargerThanPicture {
            crop_width: size.0,
            crop_height: size.1,
            width: image.width,
            height: image.height,
        });
    }
    let left = centre.offset(image.width, size.0);
    let top = centre.offset(image.height, size.1);
    crop(
        image,
        [left, top, left + i64::from(size.0), top + i64::from(size.1)],
    )
}

/// Black borders that make a picture square, the smaller half of them before it (CGD's TensorFlow version).
///
/// # Errors
/// When the square does not fit into memory.
pub fn pad_to_square(image: &RgbImage) -> Result<RgbImage, CropError> {
    let side = image.width.max(image.height);
    let before = |length: u32| i64::from((side - length) / 2);
    on_canvas(
        image,
        (side, side),
        (before(image.width), before(image.height)),
        [0; 3],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: u32, height: u32) -> RgbImage {
        let data = (0..width * height)
            .flat_map(|pixel| [pixel as u8 + 1, 0, 7])
            .collect();
        RgbImage { width, height, data }
    }

    #[test]
    fn corners_round_half_to_even_or_truncate() {
        let region = [0.5, 1.5, 2.5, -0.6];
        assert_eq!(Corners::RoundHalfEven.whole(region).unwrap(), [0, 2, 2, -1]);
        assert_eq!(Corners::Truncate.whole(region).unwrap(), [0, 1, 2, 0]);
        assert!(Corners::Truncate.whole([f64::NAN, 0.0, 1.0, 1.0]).is_err());
        assert!(Corners::RoundHalfEven.whole([0.0, 0.0, 1e300, 1.0]).is_err());
    }

    #[test]
    fn outside_is_black_or_left_away() {
        let image = numbered(3, 2);
        let black = crop(&image, [-1, 1, 2, 3]).unwrap();
        assert_eq!((black.width, black.height), (3, 2));
        let reds: Vec<u8> = black.data.iter().step_by(3).copied().collect();
        assert_eq!(reds, [0, 4, 5, 0, 0, 0]);
        let within = crop_within(&image, [-1, 1, 2, 3]).unwrap();
        assert_eq!((within.width, within.height), (2, 1));
        assert_eq!(within.pixel(0, 0), Some([4, 0, 7]));
    }

    #[test]
    fn boxes_beyond_the_picture_are_all_black_and_empty_ones_refused() {
        let image = numbered(3, 2);
        let away = crop(&image, [1_000_000, -9, 1_000_002, -8]).unwrap();
        assert_eq!(away.data, [0; 6]);
        assert_eq!(crop(&image, [-9, 0, -7, 1]).unwrap().data, [0; 6]);
        assert_eq!(crop(&image, [0, -9, 1, -7]).unwrap().data, [0; 6]);
        assert_eq!(crop(&image, [0, 7, 1, 9]).unwrap().data, [0; 6]);
        assert!(crop(&image, [2, 0, 2, 1]).is_err());
        assert!(crop(&image, [i64::MIN, 0, i64::MAX, 1]).is_err());
        let error = crop_within(&image, [5, 0, 9, 1]).unwrap_err().to_string();
        assert!(
            error.contains("[5, 0, 9, 1]") && error.contains("holds no pixel"),
            "{error}"
        );
    }

    #[test]
    fn squares_have_the_smaller_border_first() {
        let square = pad_to_square(&numbered(2, 5)).unwrap();
        assert_eq!((square.width, square.height), (5, 5));
        assert_eq!(square.pixel(0, 0), Some([0; 3]));
        assert_eq!(square.pixel(1, 0), Some([1, 0, 7]));
        assert_eq!(square.pixel(3, 0), Some([0; 3]));
    }
}
