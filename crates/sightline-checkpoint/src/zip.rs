//! Zip archives as far as torch and numpy write them: entries stored (left in place) or deflated, Zip64.
//!
//! Nothing is believed twice: the central directory says where entries are, and what lies there must agree.
//! Source: PKWARE, APPNOTE.TXT.

use crate::storage::Storage;
use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::collections::HashMap;
use std::io::Read;
use thiserror::Error;

/// Deflated entries may unpack to this much in any case, and to `UNPACKED_RATIO` times the archive beyond it.
const UNPACKED_FREE: usize = 64 << 20;
const UNPACKED_RATIO: usize = 50;

/// Why bytes cannot be read as a zip archive.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)] // the messages say it
pub enum ZipError {
    #[error("The zip archive has no directory at its end; it is damaged or was not fully written.")]
    NoDirectory,
    #[error("The directory of the zip archive is damaged at byte {at}: {reason}.")]
    Directory { at: usize, reason: &'static str },
    #[error("Entry \"{name}\" of the zip archive is damaged: {reason}.")]
    Entry { name: String, reason: String },
    #[error("Entry \"{name}\" stands twice in the zip archive; that is not accepted.")]
    Twice { name: String },
    #[error("The zip archive would unpack to {claimed} bytes, more than the {limit} that are accepted.")]
    Bomb { claimed: u64, limit: usize },
    #[error("The zip archive has no entry \"{name}\".")]
    Missing { name: String },
}

/// A zip archive whose directory has been read.
#[derive(Clone, Debug)]
pub struct Archive {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

/// One file of an archive.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its path.
    pub name: String,
    /// Bytes when unpacked, as the directory says.
    pub size: usize,
    packed: Storage,
    deflated: bool,
    crc: u32,
}

impl Archive {
    /// Reads the directory at the end of the archive and checks it against the entries' own headers.
    ///
    /// # Errors
    /// If they do not agree, lie outside, are encrypted or use another method than stored and deflate, or if all
    /// deflated entries together would unpack to far more than the archive's size.
    pub fn open(storage: &Storage) -> Result<Self, ZipError> {
        let directory = Directory::find(storage)?;
        let mut archive = Self {
            entries: Vec::new(),
            by_name: HashMap::new(),
        };
        let limit = UNPACKED_FREE.max(storage.len().saturating_mul(UNPACKED_RATIO));
        let mut claimed = 0_u64;
        let mut at = directory.start;
        for _ in 0..directory.entries {
            let (entry, next) = directory.entry(storage, at)?;
            at = next;
            if entry.deflated {
                claimed = claimed.saturating_add(entry.size as u64);
                if claimed > limit as u64 {
                    return Err(ZipError::Bomb { claimed, limit });
                }
            }
            let name = entry.name.clone();
            if archive
                .by_name
                .insert(name.clone(), archive.entries.len())
                .is_some()
            {
                return Err(ZipError::Twice { name });
            }
            archive.entries.push(entry);
        }
        Ok(archive)
    }

    /// All entries, in the order of the directory.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn entry(&self, name: &str) -> Result<&Entry, ZipError> {
        let index = self.by_name.get(name).ok_or_else(|| ZipError::Missing {
            name: name.to_owned(),
        })?;
        Ok(&self.entries[*index])
    }
}

impl Entry {
    /// The unpacked bytes. A stored entry stays where it is (its checksum is not computed, so that opening a large
    /// file does not read all of it); a deflated one is unpacked and checked.
    ///
    /// # Errors
    /// If size or checksum do not fit.
    pub fn read(&self) -> Result<Storage, ZipError> {
        if !self.deflated {
            return Ok(self.packed.clone());
        }
        let broken = |reason: String| self.damaged(reason);
        let mut bytes = Vec::new();
        DeflateDecoder::new(self.packed.bytes())
            .take(self.size as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| broken(format!("it cannot be unpacked ({error})")))?;
        if bytes.len() != self.size {
            return Err(broken(format!(
                "it should unpack to {} bytes, but does not",
                self.size
            )));
        }
        // What was packed is not read again; a large archive would otherwise count twice in memory.
        self.packed.release();
        self.compare_checksum(&bytes)?;
        Ok(Storage::from_vec(bytes))
    }

    /// As [`Entry::read`], but the checksum of a stored entry is compared too.
    ///
    /// # Errors
    /// If size or checksum do not fit.
    pub fn read_checked(&self) -> Result<Storage, ZipError> {
        let content = self.read()?;
        if !self.deflated {
            self.compare_checksum(content.bytes())?;
        }
        Ok(content)
    }

    fn compare_checksum(&self, bytes: &[u8]) -> Result<(), ZipError> {
        let mut crc = Crc::new();
        crc.update(bytes);
        if crc.sum() == self.crc {
            return Ok(());
        }
        Err(self.damaged("its checksum does not fit".to_owned()))
    }

    fn damaged(&self, reason: String) -> ZipError {
        ZipError::Entry {
            name: self.name.clone(),
            reason,
        }
    }

    /// Bytes that it takes in the archive.
    pub fn packed_size(&self) -> usize {
        self.packed.len()
    }

    /// Whether the entry is stored as it is, so that reading it costs nothing.
    pub fn is_stored(&self) -> bool {
        !self.deflated
    }
}

struct Directory {
    start: usize,
    end: usize,
    entries: u64,
}

