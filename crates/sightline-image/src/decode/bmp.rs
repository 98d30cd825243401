//! Windows bitmaps: palettes of 1, 4 and 8 bits, run lengths, and 16, 24 and 32 bits in the layouts Pillow knows.

use super::colour::Palette;
use super::{DecodeError, DecodeOptions, Format, Manner, Truncated, allocate, check_size};
use crate::pixels::RgbImage;

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Bmp };

fn unsupported(feature: impl Into<String>) -> DecodeError {
    DecodeError::unsupported(Format::Bmp, feature)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, DecodeError> {
    let bytes = bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .ok_or(TRUNCATED)?;
    Ok(u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, DecodeError> {
    let bytes = bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .ok_or(TRUNCATED)?;
    Ok(u32::from_le_bytes(*bytes))
}

/// How one pixel is stored.
#[derive(Clone, Copy)]
enum Layout {
    /// Indices of 1, 4 or 8 bits.
    Indices(usize),
    /// Run lengths of indices of 4 or 8 bits.
    Runs(usize),
    /// 16 bits, with this many for green and five for red and blue.
    Sixteen { green: u32 },
    /// Whole bytes per channel: bytes per pixel, and where red, green and blue are among them.
    Bytes { step: usize, rgb: [usize; 3] },
}

impl Layout {
    fn bits(self) -> u64 {
        match self {
            Self::Indices(bits) | Self::Runs(bits) => bits as u64,
            Self::Sixteen { .. } => 16,
            Self::Bytes { step, .. } => 8 * step as u64,
        }
    }
}

struct Header {
    width: u64,
    height: u64,
    top_down: bool,
    layout: Layout,
    palette: Palette,
    /// Where the pixels begin.
    offset: usize,
}

fn header(bytes: &[u8]) -> Result<Header, DecodeError> {
    let length = u32_at(bytes, 14)?;
    if !matches!(length, 12 | 40 | 52 | 56 | 64 | 108 | 124) {
        return Err(unsupported(format!("a header of {length} bytes")));
    }
    let old = length == 12;
    let mut at = 14 + length as usize;
    if bytes.len() < at {
        return Err(TRUNCATED);
    }
    let (width, height, top_down, bits, compression, mut colours) = if old {
        let size = (u64::from(u16_at(bytes, 18)?), u64::from(u16_at(bytes, 20)?));
        (size.0, size.1, false, u16_at(bytes, 24)?, 0, 0)
    } else {
        let height = u32_at(bytes, 22)?;
        let top_down = height >> 24 == 0xFF;
        let rows = if top_down {
            (1 << 32) - u64::from(height)
        } else {
            u64::from(height)
        };
        let (bits, compression) = (u16_at(bytes, 28)?, u32_at(bytes, 30)?);
        (
            u64::from(u32_at(bytes, 18)?),
            rows,
            top_down,
            bits,
            compression,
            u64::from(u32_at(bytes, 46)?),
        )
    };
    let layout = match (compression, bits) {
        (0, 1 | 4 | 8) => Layout::Indices(bits.into()),
        (0, 16) => Layout::Sixteen { green: 5 },
        (0, 24) => Layout::Bytes {
            step: 3,
            rgb: [2, 1, 0],
        },
        (0, 32) => Layout::Bytes {
            step: 4,
            rgb: [2, 1, 0],
        },
        (1, 8) => Layout::Runs(8),
        (2, 4) => Layout::Runs(4),
        (3, 16 | 24 | 32) => {
            // Short headers are followed by the three masks, longer ones hold them, with the one of alpha.
            let masks = [u32_at(bytes, 54)?, u32_at(bytes, 58)?, u32_at(bytes, 62)?];
            let alpha = if length >= 56 { u32_at(bytes, 66)? } else { 0 };
            if length < 52 {
                at += 12;
            }
            by_masks(bits, masks, alpha)?
        }
        _ => return Err(unsupported(format!("{bits} bits with compression {compression}"))),
    };
    let entry = if old { 3 } else { 4 };
    if colours == 0 {
        colours = 1 << bits.min(32);
    }
    let mut offset = u64::from(u32_at(bytes, 10)?);
    if bits <= 8 && offset == 14 + u64::from(length) {
        // Some writers forget that the palette lies between.
        offset = offset.saturating_add(entry as u64 * colours);
    }
    let mut palette = Palette::gray();
    if bits <= 8 {
        if colours > 65536 {
            return Err(unsupported(format!("a palette of {colours} colours")));
        }
        let end = bytes.len().min(at + entry * colours as usize);
        palette = Palette::new(
            bytes[at..end]
                .chunks_exact(entry)
                .map(|bgr| [bgr[2], bgr[1], bgr[0]]),
        );
        at = end;
    }
    let offset = if offset == 0 {
        at
    } else {
        usize::try_from(offset).unwrap_or(usize::MAX)
    };
    Ok(Header {
        width,
        height,
        top_down,
        layout,
        palette,
        offset,
    })
}

/// The layouts of masks that Pillow knows.
fn by_masks(bits: u16, [red, green, blue]: [u32; 3], alpha: u32) -> Result<Layout, DecodeError> {
    let rgb = match (bits, red, green, blue, alpha) {
        (16, 0xF800, 0x7E0, 0x1F, _) => return Ok(Layout::Sixteen { green: 6 }),
        (16, 0x7C00, 0x3E0, 0x1F, _) => return Ok(Layout::Sixteen { green: 5 }),
        (24, 0xFF_0000, 0xFF00, 0xFF, _)
        | (32, 0xFF_0000, 0xFF00, 0xFF, 0 | 0xFF00_0000)
        | (32, 0, 0, 0, 0) => [2, 1, 0],
        (32, 0xFF00_0000, 0xFF_0000, 0xFF00, 0 | 0xFF) => [3, 2, 1],
        (32, 0xFF00_0000, 0xFF00, 0xFF, 0 | 0xFF_0000) => [3, 1, 0],
        (32, 0xFF, 0xFF00, 0xFF_0000, 0xFF00_0000) => [0, 1, 2],
        _ => {
            return Err(unsupported(format!(
                "the masks {red:x}, {green:x}, {blue:x}, {alpha:x} of {bits} bits"
            )));
        }
    };
    Ok(Layout::Bytes {
        step: usize::from(bits / 8),
        rgb,
    })
}

pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    let header = header(bytes)?;
    let side =
        |side: u64| u32::try_from(side).map_err(|_| DecodeError::broken(Format::Bmp, "a side is too long"));
    Ok((side(header.width)?, side(header.height)?))
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions, manner: Manner) -> Result<RgbImage, DecodeError> {
    let header = header(bytes)?;
    let (width, height) = check_size(Format::Bmp, header.width, header.height, options)?;
    let mut data = allocate(width as usize, height as usize, 3)?;
    let stored = bytes.get(header.offset..).unwrap_or(&[]);
    let unpacked;
    let (stride, length, rows) = match header.layout {
        Layout::Runs(bits) => {
            unpacked = runs(bytes, header.offset, bits, width as usize, height as usize)?;
            (width as usize, width as usize, unpacked.as_slice())
        }
        layout => {
            let bits = u64::from(width) * layout.bits();
            (bits.div_ceil(32) as usize * 4, bits.div_ceil(8) as usize, stored)
        }
    };
    if !matches!(header.layout, Layout::Sixteen { .. } | Layout::Bytes { .. }) {
        // Rows that never arrive have index 0.
        data.as_chunks_mut().0.fill(header.palette.colour(0));
    }
    for index in 0..height as usize {
        let Some(row) = rows.get(index * stride..).and_then(|rest| rest.get(..length)) else {
            if options.truncated == Truncated::Refuse {
                return Err(TRUNCATED);
            }
            break;
        };
        let y = if header.top_down {
            index
        } else {
            height as usize - 1 - index
        };
        let start = 3 * width as usize * y;
        let out = data[start..start + 3 * width as usize].as_chunks_mut().0;
        unpack(row, header.layout, &header.palette, manner, out);
    }
    Ok(RgbImage { width, height, data })
}

fn unpack(row: &[u8], layout: Layout, palette: &Palette, manner: Manner, out: &mut [[u8; 3]]) {
    match layout {
        Layout::Runs(_) | Layout::Indices(8) => {
            out.iter_mut()
                .zip(row)
                .for_each(|(pixel, index)| *pixel = palette.colour(*index));
        }
        Layout::Indices(bits) => {
            for (x, pixel) in out.iter_mut().enumerate() {
                let shift = 8 - bits - x * bits % 8;
                *pixel = palette.colour((row[x * bits / 8] >> shift) & ((1 << bits) - 1));
            }
        }
        Layout::Sixteen { green } => {
            for (pixel, stored) in out.iter_mut().zip(row.as_chunks().0) {
                let stored = u32::from(u16::from_le_bytes(*stored));
                let channel = |shift: u32, bits: u32| {
                    let full = (1 << bits) - 1;
                    let value = (stored >> shift) & full;
                    match manner {
                        Manner::Pillow => (value * 255 / full) as u8,
                        Manner::OpenCv => (value << (8 - bits)) as u8,
                    }
                };
                *pixel = [channel(5 + green, 5), channel(5, green), channel(0, 5)];
            }
        }
        Layout::Bytes { step, rgb } => {
            for (pixel, stored) in out.iter_mut().zip(row.chunks_exact(step)) {
                *pixel = rgb.map(|at| stored[at]);
            }
        }
    }
}

/// Undoes run lengths: one index per pixel. As in Pillow a picture that ends early is an error in any case.
fn runs(
    bytes: &[u8],
    start: usize,
    bits: usize,
    width: usize,
    height: usize,
) -> Result<Vec<u8>, DecodeError> {
    let total = width.checked_mul(height).ok_or(TRUNCATED)?;
    let mut data = Vec::new();
    let (mut at, mut x) = (start, 0);
    let nibbles = |byte: u8| [byte >> 4, byte & 15];
    while data.len() < total {
        let Some(&[count, value]) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else {
            break;
        };
        at += 2;
        match (count, value) {
            (0, 0) => {
                data.resize(data.len().next_multiple_of(width), 0);
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                let Some(&[right, up]) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else {
                    break;
                };
                at += 2;
                let skipped = usize::from(right) + usize::from(up) * width;
                data.resize(data.len() + skipped.min(total - data.len()), 0);
                x = data.len() % width;
            }
            (0, literal) => {
                let wanted = usize::from(literal).min(total - data.len());
                let length = if bits == 4 { wanted.div_ceil(2) } else { wanted };
                let rest = bytes.get(at..).unwrap_or(&[]);
                let stored = &rest[..length.min(rest.len())];
                if bits == 4 {
                    data.extend(stored.iter().flat_map(|byte| nibbles(*byte)).take(wanted));
                } else {
                    data.extend_from_slice(stored);
                }
                at += length;
                if stored.len() < length {
                    break;
                }
                x += usize::from(literal);
                // Literals fill whole words of the file.
                at += at % 2;
            }
            (count, value) => {
                let wanted = usize::from(count).min(width.saturating_sub(x));
                let pair = if bits == 4 { nibbles(value) } else { [value; 2] };
                data.extend((0..wanted).map(|index| pair[index % 2]));
                x += wanted;
            }
        }
    }
    if data.len() < total {
        Err(TRUNCATED)
    } else {
        Ok(data)
    }
}
