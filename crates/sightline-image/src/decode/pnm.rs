//! PBM, PGM and PPM, as text (P1, P2, P3) and as bytes (P4, P5, P6), with any maximum.

use super::{DecodeError, DecodeOptions, Format, Truncated, allocate, check_size};
use crate::pixels::RgbImage;

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Pnm };

fn broken(reason: impl Into<String>) -> DecodeError {
    DecodeError::broken(Format::Pnm, reason)
}

/// What C calls white space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C)
}

struct Header {
    /// `1` to `6`.
    kind: u8,
    width: u64,
    height: u64,
    maximum: u32,
    /// Where the pixels begin.
    offset: usize,
}

impl Header {
    fn channels(&self) -> usize {
        if matches!(self.kind, b'3' | b'6') { 3 } else { 1 }
    }

    /// Gray of more than 8 bits goes to 16 bits and is clipped to 8, anything else is scaled to 8.
    fn scale(&self, value: u32) -> u8 {
        let wide = self.channels() == 1 && self.maximum > 255;
        let full = if wide { 65535.0 } else { 255.0 };
        let scaled = (f64::from(value) / f64::from(self.maximum) * full).round_ties_even();
        scaled.min(255.0) as u8
    }
}

fn header(bytes: &[u8]) -> Result<Header, DecodeError> {
    let mut at = 3;
    let kind = *bytes.get(1).ok_or(TRUNCATED)?;
    let (width, height) = (number(bytes, &mut at)?, number(bytes, &mut at)?);
    let maximum = if matches!(kind, b'1' | b'4') {
        1
    } else {
        number(bytes, &mut at)?
    };
    let maximum = u32::try_from(maximum)
        .ok()
        .filter(|maximum| (1..65536).contains(maximum));
    let maximum = maximum.ok_or_else(|| broken("its largest value is not between 1 and 65535"))?;
    Ok(Header {
        kind,
        width,
        height,
        maximum,
        offset: at,
    })
}

/// The next number of the header, and the one byte after it.
fn number(bytes: &[u8], at: &mut usize) -> Result<u64, DecodeError> {
    let mut digits = 0;
    let mut value = 0;
    loop {
        let byte = bytes.get(*at).copied();
        *at += 1;
        match byte {
            Some(digit @ b'0'..=b'9') if digits < 10 => {
                value = 10 * value + u64::from(digit - b'0');
                digits += 1;
            }
            Some(b'#') => {
                while !matches!(bytes.get(*at), None | Some(b'\n' | b'\r')) {
                    *at += 1;
                }
                *at += 1;
            }
            Some(byte) if is_space(byte) && digits == 0 => {}
            Some(byte) if is_space(byte) => return Ok(value),
            None if digits > 0 => return Ok(value),
            None => return Err(TRUNCATED),
            Some(_) => return Err(broken("its header holds something else than numbers")),
        }
    }
}

pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    let header = header(bytes)?;
    let side = |side: u64| u32::try_from(side).map_err(|_| broken("a side is too long"));
    Ok((side(header.width)?, side(header.height)?))
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, DecodeError> {
    let header = header(bytes)?;
    let (width, height) = check_size(Format::Pnm, header.width, header.height, options)?;
    let mut data = allocate(width as usize, height as usize, 3)?;
    let stored = bytes.get(header.offset..).unwrap_or(&[]);
    match header.kind {
        b'1' => read_bits(stored, &mut data)?,
        b'2' | b'3' => read_numbers(stored, &header, &mut data)?,
        kind => {
            let row = width as usize;
            let length = match kind {
                b'4' => row.div_ceil(8),
                _ if header.maximum > 255 => 2 * row * header.channels(),
                _ => row * header.channels(),
            };
            let table = std::array::from_fn(|value| header.scale(value as u32));
            // Pillow tolerates missing rows only where it does not have to scale.
            let tolerate = options.truncated == Truncated::Tolerate
                && (kind == b'4' || header.maximum == 255 || (header.maximum == 65535 && kind == b'5'));
            for (index, out) in data.chunks_exact_mut(3 * row).enumerate() {
                match stored.get(index * length..).and_then(|rest| rest.get(..length)) {
                    Some(values) => unpack(values, &header, &table, out),
                    None if tolerate => break,
                    None => return Err(TRUNCATED),
                }
            }
        }
    }
    Ok(RgbImage { width, height, data })
}

fn unpack(row: &[u8], header: &Header, table: &[u8; 256], out: &mut [u8]) {
    let pixels = out.as_chunks_mut::<3>().0;
    if header.kind == b'4' {
        for (x, pixel) in pixels.iter_mut().enumerate() {
            let ink = row[x / 8] >> (7 - x % 8) & 1;
            *pixel = [if ink == 1 { 0 } else { 255 }; 3];
        }
        return;
    }
    if header.maximum == 255 && header.kind == b'6' {
        out.copy_from_slice(row);
        return;
    }
    let value = |index: usize| {
        if header.maximum > 255 {
            header.scale(u32::from(u16::from_be_bytes([
                row[2 * index],
                row[2 * index + 1],
            ])))
        } else {
            table[usize::from(row[index])]
        }
    };
    match header.channels() {
        1 => pixels
            .iter_mut()
            .enumerate()
            .for_each(|(x, pixel)| *pixel = [value(x); 3]),
        _ => out
            .iter_mut()
            .enumerate()
            .for_each(|(index, out)| *out = value(index)),
    }
}

/// The text without its comments.
fn without_comments(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut comment = false;
    text.iter().copied().filter(move |byte| {
        if comment {
            // The line end goes with the comment.
            comment = !matches!(byte, b'\n' | b'\r');
            return false;
        }
        comment = *byte == b'#';
        !comment
    })
}

fn read_bits(text: &[u8], data: &mut [u8]) -> Result<(), DecodeError> {
    let mut bits = without_comments(text).filter(|byte| !is_space(*byte));
    for pixel in data.as_chunks_mut::<3>().0 {
        *pixel = match bits.next() {
            Some(b'0') => [255; 3],
            Some(b'1') => [0; 3],
            Some(_) => return Err(broken("its pixels hold something else than 0 and 1")),
            None => return Err(TRUNCATED),
        };
    }
    Ok(())
}

fn read_numbers(text: &[u8], header: &Header, data: &mut [u8]) -> Result<(), DecodeError> {
    let mut text = without_comments(text);
    let mut next = || -> Result<u8, DecodeError> {
        let mut value: Option<u32> = None;
        loop {
            match text.next() {
                Some(digit @ b'0'..=b'9') => {
                    let digit = u32::from(digit - b'0');
                    value = Some(value.unwrap_or(0).saturating_mul(10).saturating_add(digit));
                }
                Some(byte) if !is_space(byte) => {
                    return Err(broken("its pixels hold something else than numbers"));
                }
                byte => match value {
                    Some(value) if value > header.maximum => {
                        return Err(broken("a pixel is larger than its largest value"));
                    }
                    Some(value) => return Ok(header.scale(value)),
                    None if byte.is_none() => return Err(TRUNCATED),
                    None => {}
                },
            }
        }
    };
    for pixel in data.as_chunks_mut::<3>().0 {
        *pixel = if header.channels() == 1 {
            [next()?; 3]
        } else {
            [next()?, next()?, next()?]
        };
    }
    Ok(())
}
