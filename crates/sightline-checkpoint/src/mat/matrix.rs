//! One matrix element as a value: numbers, texts, cells, structures.

use super::{Budget, Cursor, Element, MATRIX, MAX_AXES, MAX_DEPTH, MatError, latin_text, number_type, word};
use crate::column_major;
use crate::storage::Storage;
use crate::tensor::{Dtype, Tensor, TensorError, element_count};
use crate::value::{Cell, Object, Strings, Struct, Value};
use std::sync::Arc;

impl Cursor {
    /// The matrix that is all of an unpacked element.
    pub(super) fn whole_matrix(&mut self, budget: &mut Budget) -> Result<(String, Value), MatError> {
        let element = self.element()?;
        if element.kind != MATRIX {
            return Err(self.damaged(format!(
                "a compressed element holds type {}, no matrix",
                element.kind
            )));
        }
        self.inner(element.data).matrix(budget, 0)
    }

    /// The content of a matrix element: its name and value.
    pub(super) fn matrix(&mut self, budget: &mut Budget, depth: usize) -> Result<(String, Value), MatError> {
        if depth > MAX_DEPTH {
            return Err(MatError::TooDeep);
        }
        budget.charge(1)?;
        if self.storage.is_empty() {
            return Ok((String::new(), Value::Array(Arc::clone(&budget.empty))));
        }
        let flags = self.element()?;
        if flags.kind != 6 || flags.data.len() != 8 {
            return Err(self.damaged("a matrix does not begin with its flags"));
        }
        let flags = word(&flags.data, self.big_endian);
        let (class, complex) = (flags & 0xff, flags & 0x0800 != 0);
        let shape = self.shape()?;
        let name = self.element()?;
        if !matches!(name.kind, 1 | 2 | 16) {
            return Err(self.damaged("the name of a matrix is no text"));
        }
        let name = latin_text(&name.data);
        let value = match class {
            1 => self.cell(shape, budget, depth)?,
            2 => self.structure(shape, budget, depth)?,
            3 => {
                let class = latin_text(&self.element()?.data);
                let state = self.structure(shape, budget, depth)?;
                Value::Object(Arc::new(Object { class, state }))
            }
            4 => self.characters(shape)?,
            6..=15 => self.numbers(shape, complex)?,
            other => {
                let what = match other {
                    5 => "a sparse matrix".to_owned(),
                    16 => "a function".to_owned(),
                    17 => "an object of a Matlab class (such as a string or table)".to_owned(),
                    _ => format!("something of the unknown class {other}"),
                };
                return Err(MatError::Kind { name, what });
            }
        };
        Ok((name, value))
    }

    fn shape(&mut self) -> Result<Vec<usize>, MatError> {
        let dims = self.element()?;
        let axes = dims.data.len() / 4;
        if !matches!(dims.kind, 5 | 6) || dims.data.len() % 4 != 0 || !(1..=MAX_AXES).contains(&axes) {
            return Err(self.damaged("a matrix has no sound dimensions"));
        }
        let shape: Result<Vec<usize>, MatError> = dims
            .data
            .chunks_exact(4)
            .map(|four| {
                let length = word(four, self.big_endian);
                i32::try_from(length)
                    .map(|length| length as usize)
                    .map_err(|_| self.damaged("a dimension is negative"))
            })
            .collect();
        shape
    }

    /// The number of elements of a shape, at most what the bytes left could hold with `least` bytes for each.
    fn count(&self, shape: &[usize], least: usize) -> Result<usize, MatError> {
        let left = self.storage.len() - self.at;
        element_count(shape)
            .filter(|count| count.checked_mul(least).is_some_and(|bytes| bytes <= left))
            .ok_or_else(|| {
                self.damaged(format!(
                    "a matrix of {shape:?} elements has only {left} bytes for them"
                ))
            })
    }

    /// The bytes of `count` numbers, in the type in which they are stored.
    fn part(&mut self, count: usize) -> Result<(Storage, Dtype), MatError> {
        let element = self.element()?;
        let dtype = number_type(element.kind)
            .ok_or_else(|| self.damaged(format!("numbers of type {} are not known", element.kind)))?;
        if count.checked_mul(dtype.size()) != Some(element.data.len()) {
            return Err(self.damaged(format!(
                "a matrix has {count} elements of {} bytes, but {} bytes",
                dtype.size(),
                element.data.len()
            )));
        }
        Ok((element.data, dtype))
    }

    fn numbers(&mut self, shape: Vec<usize>, complex: bool) -> Result<Value, MatError> {
        let count = element_count(&shape).ok_or_else(|| self.damaged("a matrix has too many elements"))?;
        let (data, dtype) = self.part(count)?;
        let tensor = if complex {
            let real = Tensor::contiguous(data, dtype, self.big_endian, vec![count])?;
            let (data, dtype) = self.part(count)?;
            let imaginary = Tensor::contiguous(data, dtype, self.big_endian, vec![count])?;
            let (data, dtype) = interleave(&real, &imaginary)?;
            Tensor::column_major(data, dtype, false, shape)?
        } else {
            Tensor::column_major(data, dtype, self.big_endian, shape)?
        };
        Ok(Value::Array(Arc::new(tensor)))
    }

