//! From the bytes of a picture file to RGB pixels, exactly as Pillow's `Image.open(file).convert("RGB")`.
//!
//! The format is recognised by content, never by name. Sizes are checked against [`DecodeOptions::max_pixels`] before
//! anything is allocated, and nothing in a file makes a decoder panic: whatever the bytes, the answer is a picture or a
//! [`DecodeError`].
//!
//! ```
//! use sightline_image::decode::{DecodeOptions, Format, decode, probe};
//!
//! let file = b"P6 2 1 255\n\xff\x00\x00\x00\x00\xff";
//! assert_eq!(probe(file)?.format, Format::Pnm);
//! let picture = decode(file, &DecodeOptions::default())?;
//! assert_eq!((picture.width, picture.height), (2, 1));
//! assert_eq!(picture.pixel(1, 0), Some([0, 0, 255]));
//! # Ok::<(), sightline_image::decode::DecodeError>(())
//! ```

mod bmp;
mod colour;
mod exif;
mod gif;
mod gif_lzw;
mod inflate;
mod jpeg;
mod png;
mod pnm;
mod tiff;
mod tiff_compression;
mod tiff_directory;
mod tiff_fax;
mod webp;

use crate::pixels::RgbImage;
use std::fmt;

/// What happens to files whose data ends early or breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Truncated {
    /// They are errors (Pillow's default).
    #[default]
    Refuse,
    /// What is there is decoded (Pillow's `LOAD_TRUNCATED_IMAGES`).
    Tolerate,
}

/// What happens to the Exif orientation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orientation {
    /// It is ignored, as Pillow's `convert` does.
    #[default]
    Ignore,
    /// The picture is turned upright, as Pillow's `ImageOps.exif_transpose` does.
    Apply,
}

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Pictures of more pixels than this are refused before anything is allocated.
    pub max_pixels: u64,
    /// Files whose data ends early.
    pub truncated: Truncated,
    /// The Exif orientation of JPEG, PNG and WebP. TIFF pictures are always turned upright, as Pillow does.
    pub orientation: Orientation,
}

/// Pillow's limit (2 * 89,478,485 pixels), above which it refuses a picture as a decompression bomb.
pub const MAX_PIXELS: u64 = 178_956_970;

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            max_pixels: MAX_PIXELS,
            truncated: Truncated::Refuse,
            orientation: Orientation::Ignore,
        }
    }
}

/// A picture file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG.
    Png,
    /// WebP, lossy or lossless.
    WebP,
    /// GIF.
    Gif,
    /// TIFF.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// PBM, PGM or PPM.
    Pnm,
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
            Self::Pnm => "PNM",
        })
    }
}

/// What a file's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// The format, recognised by content.
    pub format: Format,
    /// Pixels per row as [`decode`] gives them, before any Exif orientation.
    pub width: u32,
    /// Rows, likewise.
    pub height: u32,
}

/// Why a picture could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("The file is empty; fetch it again.")]
    Empty,
    /// No known format begins like this.
    #[error("The file is not a picture of a known format (JPEG, PNG, WebP, GIF, TIFF, BMP or PNM).")]
    UnknownFormat,
    /// The data ends early.
    #[error(
        "The {format} picture ends early; fetch the file again, or let truncated files be tolerated to see what is there."
    )]
    Truncated {
        /// The file's format.
        format: Format,
    },
    /// The data contradicts itself or its format.
    #[error("The {format} picture is broken: {reason}.")]
    Broken {
        /// The file's format.
        format: Format,
        /// What is wrong.
        reason: String,
    },
    /// A variant of the format that is not read here.
    #[error("The {format} picture uses {feature}, which is not supported; convert it to PNG first.")]
    Unsupported {
        /// The file's format.
        format: Format,
        /// What is used.
        feature: String,
    },
    /// More pixels than [`DecodeOptions::max_pixels`].
    #[error(
        "The picture claims {width} x {height} pixels, more than the limit of {max_pixels}; raise the limit if the file can be trusted."
    )]
    TooLarge {
        /// Pixels per row.
        width: u64,
        /// Rows.
        height: u64,
        /// The limit.
        max_pixels: u64,
    },
    /// The pixels do not fit into memory.
    #[error("There is not enough memory for the {bytes} bytes of the picture.")]
    OutOfMemory {
        /// What was asked for.
        bytes: u64,
    },
}

impl DecodeError {
    fn broken(format: Format, reason: impl Into<String>) -> Self {
        Self::Broken {
            format,
            reason: reason.into(),
        }
    }

    fn unsupported(format: Format, feature: impl Into<String>) -> Self {
        Self::Unsupported {
            format,
            feature: feature.into(),
        }
    }
}

/// Whose choices are followed where the originals' libraries differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Pillow's `Image.open(...).convert("RGB")`.
    Pillow,
    /// OpenCV's `imread`.
    OpenCv,
}

/// Decodes a picture to RGB as Pillow does: the first frame, without blending alpha, without colour management.
///
/// # Errors
/// [`DecodeError`] says what is wrong with the file.
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, DecodeError> {
    decode_as(bytes, options, Manner::Pillow)
}

