//! Matlab 5 files (`.mat` of version 5 to 7.2): numbers in whatever type they are stored, texts, cells, structures.
//!
//! Values come as scipy's `loadmat` gives them: numbers keep the type in which they are **stored** (a double matrix
//! of small whole numbers is kept as bytes), the last axis of a character array becomes text. Sparse matrices,
//! functions and classes are refused, and so is version 7.3, which is HDF5. Source: MathWorks, "MAT-File Format".

mod matrix;

use crate::storage::Storage;
use crate::tensor::{Dtype, Tensor, TensorError};
use crate::value::Value;
use flate2::read::ZlibDecoder;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;
use std::sync::Arc;
use thiserror::Error;

/// How deep cells and structures may lie in one another.
const MAX_DEPTH: usize = 100;

/// Matlab knows no bound; nothing of use has more axes.
const MAX_AXES: usize = 32;

/// What compressed elements may unpack to in any case, and how many times their size beyond it.
const UNPACKED_FREE: usize = 64 << 20;
const UNPACKED_RATIO: usize = 50;

/// How many values (matrices, cells, elements of structures) a file may hold in any case; larger ones may hold one
/// for every 64 bytes.
const VALUES_FREE: usize = 300_000;
const BYTES_PER_VALUE: usize = 64;

/// Why bytes cannot be read as a Matlab 5 file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)] // the messages say it
pub enum MatError {
    #[error("This is no Matlab 5 file: it does not begin with a 128-byte header that ends in IM or MI.")]
    NotMat,
    #[error(
        "This is a Matlab 7.3 file (HDF5), which is not read; save it with `save -v7` in Matlab, or with scipy.io.savemat."
    )]
    Hdf5,
    #[error("The Matlab file has version {version:#06x}; only 0x0100 is known.")]
    Version { version: u16 },
    #[error("The Matlab file is damaged at byte {at}{inside}: {reason}.")]
    Damaged {
        at: usize,
        inside: &'static str,
        reason: String,
    },
    #[error("The Matlab variable \"{name}\" holds {what}, which is not accepted.")]
    Kind { name: String, what: String },
    #[error(
        "The Matlab file unpacks to more than {limit} bytes; unpack it with Matlab or scipy first if it is sound."
    )]
    Bomb { limit: usize },
    #[error("The Matlab file holds more than {limit} values; that is not accepted.")]
    TooManyValues { limit: usize },
    #[error("The Matlab file nests cells or structures more than {MAX_DEPTH} deep; that is not accepted.")]
    TooDeep,
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// Whether these bytes begin as a Matlab 5 (or 7.3) file does.
pub fn is_mat(bytes: &[u8]) -> bool {
    bytes.len() >= 128 && matches!(&bytes[126..128], b"IM" | b"MI") && bytes.starts_with(b"MATLAB")
}

/// Reads all variables of a Matlab 5 file, in order. Numbers that are stored unpacked stay where they are, in
/// `storage`.
///
/// # Errors
/// If sizes and data do not agree, something is of a kind that is not read, or the file would cost far more memory
/// than it has bytes.
pub fn read(storage: &Storage) -> Result<Vec<(String, Value)>, MatError> {
    let bytes = storage.bytes();
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Err(MatError::Hdf5);
    }
    let header = bytes.get(..128).ok_or(MatError::NotMat)?;
    let big_endian = match &header[126..128] {
        b"IM" => false,
        b"MI" => true,
        _ => return Err(MatError::NotMat),
    };
    let version = [header[124], header[125]];
    let version = if big_endian {
        u16::from_be_bytes(version)
    } else {
        u16::from_le_bytes(version)
    };
    match version {
        0x0100 => {}
        0x0200 => return Err(MatError::Hdf5),
        _ => return Err(MatError::Version { version }),
    }
    let limit = VALUES_FREE.max(bytes.len() / BYTES_PER_VALUE);
    let mut budget = Budget {
        unpacked_limit: UNPACKED_FREE.max(bytes.len().saturating_mul(UNPACKED_RATIO)),
        unpacked: 0,
        values_limit: limit,
        values: 0,
        empty: Arc::new(Tensor::contiguous(
            Storage::from_vec(Vec::new()),
            Dtype::F64,
            false,
            vec![0, 0],
        )?),
    };
    let mut file = Cursor {
        storage: storage.clone(),
        at: 128,
        big_endian,
        inside: "",
    };
    let mut variables: Vec<(String, Value)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    while !file.is_done() {
        let element = file.element()?;
        let (name, value) = match element.kind {
            MATRIX => file.inner(element.data).matrix(&mut budget, 0)?,
            COMPRESSED => file
                .unpack(&element.data, &mut budget)?
                .whole_matrix(&mut budget)?,
            other => {
                return Err(file.damaged(format!(
                    "an element of type {other} stands where a variable should"
                )));
            }
        };
        // Variables without a name are Matlab's own (the workspace of functions).
        if name.is_empty() {
            continue;
        }
        // A name that stands twice keeps its place and takes the later value, as in a dict.
        match places.entry(name.clone()) {
            Entry::Occupied(place) => variables[*place.get()].1 = value,
            Entry::Vacant(place) => {
                place.insert(variables.len());
                variables.push((name, value));
            }
        }
    }
    Ok(variables)
}

