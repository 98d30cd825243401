//! Numpy's constructors: arrays, types, scalars. Numbers and texts only; object arrays are refused.

use super::PickleError;
use super::globals::Global;
use super::machine::Machine;
use super::node::{Item, Node, NumpyDtype, NumpyKind};
use crate::storage::Storage;
use crate::tensor::{Dtype, Tensor, element_count};
use crate::value::{Scalar, Strings, Value};
use std::sync::Arc;

impl NumpyDtype {
    /// Numpy's type of a text such as `<f4`, `U13`, `|S2`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((dtype, big_endian)) = Dtype::from_numpy(text) {
            return Some(Self {
                kind: NumpyKind::Number(dtype),
                big_endian,
            });
        }
        let bare = text.trim_start_matches(['<', '>', '=', '|']);
        let length = bare.get(1..)?.parse::<u32>().ok()? as usize;
        let kind = match bare.as_bytes().first()? {
            b'U' => NumpyKind::Text(length),
            b'S' | b'a' => NumpyKind::Bytes(length),
            _ => return None,
        };
        Some(Self {
            big_endian: text.starts_with('>') && matches!(kind, NumpyKind::Text(_)),
            kind,
        })
    }

    fn size(&self) -> usize {
        match self.kind {
            NumpyKind::Number(dtype) => dtype.size(),
            NumpyKind::Text(length) => length.saturating_mul(4),
            NumpyKind::Bytes(length) => length,
        }
    }

    fn text(&self) -> String {
        match self.kind {
            NumpyKind::Number(dtype) => dtype.numpy_text(self.big_endian),
            NumpyKind::Text(length) => format!("{}U{length}", if self.big_endian { '>' } else { '<' }),
            NumpyKind::Bytes(length) => format!("|S{length}"),
        }
    }

    /// One text: numpy pads with zeros at the end.
    fn read_text(&self, bytes: &[u8]) -> Option<String> {
        match self.kind {
            NumpyKind::Text(_) => {
                let mut text = String::new();
                for unit in bytes.chunks_exact(4) {
                    let unit = [unit[0], unit[1], unit[2], unit[3]];
                    let code = if self.big_endian {
                        u32::from_be_bytes(unit)
                    } else {
                        u32::from_le_bytes(unit)
                    };
                    text.push(char::from_u32(code)?);
                }
                text.truncate(text.trim_end_matches('\0').len());
                Some(text)
            }
            _ => {
                let length = bytes
                    .iter()
                    .rposition(|byte| *byte != 0)
                    .map_or(0, |last| last + 1);
                Some(super::machine::latin1(&bytes[..length]))
            }
        }
    }
}

impl Machine {
    /// `dtype(text, align, copy)`.
    pub(super) fn numpy_dtype(&mut self, global: Global, text: Item) -> Result<Node, PickleError> {
        let name = self.name(text).unwrap_or_default();
        match NumpyDtype::parse(&name) {
            Some(dtype) => Ok(Node::NumpyDtype(Box::new(dtype))),
            None => Err(self.wrong_use(
                global,
                format!(
                    "the type `{}`, which holds neither numbers nor text",
                    name.escape_default()
                ),
            )),
        }
    }

    /// BUILD of a type: (3, byte order, subarray, names, fields, size, alignment, flags).
    pub(super) fn numpy_dtype_state(&self, mut dtype: NumpyDtype, state: Item) -> Result<Node, PickleError> {
        let fields = self.tuple(state).unwrap_or_default();
        let [Item::Int(_), order, Item::None, Item::None, Item::None, ..] = fields else {
            return Err(self.damaged("a numpy type has a state that is no plain type's"));
        };
        let order = self.name(*order);
        dtype.big_endian = match order.as_deref() {
            Some("<" | "=" | "|") => false,
            Some(">") => dtype.size() > 1 && !matches!(dtype.kind, NumpyKind::Bytes(_)),
            _ => return Err(self.damaged("a numpy type has no known byte order")),
        };
        Ok(Node::NumpyDtype(Box::new(dtype)))
    }

    /// BUILD of an array: (1, shape, dtype, Fortran order, bytes). Foreign byte order becomes native, as numpy
    /// does here.
    pub(super) fn numpy_array(&mut self, state: Item) -> Result<Node, PickleError> {
        let [Item::Int(_), shape, dtype, Item::Bool(fortran), bytes] = *self.tuple(state).unwrap_or_default()
        else {
            return Err(self.damaged("an array has a state that is not (1, shape, type, order, bytes)"));
        };
        self.make_array(shape, dtype, fortran, bytes, true)
    }

    /// `_frombuffer(bytes, dtype, shape, order)`: the byte order stays.
    pub(super) fn numpy_buffer(
        &mut self,
        global: Global,
        [bytes, dtype, shape, order]: [Item; 4],
    ) -> Result<Node, PickleError> {
        let fortran = match self.name(order).as_deref() {
            Some("C") => false,
            Some("F") => true,
            _ => return Err(self.wrong_use(global, "an order other than C or F")),
        };
        self.make_array(shape, dtype, fortran, bytes, false)
    }

