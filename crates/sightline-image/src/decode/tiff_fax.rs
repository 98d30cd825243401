//! Fax compressions of TIFF: rows of one bit per pixel, 1 for black.

use super::{DecodeError, Format};
use fax::maps::{black, white};
use fax::{BitReader, ByteReader};
use std::convert::Infallible;

/// Which of the fax compressions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fax {
    /// Runs, each row beginning with a byte.
    Runs,
    /// Group 3 without references between rows: runs, with marks between rows.
    Group3,
    /// Group 4: rows refer to the rows before them.
    Group4,
}

/// Fills rows of `width` pixels, each beginning with a byte of `out`.
pub(super) fn undo(stored: &[u8], kind: Fax, width: usize, out: &mut [u8]) -> Result<(), DecodeError> {
    let damaged = || DecodeError::broken(Format::Tiff, "its fax data is damaged");
    let stride = width.div_ceil(8).max(1);
    let columns = u32::try_from(width).map_err(|_| damaged())?;
    let rows = u32::try_from(out.len() / stride).map_err(|_| damaged())?;
    out.fill(0);
    let mut lines = out.chunks_exact_mut(stride);
    if kind == Fax::Group4 {
        let write = |changes: &[u32]| {
            if let Some(line) = lines.next() {
                blacken(line, width, changes);
            }
        };
        return fax::decoder::decode_g4(stored.iter().copied(), columns, Some(rows), write)
            .ok_or_else(damaged);
    }
    // Codes are looked up by more bits than the last one may have.
    let bytes = stored.iter().copied().chain([0; 4]).map(Ok::<u8, Infallible>);
    let Ok(mut reader) = ByteReader::new(bytes);
    let mut changes = Vec::new();
    for line in lines {
        if kind == Fax::Runs {
            let _: Result<(), Infallible> = reader.consume(reader.bits_to_byte_boundary());
        } else {
            skip_marks(&mut reader);
        }
        changes.clear();
        let mut at = 0;
        while at < columns {
            at = at.saturating_add(run(&mut reader, changes.len() % 2 == 1).ok_or_else(damaged)?);
            changes.push(at);
        }
        blacken(line, width, &changes);
    }
    Ok(())
}

/// A mark is eleven or more zeros and a one; no code begins with so many zeros.
fn skip_marks(reader: &mut impl BitReader<Error = Infallible>) {
    while reader.peek(11) == Some(0) {
        while reader.peek(1) == Some(0) {
            let _: Result<(), Infallible> = reader.consume(1);
        }
        let _: Result<(), Infallible> = reader.consume(1);
    }
}

/// The length of a run: any number of codes of 64 and more, and one of less.
fn run(reader: &mut impl BitReader, is_black: bool) -> Option<u32> {
    let mut length = 0u32;
    loop {
        let part = if is_black {
            black::decode(reader)
        } else {
            white::decode(reader)
        }?;
        length = length.checked_add(part.into())?;
        if part < 64 {
            return Some(length);
        }
    }
}

/// Colours change at each position; white comes first.
fn blacken(line: &mut [u8], width: usize, changes: &[u32]) {
    for ends in changes.chunks(2) {
        let start = (ends[0] as usize).min(width);
        let end = ends.get(1).map_or(width, |end| (*end as usize).min(width));
        (start..end).for_each(|x| line[x / 8] |= 0x80 >> (x % 8));
    }
}
