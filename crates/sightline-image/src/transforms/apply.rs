//! Applying the steps of a transform text to a picture.

use super::scale::Scale;
use super::{Step, TransformError, Transforms};
use crate::crop::{Centre, Corners, centre_crop, crop, on_canvas};
use crate::normalise::{normalise, to_tensor};
use crate::pixels::{ImageTensor, RgbImage};
use crate::resize::{Filter, resize};

/// A picture and, where it has one, the box (left, top, right, bottom) that follows it through the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Boxed {
    /// The picture.
    pub image: RgbImage,
    /// The box in pixels.
    pub bbox: Option<[f64; 4]>,
}

impl Transforms {
    /// Applies all steps and gives the tensor. `bbox` is only used by `CropToBbox`; no step may make a picture of more than
    /// `max_pixels` pixels.
    ///
    /// # Errors
    /// When a step does not fit the picture or comes at the wrong place, or no step makes a tensor.
    pub fn tensor(
        &self,
        image: &RgbImage,
        bbox: Option<[f64; 4]>,
        max_pixels: u64,
    ) -> Result<ImageTensor, TransformError> {
        let pixels = self.pixels(image, bbox, max_pixels)?.image;
        let mut rest = self.steps.iter().skip_while(|step| **step != Step::ToTensor);
        rest.next().ok_or(TransformError::NoTensor)?;
        let mut tensor = to_tensor(&pixels);
        for step in rest {
            match step {
                Step::Identity => {}
                Step::Normalize { mean, std } => {
                    normalise(
                        &mut tensor,
                        &mean.map(|mean| mean as f32),
                        &std.map(|std| std as f32),
                    );
                }
                _ => return Err(refused(step, &pixels, "it must come before ToTensor()")),
            }
        }
        Ok(tensor)
    }

    /// Applies the steps before `ToTensor` and gives the pixels and where the box has come to.
    ///
    /// # Errors
    /// As [`Self::tensor`].
    pub fn pixels(
        &self,
        image: &RgbImage,
        bbox: Option<[f64; 4]>,
        max_pixels: u64,
    ) -> Result<Boxed, TransformError> {
        let mut now = Boxed {
            image: image.clone(),
            bbox,
        };
        for step in self.steps.iter().take_while(|step| **step != Step::ToTensor) {
            apply(step, &mut now, max_pixels)?;
        }
        Ok(now)
    }
}

fn refused(step: &Step, image: &RgbImage, reason: impl Into<String>) -> TransformError {
    TransformError::Apply {
        step: step.to_string(),
        width: image.width,
        height: image.height,
        reason: reason.into(),
    }
}

/// Checks a size that a step asks for.
fn allowed(
    step: &Step,
    size: (i64, i64),
    image: &RgbImage,
    max_pixels: u64,
) -> Result<(u32, u32), TransformError> {
    let (Ok(width), Ok(height)) = (u32::try_from(size.0), u32::try_from(size.1)) else {
        return Err(refused(
            step,
            image,
            format!("it asks for {} x {} pixels", size.0, size.1),
        ));
    };
    if width == 0 || height == 0 {
        return Err(refused(
            step,
            image,
            format!("it asks for {width} x {height} pixels, and every side needs one"),
        ));
    }
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(TransformError::TooLarge {
            step: step.to_string(),
            width: width.into(),
            height: height.into(),
            max_pixels,
        });
    }
    Ok((width, height))
}

fn apply(step: &Step, now: &mut Boxed, max_pixels: u64) -> Result<(), TransformError> {
    let image = &now.image;
    let (w, h) = (i64::from(image.width), i64::from(image.height));
    let allowed = |size| allowed(step, size, image, max_pixels);
    match step {
        Step::Identity => {}
        Step::Scale(scale) => scaled(step, scale, now, max_pixels)?,
        Step::Pad { size, color } => {
            let (width, height) = if w >= h {
                (w, h.max(*size))
            } else {
                (w.max(*size), h)
            };
            now.image = placed(image, allowed((width, height))?, *color)?;
        }
        Step::PadSquare { size, color } => {
            let side = size.unwrap_or(w.max(h));
            now.image = placed(image, allowed((side, side))?, *color)?;
        }
        Step::CenterCrop {
            height,
            width,
            padding,
        } => {
            let (width, height) = allowed(((*width).into(), (*height).into()))?;
            let border = i64::from(*padding);
            let padded = allowed((w + 2 * border, h + 2 * border))?;
            let shift = border as f64;
            let bordered = on_canvas(image, padded, (border, border), [0; 3])?;
            let left = Centre::Dirtorch.offset(padded.0, width) as f64;
            let top = Centre::Dirtorch.offset(padded.1, height) as f64;
            now.image = centre_crop(&bordered, (width, height), Centre::Dirtorch)?;
            now.bbox = now
                .bbox
                .map(|bbox| moved(bbox, (1.0, 1.0), (shift - left, shift - top)));
        }
        Step::CropToBbox { margin, min_size } => crop_to_box(step, *margin, *min_size as f64, now)?,
        Step::ShorterTo { size, interpolation } => {
            let (width, height) = shorter_to((image.width, image.height), *size);
            resized(now, allowed((width as i64, height as i64))?, *interpolation)?;
        }
        Step::ResizeTo {
            height,
            width,
            interpolation,
        } => {
            resized(now, allowed(((*width).into(), (*height).into()))?, *interpolation)?;
        }
        Step::TorchvisionCrop { height, width } => {
            let size = allowed(((*width).into(), (*height).into()))?;
            now.image = centre_crop(image, size, Centre::Torchvision)?;
        }
        Step::ToTensor => {}
        Step::Normalize { .. } => return Err(refused(step, image, "it must come after ToTensor()")),
    }
    Ok(())
}