/// Decodes a picture as OpenCV's `imread` does: **blue, green, red**, the Exif orientation always applied.
///
/// It differs from [`decode`] in CMYK, in 16-bit gray (the high byte, where Pillow clips) and in 16-bit BMP files (no
/// filling of the low bits).
///
/// # Errors
/// As [`decode`].
pub fn decode_cv2(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, DecodeError> {
    let options = DecodeOptions {
        orientation: Orientation::Apply,
        ..*options
    };
    let mut image = decode_as(bytes, &options, Manner::OpenCv)?;
    for pixel in image.data.chunks_exact_mut(3) {
        pixel.swap(0, 2);
    }
    Ok(image)
}

fn decode_as(bytes: &[u8], options: &DecodeOptions, manner: Manner) -> Result<RgbImage, DecodeError> {
    let format = format_of(bytes)?;
    let image = match format {
        Format::Jpeg => jpeg::decode(bytes, options, manner),
        Format::Png => png::decode(bytes, options, manner),
        Format::WebP => webp::decode(bytes, options),
        Format::Gif => gif::decode(bytes, options),
        Format::Tiff => tiff::decode(bytes, options, manner),
        Format::Bmp => bmp::decode(bytes, options, manner),
        Format::Pnm => pnm::decode(bytes, options),
    }?;
    Ok(match options.orientation {
        Orientation::Ignore => image,
        Orientation::Apply => exif::upright(image, orientation(bytes, format)),
    })
}

/// The orientation a file carries, 1 where it carries none.
fn orientation(bytes: &[u8], format: Format) -> u8 {
    let block = match format {
        Format::Jpeg => jpeg::exif(bytes),
        Format::Png => png::exif(bytes),
        Format::WebP => webp::exif(bytes),
        // Pillow and OpenCV turn TIFF pictures whatever one asks.
        Format::Tiff | Format::Gif | Format::Bmp | Format::Pnm => None,
    };
    block.and_then(|block| exif::orientation(&block)).unwrap_or(1)
}

/// What the header says, without decoding pixels.
///
/// # Errors
/// When the format is unknown or the header broken or cut off.
pub fn probe(bytes: &[u8]) -> Result<Probe, DecodeError> {
    let format = format_of(bytes)?;
    let (width, height) = match format {
        Format::Jpeg => jpeg::size(bytes),
        Format::Png => png::size(bytes),
        Format::WebP => webp::size(bytes),
        Format::Gif => gif::size(bytes),
        Format::Tiff => tiff::size(bytes),
        Format::Bmp => bmp::size(bytes),
        Format::Pnm => pnm::size(bytes),
    }?;
    Ok(Probe {
        format,
        width,
        height,
    })
}

/// The format of a file, or why it has none.
fn format_of(bytes: &[u8]) -> Result<Format, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    recognise(bytes).ok_or(DecodeError::UnknownFormat)
}

fn recognise(bytes: &[u8]) -> Option<Format> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if starts(b"\xFF\xD8\xFF") {
        Some(Format::Jpeg)
    } else if starts(b"\x89PNG\r\n\x1A\n") {
        Some(Format::Png)
    } else if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(Format::WebP)
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        Some(Format::Gif)
    } else if tiff_directory::MAGICS
        .iter()
        .any(|magic| starts(magic.as_slice()))
    {
        Some(Format::Tiff)
    } else if starts(b"BM") {
        Some(Format::Bmp)
    } else if let (Some(b'P'), Some(b'1'..=b'6'), Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C)) =
        (bytes.first(), bytes.get(1), bytes.get(2))
    {
        Some(Format::Pnm)
    } else {
        None
    }
}

/// Refuses empty pictures and those above the limit.
fn check_size(
    format: Format,
    width: u64,
    height: u64,
    options: &DecodeOptions,
) -> Result<(u32, u32), DecodeError> {
    if width == 0 || height == 0 {
        return Err(DecodeError::broken(format, "it has no pixels"));
    }
    let too_large = DecodeError::TooLarge {
        width,
        height,
        max_pixels: options.max_pixels,
    };
    match (
        u32::try_from(width),
        u32::try_from(height),
        width.checked_mul(height),
    ) {
        (Ok(w), Ok(h), Some(pixels)) if pixels <= options.max_pixels => Ok((w, h)),
        _ => Err(too_large),
    }
}

/// Zeroed memory for `width * height * channels` bytes, or an error where there is not enough.
fn allocate(width: usize, height: usize, channels: usize) -> Result<Vec<u8>, DecodeError> {
    let bytes = width
        .checked_mul(height)
        .and_then(|pixels| pixels.checked_mul(channels));
    let out_of_memory = DecodeError::OutOfMemory {
        bytes: bytes.map_or(u64::MAX, |bytes| bytes as u64),
    };
    let Some(bytes) = bytes else {
        return Err(out_of_memory);
    };
    // Asking first turns a failure into an error; memory that comes zeroed costs nothing until it is written.
    if Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        return Err(out_of_memory);
    }
    Ok(vec![0; bytes])
}
