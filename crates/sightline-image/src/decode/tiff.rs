//! TIFF: the first picture of a file in the modes that Pillow knows, in strips or tiles, always turned upright.

use super::colour::{Palette, from_inks};
use super::exif::upright;
use super::jpeg::Colour;
use super::png::gray16;
use super::tiff_compression::{Compression, undo_differences};
use super::tiff_directory::{Directory, Order};
use super::{DecodeError, DecodeOptions, Format, Manner, Truncated, allocate, check_size};
use crate::pixels::RgbImage;

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Tiff };

fn broken(reason: impl Into<String>) -> DecodeError {
    DecodeError::broken(Format::Tiff, reason)
}

fn unsupported(feature: impl Into<String>) -> DecodeError {
    DecodeError::unsupported(Format::Tiff, feature)
}

mod tag {
    pub(super) const WIDTH: u16 = 256;
    pub(super) const HEIGHT: u16 = 257;
    pub(super) const BITS: u16 = 258;
    pub(super) const COMPRESSION: u16 = 259;
    pub(super) const PHOTOMETRIC: u16 = 262;
    pub(super) const FILL_ORDER: u16 = 266;
    pub(super) const STRIP_OFFSETS: u16 = 273;
    pub(super) const ORIENTATION: u16 = 274;
    pub(super) const SAMPLES: u16 = 277;
    pub(super) const ROWS_PER_STRIP: u16 = 278;
    pub(super) const STRIP_LENGTHS: u16 = 279;
    pub(super) const PLANAR: u16 = 284;
    pub(super) const PREDICTOR: u16 = 317;
    pub(super) const COLOUR_MAP: u16 = 320;
    pub(super) const FAX_OPTIONS: u16 = 292;
    pub(super) const TILE_WIDTH: u16 = 322;
    pub(super) const TILE_HEIGHT: u16 = 323;
    pub(super) const TILE_OFFSETS: u16 = 324;
    pub(super) const TILE_LENGTHS: u16 = 325;
    pub(super) const EXTRA_SAMPLES: u16 = 338;
    pub(super) const SAMPLE_FORMAT: u16 = 339;
    pub(super) const JPEG_TABLES: u16 = 347;
}

/// What the samples of a pixel mean.
enum Meaning {
    /// Gray, unsigned up to 16 bits; inverted where 0 is white.
    Gray {
        inverted: bool,
    },
    /// Signed or float gray, or 32 bits: clipped to bytes.
    WideGray {
        float: bool,
        signed: bool,
    },
    Indices(Box<Palette>),
    Rgb,
    /// Colours already multiplied by the fourth sample.
    MultipliedRgb,
    Inks,
}

/// How the pixels lie in the file.
struct Layout {
    width: usize,
    height: usize,
    bits: u64,
    samples: usize,
    meaning: Meaning,
    planar: bool,
    /// Width and height of a strip or tile.
    part: (usize, usize),
    tiled: bool,
    order: Order,
    reversed: bool,
    predicted: bool,
}

fn stored_size(directory: &Directory) -> Result<(u64, u64), DecodeError> {
    let size = directory.number(tag::WIDTH).zip(directory.number(tag::HEIGHT));
    size.ok_or_else(|| broken("its directory gives no width and height"))
}

fn orientation(directory: &Directory) -> u8 {
    directory
        .number(tag::ORIENTATION)
        .and_then(|value| u8::try_from(value).ok())
        .unwrap_or(1)
}

pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    let directory = Directory::read(bytes)?;
    let (width, height) = stored_size(&directory)?;
    let side = |side: u64| u32::try_from(side).map_err(|_| broken("a side is too long"));
    let (width, height) = (side(width)?, side(height)?);
    Ok(if matches!(orientation(&directory), 5..=8) {
        (height, width)
    } else {
        (width, height)
    })
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions, manner: Manner) -> Result<RgbImage, DecodeError> {
    let directory = Directory::read(bytes)?;
    let (width, height) = stored_size(&directory)?;
    let (width, height) = check_size(Format::Tiff, width, height, options)?;
    let photometric = directory.number(tag::PHOTOMETRIC).unwrap_or(0);
    let colour = if photometric == 6 {
        Colour::YCbCr
    } else {
        Colour::Stored
    };
    let number = directory.number(tag::COMPRESSION).unwrap_or(1);
    let fax_options = directory.number(tag::FAX_OPTIONS).unwrap_or(0);
    let compression = Compression::new(number, fax_options, directory.bytes(tag::JPEG_TABLES), colour)?;
    let layout = layout(
        &directory,
        (width as usize, height as usize),
        photometric,
        &compression,
        options,
    )?;
    let data = read(bytes, &directory, &layout, &compression, options, manner)?;
    Ok(upright(RgbImage { width, height, data }, orientation(&directory)))
}

