//! The first directory of a TIFF file: its tags as numbers.

use super::{DecodeError, Format};
use std::collections::BTreeMap;

/// How TIFF and BigTIFF files begin, in both byte orders; the last two are wrong but read by Pillow.
pub(super) const MAGICS: [&[u8; 4]; 6] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*"];

const TRUNCATED: DecodeError = DecodeError::Truncated { format: Format::Tiff };

/// The order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// "II".
    Little,
    /// "MM".
    Big,
}

impl Order {
    /// 16 bits as a number.
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// 32 bits as a number.
    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    fn number(self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, add),
            Self::Big => bytes.iter().fold(0, add),
        }
    }
}

/// The tags of a directory that hold whole numbers or bytes.
pub(super) struct Directory<'a> {
    pub(super) order: Order,
    tags: BTreeMap<u16, (usize, &'a [u8])>,
}

impl<'a> Directory<'a> {
    /// Reads the first directory.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let magic = bytes.get(..4).ok_or(TRUNCATED)?;
        let order = if magic[0] == b'M' {
            Order::Big
        } else {
            Order::Little
        };
        let big = magic.contains(&b'+');
        let at = |start: u64, length: usize| {
            let start = usize::try_from(start).ok()?;
            bytes.get(start..start.checked_add(length)?)
        };
        let number = |start: u64, length: usize| {
            at(start, length)
                .map(|bytes| order.number(bytes))
                .ok_or(TRUNCATED)
        };
        let start = if big { number(8, 8)? } else { number(4, 4)? };
        let (count_size, entry_size, field) = if big { (8, 20, 8) } else { (2, 12, 4) };
        let count = number(start, count_size)?;
        let mut tags = BTreeMap::new();
        let mut entry = start.checked_add(count_size as u64).ok_or(TRUNCATED)?;
        for _ in 0..count {
            let tag = number(entry, 2)? as u16;
            let size = match number(entry + 2, 2)? {
                1 | 2 | 6 | 7 => 1,
                3 | 8 => 2,
                4 | 9 | 13 => 4,
                16..=18 => 8,
                // Fractions and floats say nothing about pixels.
                _ => 0,
            };
            let length = usize::try_from(number(entry + 4, field)?)
                .ok()
                .and_then(|count| count.checked_mul(size));
            let length = length.ok_or(TRUNCATED)?;
            let inside = entry + 4 + field as u64;
            let from = if length <= field {
                inside
            } else {
                number(inside, field)?
            };
            if size > 0
                && let Some(values) = at(from, length)
            {
                tags.insert(tag, (size, values));
            }
            entry = entry.checked_add(entry_size).ok_or(TRUNCATED)?;
        }
        Ok(Self { order, tags })
    }

    /// All numbers of a tag; none where it is missing.
    pub(super) fn numbers(&self, tag: u16) -> impl Iterator<Item = u64> {
        let (size, values) = self.tags.get(&tag).copied().unwrap_or((1, &[]));
        values.chunks_exact(size).map(|bytes| self.order.number(bytes))
    }

    /// The number at an index of a tag.
    pub(super) fn number_at(&self, tag: u16, index: usize) -> Option<u64> {
        let (size, values) = self.tags.get(&tag).copied()?;
        let start = index.checked_mul(size)?;
        values
            .get(start..start.checked_add(size)?)
            .map(|bytes| self.order.number(bytes))
    }

    /// The first number of a tag.
    pub(super) fn number(&self, tag: u16) -> Option<u64> {
        self.number_at(tag, 0)
    }

    /// The contents of a tag as they are.
    pub(super) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.tags.get(&tag).map(|(_, values)| *values)
    }
}
