//! From the arena to the tree: children before parents, without recursion; refuses what holds itself, nests too
//! deep, or grows out of proportion when written out.

use super::PickleError;
use super::machine::{Program, latin1};
use super::node::{Item, Node, Pending};
use crate::storage::Storage;
use crate::tensor::Tensor;
use crate::value::{DefaultDict, Items, MAX_DEPTH, Object, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Values that a tree may have when everything shared is written out: this many, or four times what the file holds.
const WRITTEN_OUT_BASE: u64 = 1 << 20;
/// Bytes of keys that are hashed: this many, or four times the file.
const HASHED_BASE: usize = 64 << 20;
/// Bytes of tensors and texts written out: this many, or 32 times what the file holds.
const BYTES_BASE: u64 = 64 << 20;

/// The bytes of the storages that a pickle names, in the order of [`Program::keys`].
#[derive(Default)]
pub(crate) struct Bytes {
    pub(crate) storages: Vec<Storage>,
    /// Whether typed storages are stored big endian.
    pub(crate) big_endian: bool,
}

/// How far a node has come.
#[derive(Clone)]
enum State {
    New,
    Open,
    Done(Value),
}

/// What a node amounts to when everything below it is written out.
#[derive(Clone, Copy, Default)]
struct Weight {
    depth: usize,
    values: u64,
    bytes: u64,
}

impl Weight {
    fn add(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.values = self.values.saturating_add(other.values);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Program {
    /// The tree, with the tensors' bytes from `bytes`.
    pub(crate) fn freeze(mut self, bytes: &Bytes) -> Result<Value, PickleError> {
        let stored: u64 = bytes.storages.iter().map(|storage| storage.len() as u64).sum();
        let limit = Weight {
            depth: MAX_DEPTH,
            values: WRITTEN_OUT_BASE + 4 * self.slots as u64,
            bytes: BYTES_BASE + 32 * (stored + self.input.len() as u64),
        };
        let mut states = vec![State::New; self.nodes.len()];
        let mut weights = vec![Weight::default(); self.nodes.len()];
        let mut open: Vec<(u32, usize)> = Vec::new();
        let mut next = match self.root {
            Item::Node(root) => Some(root),
            _ => None,
        };
        loop {
            if let Some(number) = next.take() {
                states[number as usize] = State::Open;
                open.push((number, 0));
                if open.len() > MAX_DEPTH {
                    return Err(self.excess(format!("it nests more than {MAX_DEPTH} levels")));
                }
            }
            let Some((number, position)) = open.last_mut() else {
                break;
            };
            let number = *number as usize;
            if let Some(child) = child(&self.nodes[number], *position) {
                *position += 1;
                if let Item::Node(child) = child {
                    match states[child as usize] {
                        State::New => next = Some(child),
                        State::Open => return Err(self.excess("it holds itself")),
                        State::Done(_) => {
                            let weight = weights[child as usize];
                            weights[number].add(weight);
                        }
                    }
                } else {
                    weights[number].values += 1;
                }
                continue;
            }
            let value = self.value(number, &states, bytes)?;
            let weight = &mut weights[number];
            weight.depth += 1;
            weight.values = weight.values.saturating_add(1);
            weight.bytes = weight.bytes.saturating_add(value_bytes(&value));
            if weight.depth > limit.depth {
                return Err(self.excess(format!("it nests more than {MAX_DEPTH} levels")));
            }
            if weight.values > limit.values {
                return Err(self.excess("it names the same parts so often that written out it would be huge"));
            }
            if weight.bytes > limit.bytes {
                return Err(self.excess(
                    "it names the same tensors or texts so often that written out they would be huge",
                ));
            }
            states[number] = State::Done(value);
            let weight = *weight;
            open.pop();
            if let Some((parent, _)) = open.last() {
                weights[*parent as usize].add(weight);
            }
        }
        Ok(convert(self.root, &states))
    }

    fn excess(&self, what: impl Into<String>) -> PickleError {
        PickleError::Excess {
            at: self.end,
            what: what.into(),
        }
    }

    fn damaged(&self, what: impl Into<String>) -> PickleError {
        PickleError::Damaged {
            at: self.end,
            what: what.into(),
        }
    }

    /// The value of a node whose children are done.
    fn value(&mut self, number: usize, states: &[State], bytes: &Bytes) -> Result<Value, PickleError> {
        let all = |items: &[Item]| -> Arc<Vec<Value>> {
            Arc::new(items.iter().map(|item| convert(*item, states)).collect())
        };
        let node = std::mem::replace(&mut self.nodes[number], Node::Taken);
        Ok(match node {
            Node::Text(start, length) => {
                let text = self
                    .input
                    .get(start..start + length)
                    .and_then(|bytes| std::str::from_utf8(bytes).ok());
                Value::text(text.ok_or_else(|| self.damaged("a text is not valid UTF-8"))?)
            }
            Node::OwnedText(text) => Value::Text(text),
            Node::OldText(bytes) => Value::text(&latin1(&bytes)),
            Node::Bytes(bytes) => Value::Bytes(Arc::from(bytes.bytes())),
            Node::BigInt(text) => Value::BigInt(text),
            Node::List(items) => Value::List(all(&items)),
            Node::Tuple(items) => Value::Tuple(all(&items)),
            Node::Set(items) => {
                let pairs: Vec<(Item, Item)> = items.iter().map(|item| (*item, Item::None)).collect();
                let distinct = self.entries(&pairs, states)?;
                Value::Set(Arc::new(distinct.iter().map(|(key, _)| key.clone()).collect()))
            }
            Node::Dict(items) => Value::Dict(self.entries(&items, states)?),
            Node::OrderedDict(dict) => {
                let attrs = dict.attrs.map(|item| convert(item, states));
                Value::OrderedDict {
                    items: self.entries(&dict.items, states)?,
                    attrs: match attrs {
                        Some(Value::Dict(items)) => Some(items),
                        _ => None,
                    },
                }
            }
            Node::DefaultDict(dict) => Value::DefaultDict(Arc::new(DefaultDict {
                factory: dict.0.to_owned(),
                items: self.entries(&dict.1, states)?,
            })),
            Node::Range(range) => Value::Range(Arc::new(range)),
            Node::Size(sizes) => Value::Size(Arc::new(sizes)),
            Node::Device(text) => Value::Device(text),
            Node::Global(super::globals::Global::TorchDtype(dtype)) => Value::Dtype(dtype),
            Node::Global(global) => {
                return Err(self.damaged(format!("`{}` itself is used as a value", global.name())));
            }
            Node::Storage(_) => return Err(self.damaged("a bare storage is used as a value")),
            Node::Tensor(pending) => Value::Tensor(Arc::new(self.tensor(&pending, bytes)?)),
            Node::Parameter(tensor, requires_grad) => match states.get(tensor as usize) {
                Some(State::Done(Value::Tensor(tensor))) => Value::Parameter {
                    tensor: Arc::clone(tensor),
                    requires_grad,
                },
                _ => return Err(self.damaged("a parameter holds no tensor")),
            },
            Node::NumpyDtype(_) => return Err(self.damaged("a numpy type itself is used as a value")),
            Node::EmptyArray => return Err(self.damaged("an array has no content")),
            Node::Array(tensor) => Value::Array(tensor),
            Node::Strings(strings) => Value::Strings(strings),
            Node::Scalar(scalar) => Value::Scalar(scalar),
            Node::Object(class, state) => Value::Object(Arc::new(Object {
                class: class.to_owned(),
                state: state.map_or_else(|| Value::Dict(Arc::default()), |item| convert(item, states)),
            })),
            Node::Taken => return Err(self.damaged("a value is used after it was handed on")),
        })
    }

    fn tensor(&self, pending: &Pending, bytes: &Bytes) -> Result<Tensor, PickleError> {
        let key = &self.keys[pending.storage.key];
        let Some(storage) = bytes.storages.get(pending.storage.key) else {
            return Err(self.damaged(format!("storage {} is missing", key.key)));
        };
        let size = key.dtype.map_or(1, crate::Dtype::size);
        let part = pending
            .storage
            .offset
            .checked_mul(size)
            .zip(pending.storage.count.checked_mul(size))
            .and_then(|(offset, length)| storage.part(offset, length));
        let Some(part) = part else {
            return Err(self.damaged(format!("storage {} is shorter than announced", key.key)));
        };
        // Torch swaps a storage by the size of its own elements, so an untyped one stays as it is.
        let big_endian = bytes.big_endian && key.dtype.is_some();
        Ok(Tensor::new(
            part,
            pending.dtype,
            big_endian,
            pending.offset,
            pending.shape.clone(),
            pending.strides.clone(),
        )?)
    }

    /// Entries with distinct keys: a later value replaces an earlier one at its place, as in Python.
    fn entries(&mut self, pairs: &[(Item, Item)], states: &[State]) -> Result<Items, PickleError> {
        let mut places: HashMap<Key, usize> = HashMap::with_capacity(pairs.len());
        let mut items: Vec<(Value, Value)> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key = convert(*key, states);
            let value = convert(*value, states);
            let mut room = 64;
            let Some(hashed) = Key::of(&key, &mut room) else {
                return Err(self.damaged(format!("a key is {}", key.kind())));
            };
            // A long text may be the key of very many dictionaries, and each hashes all of it.
            self.hashed = self.hashed.saturating_add(hashed.len());
            if self.hashed > HASHED_BASE + 4 * self.input.len() {
                return Err(self.excess("it has too many long keys"));
            }
            match places.get(&hashed) {
                Some(place) => items[*place].1 = value,
                None => {
                    places.insert(hashed, items.len());
                    items.push((key, value));
                }
            }
        }
        Ok(Arc::new(items))
    }
}

/// The `position`th child of a node.
fn child(node: &Node, position: usize) -> Option<Item> {
    let of_pairs = |pairs: &[(Item, Item)]| {
        let (key, value) = pairs.get(position / 2)?;
        Some(if position.is_multiple_of(2) { *key } else { *value })
    };
    match node {
        Node::List(items) | Node::Set(items) => items.get(position).copied(),
        Node::Tuple(items) => items.get(position).copied(),
        Node::Dict(pairs) => of_pairs(pairs),
        Node::DefaultDict(dict) => of_pairs(&dict.1),
        Node::OrderedDict(dict) => of_pairs(&dict.items).or_else(|| {
            let after = position.checked_sub(2 * dict.items.len())?;
            dict.attrs.filter(|_| after == 0)
        }),
        Node::Object(_, state) => state.filter(|_| position == 0),
        Node::Parameter(tensor, _) => (position == 0).then_some(Item::Node(*tensor)),
        _ => None,
    }
}

fn convert(item: Item, states: &[State]) -> Value {
    match item {
        Item::None => Value::None,
        Item::Bool(truth) => Value::Bool(truth),
        Item::Int(number) => Value::Int(number),
        Item::Float(number) => Value::Float(number),
        Item::Node(number) => match states.get(number as usize) {
            Some(State::Done(value)) => value.clone(),
            // Children are done before their parents.
            _ => Value::None,
        },
    }
}

fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::Tensor(tensor) | Value::Array(tensor) => tensor.byte_len() as u64,
        Value::Text(text) | Value::BigInt(text) => text.len() as u64,
        Value::Bytes(bytes) => bytes.len() as u64,
        Value::Strings(strings) => strings.values.iter().map(|text| text.len() as u64).sum(),
        _ => 0,
    }
}