fn layout(
    directory: &Directory,
    (width, height): (usize, usize),
    photometric: u64,
    compression: &Compression,
    options: &DecodeOptions,
) -> Result<Layout, DecodeError> {
    let planar = directory.number(tag::PLANAR) == Some(2);
    let samples = directory.number(tag::SAMPLES).unwrap_or(1);
    if !(1..=6).contains(&samples) {
        return Err(unsupported(format!("{samples} samples per pixel")));
    }
    let bits = directory.number(tag::BITS).unwrap_or(1);
    if directory
        .numbers(tag::BITS)
        .take(samples as usize)
        .any(|other| other != bits)
    {
        return Err(unsupported("samples of different lengths"));
    }
    let extras: Vec<u64> = directory.numbers(tag::EXTRA_SAMPLES).take(7).collect();
    let format = directory.number(tag::SAMPLE_FORMAT).unwrap_or(1);
    let colours = match photometric {
        0 | 1 | 3 => 1,
        2 | 6 => 3,
        5 => 4,
        _ => return Err(unsupported(format!("the colour space {photometric}"))),
    };
    let without_extras = samples == colours || (photometric == 2 && samples == 4 && extras.is_empty());
    if !without_extras && samples != colours + extras.len() as u64 {
        return Err(broken(
            "its directory gives another number of samples than its colours need",
        ));
    }
    let order = directory.order;
    let little = order == Order::Little;
    let meaning = match (photometric, format, bits, samples) {
        (0 | 1, 1, 1 | 2 | 4 | 8, 1) => Meaning::Gray {
            inverted: photometric == 0,
        },
        (1, 2, 8, 1) | (1, 1, 8, 2) | (0, 1, 16, 1) => Meaning::Gray { inverted: false },
        (1, 1, 16, 1) => Meaning::Gray { inverted: false },
        (1, 2, 16 | 32, 1) => Meaning::WideGray {
            float: false,
            signed: true,
        },
        (1, 1, 32, 1) if little => Meaning::WideGray {
            float: false,
            signed: true,
        },
        (0 | 1, 3, 32, 1) => Meaning::WideGray {
            float: true,
            signed: true,
        },
        (3, 1, 1 | 2 | 4 | 8, 1) | (3, 1, 8, 2) => Meaning::Indices(Box::new(palette(directory, bits)?)),
        (2, 1, 8 | 16, 3..) if extras.first() == Some(&1) && samples > 3 => Meaning::MultipliedRgb,
        (2, 1, 8 | 16, 3..) => Meaning::Rgb,
        (5, 1, 8 | 16, 4..) => Meaning::Inks,
        (6, 1, 8, 1) => Meaning::Gray { inverted: false },
        (6, 1, 8, 3) if matches!(compression, Compression::Jpeg { .. }) && !planar => Meaning::Rgb,
        _ => {
            return Err(unsupported(format!(
                "{samples} samples of {bits} bits in the colour space {photometric} with the sample format {format}"
            )));
        }
    };
    let tiled =
        directory.number(tag::TILE_OFFSETS).is_some() && directory.number(tag::STRIP_OFFSETS).is_none();
    let part = if tiled {
        let tile = directory
            .number(tag::TILE_WIDTH)
            .zip(directory.number(tag::TILE_HEIGHT));
        let (w, h) = tile.ok_or_else(|| broken("its tiles have no size"))?;
        check_size(Format::Tiff, w, h, options).map(|(w, h)| (w as usize, h as usize))?
    } else {
        let rows = directory.number(tag::ROWS_PER_STRIP).unwrap_or(u64::MAX);
        (
            width,
            usize::try_from(rows).unwrap_or(usize::MAX).clamp(1, height),
        )
    };
    let predictor = directory.number(tag::PREDICTOR).unwrap_or(1);
    if compression.predicts() && !(1..=2).contains(&predictor) {
        return Err(unsupported(format!("the predictor {predictor}")));
    }
    Ok(Layout {
        width,
        height,
        bits,
        samples: samples as usize,
        meaning,
        planar,
        part,
        tiled,
        order,
        reversed: directory.number(tag::FILL_ORDER) == Some(2)
            && !matches!(compression, Compression::Jpeg { .. }),
        predicted: compression.predicts() && predictor == 2,
    })
}

