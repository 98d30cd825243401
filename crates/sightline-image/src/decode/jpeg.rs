//! JPEG through libjpeg, the library whose pixels Pillow gives: slow-integer transform, fancy upsampling.
//!
//! `native/jpeg.c` holds the calls; errors of libjpeg come back as values. Nothing here depends on how the data ends:
//! running out of bytes is told apart from being broken, as Pillow tells them apart.

#![allow(unsafe_code)]

use super::colour::from_inverted_inks;
use super::{DecodeError, DecodeOptions, Format, Manner, Truncated, allocate, check_size};
use crate::pixels::RgbImage;
use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;

#[repr(C)]
struct Raw {
    _opaque: [u8; 0],
}

#[repr(C)]
#[derive(Default, Clone, Copy)]
struct Header {
    width: u32,
    height: u32,
    components: u32,
}

const OK: c_int = 0;
const SUSPENDED: c_int = 1;

// `mozjpeg-sys` is linked for its library; its Rust declarations are not used.
use mozjpeg_sys as _;

unsafe extern "C" {
    fn sightline_jpeg_new(bytes: *const u8, length: usize) -> *mut Raw;
    fn sightline_jpeg_free(jpeg: *mut Raw);
    fn sightline_jpeg_message(jpeg: *const Raw) -> *const c_char;
    fn sightline_jpeg_header(jpeg: *mut Raw, header: *mut Header) -> c_int;
    fn sightline_jpeg_start(jpeg: *mut Raw, raw: c_int, ycc: c_int) -> c_int;
    fn sightline_jpeg_finish(jpeg: *mut Raw) -> c_int;
    fn sightline_jpeg_rows(jpeg: *mut Raw, rows: *mut u8, stride: usize, count: u32, done: *mut u32)
    -> c_int;
}

/// Why libjpeg stopped.
enum Stop {
    /// The bytes ran out.
    Suspended,
    /// libjpeg's sentence.
    Failed(String),
}

impl Stop {
    fn into_error(self) -> DecodeError {
        match self {
            Self::Suspended => DecodeError::Truncated { format: Format::Jpeg },
            Self::Failed(reason) => DecodeError::broken(Format::Jpeg, reason),
        }
    }
}

/// A libjpeg decoder over borrowed bytes.
struct Jpeg<'a> {
    raw: *mut Raw,
    bytes: PhantomData<&'a [u8]>,
}

impl Drop for Jpeg<'_> {
    fn drop(&mut self) {
        // SAFETY: `raw` came from sightline_jpeg_new and is freed only here.
        unsafe { sightline_jpeg_free(self.raw) }
    }
}

impl<'a> Jpeg<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        // SAFETY: the pointer and length are of one slice, which outlives the decoder by the lifetime.
        let raw = unsafe { sightline_jpeg_new(bytes.as_ptr(), bytes.len()) };
        if raw.is_null() {
            return Err(DecodeError::OutOfMemory { bytes: 0 });
        }
        Ok(Self {
            raw,
            bytes: PhantomData,
        })
    }

    fn check(&self, code: c_int) -> Result<(), Stop> {
        match code {
            OK => Ok(()),
            SUSPENDED => Err(Stop::Suspended),
            _ => {
                // SAFETY: the message is a nul-terminated array inside the living decoder.
                let text = unsafe { CStr::from_ptr(sightline_jpeg_message(self.raw)) };
                Err(Stop::Failed(text.to_string_lossy().into_owned()))
            }
        }
    }

    fn header(&mut self) -> Result<Header, Stop> {
        let mut header = Header::default();
        // SAFETY: `raw` is a living decoder, `header` a struct of the same layout.
        let code = unsafe { sightline_jpeg_header(self.raw, &mut header) };
        self.check(code)?;
        Ok(header)
    }

    fn start(&mut self, colour: Colour) -> Result<(), Stop> {
        let (raw, ycc) = (
            c_int::from(colour == Colour::Stored),
            c_int::from(colour == Colour::YCbCr),
        );
        // SAFETY: `raw` is a living decoder whose header was read; otherwise libjpeg reports a wrong state.
        let code = unsafe { sightline_jpeg_start(self.raw, raw, ycc) };
        self.check(code)
    }

    /// Fills `rows` with whole rows of `stride` bytes; how many arrived, and why no more.
    fn rows(&mut self, rows: &mut [u8], stride: usize) -> (usize, Result<(), Stop>) {
        let count = u32::try_from(rows.len() / stride.max(1)).unwrap_or(u32::MAX);
        let mut done = 0;
        // SAFETY: `rows` holds `count` rows of `stride` bytes, and the C side checks that libjpeg's rows are as long.
        let code = unsafe { sightline_jpeg_rows(self.raw, rows.as_mut_ptr(), stride, count, &mut done) };
        (done as usize, self.check(code))
    }

    /// Reads on to the end marker.
    fn finish(&mut self) -> Result<(), Stop> {
        // SAFETY: `raw` is a living decoder; if its rows are not all read libjpeg reports a wrong state.
        let code = unsafe { sightline_jpeg_finish(self.raw) };
        self.check(code)
    }
}

