//! The first frame of a GIF on its canvas, as Pillow shows it: transparency is ignored, what the frame does not cover
//! has the transparent index, or index 0.

use super::colour::Palette;
use super::gif_lzw::{Lzw, Stop};
use super::{DecodeError, DecodeOptions, Format, Truncated, allocate, check_size};
use crate::pixels::RgbImage;

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Gif };

fn broken(reason: &str) -> DecodeError {
    DecodeError::broken(Format::Gif, reason)
}

/// Reads forward through a file.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(TRUNCATED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    /// A block with its length before it; empty at the end of a sequence of blocks.
    fn block(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.byte()?;
        self.take(length.into())
    }

    fn palette(&mut self, flags: u8) -> Result<Palette, DecodeError> {
        let colours = self.take(3 << ((flags & 7) + 1))?;
        Ok(Palette::new(colours.as_chunks().0.iter().copied()))
    }
}

/// What is known before the first frame's pixels.
struct Frame<'a> {
    canvas: (usize, usize),
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    interlaced: bool,
    transparent: Option<u8>,
    palette: Palette,
    code_size: u8,
    blocks: Reader<'a>,
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn first_frame(bytes: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let mut reader = Reader(bytes);
    let screen = reader.take(13)?;
    let (width, height) = (u16_at(screen, 6), u16_at(screen, 8));
    let mut palette = Palette::gray();
    if screen[10] & 0x80 != 0 {
        palette = reader.palette(screen[10])?;
    }
    let mut transparent = None;
    loop {
        match reader.byte()? {
            b';' => return Err(broken("it holds no picture")),
            b'!' => {
                let label = reader.byte()?;
                let mut block = reader.block()?;
                if label == 0xF9
                    && let [flags, _, _, index, ..] = block
                    && flags & 1 != 0
                {
                    transparent = Some(*index);
                }
                while !block.is_empty() {
                    block = reader.block()?;
                }
            }
            b',' => {
                let place = reader.take(9)?;
                if place[8] & 0x80 != 0 {
                    palette = reader.palette(place[8])?;
                }
                let code_size = reader.byte()?;
                let (left, top) = (u16_at(place, 0), u16_at(place, 2));
                let (w, h) = (u16_at(place, 4), u16_at(place, 6));
                return Ok(Frame {
                    // A frame that reaches beyond the canvas enlarges it.
                    canvas: (width.max(left + w), height.max(top + h)),
                    left,
                    top,
                    width: w,
                    height: h,
                    interlaced: place[8] & 0x40 != 0,
                    transparent,
                    palette,
                    code_size,
                    blocks: reader,
                });
            }
            _ => {}
        }
    }
}

pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), DecodeError> {
    let frame = first_frame(bytes)?;
    Ok((frame.canvas.0 as u32, frame.canvas.1 as u32))
}

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<RgbImage, DecodeError> {
    let mut frame = first_frame(bytes)?;
    let (width, height) = check_size(Format::Gif, frame.canvas.0 as u64, frame.canvas.1 as u64, options)?;
    if frame.width == 0 || frame.height == 0 {
        return Err(broken("its first frame has no pixels"));
    }
    let mut data = allocate(width as usize, height as usize, 3)?;
    let around = frame.palette.colour(frame.transparent.unwrap_or(0));
    data.as_chunks_mut().0.fill(around);
    let mut indices = allocate(frame.width, frame.height, 1)?;
    indices.fill(frame.transparent.unwrap_or(0));
    let result = unpack(frame.code_size, &mut frame.blocks, &mut indices);
    if options.truncated == Truncated::Refuse {
        result?;
    }
    for (row, y) in indices
        .chunks_exact(frame.width)
        .zip(row_order(frame.height, frame.interlaced))
    {
        let start = (frame.top + y) * width as usize + frame.left;
        let out = &mut data.as_chunks_mut::<3>().0[start..start + frame.width];
        for (pixel, index) in out.iter_mut().zip(row) {
            *pixel = frame.palette.colour(*index);
        }
    }
    Ok(RgbImage { width, height, data })
}

/// Fills `indices` from the blocks of LZW data.
fn unpack(code_size: u8, blocks: &mut Reader, indices: &mut [u8]) -> Result<(), DecodeError> {
    let mut lzw = Lzw::new(code_size).ok_or_else(|| broken("its codes are longer than any GIF's"))?;
    let mut done = 0;
    loop {
        // Only whole blocks are unpacked, as in Pillow.
        let block = blocks.block()?;
        if block.is_empty() {
            return Err(TRUNCATED);
        }
        match lzw.unpack(block, indices, &mut done) {
            None => {}
            Some(Stop::Full) => return Ok(()),
            Some(Stop::Ended) => return Err(TRUNCATED),
            Some(Stop::Broken) => return Err(broken("its compressed data is damaged")),
        }
    }
}

/// The row of the frame that each row of the data is.
fn row_order(height: usize, interlaced: bool) -> Box<dyn Iterator<Item = usize>> {
    if !interlaced {
        return Box::new(0..height);
    }
    Box::new(
        [(0, 8), (4, 8), (2, 4), (1, 2)]
            .into_iter()
            .flat_map(move |(start, step)| (start..height).step_by(step)),
    )
}