/// The high bytes of the colour map, which holds all reds, then all greens, then all blues.
fn palette(directory: &Directory, bits: u64) -> Result<Palette, DecodeError> {
    let third = 1 << bits;
    let map: Vec<u8> = directory
        .numbers(tag::COLOUR_MAP)
        .take(3 * third)
        .map(|value| (value >> 8) as u8)
        .collect();
    if map.len() < 3 * third {
        return Err(broken("its colour map is missing or too short"));
    }
    Ok(Palette::new((0..third).map(|index| {
        [map[index], map[third + index], map[2 * third + index]]
    })))
}

fn read(
    bytes: &[u8],
    directory: &Directory,
    layout: &Layout,
    compression: &Compression,
    options: &DecodeOptions,
    manner: Manner,
) -> Result<Vec<u8>, DecodeError> {
    let mut data = allocate(layout.width, layout.height, 3)?;
    // What never arrives is all zeros.
    let empty = match &layout.meaning {
        Meaning::Indices(palette) => palette.colour(0),
        Meaning::Inks => [255; 3],
        _ => [0; 3],
    };
    data.as_chunks_mut().0.fill(empty);
    let (offsets, lengths) = match layout.tiled {
        true => (tag::TILE_OFFSETS, tag::TILE_LENGTHS),
        false => (tag::STRIP_OFFSETS, tag::STRIP_LENGTHS),
    };
    let (part_width, part_height) = layout.part;
    let across = layout.width.div_ceil(part_width);
    let parts = across * layout.height.div_ceil(part_height);
    let (planes, samples) = if layout.planar {
        (layout.samples, 1)
    } else {
        (1, layout.samples)
    };
    let row_bits = part_width.checked_mul(samples * layout.bits as usize);
    let row_length = row_bits
        .ok_or_else(|| broken("its rows are too long"))?
        .div_ceil(8);
    let raw = matches!(compression, Compression::None);
    let mut planes_data = vec![Vec::new(); planes];
    let mut pixel_row = vec![0; if layout.planar { row_length * planes } else { 0 }];
    for part in 0..parts {
        let (left, top) = (part % across * part_width, part / across * part_height);
        // The last strip is cut off, tiles are always whole.
        let rows = if layout.tiled {
            part_height
        } else {
            part_height.min(layout.height - top)
        };
        let mut complete = rows;
        for (plane, out) in planes_data.iter_mut().enumerate() {
            let index = plane * parts + part;
            let offset = directory.number_at(offsets, index).ok_or(TRUNCATED)?;
            let rest = usize::try_from(offset)
                .ok()
                .and_then(|offset| bytes.get(offset..))
                .unwrap_or(&[]);
            let length = directory
                .number_at(lengths, index)
                .and_then(|length| usize::try_from(length).ok());
            // Uncompressed data is as long as it must be, whatever the file says.
            let length = length.filter(|_| !raw).unwrap_or(rest.len()).min(rest.len());
            let mut stored = std::borrow::Cow::Borrowed(&rest[..length]);
            if layout.reversed {
                stored = stored[..length.min(row_length * rows * 2 + 1024)]
                    .iter()
                    .map(|b| b.reverse_bits())
                    .collect();
            }
            if out.len() != row_length * rows {
                *out = allocate(row_length, rows, 1)?;
            }
            if raw && stored.len() < out.len() && options.truncated == Truncated::Tolerate {
                complete = complete.min(stored.len() / row_length);
                out[..stored.len()].copy_from_slice(&stored);
            } else {
                compression.undo(&stored, part_width, samples, out)?;
            }
            if layout.predicted {
                for row in out.chunks_exact_mut(row_length) {
                    undo_differences(row, layout.bits, samples, layout.order)?;
                }
            }
        }
        let columns = part_width.min(layout.width - left);
        for y in 0..complete.min(layout.height - top) {
            let row = if layout.planar {
                interleave(
                    &planes_data,
                    y * row_length..(y + 1) * row_length,
                    layout.bits,
                    &mut pixel_row,
                )?;
                &pixel_row
            } else {
                &planes_data[0][y * row_length..(y + 1) * row_length]
            };
            let start = (top + y) * layout.width + left;
            unpack(
                row,
                layout,
                manner,
                &mut data.as_chunks_mut().0[start..start + columns],
            );
        }
    }
    Ok(data)
}

