//! From pixels back to a file: PNG without loss, JPEG for thumbnails.

use crate::RgbImage;

/// Why a picture could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The format cannot hold a picture of this size, or the pixels do not fill it.
    #[error("a picture of {width} x {height} pixels cannot be written as {format}: {reason}")]
    Unfit {
        /// The picture's width.
        width: u32,
        /// The picture's height.
        height: u32,
        /// The name of the format.
        format: &'static str,
        /// What the encoder says.
        reason: String,
    },
}

/// The picture as PNG bytes; decoding gives the same pixels.
pub fn png(picture: &RgbImage) -> Result<Vec<u8>, EncodeError> {
    let unfit = |error: png::EncodingError| unfit(picture, "PNG", &error);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(unfit)?;
    writer.write_image_data(&picture.data).map_err(unfit)?;
    writer.finish().map_err(unfit)?;
    Ok(bytes)
}

/// The picture as JPEG bytes (4:2:0); `quality` from 1 to 100. Each side at most 65,535 pixels.
pub fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| unfit(picture, "JPEG", &"a side is too long"));
    let (width, height) = (side(picture.width)?, side(picture.height)?);
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder
        .encode(&picture.data, width, height, jpeg_encoder::ColorType::Rgb)
        .map_err(|error| unfit(picture, "JPEG", &error))?;
    Ok(bytes)
}

fn unfit(picture: &RgbImage, format: &'static str, reason: &dyn std::fmt::Display) -> EncodeError {
    EncodeError::Unfit {
        width: picture.width,
        height: picture.height,
        format,
        reason: reason.to_string(),
    }
}
