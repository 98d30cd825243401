//! Numpy's `.npz` files: zip archives of `.npy` files, stored or deflated.

use crate::npy::{self, NpyError};
use crate::storage::Storage;
use crate::value::Value;
use crate::zip::{Archive, ZipError};
use thiserror::Error;

/// Why bytes cannot be read as a `.npz` file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)] // the messages say it
pub enum NpzError {
    #[error("The .npz file cannot be read: {0}")]
    Zip(#[from] ZipError),
    #[error("Array \"{name}\" of the .npz file cannot be read: {source}")]
    Array { name: String, source: NpyError },
    #[error("Entry \"{name}\" of the .npz file is no .npy file.")]
    Foreign { name: String },
}

/// Whether an archive holds nothing but `.npy` files, and at least one: what `numpy.savez` writes.
pub fn is_npz(archive: &Archive) -> bool {
    !archive.entries().is_empty() && archive.entries().iter().all(|entry| entry.name.ends_with(".npy"))
}

/// Reads all arrays of a `.npz` file, in order, under their names without `.npy`. Arrays of stored entries stay
/// where they are, in `storage`.
///
/// # Errors
/// If archive or arrays are damaged, or something else than arrays is in it.
pub fn read(storage: &Storage) -> Result<Vec<(String, Value)>, NpzError> {
    from_archive(&Archive::open(storage)?)
}

/// As [`read`], from an archive that is already open.
///
/// # Errors
/// As [`read`].
pub fn from_archive(archive: &Archive) -> Result<Vec<(String, Value)>, NpzError> {
    let mut arrays = Vec::with_capacity(archive.entries().len());
    for entry in archive.entries() {
        let name = entry.name.strip_suffix(".npy").ok_or_else(|| NpzError::Foreign {
            name: entry.name.clone(),
        })?;
        let npy = npy::read(&entry.read()?).map_err(|source| NpzError::Array {
            name: name.to_owned(),
            source,
        })?;
        arrays.push((name.to_owned(), npy.value));
    }
    Ok(arrays)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const NPY: &[u8] =
        b"\x93NUMPY\x01\x00\x3b\x00{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}   \n\x01\x02\x03";

    /// An archive with one entry, packed or not, with what the directory claims as its size.
    fn archive(name: &str, content: &[u8], deflate: bool, claimed: u32) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let packed = if deflate {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        } else {
            content.to_vec()
        };
        let both = |bytes: &mut Vec<u8>| {
            bytes.extend([0, 0]);
            bytes.extend([if deflate { 8 } else { 0 }, 0, 0, 0, 0, 0]);
            bytes.extend(crc.sum().to_le_bytes());
            bytes.extend((packed.len() as u32).to_le_bytes());
            bytes.extend(claimed.to_le_bytes());
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend([0, 0]);
        };
        let mut bytes = b"PK\x03\x04\x14\x00".to_vec();
        both(&mut bytes);
        bytes.extend(name.as_bytes());
        bytes.extend(&packed);
        let start = bytes.len() as u32;
        bytes.extend(b"PK\x01\x02\x14\x00\x14\x00");
        both(&mut bytes);
        bytes.extend([0; 14]);
        bytes.extend(name.as_bytes());
        let size = bytes.len() as u32 - start;
        bytes.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
        bytes.extend(size.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    fn open(bytes: Vec<u8>) -> Result<Vec<(String, Value)>, NpzError> {
        read(&Storage::from_vec(bytes))
    }

    #[test]
    fn stored_and_deflated_arrays_are_read() {
        for deflate in [false, true] {
            let arrays = open(archive("x.npy", NPY, deflate, NPY.len() as u32)).unwrap();
            assert_eq!(arrays[0].0, "x");
            assert_eq!(
                arrays[0].1.as_tensor().unwrap().to_f32().unwrap(),
                [1.0, 2.0, 3.0]
            );
        }
    }

    #[test]
    fn sizes_that_do_not_agree_are_refused() {
        let error = |deflate, claimed| open(archive("x.npy", NPY, deflate, claimed)).unwrap_err();
        assert!(matches!(error(false, 5), NpzError::Zip(ZipError::Entry { .. })));
        assert!(matches!(error(true, 5), NpzError::Zip(ZipError::Entry { .. })));
        assert!(matches!(
            error(true, u32::MAX - 1),
            NpzError::Zip(ZipError::Bomb { .. })
        ));
        let mut cut = archive("x.npy", NPY, false, NPY.len() as u32);
        for length in 0..cut.len() {
            assert!(open(cut[..length].to_vec()).is_err(), "{length}");
        }
        cut[60] ^= 1; // inside the header of the array
        assert!(open(cut).is_err());
        assert!(matches!(
            open(archive("x.txt", NPY, false, NPY.len() as u32)),
            Err(NpzError::Foreign { .. })
        ));
    }
}