/// torchvision's `Resize(size)`: (width, height) with the shorter side `size`, the longer truncated.
pub(crate) fn shorter_to(size: (u32, u32), side: u32) -> (u64, u64) {
    let (w, h, side) = (u64::from(size.0), u64::from(size.1), u64::from(side));
    let longer = |long: u64, short: u64| ((side * long) as f64 / short as f64) as u64;
    if w <= h {
        (side, longer(h, w))
    } else {
        (longer(w, h), side)
    }
}

fn scaled(step: &Step, scale: &Scale, now: &mut Boxed, max_pixels: u64) -> Result<(), TransformError> {
    let size = (now.image.width, now.image.height);
    let target = scale.target(size);
    if scale.resizes(size) {
        let target = allowed(step, target, &now.image, max_pixels)?;
        now.image = resize(&now.image, target, scale.interpolation, None)?;
    }
    // The box follows the computed size even where the picture was not resized, as in the original.
    let ratio = (
        target.0 as f64 / f64::from(size.0),
        target.1 as f64 / f64::from(size.1),
    );
    now.bbox = now.bbox.map(|bbox| moved(bbox, ratio, (0.0, 0.0)));
    Ok(())
}

fn resized(now: &mut Boxed, size: (u32, u32), filter: Filter) -> Result<(), TransformError> {
    now.image = resize(&now.image, size, filter, None)?;
    Ok(())
}

/// A picture in the middle of a canvas, the smaller half of the border (rounded down) before it.
fn placed(image: &RgbImage, size: (u32, u32), color: [u8; 3]) -> Result<RgbImage, TransformError> {
    let before = |canvas: u32, side: u32| (i64::from(canvas) - i64::from(side)).div_euclid(2);
    let at = (before(size.0, image.width), before(size.1, image.height));
    Ok(on_canvas(image, size, at, color)?)
}

/// A box after scaling and shifting, its corners truncated to whole pixels.
fn moved(bbox: [f64; 4], scale: (f64, f64), shift: (f64, f64)) -> [f64; 4] {
    let [left, top, right, bottom] = bbox;
    let x = |x: f64| (x * scale.0 + shift.0).trunc();
    let y = |y: f64| (y * scale.1 + shift.1).trunc();
    [x(left), y(top), x(right), y(bottom)]
}

fn crop_to_box(step: &Step, margin: f64, least: f64, now: &mut Boxed) -> Result<(), TransformError> {
    let image = &now.image;
    let (w, h) = (f64::from(image.width), f64::from(image.height));
    let Some(bbox @ [x0, y0, x1, y1]) = now.bbox else {
        return Err(refused(step, image, "the picture has no box"));
    };
    if w.min(h) < least {
        return Err(refused(step, image, "the picture is smaller than min_size"));
    }
    if !(x0 < x1 && y0 < y1) {
        return Err(refused(step, image, format!("the box {bbox:?} is empty")));
    }
    let margin = (0.5 + margin * (x1 - x0).min(y1 - y0)).trunc();
    let axis = |from: f64, to: f64, side: f64| {
        let start = (from - margin).max(0.0);
        let length = side.min(to + margin) - start;
        if length < least {
            ((start - ((least - length) / 2.0).floor()).max(0.0), least)
        } else {
            (start, length)
        }
    };
    let (left, width) = axis(x0, x1, w);
    let (top, height) = axis(y0, y1, h);
    let region = Corners::RoundHalfEven.whole([left, top, left + width, top + height])?;
    now.image = crop(image, region)?;
    now.bbox = Some(moved(bbox, (1.0, 1.0), (-left, -top)));
    Ok(())
}