impl Directory {
    fn find(storage: &Storage) -> Result<Self, ZipError> {
        let bytes = storage.bytes();
        // The end record is 22 bytes and a comment of up to 65535.
        let lowest = bytes.len().saturating_sub(22 + 65_535);
        let at = (lowest..=bytes.len().checked_sub(22).ok_or(ZipError::NoDirectory)?)
            .rev()
            .find(|at| bytes[*at..].starts_with(b"PK\x05\x06"))
            .ok_or(ZipError::NoDirectory)?;
        let wrong = |reason| ZipError::Directory { at, reason };
        let end_record = Fields { bytes, at };
        let mut entries = u64::from(end_record.u16(10)?);
        let mut size = u64::from(end_record.u32(12)?);
        let mut start = u64::from(end_record.u32(16)?);
        let mut end = at;
        // Torch writes the Zip64 records into every archive, needed or not; they lie between directory and end record.
        let locator = at
            .checked_sub(20)
            .filter(|at| bytes[*at..].starts_with(b"PK\x06\x07"));
        if let Some(locator) = locator {
            let record = Fields { bytes, at: locator }.u64(8)?;
            let record = usize::try_from(record).map_err(|_| wrong("the Zip64 record lies outside"))?;
            if !bytes
                .get(record..)
                .is_some_and(|bytes| bytes.starts_with(b"PK\x06\x06"))
            {
                return Err(wrong("the Zip64 record is not where it should be"));
            }
            let fields = Fields { bytes, at: record };
            if entries == 0xffff {
                entries = fields.u64(32)?;
            }
            if size == 0xffff_ffff {
                size = fields.u64(40)?;
            }
            if start == 0xffff_ffff {
                start = fields.u64(48)?;
            }
            end = record;
        }
        let claimed_end = start.checked_add(size).ok_or(wrong("it lies outside the file"))?;
        if claimed_end != end as u64 {
            return Err(wrong("it is not where it should be"));
        }
        let start = usize::try_from(start).map_err(|_| wrong("it lies outside the file"))?;
        Ok(Self { start, end, entries })
    }

    /// The entry whose directory record begins at `at`, and where the next record begins.
    fn entry(&self, storage: &Storage, at: usize) -> Result<(Entry, usize), ZipError> {
        let wrong = |reason| ZipError::Directory { at, reason };
        let bytes = &storage.bytes()[..self.end];
        if !bytes
            .get(at..)
            .is_some_and(|bytes| bytes.starts_with(b"PK\x01\x02"))
        {
            return Err(wrong("an entry is not where it should be"));
        }
        let fields = Fields { bytes, at };
        let flags = fields.u16(8)?;
        let method = fields.u16(10)?;
        let crc = fields.u32(16)?;
        let mut packed_size = u64::from(fields.u32(20)?);
        let mut size = u64::from(fields.u32(24)?);
        let (name_len, extra_len) = (usize::from(fields.u16(28)?), usize::from(fields.u16(30)?));
        let comment_len = usize::from(fields.u16(32)?);
        let mut offset = u64::from(fields.u32(42)?);
        let name_bytes = fields.bytes(46, name_len)?;
        let mut extra = fields.bytes(46 + name_len, extra_len)?;
        let next = at + 46 + name_len + extra_len + comment_len;
        while let Some((head, rest)) = extra.split_at_checked(4) {
            let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let (field, rest) = rest
                .split_at_checked(length)
                .ok_or(wrong("an extra field is cut short"))?;
            if head[..2] == [1, 0] {
                let field = Fields { bytes: field, at: 0 };
                let mut at = 0;
                for number in [&mut size, &mut packed_size, &mut offset] {
                    if *number == 0xffff_ffff {
                        *number = field.u64(at)?;
                        at += 8;
                    }
                }
            }
            extra = rest;
        }
        let name = String::from_utf8_lossy(name_bytes).into_owned();
        let broken = |reason: &str| ZipError::Entry {
            name: name.clone(),
            reason: reason.to_owned(),
        };
        if flags & 1 != 0 {
            return Err(broken("it is encrypted"));
        }
        let deflated = match method {
            0 => false,
            8 => true,
            _ => return Err(broken("it is packed by another method than deflate")),
        };
        let outside = || broken("it lies outside the file");
        let local = usize::try_from(offset).map_err(|_| outside())?;
        if !bytes
            .get(local..)
            .is_some_and(|bytes| bytes.starts_with(b"PK\x03\x04"))
        {
            return Err(broken("it is not where the directory says"));
        }
        let fields = Fields { bytes, at: local };
        let local_name_len = usize::from(fields.u16(26)?);
        if fields.bytes(30, local_name_len)? != name_bytes {
            return Err(broken("its own header has another name"));
        }
        let start = local + 30 + local_name_len + usize::from(fields.u16(28)?);
        let (Ok(size), Ok(packed_size)) = (usize::try_from(size), usize::try_from(packed_size)) else {
            return Err(outside());
        };
        if start.checked_add(packed_size).is_none_or(|end| end > self.start) {
            return Err(outside());
        }
        if !deflated && size != packed_size {
            return Err(broken("it is stored, but its two sizes differ"));
        }
        let packed = storage.part(start, packed_size).ok_or_else(outside)?;
        Ok((
            Entry {
                name,
                size,
                packed,
                deflated,
                crc,
            },
            next,
        ))
    }
}

/// Little-endian numbers at places counted from a record's beginning.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn bytes(&self, offset: usize, len: usize) -> Result<&'a [u8], ZipError> {
        let start = self.at + offset;
        let end = start.saturating_add(len);
        self.bytes.get(start..end).ok_or(ZipError::Directory {
            at: self.at,
            reason: "a record is cut short",
        })
    }

    fn u16(&self, offset: usize) -> Result<u16, ZipError> {
        let b = self.bytes(offset, 2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    fn u32(&self, offset: usize) -> Result<u32, ZipError> {
        let b = self.bytes(offset, 4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn u64(&self, offset: usize) -> Result<u64, ZipError> {
        let (low, high) = (self.u32(offset)?, self.u32(offset + 4)?);
        Ok(u64::from(high) << 32 | u64::from(low))
    }
}