    fn cell(&mut self, shape: Vec<usize>, budget: &mut Budget, depth: usize) -> Result<Value, MatError> {
        let count = self.count(&shape, 8)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.nested(budget, depth)?);
        }
        let items = column_major::to_row_major(&shape, items);
        Ok(Value::Cell(Arc::new(Cell { shape, items })))
    }

    fn nested(&mut self, budget: &mut Budget, depth: usize) -> Result<Value, MatError> {
        let element = self.element()?;
        if element.kind != MATRIX {
            return Err(self.damaged(format!(
                "an element of type {} stands where a matrix should",
                element.kind
            )));
        }
        Ok(self.inner(element.data).matrix(budget, depth + 1)?.1)
    }

    fn structure(&mut self, shape: Vec<usize>, budget: &mut Budget, depth: usize) -> Result<Value, MatError> {
        let length = self.element()?;
        if length.data.len() != 4 {
            return Err(self.damaged("a structure does not say how long the names of its fields are"));
        }
        let length = word(&length.data, self.big_endian) as usize;
        let names = self.element()?;
        if !names.data.is_empty() && (length == 0 || names.data.len() % length != 0) {
            return Err(self.damaged("the names of a structure's fields do not fit their length"));
        }
        let fields: Vec<String> = names.data.chunks_exact(length.max(1)).map(latin_text).collect();
        let count = self.count(&shape, fields.len().saturating_mul(8))?;
        // Elements without fields have no bytes that could bound them.
        budget.charge(count.saturating_add(fields.len()))?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            let mut values = Vec::with_capacity(fields.len());
            for _ in &fields {
                values.push(self.nested(budget, depth)?);
            }
            items.push(values);
        }
        let items = column_major::to_row_major(&shape, items);
        Ok(Value::Struct(Arc::new(Struct { shape, fields, items })))
    }

    /// A character array as scipy gives it: the last axis becomes text.
    fn characters(&mut self, shape: Vec<usize>) -> Result<Value, MatError> {
        let element = self.element()?;
        let count = element_count(&shape).ok_or_else(|| self.damaged("a text has too many characters"))?;
        let mut text = self.decode(&element)?;
        // Files in the wild hold texts without bytes whose dimensions claim some; scipy gives blanks.
        if text.is_empty() && count <= 1 << 16 {
            text = vec![' '; count];
        }
        if text.len() < count {
            return Err(self.damaged(format!(
                "a text has {count} characters, but bytes for {}",
                text.len()
            )));
        }
        text.truncate(count);
        let ordered = column_major::to_row_major(&shape, text);
        let (length, rows) = shape
            .split_last()
            .map_or((0, &[][..]), |(length, rows)| (*length, rows));
        let values: Vec<Arc<str>> = if length == 0 {
            let rows = element_count(rows).filter(|rows| *rows <= 1 << 16);
            vec![Arc::from(""); rows.ok_or_else(|| self.damaged("a text has too many empty rows"))?]
        } else {
            let line = |line: &[char]| line.iter().collect::<String>().trim_end_matches('\0').into();
            ordered.chunks_exact(length).map(line).collect()
        };
        Ok(Value::Strings(Arc::new(Strings {
            // Numpy has no text type of length 0 here.
            dtype: format!("<U{}", length.max(1)),
            shape: rows.to_vec(),
            values,
        })))
    }

    fn decode(&self, element: &Element) -> Result<Vec<char>, MatError> {
        let bytes = element.data.bytes();
        let wide = |big_endian: bool| -> Vec<u16> {
            bytes
                .chunks_exact(2)
                .map(|b| {
                    if big_endian {
                        u16::from_be_bytes([b[0], b[1]])
                    } else {
                        u16::from_le_bytes([b[0], b[1]])
                    }
                })
                .collect()
        };
        let broken = || self.damaged("a text is no Unicode");
        match element.kind {
            // 8-bit characters without a declared encoding.
            1 | 2 => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
            16 => Ok(std::str::from_utf8(bytes)
                .map_err(|_| broken())?
                .chars()
                .collect()),
            3 | 4 | 17 if bytes.len().is_multiple_of(2) => char::decode_utf16(wide(self.big_endian))
                .collect::<Result<_, _>>()
                .map_err(|_| broken()),
            18 if bytes.len().is_multiple_of(4) => bytes
                .chunks_exact(4)
                .map(|four| char::from_u32(word(four, self.big_endian)).ok_or_else(broken))
                .collect(),
            other => Err(self.damaged(format!(
                "a text of type {other} and {} bytes is not known",
                bytes.len()
            ))),
        }
    }
}

/// Real and imaginary parts side by side, single precision only where both parts are, as numpy joins them.
fn interleave(real: &Tensor, imaginary: &Tensor) -> Result<(Storage, Dtype), TensorError> {
    let pairs = real.to_f64()?.into_iter().zip(imaginary.to_f64()?);
    let (dtype, bytes) = if real.dtype() == Dtype::F32 && imaginary.dtype() == Dtype::F32 {
        let bytes = pairs
            .flat_map(|(a, b)| [a as f32, b as f32])
            .flat_map(f32::to_le_bytes)
            .collect();
        (Dtype::Complex64, bytes)
    } else {
        let bytes = pairs
            .flat_map(|(a, b)| [a, b])
            .flat_map(f64::to_le_bytes)
            .collect();
        (Dtype::Complex128, bytes)
    };
    Ok((Storage::from_vec(bytes), dtype))
}