/// One row of each plane to one row of whole pixels.
fn interleave(
    planes: &[Vec<u8>],
    range: std::ops::Range<usize>,
    bits: u64,
    out: &mut [u8],
) -> Result<(), DecodeError> {
    let size = match bits {
        8 => 1,
        16 => 2,
        32 => 4,
        _ => return Err(unsupported(format!("separate planes of {bits} bits"))),
    };
    for (index, plane) in planes.iter().enumerate() {
        let samples = plane[range.clone()].chunks_exact(size);
        for (pixel, sample) in out.chunks_exact_mut(size * planes.len()).zip(samples) {
            pixel[index * size..(index + 1) * size].copy_from_slice(sample);
        }
    }
    Ok(())
}

fn unpack(row: &[u8], layout: &Layout, manner: Manner, out: &mut [[u8; 3]]) {
    let bits = layout.bits as usize;
    // The place of the high byte in a sample of 16 bits.
    let high = usize::from(bits == 16 && layout.order == Order::Little);
    let size = bits / 8;
    let pixels = || row.chunks_exact((size * layout.samples).max(1));
    match &layout.meaning {
        Meaning::Gray { inverted } if bits <= 8 => {
            let full = ((1u16 << bits) - 1) as u8;
            each_small(row, bits, layout.samples, out, |value| {
                let value = if *inverted { full - value } else { value };
                [value * (255 / full); 3]
            });
        }
        Meaning::Gray { .. } => {
            for (pixel, stored) in out.iter_mut().zip(row.as_chunks().0) {
                *pixel = [gray16(layout.order.u16(*stored), manner); 3];
            }
        }
        Meaning::WideGray { float, signed } => {
            for (pixel, stored) in out.iter_mut().zip(pixels()) {
                let value = match (stored, float) {
                    ([a, b], _) if *signed => f64::from(layout.order.u16([*a, *b]) as i16),
                    ([a, b, c, d], true) => f64::from(f32::from_bits(layout.order.u32([*a, *b, *c, *d]))),
                    ([a, b, c, d], false) => f64::from(layout.order.u32([*a, *b, *c, *d]) as i32),
                    _ => 0.0,
                };
                *pixel = [value.clamp(0.0, 255.0) as u8; 3];
            }
        }
        Meaning::Indices(palette) => {
            each_small(row, bits, layout.samples, out, |index| palette.colour(index))
        }
        Meaning::Rgb => {
            for (pixel, stored) in out.iter_mut().zip(pixels()) {
                *pixel = [0, 1, 2].map(|channel| stored[channel * size + high]);
            }
        }
        Meaning::MultipliedRgb => {
            for (pixel, stored) in out.iter_mut().zip(pixels()) {
                let [red, green, blue, alpha] = [0, 1, 2, 3].map(|channel| stored[channel * size + high]);
                let divide = |value: u8| match alpha {
                    0 => 0,
                    255 => value,
                    alpha => (u32::from(value) * 255 / u32::from(alpha)).min(255) as u8,
                };
                *pixel = [divide(red), divide(green), divide(blue)];
            }
        }
        Meaning::Inks => {
            for (pixel, stored) in out.iter_mut().zip(pixels()) {
                *pixel = from_inks([0, 1, 2, 3].map(|channel| stored[channel * size + high]), manner);
            }
        }
    }
}

/// The first sample of each pixel, of 1, 2, 4 or 8 bits.
fn each_small(row: &[u8], bits: usize, samples: usize, out: &mut [[u8; 3]], colour: impl Fn(u8) -> [u8; 3]) {
    if bits == 8 {
        for (pixel, stored) in out.iter_mut().zip(row.chunks_exact(samples)) {
            *pixel = colour(stored[0]);
        }
        return;
    }
    let mask = (1u8 << bits) - 1;
    for (x, pixel) in out.iter_mut().enumerate() {
        let bit = x * bits;
        *pixel = colour((row[bit / 8] >> (8 - bits - bit % 8)) & mask);
    }
}
