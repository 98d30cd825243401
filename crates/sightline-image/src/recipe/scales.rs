//! Making a prepared picture again at another scale.

use super::prepare::{Cv2, Pixels, PrepareError, Prepared, within};
use super::{Recipe, Scales};
use crate::cv2_resize::{Target, target_size};
use crate::pixels::ImageTensor;
use crate::torch_resize::{Coordinates, InterpolateError, scale as scale_tensor};

pub(super) fn scaled(
    recipe: &Recipe,
    prepared: &Prepared,
    scale: f64,
) -> Result<Vec<ImageTensor>, PrepareError> {
    if !scale.is_finite() || scale <= 0.0 {
        return Err(InterpolateError::BadScale(scale).into());
    }
    let coordinates = match recipe.scales {
        _ if scale == 1.0 => return Ok(prepared.tensors.clone()),
        Scales::None => return Err(PrepareError::NoScales(scale)),
        Scales::TensorGiven => Coordinates::Given,
        Scales::TensorRecomputed => Coordinates::Recomputed,
        Scales::PixelsLinear | Scales::PixelsAreaOrLinear => {
            let Some(pixels) = &prepared.pixels else {
                return Err(PrepareError::NoScales(scale));
            };
            let pixels = scaled_pixels(recipe.scales, pixels, scale, prepared.max_pixels)?;
            return Ok(vec![recipe.normalise(&pixels)]);
        }
    };
    let tensors = prepared.tensors.iter().map(|tensor| {
        let side = |side: usize| (side as f64 * scale) as u64;
        within((side(tensor.width), side(tensor.height)), prepared.max_pixels)?;
        Ok(scale_tensor(tensor, scale, coordinates)?)
    });
    tensors.collect()
}

fn scaled_pixels(
    scales: Scales,
    pixels: &Pixels,
    scale: f64,
    max_pixels: u64,
) -> Result<Pixels, PrepareError> {
    let size = pixels.size();
    let (width, height) = target_size(size, Target::Factor(scale))?;
    within((width.into(), height.into()), max_pixels)?;
    match scales {
        // DELG computes the size and passes it on, so that coordinates follow the ratio of the sizes.
        Scales::PixelsLinear => pixels.resized(Target::Size(width, height), Cv2::Linear),
        _ if scale < 1.0 => pixels.resized(Target::Factor(scale), Cv2::Area),
        _ => pixels.resized(Target::Factor(scale), Cv2::Linear),
    }
}
