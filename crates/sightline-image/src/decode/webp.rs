//! WebP by `image-webp`, whose upsampling and colours are libwebp's.

use super::{DecodeError, DecodeOptions, Format, allocate, check_size};
use crate::pixels::RgbImage;
use image_webp::{DecodingError, WebPDecoder};
use std::io::{Cursor, ErrorKind};

fn error(error: DecodingError) -> DecodeError {
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format: Format::WebP }
        }
        error => DecodeError::broken(Format::WebP, error.to_string()),
    }
}

pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    Ok(WebPDecoder::new(Cursor::new(bytes)).map_err(error)?.dimensions())
}

/// A chunk's name and contents, and the chunks after it.
type Split<'a> = (&'a [u8; 4], &'a [u8], &'a [u8]);

fn first_chunk(bytes: &[u8]) -> Option<Split<'_>> {
    let (name, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    let data = rest.get(..length)?;
    Some((name, data, rest.get(length + length % 2..).unwrap_or(&[])))
}

/// Refuses bitstreams with another size than the frame they are in: their memory would not be bounded by the limit.
fn check_bitstreams(mut chunks: &[u8], (width, height): (u32, u32)) -> Result<(), DecodeError> {
    let u16_at = |data: &[u8], at: usize| {
        data.get(at..at + 2)
            .map(|two| u32::from(two[0]) | u32::from(two[1]) << 8)
    };
    while let Some((name, data, rest)) = first_chunk(chunks) {
        chunks = rest;
        let size = match name {
            b"VP8 " => u16_at(data, 6)
                .zip(u16_at(data, 8))
                .map(|(w, h)| (w & 0x3FFF, h & 0x3FFF)),
            b"VP8L" => u16_at(data, 1).zip(u16_at(data, 3)).map(|(low, high)| {
                let bits = low | high << 16;
                ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
            }),
            b"ANMF" => {
                // Only the first frame is decoded.
                let side = |at: usize| {
                    u16_at(data, at)
                        .zip(data.get(at + 2))
                        .map(|(low, high)| low | u32::from(*high) << 16)
                };
                let (Some(width), Some(height)) = (side(6), side(9)) else {
                    return Err(TRUNCATED);
                };
                return check_bitstreams(data.get(16..).unwrap_or(&[]), (width + 1, height + 1));
            }
            _ => continue,
        };
        if size != Some((width, height)) {
            return Err(DecodeError::broken(
                Format::WebP,
                "its parts have different sizes",
            ));
        }
    }
    Ok(())
}

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::WebP };

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, DecodeError> {
    // Like Pillow, no part of a file is decoded unless all of it is there.
    let claimed = bytes
        .get(4..)
        .and_then(|rest| rest.first_chunk())
        .map(|length| u32::from_le_bytes(*length) as usize);
    if claimed.is_none_or(|claimed| bytes.len() - 8 < claimed) {
        return Err(TRUNCATED);
    }
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(error)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = check_size(Format::WebP, width.into(), height.into(), options)?;
    check_bitstreams(bytes.get(12..).unwrap_or(&[]), (width, height))?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut data = allocate(width as usize, height as usize, channels)?;
    decoder.read_image(&mut data).map_err(error)?;
    if channels == 4 {
        let rgb = data
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|[red, green, blue, _]| [*red, *green, *blue]);
        data = rgb.collect();
    }
    Ok(RgbImage { width, height, data })
}

/// The contents of the `EXIF` chunk, without the marker that some writers put before it.
pub(super) fn exif(bytes: &[u8]) -> Option<Vec<u8>> {
    let block = WebPDecoder::new(Cursor::new(bytes))
        .ok()?
        .exif_metadata()
        .ok()??;
    Some(
        block
            .strip_prefix(b"Exif\0\0")
            .map(<[u8]>::to_vec)
            .unwrap_or(block),
    )
}
