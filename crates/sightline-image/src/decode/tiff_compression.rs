//! Undoing the compression of a strip or tile of a TIFF file.

use super::inflate::{Inflate, State};
use super::jpeg::{self, Colour};
use super::tiff_directory::Order;
use super::tiff_fax::{self, Fax};
use super::{DecodeError, Format};
use weezl::{BitOrder, LzwStatus, decode::Decoder};

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Tiff };

/// How strips and tiles are stored.
pub(super) enum Compression<'a> {
    /// As they are.
    None,
    /// LZW, high bits first.
    Lzw,
    /// zlib.
    Deflate,
    /// Apple's run lengths.
    PackBits,
    /// One of the fax compressions.
    Fax(Fax),
    /// JPEG, with tables kept apart or none.
    Jpeg {
        tables: Option<&'a [u8]>,
        colour: Colour,
    },
}

impl<'a> Compression<'a> {
    /// By its number in the file.
    pub(super) fn new(
        number: u64,
        fax_options: u64,
        tables: Option<&'a [u8]>,
        colour: Colour,
    ) -> Result<Self, DecodeError> {
        let unsupported = |feature: &str| Err(DecodeError::unsupported(Format::Tiff, feature));
        Ok(match number {
            1 => Self::None,
            5 => Self::Lzw,
            7 => Self::Jpeg { tables, colour },
            8 | 32946 => Self::Deflate,
            32773 => Self::PackBits,
            // The lowest bit says that rows refer to the rows before them.
            3 if fax_options & 1 == 1 => return unsupported("fax compression of group 3 in two dimensions"),
            2 => Self::Fax(Fax::Runs),
            3 => Self::Fax(Fax::Group3),
            4 => Self::Fax(Fax::Group4),
            6 => return unsupported("JPEG compression of the old kind"),
            _ => return unsupported(&format!("the compression {number}")),
        })
    }

    /// Whether differences between neighbours may be stored instead of samples.
    pub(super) fn predicts(&self) -> bool {
        matches!(self, Self::Lzw | Self::Deflate)
    }

    /// Fills `out`, rows of `width` pixels of `samples` samples, or fails.
    pub(super) fn undo(
        &self,
        stored: &[u8],
        width: usize,
        samples: usize,
        out: &mut [u8],
    ) -> Result<(), DecodeError> {
        match self {
            Self::None => {
                out.copy_from_slice(stored.get(..out.len()).ok_or(TRUNCATED)?);
                Ok(())
            }
            Self::Lzw => lzw(stored, out),
            Self::Deflate => {
                let mut inflate = Inflate::new(std::iter::once(stored));
                let got = inflate.read(out);
                match inflate.state() {
                    State::Broken => Err(DecodeError::broken(
                        Format::Tiff,
                        "its compressed data is damaged",
                    )),
                    _ if got < out.len() => Err(TRUNCATED),
                    _ => Ok(()),
                }
            }
            Self::PackBits => pack_bits(stored, out),
            Self::Fax(kind) => tiff_fax::undo(stored, *kind, width, out),
            Self::Jpeg { tables, colour } => {
                let stream = match tables {
                    // The tables end with an end marker, the strip begins with a start marker: both go.
                    Some(tables) if tables.len() >= 4 && stored.len() >= 2 => {
                        [&tables[..tables.len() - 2], &stored[2..]].concat()
                    }
                    _ => stored.to_vec(),
                };
                jpeg::decode_strip(&stream, width, samples, *colour, out)
            }
        }
    }
}

fn lzw(mut stored: &[u8], mut out: &mut [u8]) -> Result<(), DecodeError> {
    let mut decoder = Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    while !out.is_empty() {
        let step = decoder.decode_bytes(stored, out);
        stored = &stored[step.consumed_in..];
        out = &mut out[step.consumed_out..];
        match step.status {
            Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            _ if out.is_empty() => {}
            Ok(_) => return Err(TRUNCATED),
            Err(_) => return Err(DecodeError::broken(Format::Tiff, "its LZW data is damaged")),
        }
    }
    Ok(())
}

fn pack_bits(mut stored: &[u8], mut out: &mut [u8]) -> Result<(), DecodeError> {
    while !out.is_empty() {
        let (&count, rest) = stored.split_first().ok_or(TRUNCATED)?;
        stored = rest;
        match count {
            0..=127 => {
                let literal = stored.get(..usize::from(count) + 1).ok_or(TRUNCATED)?;
                stored = &stored[literal.len()..];
                let length = literal.len().min(out.len());
                out[..length].copy_from_slice(&literal[..length]);
                out = &mut out[length..];
            }
            128 => {}
            129.. => {
                let (&value, rest) = stored.split_first().ok_or(TRUNCATED)?;
                stored = rest;
                let length = (257 - usize::from(count)).min(out.len());
                out[..length].fill(value);
                out = &mut out[length..];
            }
        }
    }
    Ok(())
}

/// Adds up the differences between neighbouring pixels of one row, in place.
pub(super) fn undo_differences(
    row: &mut [u8],
    bits: u64,
    samples: usize,
    order: Order,
) -> Result<(), DecodeError> {
    match bits {
        8 => {
            for at in samples..row.len() {
                row[at] = row[at].wrapping_add(row[at - samples]);
            }
        }
        16 => {
            let row = row.as_chunks_mut().0;
            for at in samples..row.len() {
                let sum = order.u16(row[at]).wrapping_add(order.u16(row[at - samples]));
                row[at] = match order {
                    Order::Little => sum.to_le_bytes(),
                    Order::Big => sum.to_be_bytes(),
                };
            }
        }
        32 => {
            let row = row.as_chunks_mut().0;
            for at in samples..row.len() {
                let sum = order.u32(row[at]).wrapping_add(order.u32(row[at - samples]));
                row[at] = match order {
                    Order::Little => sum.to_le_bytes(),
                    Order::Big => sum.to_be_bytes(),
                };
            }
        }
        _ => {
            return Err(DecodeError::unsupported(
                Format::Tiff,
                format!("differences of {bits} bits"),
            ));
        }
    }
    Ok(())
}