const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// What reading may still cost.
struct Budget {
    unpacked_limit: usize,
    unpacked: usize,
    values_limit: usize,
    values: usize,
    /// The one empty matrix that all elements without content share.
    empty: Arc<Tensor>,
}

impl Budget {
    fn charge(&mut self, values: usize) -> Result<(), MatError> {
        self.values = self.values.saturating_add(values);
        if self.values > self.values_limit {
            return Err(MatError::TooManyValues {
                limit: self.values_limit,
            });
        }
        Ok(())
    }
}

struct Element {
    kind: u32,
    data: Storage,
}

/// Walks over the elements of a file, of a matrix, or of an unpacked element.
struct Cursor {
    storage: Storage,
    at: usize,
    big_endian: bool,
    /// For messages: whose bytes `at` counts.
    inside: &'static str,
}

impl Cursor {
    fn damaged(&self, reason: impl Into<String>) -> MatError {
        MatError::Damaged {
            at: self.at,
            inside: self.inside,
            reason: reason.into(),
        }
    }

    fn is_done(&self) -> bool {
        self.at >= self.storage.len()
    }

    fn inner(&self, data: Storage) -> Self {
        Self {
            storage: data,
            at: 0,
            big_endian: self.big_endian,
            inside: " of a variable",
        }
    }

    fn number(&self, at: usize) -> Result<u32, MatError> {
        let four = at
            .checked_add(4)
            .and_then(|end| self.storage.get(at..end))
            .ok_or_else(|| self.damaged("the file ends too early"))?;
        Ok(word(four, self.big_endian))
    }

    /// The next element: a tag of 8 bytes and its data, padded to 8 bytes; or both packed into 8 bytes.
    fn element(&mut self) -> Result<Element, MatError> {
        let first = self.number(self.at)?;
        let (kind, start, size, next) = if first >> 16 != 0 {
            let size = (first >> 16) as usize;
            if size > 4 {
                return Err(self.damaged(format!("a small element claims {size} bytes")));
            }
            (first & 0xffff, self.at + 4, size, self.at + 8)
        } else {
            let size = self.number(self.at + 4)? as usize;
            let start = self.at + 8;
            let end = start.saturating_add(size);
            let next = if first == COMPRESSED {
                end
            } else {
                end.checked_next_multiple_of(8).unwrap_or(end)
            };
            (first, start, size, next)
        };
        let data = self.storage.part(start, size).ok_or_else(|| {
            let left = self.storage.len().saturating_sub(start);
            self.damaged(format!("an element claims {size} bytes, but {left} are left"))
        })?;
        // The padding of the very last element may be missing.
        self.at = next.min(self.storage.len());
        Ok(Element { kind, data })
    }

    fn unpack(&self, packed: &Storage, budget: &mut Budget) -> Result<Self, MatError> {
        let mut unpacked = Vec::new();
        let left = budget.unpacked_limit - budget.unpacked;
        ZlibDecoder::new(packed.bytes())
            .take(left as u64 + 1)
            .read_to_end(&mut unpacked)
            .map_err(|error| self.damaged(format!("a compressed element cannot be unpacked ({error})")))?;
        if unpacked.len() > left {
            return Err(MatError::Bomb {
                limit: budget.unpacked_limit,
            });
        }
        budget.unpacked += unpacked.len();
        Ok(Self {
            storage: Storage::from_vec(unpacked),
            at: 0,
            big_endian: self.big_endian,
            inside: " of an unpacked variable",
        })
    }
}

