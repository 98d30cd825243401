//! Entries sorted by word beyond what memory holds: full buffers are sorted and written to files without a name, and
//! all are merged at the end.

use super::AsmkError;
use super::index::Lists;
use sightline_checkpoint::Storage;
use std::io::{BufWriter, Seek as _, Write as _};
use std::path::Path;

/// Entries in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    words: Vec<u32>,
    ids: Vec<u32>,
    vectors: Vec<u32>,
}

impl Buffer {
    pub(crate) fn push(&mut self, id: u32, words: &[u32], vectors: &[u32]) {
        self.words.extend_from_slice(words);
        self.ids.resize(self.words.len(), id);
        self.vectors.extend_from_slice(vectors);
    }

    /// Bytes that lie here, and those that sorting them will take.
    pub(crate) fn bytes(&self) -> usize {
        4 * (2 * self.words.len() + self.vectors.len()) + 4 * self.words.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Writes all entries, sorted by word and otherwise in their order, and becomes empty. The file lies in `folder`
    /// and vanishes with the run.
    pub(crate) fn sort(&mut self, folder: &Path, words: usize, units: usize) -> Result<Run, AsmkError> {
        let mut offsets = vec![0_u64; words + 1];
        for word in &self.words {
            offsets[*word as usize + 1] += 1;
        }
        for word in 0..words {
            offsets[word + 1] += offsets[word];
        }
        let mut next: Vec<u32> = offsets.iter().map(|offset| *offset as u32).collect();
        let mut order = vec![0_u32; self.words.len()];
        for (entry, word) in self.words.iter().enumerate() {
            let place = &mut next[*word as usize];
            order[*place as usize] = entry as u32;
            *place += 1;
        }
        let written = || -> std::io::Result<Storage> {
            let mut file = BufWriter::with_capacity(1 << 20, tempfile::tempfile_in(folder)?);
            for entry in &order {
                file.write_all(&self.ids[*entry as usize].to_le_bytes())?;
            }
            for entry in &order {
                let start = *entry as usize * units;
                file.write_all(bytemuck::cast_slice(&self.vectors[start..start + units]))?;
            }
            let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.rewind()?;
            Storage::map(&file)
        };
        let map = written().map_err(AsmkError::io(folder, "used for intermediate files"))?;
        self.words.clear();
        self.ids.clear();
        self.vectors.clear();
        Ok(Run { offsets, map, units })
    }
}

/// Sorted entries in a file.
#[derive(Debug)]
pub(crate) struct Run {
    offsets: Vec<u64>,
    map: Storage,
    units: usize,
}

impl Run {
    pub(crate) fn lists(&self) -> Lists<'_> {
        let entries = self.offsets.last().map_or(0, |entries| *entries as usize);
        let all: &[u32] = bytemuck::try_cast_slice(self.map.bytes()).unwrap_or_default();
        let (ids, vectors) = all.split_at(entries.min(all.len()));
        Lists {
            offsets: &self.offsets,
            ids,
            vectors,
            units: self.units,
        }
    }
}
