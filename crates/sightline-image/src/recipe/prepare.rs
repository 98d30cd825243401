//! Preparing a picture by a recipe, in the original's order of steps.

use super::{Channels, Crop, Decoder, Pad, Recipe, Resize, Rule, Samples, scales, steps::Outside};
use crate::crop::{CropError, centre_crop, crop, crop_tensor, crop_within, pad_to_square};
use crate::cv2_resize::{self, Cv2ResizeError, Target};
use crate::decode::{DecodeError, DecodeOptions, decode, decode_cv2};
use crate::normalise::{denormalised, normalised, normalised_floats};
use crate::pixels::{ImageTensor, RgbImage};
use crate::resize::{ResizeError, resize, resize_reducing_gap, thumbnail_size};
use crate::torch_resize::InterpolateError;
use crate::transforms::{TransformError, Transforms};

/// Why a picture could not be prepared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrepareError {
    /// The file cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The box or crop does not fit the picture.
    #[error(transparent)]
    Crop(#[from] CropError),
    /// Resizing as Pillow failed.
    #[error(transparent)]
    Resize(#[from] ResizeError),
    /// Resizing as OpenCV failed.
    #[error(transparent)]
    Cv2Resize(#[from] Cv2ResizeError),
    /// Scaling the tensor failed.
    #[error(transparent)]
    Interpolate(#[from] InterpolateError),
    /// A transform text is wrong or does not fit the picture.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// A step would make a picture of more pixels than allowed.
    #[error(
        "The recipe would make a picture of {width} x {height} pixels, more than the limit of {max_pixels}; ask for a smaller size or raise the limit."
    )]
    TooLarge {
        /// Pixels per row.
        width: u64,
        /// Rows.
        height: u64,
        /// The limit.
        max_pixels: u64,
    },
    /// The recipe has no way to make other scales.
    #[error(
        "This recipe makes no other scales than 1, and {0} was asked for; give several transform texts instead, or set its `scales` (such as tensor-given)."
    )]
    NoScales(f64),
}

/// Pixels after the geometric steps, in the recipe's order of channels.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pixels {
    Bytes(RgbImage),
    /// Values 0 to 255.
    Floats(ImageTensor),
}

impl Pixels {
    pub(super) fn size(&self) -> (u32, u32) {
        match self {
            Self::Bytes(image) => (image.width, image.height),
            // The sides of a float picture come from those of a byte picture.
            Self::Floats(image) => (image.width as u32, image.height as u32),
        }
    }

    pub(super) fn resized(&self, target: Target, filter: Cv2) -> Result<Self, PrepareError> {
        Ok(match (self, filter) {
            (Self::Bytes(image), Cv2::Linear) => Self::Bytes(cv2_resize::linear(image, target)?),
            (Self::Bytes(image), Cv2::Area) => Self::Bytes(cv2_resize::area(image, target)?),
            (Self::Floats(image), _) => Self::Floats(cv2_resize::linear_floats(image, target)?),
        })
    }
}

/// OpenCV's interpolations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cv2 {
    Linear,
    Area,
}

/// A prepared picture: a tensor for each pass, and the pixels where a recipe scales those.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    pub(super) pixels: Option<Pixels>,
    pub(super) tensors: Vec<ImageTensor>,
    pub(super) max_pixels: u64,
}

impl Prepared {
    /// The tensors at scale 1, one for each pass (see [`Recipe::passes`]).
    pub fn tensors(&self) -> &[ImageTensor] {
        &self.tensors
    }
}

impl Recipe {
    /// A tensor that this recipe made, back as a picture that one can look at; none where it does not hold three channels.
    #[must_use]
    pub fn pixels_of(&self, tensor: &ImageTensor) -> Option<RgbImage> {
        let mut picture = denormalised(tensor, self.mean, self.std)?;
        if self.channels == Channels::Bgr {
            picture.data.chunks_exact_mut(3).for_each(<[u8]>::reverse);
        }
        Some(picture)
    }

    /// From the bytes of a file to the network's input: `[3, height, width]`, float32.
    ///
    /// `bbox` is a query's box (left, top, right, bottom) in pixels; pictures of more than `max_pixels` pixels, in the file
    /// or after any step, are refused. With several transform texts it is the first one's tensor
    /// ([`Self::prepared`] gives all).
    ///
    /// # Errors
    /// [`PrepareError`] says which step failed and why.
    pub fn prepare(
        &self,
        bytes: &[u8],
        bbox: Option<[f64; 4]>,
        max_pixels: u64,
    ) -> Result<ImageTensor, PrepareError> {
        let prepared = self.prepared(bytes, bbox, max_pixels)?;
        prepared
            .tensors
            .into_iter()
            .next()
            .ok_or(TransformError::NoTensor.into())
    }

