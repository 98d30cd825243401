//! PNG with Pillow's rules: checksums of the chunks before the image data count, those of the image data do not (its
//! own checksum does); transparency and gamma are ignored.

use super::colour::Palette;
use super::inflate::{Inflate, State};
use super::{DecodeError, DecodeOptions, Format, Manner, Truncated, allocate, check_size};
use crate::pixels::RgbImage;

const SIGNATURE: usize = 8;

/// Pillow reads so much at a time; a wrong checksum counts only when it is read together with the last pixels.
const BLOCK: usize = 1 << 16;

/// The first column and row of each pass of an interlaced picture, and the steps between them.
const PASSES: [[usize; 4]; 7] = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
];

struct Header {
    width: u32,
    height: u32,
    depth: u8,
    layout: Layout,
    interlaced: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Gray,
    Rgb,
    Palette,
    GrayAlpha,
    Rgba,
}

impl Layout {
    fn channels(self) -> usize {
        match self {
            Self::Gray | Self::Palette => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

fn broken(reason: impl Into<String>) -> DecodeError {
    DecodeError::broken(Format::Png, reason)
}

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Png };

/// A chunk: its name, its contents as far as they are there, its whole length, and where the next one begins.
struct Chunk<'a> {
    name: [u8; 4],
    data: &'a [u8],
    whole: bool,
    crc: Option<u32>,
    next: usize,
}

impl<'a> Chunk<'a> {
    /// The chunk at `at`; `None` where the file ends before its contents begin.
    fn read(bytes: &'a [u8], at: usize) -> Option<Self> {
        let length = u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?) as usize;
        let name = *bytes.get(at + 4..)?.first_chunk()?;
        let rest = &bytes[at + 8..];
        let data = &rest[..length.min(rest.len())];
        let crc = rest
            .get(length..)
            .and_then(|rest| rest.first_chunk())
            .map(|crc| u32::from_be_bytes(*crc));
        Some(Self {
            name,
            data,
            whole: data.len() == length,
            crc,
            next: at.saturating_add(length).saturating_add(12),
        })
    }

    fn is_named(&self) -> bool {
        self.name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    }

    fn is_ancillary(&self) -> bool {
        self.name[0] & 0x20 != 0
    }

    fn has_right_crc(&self) -> bool {
        let mut crc = flate2::Crc::new();
        crc.update(&self.name);
        crc.update(self.data);
        self.crc == Some(crc.sum())
    }
}

fn header(bytes: &[u8]) -> Result<Header, DecodeError> {
    let chunk = Chunk::read(bytes, SIGNATURE).ok_or(TRUNCATED)?;
    if &chunk.name != b"IHDR" {
        return Err(broken("it does not begin with its header"));
    }
    let data: &[u8; 13] = chunk.data.first_chunk().ok_or(TRUNCATED)?;
    let size = |at: usize| u32::from_be_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
    let (depth, kind) = (data[8], data[9]);
    let layout = match (depth, kind) {
        (1 | 2 | 4 | 8 | 16, 0) => Layout::Gray,
        (8 | 16, 2) => Layout::Rgb,
        (1 | 2 | 4 | 8, 3) => Layout::Palette,
        (8 | 16, 4) => Layout::GrayAlpha,
        (8 | 16, 6) => Layout::Rgba,
        _ => {
            return Err(broken(format!(
                "it has {depth} bits of colour type {kind}, which no PNG has"
            )));
        }
    };
    if data[11] != 0 {
        return Err(broken("it uses an unknown filter method"));
    }
    Ok(Header {
        width: size(0),
        height: size(4),
        depth,
        layout,
        interlaced: data[12] != 0,
    })
}

pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    header(bytes).map(|header| (header.width, header.height))
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions, manner: Manner) -> Result<RgbImage, DecodeError> {
    let tolerate = options.truncated == Truncated::Tolerate;
    let header = header(bytes)?;
    let (width, height) = check_size(Format::Png, header.width.into(), header.height.into(), options)?;
    let mut palette = Palette::gray();
    let mut at = SIGNATURE;
    let first = loop {
        let chunk = Chunk::read(bytes, at).ok_or(TRUNCATED)?;
        if !chunk.is_named() && !tolerate {
            return Err(broken("a chunk has no proper name"));
        }
        match &chunk.name {
            b"IDAT" => break at,
            b"IEND" => return Err(broken("it has no image data")),
            b"PLTE" => palette = Palette::new(chunk.data.as_chunks().0.iter().copied()),
            _ => {}
        }
        if !chunk.whole {
            return Err(TRUNCATED);
        }
        if !(tolerate && chunk.is_ancillary() || chunk.has_right_crc()) {
            return Err(broken(format!(
                "the checksum of its chunk {} is wrong",
                chunk.name.escape_ascii()
            )));
        }
        at = chunk.next;
    };
    let mut data = allocate(width as usize, height as usize, 3)?;
    let unpack = Unpack {
        depth: header.depth,
        layout: header.layout,
        palette,
        manner,
    };
    if header.layout == Layout::Palette {
        // Pixels that never arrive have index 0.
        let colour = unpack.palette.colour(0);
        data.as_chunks_mut().0.fill(colour);
    }
    let mut next = first;
    let pieces = std::iter::from_fn(|| {
        let chunk = Chunk::read(bytes, next).filter(|chunk| &chunk.name == b"IDAT")?;
        next = chunk.next;
        Some(chunk.data.chunks(BLOCK))
    });
    let mut inflate = Inflate::new(pieces.flatten());
    let size = (width as usize, height as usize);
    let result = if header.interlaced {
        read_interlaced(&mut inflate, &unpack, size, &mut data)
    } else {
        read_rows(&mut inflate, &unpack, size, &mut data)
    };
    drop(inflate);
    if !tolerate {
        result?;
    }
    check_rest(bytes, next)?;
    Ok(RgbImage { width, height, data })
}

/// What follows the image data must be whole, as far as Pillow looks at it.
fn check_rest(bytes: &[u8], mut at: usize) -> Result<(), DecodeError> {
    while let Some(chunk) = Chunk::read(bytes, at) {
        if &chunk.name == b"IEND" || !chunk.is_named() {
            break;
        }
        if !chunk.whole {
            return Err(TRUNCATED);
        }
        at = chunk.next;
    }
    Ok(())
}

/// Rows of filtered bytes, undone one after the other.
struct Filter {
    row: Vec<u8>,
    previous: Vec<u8>,
    step: usize,
}

impl Filter {
    fn new(longest: usize, bits: usize) -> Self {
        Self {
            row: vec![0; longest + 1],
            previous: vec![0; longest + 1],
            step: bits.div_ceil(8),
        }
    }

    /// Begins a picture of its own: the row that will be above is black.
    fn restart(&mut self) {
        self.row.fill(0);
    }

    /// The next row of `length` bytes, and whether the stream ended with it.
    fn next<'a, I: Iterator<Item = &'a [u8]>>(
        &mut self,
        inflate: &mut Inflate<'a, I>,
        length: usize,
    ) -> Result<(&[u8], bool), DecodeError> {
        std::mem::swap(&mut self.row, &mut self.previous);
        let got = inflate.read(&mut self.row[..=length]);
        let state = inflate.state();
        if state == State::Broken {
            return Err(broken("its compressed data is damaged"));
        }
        if got <= length {
            return Err(TRUNCATED);
        }
        let (kind, row) = self.row[..=length].split_first_mut().ok_or(TRUNCATED)?;
        unfilter(*kind, row, &self.previous[1..=length], self.step)?;
        Ok((row, state == State::Ended))
    }
}

fn unfilter(kind: u8, row: &mut [u8], above: &[u8], step: usize) -> Result<(), DecodeError> {
    match kind {
        0 => {}
        1 => {
            for i in step..row.len() {
                row[i] = row[i].wrapping_add(row[i - step]);
            }
        }
        2 => {
            for (value, above) in row.iter_mut().zip(above) {
                *value = value.wrapping_add(*above);
            }
        }
        3 => match step {
            1 => average::<1>(row, above),
            2 => average::<2>(row, above),
            3 => average::<3>(row, above),
            4 => average::<4>(row, above),
            6 => average::<6>(row, above),
            _ => average::<8>(row, above),
        },
        4 => match step {
            1 => paeth::<1>(row, above),
            2 => paeth::<2>(row, above),
            3 => paeth::<3>(row, above),
            4 => paeth::<4>(row, above),
            6 => paeth::<6>(row, above),
            _ => paeth::<8>(row, above),
        },
        _ => return Err(broken(format!("a row has the unknown filter {kind}"))),
    }
    Ok(())
}

fn average<const STEP: usize>(row: &mut [u8], above: &[u8]) {
    let mut left = [0u8; STEP];
    for (values, above) in row.chunks_mut(STEP).zip(above.chunks(STEP)) {
        for ((value, above), left) in values.iter_mut().zip(above).zip(&mut left) {
            *value = value.wrapping_add(((u16::from(*left) + u16::from(*above)) / 2) as u8);
            *left = *value;
        }
    }
}

