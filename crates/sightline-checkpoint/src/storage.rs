//! Bytes that many tensors share: a part of a memory-mapped file, or owned memory.

use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// A run of bytes, cheap to clone and to cut into parts; the file or memory behind it lives as long as any part.
#[derive(Clone)]
pub struct Storage {
    owner: Arc<Owner>,
    start: usize,
    len: usize,
}

enum Owner {
    Map(Mmap),
    Memory(Vec<u8>),
}

impl Storage {
    /// Maps a whole file into memory, read-only. An empty file gives an empty storage.
    ///
    /// # Errors
    /// Those of the operating system.
    #[allow(unsafe_code)]
    pub fn map(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self::from_vec(Vec::new()));
        }
        // SAFETY: the map is read-only and only ever read as bytes, through bounds-checked slices, so no value of
        // the file can break an invariant. Another process that cuts the file short while it is mapped makes a
        // read fail with a signal of the operating system; every reader of memory-mapped files shares that, and
        // the alternative, copying, would cost the size of the file in memory.
        let map = unsafe { Mmap::map(file)? };
        let len = map.len();
        Ok(Self {
            owner: Arc::new(Owner::Map(map)),
            start: 0,
            len,
        })
    }

    /// Takes over bytes in memory.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self {
            owner: Arc::new(Owner::Memory(bytes)),
            start: 0,
            len,
        }
    }

    /// The part of `len` bytes from `offset`, or `None` if it does not lie inside.
    pub fn part(&self, offset: usize, len: usize) -> Option<Self> {
        let end = offset.checked_add(len)?;
        (end <= self.len).then(|| Self {
            owner: Arc::clone(&self.owner),
            start: self.start + offset,
            len,
        })
    }

    /// Lets the system take back the memory of a mapped part that has been read and is not needed soon; reading it
    /// again works, from the file. Does nothing for owned memory.
    #[allow(unsafe_code)]
    pub fn release(&self) {
        #[cfg(unix)]
        if let Owner::Map(map) = &*self.owner {
            // SAFETY: the map is shared with a file and never written, so no data can be lost: after this advice the
            // pages have the file's content as before. That it fails (an empty range) is of no consequence.
            let _ = unsafe {
                map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, self.start, self.len)
            };
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        let all: &[u8] = match &*self.owner {
            Owner::Map(map) => map,
            Owner::Memory(bytes) => bytes,
        };
        // `part` keeps every run inside its owner.
        &all[self.start..self.start + self.len]
    }
}

impl Deref for Storage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Storage({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_inside() {
        let storage = Storage::from_vec((0..10).collect());
        let part = storage.part(2, 5).unwrap();
        assert_eq!(part.bytes(), [2, 3, 4, 5, 6]);
        assert_eq!(part.part(1, 2).unwrap().bytes(), [3, 4]);
        assert!(part.part(4, 2).is_none());
        assert!(part.part(usize::MAX, 2).is_none());
        assert!(storage.part(10, 0).unwrap().is_empty());
    }

    #[test]
    fn released_parts_are_read_again() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &[7; 20_000]).unwrap();
        let storage = Storage::map(&file).unwrap();
        let part = storage.part(5_000, 10_000).unwrap();
        assert!(part.iter().all(|byte| *byte == 7));
        part.release();
        assert!(storage.iter().all(|byte| *byte == 7));
        assert!(Storage::map(&tempfile::tempfile().unwrap()).unwrap().is_empty());
    }
}
