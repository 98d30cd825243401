//! Files of a tar archive, packed with gzip or not, in one pass and with bounds on everything that the archive claims.

use super::PullError;
use super::unpack::{Sink, most_unpacked};
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Read};
use tar::{EntryType, PaxExtensions};

/// The longest name, or list of extended facts, of an entry.
const LONGEST_FACTS: u64 = 1 << 16;

/// Puts all files of the archive into the sink. `packed` is the archive's size in bytes.
pub(super) fn read(
    archive: impl Read,
    gzip: bool,
    packed: u64,
    sink: &mut Sink<'_, '_>,
) -> Result<(), PullError> {
    let limit = most_unpacked(packed);
    let source = BufReader::with_capacity(1 << 16, archive);
    if gzip {
        entries(
            Bounded {
                inner: Gunzip::new(source),
                left: limit,
                limit,
            },
            sink,
        )
    } else {
        entries(
            Bounded {
                inner: source,
                left: limit,
                limit,
            },
            sink,
        )
    }
}

fn entries<R: Read>(source: Bounded<R>, sink: &mut Sink<'_, '_>) -> Result<(), PullError> {
    let mut archive = tar::Archive::new(source);
    // What a name or extended header says of the entry after it.
    let mut name: Option<String> = None;
    let entries = archive.entries().map_err(|error| sink.damaged(&error))?;
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(|error| sink.damaged(&error))?;
        let kind = entry.header().entry_type();
        let size = entry
            .header()
            .entry_size()
            .map_err(|error| sink.damaged(&error))?;
        match kind {
            EntryType::GNULongName | EntryType::XHeader => {
                if size > LONGEST_FACTS {
                    return Err(sink.refused(format!("an entry's name or header claims {size} bytes")));
                }
                let mut facts = Vec::new();
                entry
                    .read_to_end(&mut facts)
                    .map_err(|error| sink.damaged(&error))?;
                let found = if kind == EntryType::XHeader {
                    path_of(&facts).map_err(|reason| sink.refused(reason))?
                } else {
                    let end = facts.iter().position(|byte| *byte == 0).unwrap_or(facts.len());
                    Some(facts[..end].to_vec())
                };
                if let Some(found) = found {
                    let text = String::from_utf8(found);
                    name = Some(text.map_err(|_| sink.refused("an entry's name is no UTF-8".to_owned()))?);
                }
                continue;
            }
            // They say something of links, or of all entries.
            EntryType::GNULongLink | EntryType::XGlobalHeader => continue,
            EntryType::GNUSparse => {
                return Err(sink.refused("it holds a sparse file, which is not supported".to_owned()));
            }
            _ => {}
        }
        let own = entry.header().path_bytes().into_owned();
        let name = match name.take() {
            Some(name) => name,
            None => {
                String::from_utf8(own).map_err(|_| sink.refused("an entry's name is no UTF-8".to_owned()))?
            }
        };
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous) && !name.ends_with('/');
        if is_file {
            sink.put(&name, size, &mut entry)?;
        } else if kind == EntryType::Directory || name.ends_with('/') {
            sink.see(&name)?;
        } else {
            sink.leave_out(&name)?;
        }
    }
    // To the end, so that the checksum behind the packed bytes is compared.
    let mut rest = archive.into_inner();
    io::copy(&mut rest, &mut io::sink()).map_err(|error| sink.damaged(&error))?;
    Ok(())
}

/// The path in an extended header, if it has one.
fn path_of(facts: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut path = None;
    for fact in PaxExtensions::new(facts) {
        let fact = fact.map_err(|_| "an extended header is broken".to_owned())?;
        match fact.key_bytes() {
            b"path" => path = Some(fact.value_bytes().to_vec()),
            b"size" => return Err("it holds a file of more than 8 GiB, which is not supported".to_owned()),
            key if key.starts_with(b"GNU.sparse") => {
                return Err("it holds a sparse file, which is not supported".to_owned());
            }
            _ => {}
        }
    }
    Ok(path)
}

/// Ends with an error where more comes than may.
struct Bounded<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(io::Error::other(format!(
                "it would unpack to more than the {} bytes that are accepted for its size",
                self.limit
            ))),
        }
    }
}

/// Members of gzip one after the other; what follows them and is none is passed over, as gzip does.
struct Gunzip<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gunzip<R> {
    fn new(source: R) -> Self {
        Self {
            member: Some(GzDecoder::new(source)),
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if let Some(member) = self.member.take() {
                let mut source = member.into_inner();
                if source.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
                    self.member = Some(GzDecoder::new(source));
                }
            }
        }
        Ok(0)
    }
}