fn paeth<const STEP: usize>(row: &mut [u8], above: &[u8]) {
    let (mut left, mut corner) = ([0u8; STEP], [0u8; STEP]);
    for (values, above) in row.chunks_mut(STEP).zip(above.chunks(STEP)) {
        for (((value, above), left), corner) in values.iter_mut().zip(above).zip(&mut left).zip(&mut corner) {
            let (a, b, c) = (i16::from(*left), i16::from(*above), i16::from(*corner));
            let (pa, pb, pc) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
            let near = if pa <= pb && pa <= pc {
                *left
            } else if pb <= pc {
                *above
            } else {
                *corner
            };
            *value = value.wrapping_add(near);
            (*left, *corner) = (*value, *above);
        }
    }
}

fn read_rows<'a, I: Iterator<Item = &'a [u8]>>(
    inflate: &mut Inflate<'a, I>,
    unpack: &Unpack,
    (width, _): (usize, usize),
    data: &mut [u8],
) -> Result<(), DecodeError> {
    let length = unpack.row_length(width)?;
    let mut filter = Filter::new(length, unpack.bits());
    for out in data.chunks_exact_mut(3 * width) {
        let (row, ended) = filter.next(inflate, length)?;
        unpack.row(row, out.as_chunks_mut().0.iter_mut());
        if ended {
            // Pillow takes a stream that ends between two rows for a whole picture.
            break;
        }
    }
    Ok(())
}

fn read_interlaced<'a, I: Iterator<Item = &'a [u8]>>(
    inflate: &mut Inflate<'a, I>,
    unpack: &Unpack,
    (width, height): (usize, usize),
    data: &mut [u8],
) -> Result<(), DecodeError> {
    let mut filter = Filter::new(unpack.row_length(width)?, unpack.bits());
    for [left, top, across, down] in PASSES {
        if left >= width || top >= height {
            continue;
        }
        filter.restart();
        let length = unpack.row_length((width - left).div_ceil(across))?;
        for y in (top..height).step_by(down) {
            let (row, ended) = filter.next(inflate, length)?;
            let out = data[3 * width * y..3 * width * (y + 1)].as_chunks_mut().0;
            unpack.row(row, out.iter_mut().skip(left).step_by(across));
            if ended {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// From packed samples to RGB.
struct Unpack {
    depth: u8,
    layout: Layout,
    palette: Palette,
    manner: Manner,
}

impl Unpack {
    fn bits(&self) -> usize {
        usize::from(self.depth) * self.layout.channels()
    }

    fn row_length(&self, width: usize) -> Result<usize, DecodeError> {
        let bits = width
            .checked_mul(self.bits())
            .ok_or_else(|| broken("its rows are too long"))?;
        Ok(bits.div_ceil(8))
    }

    fn row<'a>(&self, row: &[u8], out: impl Iterator<Item = &'a mut [u8; 3]>) {
        let depth = usize::from(self.depth);
        if depth < 8 {
            let mask = (1u8 << depth) - 1;
            let full = 255 / mask;
            for (index, pixel) in out.enumerate() {
                let bit = index * depth;
                let value = (row[bit / 8] >> (8 - depth - bit % 8)) & mask;
                *pixel = if self.layout == Layout::Palette {
                    self.palette.colour(value)
                } else {
                    [value * full; 3]
                };
            }
            return;
        }
        if self.layout == Layout::Gray && depth == 16 {
            for (pixel, value) in out.zip(row.as_chunks().0) {
                *pixel = [gray16(u16::from_be_bytes(*value), self.manner); 3];
            }
            return;
        }
        // The high byte of each sample is the first.
        let bytes = depth / 8;
        match self.layout {
            Layout::Palette => out
                .zip(row)
                .for_each(|(pixel, value)| *pixel = self.palette.colour(*value)),
            Layout::Gray | Layout::GrayAlpha => {
                let samples = row.chunks_exact(bytes * self.layout.channels());
                out.zip(samples)
                    .for_each(|(pixel, sample)| *pixel = [sample[0]; 3]);
            }
            Layout::Rgb | Layout::Rgba => {
                let samples = row.chunks_exact(bytes * self.layout.channels());
                out.zip(samples)
                    .for_each(|(pixel, sample)| *pixel = [sample[0], sample[bytes], sample[2 * bytes]]);
            }
        }
    }
}

/// 16-bit gray to 8 bits: Pillow clips, OpenCV takes the high byte.
pub(super) fn gray16(value: u16, manner: Manner) -> u8 {
    match manner {
        Manner::Pillow => value.min(255) as u8,
        Manner::OpenCv => (value >> 8) as u8,
    }
}

/// The contents of the `eXIf` chunk.
pub(super) fn exif(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut at = SIGNATURE;
    while let Some(chunk) = Chunk::read(bytes, at) {
        match &chunk.name {
            b"eXIf" => return Some(chunk.data.to_vec()),
            b"IEND" => return None,
            _ => at = chunk.next,
        }
    }
    None
}
