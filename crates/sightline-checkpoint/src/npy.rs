//! Numpy's `.npy` files (format 1.0, 2.0 and 3.0): one array of numbers or texts.
//!
//! The header is a Python literal. It is parsed, never evaluated; arrays of objects (which are pickles) and of
//! structures are refused. Source: numpy's `numpy/lib/format.py`.

use crate::column_major;
use crate::storage::Storage;
use crate::tensor::{Dtype, Tensor, TensorError, element_count};
use crate::value::{Strings, Value};
use std::sync::Arc;
use thiserror::Error;

/// The first bytes of every `.npy` file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// Numpy itself stops at 64 axes.
const MAX_AXES: usize = 64;

/// Texts are held one by one; more of them than this is no list of names.
const MAX_TEXTS: usize = 4 << 20;

/// Why bytes cannot be read as a `.npy` file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)] // the messages say it
pub enum NpyError {
    #[error("This is no .npy file: it does not begin with \\x93NUMPY.")]
    Magic,
    #[error("The .npy file has format version {major}.{minor}; only 1.0, 2.0 and 3.0 are known.")]
    Version { major: u8, minor: u8 },
    #[error("The .npy file ends inside its header; it is damaged or was not fully written.")]
    Truncated,
    #[error("The header of the .npy file is not understood at character {at}: {reason}.")]
    Header { at: usize, reason: String },
    #[error(
        "The .npy file holds elements of type {descr}, which is not accepted: only numbers, truth values and texts are (an array of objects would be code)."
    )]
    Type { descr: String },
    #[error(
        "The .npy file claims {claimed} bytes of values, but holds {available}; it is damaged or was not fully written."
    )]
    Short { claimed: String, available: usize },
    #[error("The .npy file holds {count} texts, more than the {MAX_TEXTS} that are accepted.")]
    TooManyTexts { count: usize },
    #[error("Text {index} of the .npy file holds {code:#x}, which is no Unicode character.")]
    Text { index: usize, code: u32 },
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// What a `.npy` file holds.
#[derive(Clone, Debug)]
pub struct Npy {
    /// [`Value::Array`] or [`Value::Strings`].
    pub value: Value,
    /// Whether the file keeps it column by column.
    pub fortran_order: bool,
}

/// Reads a `.npy` file; numbers stay where they are, in `storage`. Bytes behind the array are left alone, as numpy
/// does.
///
/// # Errors
/// If the header is not one, or says more than the bytes hold.
pub fn read(storage: &Storage) -> Result<Npy, NpyError> {
    let bytes = storage.bytes();
    if !bytes.starts_with(MAGIC) {
        return Err(NpyError::Magic);
    }
    let byte = |at: usize| bytes.get(at).copied().ok_or(NpyError::Truncated);
    let (major, minor) = (byte(6)?, byte(7)?);
    let (length, start) = match (major, minor) {
        (1, 0) => (usize::from(u16::from_le_bytes([byte(8)?, byte(9)?])), 10),
        (2 | 3, 0) => {
            let length = u32::from_le_bytes([byte(8)?, byte(9)?, byte(10)?, byte(11)?]);
            (usize::try_from(length).map_err(|_| NpyError::Truncated)?, 12)
        }
        _ => return Err(NpyError::Version { major, minor }),
    };
    let end = start + length;
    let header = Header::parse(bytes.get(start..end).ok_or(NpyError::Truncated)?)?;
    let data = storage.part(end, bytes.len() - end).ok_or(NpyError::Truncated)?;
    let fortran_order = header.fortran_order;
    Ok(Npy {
        value: header.build(data)?,
        fortran_order,
    })
}

struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, NpyError> {
        let mut literal = Literal { bytes, at: 0 };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        literal.expect(b'{')?;
        while !literal.take(b'}') {
            let key_at = literal.at;
            let key = literal.text()?;
            literal.expect(b':')?;
            match key.as_str() {
                "descr" => descr = Some(literal.descr()?),
                "fortran_order" => fortran_order = Some(literal.truth()?),
                "shape" => shape = Some(literal.shape()?),
                _ => {
                    literal.at = key_at;
                    return Err(literal.wrong(&format!("there is no key \"{key}\" in a .npy header")));
                }
            }
            if !literal.take(b',') {
                literal.expect(b'}')?;
                break;
            }
        }
        literal.blanks();
        if literal.at < bytes.len() {
            return Err(literal.wrong("something stands behind the closing brace"));
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => Ok(Self {
                descr,
                fortran_order,
                shape,
            }),
            _ => Err(literal.wrong("one of descr, fortran_order and shape is missing")),
        }
    }

    fn build(self, data: Storage) -> Result<Value, NpyError> {
        let available = data.len();
        let claim = |size: usize| {
            let claimed = element_count(&self.shape).and_then(|count| count.checked_mul(size));
            match claimed {
                Some(claimed) if claimed <= available => Ok(claimed),
                _ => Err(NpyError::Short {
                    claimed: claimed.map_or_else(|| "more than can be counted".to_owned(), |n| n.to_string()),
                    available,
                }),
            }
        };
        if let Some((dtype, big_endian)) = Dtype::from_numpy(&self.descr) {
            let claimed = claim(dtype.size())?;
            // Numpy's boolean is a byte that must be 0 or 1; the tensor type gives others as they are.
            let data = data.part(0, claimed).ok_or(NpyError::Truncated)?;
            let tensor = if self.fortran_order {
                Tensor::column_major(data, dtype, big_endian, self.shape)?
            } else {
                Tensor::contiguous(data, dtype, big_endian, self.shape)?
            };
            return Ok(Value::Array(Arc::new(tensor)));
        }
        let Some((wide, big_endian, length)) = text_type(&self.descr) else {
            return Err(NpyError::Type { descr: self.descr });
        };
        let size = length.checked_mul(if wide { 4 } else { 1 });
        let size = size.ok_or_else(|| NpyError::Type {
            descr: self.descr.clone(),
        })?;
        claim(size)?;
        let count = element_count(&self.shape).unwrap_or(usize::MAX);
        if count > MAX_TEXTS {
            return Err(NpyError::TooManyTexts { count });
        }
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            let element = &data[index * size..(index + 1) * size];
            values.push(if wide {
                wide_text(element, big_endian, index)?
            } else {
                latin_text(element)
            });
        }
        if self.fortran_order {
            values = column_major::to_row_major(&self.shape, values);
        }
        let dtype = match (self.descr.as_bytes().first(), wide) {
            (Some(b'<' | b'>' | b'|'), _) => self.descr,
            (_, true) => format!("<U{length}"),
            (_, false) => format!("|S{length}"),
        };
        Ok(Value::Strings(Arc::new(Strings {
            dtype,
            shape: self.shape,
            values,
        })))
    }
}

/// `<U4` is (wide, little endian, 4 characters), `|S2` is (narrow, -, 2 bytes).
fn text_type(descr: &str) -> Option<(bool, bool, usize)> {
    let big_endian = descr.starts_with('>');
    let kind = descr.trim_start_matches(['<', '>', '|', '=']);
    let (wide, length) = if let Some(length) = kind.strip_prefix('U') {
        (true, length)
    } else {
        (false, kind.strip_prefix(['S', 'a'])?)
    };
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| length.parse().ok())
        .flatten()
        .map(|length| (wide, big_endian, length))
}

fn wide_text(element: &[u8], big_endian: bool, index: usize) -> Result<Arc<str>, NpyError> {
    let codes: Vec<u32> = element
        .chunks_exact(4)
        .map(|b| {
            let four = [b[0], b[1], b[2], b[3]];
            if big_endian {
                u32::from_be_bytes(four)
            } else {
                u32::from_le_bytes(four)
            }
        })
        .collect();
    let length = codes
        .iter()
        .rposition(|code| *code != 0)
        .map_or(0, |last| last + 1);
    let text: Result<String, NpyError> = codes[..length]
        .iter()
        .map(|code| char::from_u32(*code).ok_or(NpyError::Text { index, code: *code }))
        .collect();
    Ok(text?.into())
}

fn latin_text(element: &[u8]) -> Arc<str> {
    let length = element
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let text: String = element[..length].iter().map(|byte| char::from(*byte)).collect();
    text.into()
}

