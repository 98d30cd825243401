//! WebP by `image-webp`, whose upsampling and colours are libwebp's.

use super::{DecodeError, DecodeOptions, Format, allocate, check_size};
use crate::pixels::RgbImage;
use image_webp::{DecodingError, WebPDecoder};
use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// The size in the head of a bitstream.
fn bitstream_size(name: &[u8; 4], data: &[u8]) -> Option<(u32, u32)> {
    match name {
        b"VP8 " => {
            let [w0, w1, h0, h1] = *data.get(6..)?.first_chunk()?;
            Some((
                u32::from(u16::from_le_bytes([w0, w1]) & 0x3FFF),
                u32::from(u16::from_le_bytes([h0, h1]) & 0x3FFF),
            ))
        }
        b"VP8L" => {
            let bits = u32::from_le_bytes(*data.get(1..)?.first_chunk()?);
            Some(((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1))
        }
        _ => None,
    }
}

/// Refuses files whose picture, or first frame, has another size inside than outside: `image-webp` trusts them to be
/// equal, and the limit on pixels must hold for both.
fn check_bitstreams(mut chunks: &[u8], canvas: (u32, u32)) -> Result<(), DecodeError> {
    let different = || DecodeError::broken(Format::WebP, "its parts have different sizes");
    let mut animated = false;
    let mut found = false;
    while let Some((name, data, rest)) = first_chunk(chunks) {
        chunks = rest;
        match name {
            b"VP8X" => animated = data.first().is_some_and(|flags| flags & 2 != 0),
            b"VP8 " | b"VP8L" if !animated => {
                if bitstream_size(name, data) != Some(canvas) {
                    return Err(different());
                }
                found = true;
            }
            b"ANMF" if animated => {
                // Only the first frame is decoded.
                let side = |at: usize| {
                    data.get(at..at + 3)
                        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], 0]) + 1)
                };
                let frame = side(6).zip(side(9)).ok_or(TRUNCATED)?;
                let (mut name, mut data, rest) = data.get(16..).and_then(first_chunk).ok_or(TRUNCATED)?;
                if name == b"ALPH" {
                    (name, data, _) = first_chunk(rest)
                        .filter(|(name, ..)| *name == b"VP8 ")
                        .ok_or(TRUNCATED)?;
                }
                return if bitstream_size(name, data) == Some(frame) {
                    Ok(())
                } else {
                    Err(different())
                };
            }
            b"ANMF" => {
                return Err(DecodeError::broken(
                    Format::WebP,
                    "it has frames but says it has none",
                ));
            }
            _ => {}
        }
    }
    if found { Ok(()) } else { Err(TRUNCATED) }
}

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::WebP };

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, DecodeError> {
    // Like Pillow, no part of a file is decoded unless all of it is there.
    let claimed = bytes
        .get(4..)
        .and_then(|rest| rest.first_chunk())
        .map(|length| u32::from_le_bytes(*length) as usize);
    let bytes = claimed
        .and_then(|claimed| bytes.get(..claimed.checked_add(8)?))
        .ok_or(TRUNCATED)?;
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(error)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = check_size(Format::WebP, width.into(), height.into(), options)?;
    check_bitstreams(bytes.get(12..).unwrap_or(&[]), (width, height))?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut data = allocate(width as usize, height as usize, channels)?;
    // Files that got past the checks above have been seen to make it panic; the pictures of others must not suffer.
    catch_unwind(AssertUnwindSafe(|| decoder.read_image(&mut data)))
        .map_err(|_| DecodeError::broken(Format::WebP, "its data is damaged"))?
        .map_err(error)?;
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
    let mut chunks = bytes.get(12..)?;
    while let Some((name, data, rest)) = first_chunk(chunks) {
        if name == b"EXIF" {
            return Some(data.strip_prefix(b"Exif\0\0").unwrap_or(data).to_vec());
        }
        chunks = rest;
    }
    None
}