    /// [`Self::prepare`] for all passes, kept so that [`Self::scaled`] can make other scales of it.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn prepared(
        &self,
        bytes: &[u8],
        bbox: Option<[f64; 4]>,
        max_pixels: u64,
    ) -> Result<Prepared, PrepareError> {
        self.prepared_pixels(self.decoded(bytes, max_pixels)?, bbox, max_pixels)
    }

    /// [`Self::prepared`] of a picture that is decoded already, in the order of the recipe's decoder
    /// (blue first for OpenCV's) and turned upright where the recipe does that.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn prepared_pixels(
        &self,
        image: RgbImage,
        bbox: Option<[f64; 4]>,
        max_pixels: u64,
    ) -> Result<Prepared, PrepareError> {
        let pixels = self.geometry(image, bbox, max_pixels)?;
        let mut tensors = Vec::with_capacity(self.passes());
        match &pixels {
            Pixels::Bytes(image) if !self.transforms.is_empty() => {
                // A box has been cut out already, so that `CropToBbox` finds none, as in the original.
                for text in &self.transforms {
                    let transforms = Transforms::parse(text, &self.names_in_texts())?;
                    tensors.push(transforms.tensor(image, None, max_pixels)?);
                }
            }
            _ => tensors.push(self.normalise(&pixels)),
        }
        let pixels = self.scales.of_pixels().then_some(pixels);
        Ok(Prepared {
            pixels,
            tensors,
            max_pixels,
        })
    }

    /// The picture as the network sees it, for showing: after all geometric steps, red first, in bytes. With several
    /// transform texts, after the first.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn pixels(
        &self,
        bytes: &[u8],
        bbox: Option<[f64; 4]>,
        max_pixels: u64,
    ) -> Result<RgbImage, PrepareError> {
        let image = self.decoded(bytes, max_pixels)?;
        let mut image = match self.geometry(image, bbox, max_pixels)? {
            Pixels::Bytes(image) => image,
            Pixels::Floats(image) => rounded(&image),
        };
        if let Some(text) = self.transforms.first() {
            let transforms = Transforms::parse(text, &self.names_in_texts())?;
            image = transforms.pixels(&image, None, max_pixels)?.image;
        }
        if self.channels == Channels::Bgr {
            swap_channels(&mut image);
        }
        Ok(image)
    }

    fn decoded(&self, bytes: &[u8], max_pixels: u64) -> Result<RgbImage, PrepareError> {
        let options = DecodeOptions {
            max_pixels,
            truncated: self.truncated,
            orientation: self.orientation,
        };
        Ok(match self.decoder {
            Decoder::Pillow => decode(bytes, &options)?,
            Decoder::Cv2 => decode_cv2(bytes, &options)?,
        })
    }

    /// Box, channels, borders, resizing, crop.
    fn geometry(
        &self,
        image: RgbImage,
        bbox: Option<[f64; 4]>,
        max_pixels: u64,
    ) -> Result<Pixels, PrepareError> {
        let longer = image.width.max(image.height);
        let mut image = match bbox {
            None => image,
            Some(bbox) => self.cut_out(&image, bbox, max_pixels)?,
        };
        // A part's size is that share of the size asked for which it is of the whole picture.
        let whole = bbox.filter(|_| self.query_box.shares_size).map(|_| longer);
        if (self.decoder == Decoder::Cv2) != (self.channels == Channels::Bgr) {
            swap_channels(&mut image);
        }
        if self.pad == Pad::BlackSquare {
            let side = u64::from(image.width.max(image.height));
            within((side, side), max_pixels)?;
            image = pad_to_square(&image)?;
        }
        let pixels = match self.samples {
            Samples::Bytes => Pixels::Bytes(image),
            Samples::Floats => Pixels::Floats(floats(&image)),
        };
        let pixels = resized(&self.resize, pixels, whole, max_pixels)?;
        cropped(&self.crop, pixels, max_pixels)
    }

    fn cut_out(&self, image: &RgbImage, bbox: [f64; 4], max_pixels: u64) -> Result<RgbImage, PrepareError> {
        let region @ [left, top, right, bottom] = self.query_box.corners.whole(bbox)?;
        Ok(match self.query_box.outside {
            Outside::CutOff => crop_within(image, region)?,
            Outside::Black => {
                let side = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
                within((side(left, right), side(top, bottom)), max_pixels)?;
                crop(image, region)?
            }
        })
    }

    /// The tensor of pixels.
    pub(super) fn normalise(&self, pixels: &Pixels) -> ImageTensor {
        match pixels {
            Pixels::Bytes(image) => normalised(image, self.mean, self.std),
            Pixels::Floats(image) => normalised_floats(image, self.mean, self.std),
        }
    }

    /// The tensors at another scale, one for each pass.
    ///
    /// # Errors
    /// When the scale is no positive number, a side would vanish, the result is too large, or the recipe makes no scales.
    pub fn scaled(&self, prepared: &Prepared, scale: f64) -> Result<Vec<ImageTensor>, PrepareError> {
        scales::scaled(self, prepared, scale)
    }

    /// All tensors of a picture: for each scale, one for each pass (scale by scale).
    ///
    /// # Errors
    /// As [`Self::prepare`] and [`Self::scaled`].
    pub fn prepare_scales(
        &self,
        bytes: &[u8],
        bbox: Option<[f64; 4]>,
        max_pixels: u64,
        scales: &[f64],
    ) -> Result<Vec<ImageTensor>, PrepareError> {
        let prepared = self.prepared(bytes, bbox, max_pixels)?;
        let mut tensors = Vec::with_capacity(scales.len() * prepared.tensors.len());
        for scale in scales {
            tensors.extend(self.scaled(&prepared, *scale)?);
        }
        Ok(tensors)
    }
}

