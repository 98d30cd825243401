//! Files of a zip archive. Its reader, with its bounds, is the one for torch's and numpy's files.

use super::PullError;
use super::unpack::{Sink, most_unpacked};
use sightline_checkpoint::Storage;
use sightline_checkpoint::zip::Archive;
use std::fs::File;

/// The largest single file.
const LARGEST: usize = 1 << 30;

/// Puts all files of the archive into the sink.
pub(super) fn read(file: &File, sink: &mut Sink<'_, '_>) -> Result<(), PullError> {
    let storage = Storage::map(file).map_err(|error| sink.damaged(&error))?;
    let archive = Archive::open(&storage).map_err(|error| sink.refused(sentence_part(&error.to_string())))?;
    // Stored entries may lie over one another, so that a small archive is many times its size, too.
    let claimed = archive
        .entries()
        .iter()
        .fold(0_u64, |sum, entry| sum.saturating_add(entry.size as u64));
    let limit = most_unpacked(storage.len() as u64);
    if claimed > limit {
        return Err(sink.refused(format!(
            "it would unpack to {claimed} bytes, more than the {limit} bytes that are accepted for its size"
        )));
    }
    for entry in archive.entries() {
        if entry.name.ends_with('/') {
            sink.see(&entry.name)?;
            continue;
        }
        if entry.size > LARGEST {
            return Err(sink.refused(format!(
                "its entry \"{}\" claims {} bytes",
                entry.name, entry.size
            )));
        }
        let bytes = entry
            .read_checked()
            .map_err(|error| sink.refused(sentence_part(&error.to_string())))?;
        sink.put(&entry.name, entry.size as u64, &mut bytes.bytes())?;
        sink.progress(entry.packed_size() as u64);
    }
    Ok(())
}

/// A sentence as the end of another one.
fn sentence_part(text: &str) -> String {
    text.trim_end_matches('.').to_owned()
}