    fn make_array(
        &mut self,
        shape: Item,
        dtype: Item,
        fortran: bool,
        bytes: Item,
        native: bool,
    ) -> Result<Node, PickleError> {
        let Some(Node::NumpyDtype(dtype)) = self.get(dtype) else {
            return Err(self.damaged("an array has no type"));
        };
        let dtype = (**dtype).clone();
        let Some(shape) = self.lengths(shape) else {
            return Err(self.damaged("an array has no shape of whole numbers from 0"));
        };
        let bytes = match self.get(bytes) {
            Some(Node::Bytes(bytes) | Node::OldText(bytes)) => bytes.clone(),
            Some(Node::List(_)) => return Err(self.damaged("an array holds objects, not numbers")),
            _ => return Err(self.damaged("an array has no bytes")),
        };
        let wanted = element_count(&shape).and_then(|count| count.checked_mul(dtype.size()));
        if wanted != Some(bytes.len()) {
            return Err(self.damaged(format!(
                "an array of shape {shape:?} and type {} comes with {} bytes",
                dtype.text(),
                bytes.len()
            )));
        }
        self.charge(size_of::<Tensor>() + 2 * 8 * shape.len())?;
        if let NumpyKind::Number(number) = dtype.kind {
            let tensor = if fortran {
                Tensor::column_major(bytes, number, dtype.big_endian, shape)?
            } else {
                Tensor::contiguous(bytes, number, dtype.big_endian, shape)?
            };
            if native && tensor.is_big_endian() {
                self.charge(tensor.byte_len())?;
                return Ok(Node::Array(Arc::new(tensor.to_owned_native())));
            }
            return Ok(Node::Array(Arc::new(tensor)));
        }
        let strings = self.strings(dtype, shape, fortran, &bytes, native)?;
        Ok(Node::Strings(Arc::new(strings)))
    }

    fn strings(
        &mut self,
        mut dtype: NumpyDtype,
        shape: Vec<usize>,
        fortran: bool,
        bytes: &Storage,
        native: bool,
    ) -> Result<Strings, PickleError> {
        let count = element_count(&shape).unwrap_or(0);
        let size = dtype.size();
        if size == 0 && count > 1 << 16 {
            return Err(self.excess(format!("an array claims {count} empty texts")));
        }
        self.charge(bytes.len().saturating_add(count.saturating_mul(48)))?;
        let mut order: Vec<usize> = (0..count).collect();
        if fortran {
            // Which element, in the order of the file, stands at each row-major place.
            let places = Storage::from_vec(order.iter().flat_map(|n| (*n as u64).to_le_bytes()).collect());
            let places = Tensor::column_major(places, Dtype::I64, false, shape.clone())?.to_i64()?;
            order = places.into_iter().map(|place| place as usize).collect();
        }
        let values: Option<Vec<Arc<str>>> = order
            .iter()
            .map(|place| {
                Some(Arc::from(
                    dtype.read_text(&bytes[place * size..(place + 1) * size])?,
                ))
            })
            .collect();
        let Some(values) = values else {
            return Err(self.damaged("an array of texts holds something that is no character"));
        };
        if native {
            dtype.big_endian = false;
        }
        Ok(Strings {
            dtype: dtype.text(),
            shape,
            values,
        })
    }

    /// `scalar(dtype, bytes)`.
    pub(super) fn numpy_scalar(
        &mut self,
        global: Global,
        dtype: Item,
        bytes: Item,
    ) -> Result<Node, PickleError> {
        let Some(Node::NumpyDtype(dtype)) = self.get(dtype) else {
            return Err(self.wrong_use(global, "something that is no type"));
        };
        let mut dtype = (**dtype).clone();
        let bytes = match self.get(bytes) {
            Some(Node::Bytes(bytes) | Node::OldText(bytes)) if bytes.len() == dtype.size() => bytes.clone(),
            _ => return Err(self.wrong_use(global, "bytes that are not one element")),
        };
        self.charge(64 + bytes.len())?;
        let value = match dtype.kind {
            NumpyKind::Number(number) => {
                let tensor = Tensor::contiguous(bytes, number, dtype.big_endian, Vec::new())?;
                number_value(&tensor)
            }
            _ => dtype.read_text(&bytes).map(|text| Value::text(&text)),
        };
        let Some(value) = value else {
            return Err(self.wrong_use(global, format!("a value of type {}", dtype.text())));
        };
        dtype.big_endian = false;
        Ok(Node::Scalar(Arc::new(Scalar {
            dtype: dtype.text(),
            value,
        })))
    }
}

fn number_value(tensor: &Tensor) -> Option<Value> {
    match tensor.dtype() {
        Dtype::Bool => Some(Value::Bool(*tensor.to_i64().ok()?.first()? != 0)),
        Dtype::U64 => {
            let bytes: [u8; 8] = tensor.to_bytes().try_into().ok()?;
            let number = u64::from_le_bytes(bytes);
            Some(match i64::try_from(number) {
                Ok(number) => Value::Int(number),
                Err(_) => Value::BigInt(number.to_string().into()),
            })
        }
        Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64 => {
            Some(Value::Float(*tensor.to_f64().ok()?.first()?))
        }
        _ => Some(Value::Int(*tensor.to_i64().ok()?.first()?)),
    }
}