/// Refuses sizes above the limit.
pub(super) fn within(size: (u64, u64), max_pixels: u64) -> Result<(), PrepareError> {
    let (width, height) = size;
    if width
        .checked_mul(height)
        .is_some_and(|pixels| pixels <= max_pixels)
    {
        return Ok(());
    }
    Err(PrepareError::TooLarge {
        width,
        height,
        max_pixels,
    })
}

/// `whole` is the longer side of the whole picture, where the size asked for is that of the whole.
fn resized(
    step: &Resize,
    pixels: Pixels,
    whole: Option<u32>,
    max_pixels: u64,
) -> Result<Pixels, PrepareError> {
    let from = pixels.size();
    let side = step.size.unwrap_or(0);
    let (width, height) = match step.rule {
        Rule::None => return Ok(pixels),
        Rule::Square => (side.into(), side.into()),
        Rule::ShorterTo => torchvision_size(from, side),
        Rule::ShorterToDelg => delg_size(from, side),
        Rule::LongerAtMost => {
            let own = f64::from(from.0.max(from.1));
            let request = whole.map_or(f64::from(side), |whole| f64::from(side) * own / f64::from(whole));
            let (width, height) = thumbnail_size(from, (request, request))?;
            (width.into(), height.into())
        }
    };
    within((width, height), max_pixels)?;
    let too_large = PrepareError::TooLarge {
        width,
        height,
        max_pixels,
    };
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(too_large);
    };
    if (width, height) == from {
        return Ok(pixels);
    }
    match (step.filter.pillow(), &pixels) {
        (Some(filter), Pixels::Bytes(image)) => Ok(Pixels::Bytes(match step.reducing_gap {
            None => resize(image, (width, height), filter, None)?,
            Some(gap) => resize_reducing_gap(image, (width, height), filter, None, gap)?,
        })),
        (_, pixels) => {
            let filter = if step.filter == super::Interpolation::Cv2Area {
                Cv2::Area
            } else {
                Cv2::Linear
            };
            pixels.resized(Target::Size(width, height), filter)
        }
    }
}

/// torchvision's `Resize(size)`: (width, height) with the shorter side `size`, the longer `trunc(size * longer / shorter)`.
pub fn torchvision_size(from: (u32, u32), size: u32) -> (u64, u64) {
    crate::transforms::shorter_to(from, size)
}

/// DELG's `scale`: (width, height) with the shorter side `size`, the longer `floor(longer / shorter * size)`.
pub fn delg_size(from: (u32, u32), size: u32) -> (u64, u64) {
    let (w, h) = (f64::from(from.0), f64::from(from.1));
    let longer = |long: f64, short: f64| (long / short * f64::from(size)).floor() as u64;
    if from.0.min(from.1) == size {
        (from.0.into(), from.1.into())
    } else if w < h {
        (size.into(), longer(h, w))
    } else {
        (longer(w, h), size.into())
    }
}

fn cropped(step: &Crop, pixels: Pixels, max_pixels: u64) -> Result<Pixels, PrepareError> {
    let Some(side) = step.size else { return Ok(pixels) };
    within((side.into(), side.into()), max_pixels)?;
    Ok(match pixels {
        Pixels::Bytes(image) => Pixels::Bytes(centre_crop(&image, (side, side), step.centre)?),
        Pixels::Floats(image) => {
            let at = |length: usize| step.centre.offset(length as u32, side).max(0) as usize;
            let at = (at(image.width), at(image.height));
            Pixels::Floats(crop_tensor(&image, at, (side as usize, side as usize))?)
        }
    })
}

fn swap_channels(image: &mut RgbImage) {
    image.data.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
}

/// Bytes as floats 0 to 255, channel after channel.
fn floats(image: &RgbImage) -> ImageTensor {
    let planes = (0..3).flat_map(|channel| image.data.iter().skip(channel).step_by(3));
    ImageTensor {
        channels: 3,
        height: image.height as usize,
        width: image.width as usize,
        data: planes.map(|byte| f32::from(*byte)).collect(),
    }
}

/// Floats 0 to 255 back to bytes.
fn rounded(image: &ImageTensor) -> RgbImage {
    let pixels = image.width * image.height;
    let byte = |index: usize| {
        image
            .data
            .get(index)
            .map_or(0, |value| value.round_ties_even() as u8)
    };
    RgbImage {
        width: image.width as u32,
        height: image.height as u32,
        data: (0..pixels)
            .flat_map(|pixel| [0, 1, 2].map(|channel| byte(channel * pixels + pixel)))
            .collect(),
    }
}