/// The few Python literals that stand in a header.
struct Literal<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Literal<'_> {
    fn wrong(&self, reason: &str) -> NpyError {
        NpyError::Header {
            at: self.at,
            reason: reason.to_owned(),
        }
    }

    fn blanks(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        self.blanks();
        let found = self.bytes.get(self.at) == Some(&wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8) -> Result<(), NpyError> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(self.wrong(&format!("expected '{}'", char::from(wanted))))
        }
    }

    fn text(&mut self) -> Result<String, NpyError> {
        self.blanks();
        let quote = match self.bytes.get(self.at) {
            Some(quote @ (b'\'' | b'"')) => *quote,
            _ => return Err(self.wrong("expected a text in quotes")),
        };
        let start = self.at + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| *byte == quote)
            .ok_or_else(|| self.wrong("the text does not end"))?;
        let text = &rest[..length];
        if text.contains(&b'\\') || !text.is_ascii() {
            return Err(self.wrong("the text holds a character that no name of a type has"));
        }
        self.at = start + length + 1;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn descr(&mut self) -> Result<String, NpyError> {
        self.blanks();
        if matches!(self.bytes.get(self.at), Some(b'[' | b'(')) {
            return Err(NpyError::Type {
                descr: "with named fields (a structured array)".to_owned(),
            });
        }
        self.text()
    }

    fn word(&mut self) -> &[u8] {
        self.blanks();
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_alphanumeric) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    fn truth(&mut self) -> Result<bool, NpyError> {
        match self.word() {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => Err(self.wrong("expected True or False")),
        }
    }

    fn shape(&mut self) -> Result<Vec<usize>, NpyError> {
        self.expect(b'(')?;
        let mut shape = Vec::new();
        while !self.take(b')') {
            let word = self.word();
            // Python 2 wrote long numbers with an L.
            let digits = word.strip_suffix(b"L").unwrap_or(word);
            let length = std::str::from_utf8(digits)
                .ok()
                .filter(|text| !text.is_empty())
                .and_then(|text| text.parse().ok());
            let length =
                length.ok_or_else(|| self.wrong("expected the length of an axis, a whole number from 0"))?;
            if shape.len() == MAX_AXES {
                return Err(self.wrong("an array has no more than 64 axes"));
            }
            shape.push(length);
            if !self.take(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Result<Npy, NpyError> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        read(&Storage::from_vec(bytes))
    }

    #[test]
    fn shapes_of_all_kinds() {
        let shape_of = |text: &str, data: &[u8]| {
            let header = format!("{{\"shape\": {text}, 'descr': '|u1', 'fortran_order': False}}\n");
            file(&header, data).map(|npy| npy.value.as_tensor().unwrap().shape().to_vec())
        };
        assert_eq!(shape_of("()", &[1]), Ok(vec![]));
        assert_eq!(shape_of("(2,)", &[1, 2]), Ok(vec![2]));
        assert_eq!(shape_of("(2L, 1L)", &[1, 2]), Ok(vec![2, 1]));
        assert_eq!(shape_of("(0, 99999999999)", &[]), Ok(vec![0, 99_999_999_999]));
        assert!(matches!(shape_of("(3,)", &[1, 2]), Err(NpyError::Short { .. })));
        assert!(matches!(shape_of("(-1,)", &[1]), Err(NpyError::Header { .. })));
        assert!(matches!(
            shape_of("(1+1,)", &[1, 2]),
            Err(NpyError::Header { .. })
        ));
        assert!(matches!(
            shape_of("(99999999999999999999,)", &[]),
            Err(NpyError::Header { .. })
        ));
    }

    #[test]
    fn texts_in_fortran_order_come_by_rows() {
        let header = "{'descr': '|S1', 'fortran_order': True, 'shape': (2, 3)}";
        let Value::Strings(strings) = file(header, b"adbecf").unwrap().value else {
            panic!("no texts");
        };
        assert_eq!(strings.values.concat(), "abcdef");
    }

    #[test]
    fn what_would_cost_without_bytes_is_refused() {
        let header = "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,)}";
        assert!(matches!(file(header, &[]), Err(NpyError::TooManyTexts { .. })));
        let header = "{'descr': '<U4611686018427387904', 'fortran_order': False, 'shape': (1,)}";
        assert!(file(header, &[]).is_err());
        for descr in ["|O", "<M8[s]", "|V8", "<f16", ""] {
            let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,)}}");
            assert!(
                matches!(file(&header, &[0; 64]), Err(NpyError::Type { .. })),
                "{descr}"
            );
        }
    }
}