/// How colours are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// As the markers say (RGB or CMYK comes out).
    Marked,
    /// Three components are YCbCr whatever the markers say (TIFF).
    YCbCr,
    /// The stored components come out (TIFF).
    Stored,
}

pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    let header = Jpeg::new(bytes)?.header().map_err(Stop::into_error)?;
    Ok((header.width, header.height))
}

/// Decodes as Pillow does. When the bytes run out and that is tolerated, an end marker is assumed; rows that do not
/// arrive even so stay empty.
pub(super) fn decode(bytes: &[u8], options: &DecodeOptions, manner: Manner) -> Result<RgbImage, DecodeError> {
    match decode_once(bytes, options, manner)? {
        (image, Ok(())) => Ok(image),
        (_, Err(stop)) if options.truncated == Truncated::Refuse => Err(stop.into_error()),
        (image, Err(Stop::Failed(_))) => Ok(image),
        (_, Err(Stop::Suspended)) => {
            let ended = [bytes, &[0xFF, 0xD9]].concat();
            Ok(decode_once(&ended, options, manner)?.0)
        }
    }
}

fn decode_once(
    bytes: &[u8],
    options: &DecodeOptions,
    manner: Manner,
) -> Result<(RgbImage, Result<(), Stop>), DecodeError> {
    let mut jpeg = Jpeg::new(bytes)?;
    let header = jpeg.header().map_err(Stop::into_error)?;
    let (width, height) = check_size(Format::Jpeg, header.width.into(), header.height.into(), options)?;
    if !matches!(header.components, 1 | 3 | 4) {
        return Err(DecodeError::unsupported(
            Format::Jpeg,
            format!("{} colour components", header.components),
        ));
    }
    let row = width as usize;
    let mut data = allocate(row, height as usize, 3)?;
    let mut stop = jpeg.start(Colour::Marked);
    if header.components == 4 {
        // Rows that never arrive have no ink: they are white.
        data.fill(255);
        let mut block = allocate(row, 16, 4)?;
        for rows in data.chunks_mut(3 * row * 16) {
            if stop.is_err() {
                break;
            }
            let wanted = rows.len() / 3 * 4;
            let (done, result) = jpeg.rows(&mut block[..wanted], 4 * row);
            for (pixel, inks) in rows.chunks_exact_mut(3).zip(block.as_chunks().0).take(done * row) {
                pixel.copy_from_slice(&from_inverted_inks(*inks, manner));
            }
            stop = result;
        }
    } else if stop.is_ok() {
        stop = jpeg.rows(&mut data, 3 * row).1;
    }
    if stop.is_ok() {
        stop = jpeg.finish();
    }
    Ok((RgbImage { width, height, data }, stop))
}

/// Decodes the JPEG data of a TIFF strip or tile into `out`, `out.len() / (width * components)` rows of
/// `width * components` bytes. The data may hold more rows than that, the excess is dropped.
pub(super) fn decode_strip(
    bytes: &[u8],
    width: usize,
    components: usize,
    colour: Colour,
    out: &mut [u8],
) -> Result<(), DecodeError> {
    let mut jpeg = Jpeg::new(bytes)?;
    let header = jpeg.header().map_err(Stop::into_error)?;
    let stride = width * components;
    let fits = header.components as usize == components && header.width as usize == width;
    if !fits || (header.height as usize) < out.len() / stride.max(1) {
        return Err(DecodeError::broken(
            Format::Tiff,
            "a part in JPEG has another shape than the directory says",
        ));
    }
    jpeg.start(colour).map_err(Stop::into_error)?;
    jpeg.rows(out, stride).1.map_err(Stop::into_error)
}

/// The Exif block: the contents of all `Exif` APP1 segments before the first scan, one after the other.
pub(super) fn exif(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut found: Option<Vec<u8>> = None;
    let mut at = 2;
    while let (Some(0xFF), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) {
        match marker {
            0xFF => at += 1,
            0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 | 0xDA => break,
            _ => {
                let length = usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
                let Some(segment) = bytes.get(at + 4..at + 2 + length.max(2)) else {
                    break;
                };
                if let (0xE1, Some(rest)) = (marker, segment.strip_prefix(b"Exif\0\0")) {
                    found.get_or_insert_default().extend_from_slice(rest);
                }
                at += 2 + length.max(2);
            }
        }
    }
    found
}