/// A key as Python compares it: `1`, `1.0` and `True` are one key.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    None,
    Int(i64),
    Float(u64),
    Text(Arc<str>),
    BigInt(Arc<str>),
    Bytes(Arc<[u8]>),
    Tuple(Vec<Key>),
    Other(String),
}

impl Key {
    /// Bytes that hashing it reads.
    fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::BigInt(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Tuple(keys) => keys.iter().map(Self::len).sum(),
            _ => 8,
        }
    }

    /// `None` if the value cannot be a key, or is a tuple of more than `room` parts.
    fn of(value: &Value, room: &mut usize) -> Option<Self> {
        *room = room.checked_sub(1)?;
        Some(match value {
            Value::None => Self::None,
            Value::Bool(truth) => Self::Int(i64::from(*truth)),
            Value::Int(number) => Self::Int(*number),
            Value::Float(number) if *number == (*number as i64) as f64 => Self::Int(*number as i64),
            Value::Float(number) => Self::Float(number.to_bits()),
            Value::Text(text) => Self::Text(Arc::clone(text)),
            Value::BigInt(text) => Self::BigInt(Arc::clone(text)),
            Value::Bytes(bytes) => Self::Bytes(Arc::clone(bytes)),
            Value::Scalar(scalar) => return Self::of(&scalar.value, room),
            Value::Tuple(items) => Self::Tuple(
                items
                    .iter()
                    .map(|item| Self::of(item, room))
                    .collect::<Option<_>>()?,
            ),
            Value::Size(sizes) if sizes.len() <= 64 => {
                Self::Tuple(sizes.iter().map(|size| Self::Int(*size)).collect())
            }
            Value::Range(_) | Value::Dtype(_) | Value::Device(_) => Self::Other(format!("{value:?}")),
            _ => return None,
        })
    }
}
