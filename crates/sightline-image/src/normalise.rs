//! From bytes to the float32 values of a network's input: divided by 255, minus the mean, over the standard deviation.
//!
//! Every step is one float32 rounding, as torchvision's `ToTensor` and `Normalize` do it; a multiplication by a
//! reciprocal instead would differ in about 40 % of the values.

use crate::pixels::{ImageTensor, RgbImage};

/// ImageNet's mean per channel, in red, green, blue order, for values 0 to 1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// ImageNet's standard deviation per channel, in red, green, blue order, for values 0 to 1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// `(value / 255 - mean) / std` in float32, each step rounded.
pub fn value(value: f32, mean: f32, std: f32) -> f32 {
    (value / 255.0 - mean) / std
}

/// Values 0 to 1, channel after channel in the order of the picture (torchvision's `ToTensor`).
pub fn to_tensor(image: &RgbImage) -> ImageTensor {
    from_tables(image, [&table(|value| value / 255.0); 3])
}

/// Normalised values, channel after channel in the order of the picture (`ToTensor`, then `Normalize`).
///
/// `mean` and `std` are for values 0 to 1, in the picture's order of channels.
pub fn normalised(image: &RgbImage, mean: [f32; 3], std: [f32; 3]) -> ImageTensor {
    let channel = |channel: usize| table(|byte| value(byte, mean[channel], std[channel]));
    from_tables(image, [&channel(0), &channel(1), &channel(2)])
}

/// A byte has only 256 values: each is computed once, so that the exact divisions cost nothing.
fn table(of: impl Fn(f32) -> f32) -> [f32; 256] {
    std::array::from_fn(|byte| of(byte as f32))
}

fn from_tables(image: &RgbImage, tables: [&[f32; 256]; 3]) -> ImageTensor {
    let (width, height) = (image.width as usize, image.height as usize);
    let mut data = vec![0.0; 3 * width * height];
    let [red, green, blue] = planes(&mut data, width * height);
    let targets = red.iter_mut().zip(green).zip(blue);
    for (pixel, ((red, green), blue)) in image.data.chunks_exact(3).zip(targets) {
        *red = tables[0][usize::from(pixel[0])];
        *green = tables[1][usize::from(pixel[1])];
        *blue = tables[2][usize::from(pixel[2])];
    }
    ImageTensor {
        channels: 3,
        height,
        width,
        data,
    }
}

fn planes(data: &mut [f32], pixels: usize) -> [&mut [f32]; 3] {
    let (first, rest) = data.split_at_mut(pixels);
    let (second, third) = rest.split_at_mut(pixels);
    [first, second, third]
}

/// `(value - mean) / std` of a tensor whose values are 0 to 1 already (torchvision's `Normalize`), in place.
///
/// `mean` and `std` are per channel; channels beyond the shorter of them stay as they are.
pub fn normalise(tensor: &mut ImageTensor, mean: &[f32], std: &[f32]) {
    let pixels = tensor.width * tensor.height;
    if pixels == 0 {
        return;
    }
    for (plane, (mean, std)) in tensor.data.chunks_exact_mut(pixels).zip(mean.iter().zip(std)) {
        plane.iter_mut().for_each(|value| *value = (*value - mean) / std);
    }
}

/// [`normalised`] of a picture whose values 0 to 255 are floats already.
pub fn normalised_floats(image: &ImageTensor, mean: [f32; 3], std: [f32; 3]) -> ImageTensor {
    let mut result = image.clone();
    result.data.iter_mut().for_each(|value| *value /= 255.0);
    normalise(&mut result, &mean, &std);
    result
}

/// Back to bytes: `255 * (value * std + mean)`, truncated, as CGD's TensorFlow version shows pictures.
pub fn denormalised(tensor: &ImageTensor, mean: [f32; 3], std: [f32; 3]) -> Option<RgbImage> {
    let (width, height) = (
        u32::try_from(tensor.width).ok()?,
        u32::try_from(tensor.height).ok()?,
    );
    let pixels = tensor.width.checked_mul(tensor.height)?;
    if tensor.channels != 3 || tensor.data.len() != pixels.checked_mul(3)? {
        return None;
    }
    let mut data = vec![0; tensor.data.len()];
    for (index, pixel) in data.chunks_exact_mut(3).enumerate() {
        for (channel, byte) in pixel.iter_mut().enumerate() {
            let value = tensor.data[channel * pixels + index];
            *byte = (255.0 * (value * std[channel] + mean[channel])) as u8;
        }
    }
    Some(RgbImage { width, height, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_and_two_steps_give_the_same_bits() {
        let data: Vec<u8> = (0..=255).flat_map(|byte| [byte; 3]).collect();
        let image = RgbImage {
            width: 16,
            height: 16,
            data,
        };
        let at_once = normalised(&image, IMAGENET_MEAN, IMAGENET_STD);
        let mut in_steps = to_tensor(&image);
        normalise(&mut in_steps, &IMAGENET_MEAN, &IMAGENET_STD);
        assert_eq!(at_once, in_steps);
        let floats = ImageTensor {
            data: in_steps
                .data
                .iter()
                .enumerate()
                .map(|(i, _)| (i % 256) as f32)
                .collect(),
            ..in_steps
        };
        assert_eq!(normalised_floats(&floats, IMAGENET_MEAN, IMAGENET_STD), at_once);
    }
}