fn number_type(kind: u32) -> Option<Dtype> {
    Some(match kind {
        1 => Dtype::I8,
        2 => Dtype::U8,
        3 => Dtype::I16,
        4 => Dtype::U16,
        5 => Dtype::I32,
        6 => Dtype::U32,
        7 => Dtype::F32,
        9 => Dtype::F64,
        12 => Dtype::I64,
        13 => Dtype::U64,
        _ => return None,
    })
}

fn word(four: &[u8], big_endian: bool) -> u32 {
    let four = [four[0], four[1], four[2], four[3]];
    if big_endian {
        u32::from_be_bytes(four)
    } else {
        u32::from_le_bytes(four)
    }
}

/// Up to the first zero.
fn latin_text(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take_while(|byte| **byte != 0)
        .map(|byte| char::from(*byte))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn matrix(class: u32, dims: &[i32], name: &str, content: &[u8]) -> Vec<u8> {
        let flags: Vec<u8> = [class, 0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let dims: Vec<u8> = dims.iter().flat_map(|v| v.to_le_bytes()).collect();
        let parts = [
            element(6, &flags),
            element(5, &dims),
            element(1, name.as_bytes()),
            content.to_vec(),
        ];
        element(14, &parts.concat())
    }

    fn file(content: &[u8]) -> Result<Vec<(String, Value)>, MatError> {
        let mut bytes = format!("{:124}\0\x01IM", "MATLAB 5.0 MAT-file").into_bytes();
        bytes.extend(content);
        read(&Storage::from_vec(bytes))
    }

    #[test]
    fn cells_that_nest_without_end_are_refused() {
        let mut inside = matrix(6, &[0, 0], "", &element(9, &[]));
        for _ in 0..5000 {
            inside = matrix(1, &[1, 1], "c", &inside);
        }
        assert_eq!(file(&inside).unwrap_err(), MatError::TooDeep);
    }

    #[test]
    fn what_would_cost_without_bytes_is_refused() {
        let claims =
            |class, dims: &[i32], content: &[u8]| file(&matrix(class, dims, "x", content)).unwrap_err();
        let huge = [i32::MAX, i32::MAX];
        assert!(matches!(claims(1, &huge, &[]), MatError::Damaged { .. }));
        assert!(matches!(
            claims(9, &huge, &element(2, &[1])),
            MatError::Damaged { .. }
        ));
        assert!(matches!(
            claims(4, &huge, &element(16, b"")),
            MatError::Damaged { .. }
        ));
        assert!(matches!(
            claims(4, &[i32::MAX, 0], &element(16, b"")),
            MatError::Damaged { .. }
        ));
        let no_fields = [element(5, &32_u32.to_le_bytes()), element(1, &[])].concat();
        assert!(matches!(
            claims(2, &[1 << 20, 1], &no_fields),
            MatError::TooManyValues { .. }
        ));
        assert!(matches!(claims(5, &[1, 1], &[]), MatError::Kind { .. }));
        assert!(matches!(
            claims(6, &[-1, 2], &element(2, &[1, 2])),
            MatError::Damaged { .. }
        ));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0; 1 << 20];
        for _ in 0..80 {
            std::io::Write::write_all(&mut packed, &zeros).unwrap();
        }
        let error = file(&element(15, &packed.finish().unwrap())).unwrap_err();
        assert!(matches!(error, MatError::Bomb { .. }), "{error}");
    }

    #[test]
    fn hdf5_is_named() {
        let mut bytes = vec![b' '; 128];
        bytes[124..].copy_from_slice(b"\0\x02IM");
        assert_eq!(read(&Storage::from_vec(bytes)).unwrap_err(), MatError::Hdf5);
    }

    #[test]
    fn rows_of_text_come_out_of_columns() {
        let value = file(&matrix(4, &[2, 3], "t", &element(16, "adbéc\0".as_bytes())))
            .unwrap()
            .remove(0)
            .1;
        let Value::Strings(strings) = value else {
            panic!("no texts")
        };
        assert_eq!(strings.values, ["abc".into(), "dé".into()]);
        assert_eq!(strings.dtype, "<U3");
    }
}
