//! The tree that every reader gives: Python's, numpy's, torch's and Matlab's values as plain data.
//!
//! Parts are shared by reference counts, so that a file that holds something a thousand times costs it once. The
//! readers bound how deep a tree goes ([`MAX_DEPTH`]) and how large it is when written out, so that code
//! that walks it by recursion, and dropping it, is safe.

use crate::tensor::{Dtype, Tensor};
use std::sync::Arc;

/// How many levels of containers a reader accepts inside one another.
pub const MAX_DEPTH: usize = 200;

/// Pairs in the order of the file; keys are distinct.
pub type Items = Arc<Vec<(Value, Value)>>;

/// One value of a file.
#[derive(Clone, Debug)]
pub enum Value {
    /// Python's `None`.
    None,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond 64 bits, as decimal text.
    BigInt(Arc<str>),
    /// A 64-bit float.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A Python list.
    List(Arc<Vec<Value>>),
    /// A Python tuple.
    Tuple(Arc<Vec<Value>>),
    /// A Python set, in the order of the file.
    Set(Arc<Vec<Value>>),
    /// A Python dict.
    Dict(Items),
    /// A `collections.OrderedDict` and, if it carries any, its attributes.
    OrderedDict {
        /// The entries.
        items: Items,
        /// Attributes of the object, such as `_metadata` of a module's state dict.
        attrs: Option<Items>,
    },
    /// A `collections.defaultdict`.
    DefaultDict(Arc<DefaultDict>),
    /// A Python range: start, stop, step.
    Range(Arc<[i64; 3]>),
    /// A `torch.Size`.
    Size(Arc<Vec<i64>>),
    /// A `torch.dtype`.
    Dtype(Dtype),
    /// A `torch.device`, by its text (`cuda:0`).
    Device(Arc<str>),
    /// A torch tensor.
    Tensor(Arc<Tensor>),
    /// A `torch.nn.Parameter`.
    Parameter {
        /// Its values.
        tensor: Arc<Tensor>,
        /// Whether it was trained.
        requires_grad: bool,
    },
    /// A numpy (or npy, npz, Matlab) array of numbers; [`Tensor::numpy_text`] gives numpy's type.
    Array(Arc<Tensor>),
    /// A numpy scalar.
    Scalar(Arc<Scalar>),
    /// An array of texts (or byte strings, as latin-1).
    Strings(Arc<Strings>),
    /// A Matlab structure array.
    Struct(Arc<Struct>),
    /// A Matlab cell array.
    Cell(Arc<Cell>),
    /// An object kept as plain data.
    Object(Arc<Object>),
}

/// A `collections.defaultdict`.
#[derive(Clone, Debug)]
pub struct DefaultDict {
    /// Name of the factory, such as `list`; empty for none.
    pub factory: String,
    /// The entries.
    pub items: Items,
}

/// A numpy scalar.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// Numpy's text of the type, such as `<f8`.
    pub dtype: String,
    /// The number, truth value or text.
    pub value: Value,
}

/// An array of texts.
#[derive(Clone, Debug)]
pub struct Strings {
    /// Numpy's text of the type: `<U13`, `|S2`.
    pub dtype: String,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// The texts, row-major.
    pub values: Vec<Arc<str>>,
}

/// A Matlab structure array.
#[derive(Clone, Debug)]
pub struct Struct {
    /// Lengths of the axes, at least two.
    pub shape: Vec<usize>,
    /// Names of the fields, in order.
    pub fields: Vec<String>,
    /// For each element in row-major order the value of each field.
    pub items: Vec<Vec<Value>>,
}

/// A Matlab cell array.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Lengths of the axes, at least two.
    pub shape: Vec<usize>,
    /// The elements, row-major.
    pub items: Vec<Value>,
}

/// An object of one of the few classes that are kept as plain data.
#[derive(Clone, Debug)]
pub struct Object {
    /// Module and class as the file names them, such as `sklearn.decomposition.pca.PCA`.
    pub class: String,
    /// Its attributes, as a [`Value::Dict`].
    pub state: Value,
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A list.
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(Arc::new(items))
    }

    /// A dict of named values.
    pub fn dict<K: AsRef<str>>(items: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Dict(Arc::new(
            items
                .into_iter()
                .map(|(key, value)| (Self::text(key.as_ref()), value))
                .collect(),
        ))
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Scalar(scalar) => scalar.value.as_str(),
            _ => None,
        }
    }

    /// The whole number, if it is one (numpy's scalars included, truth values not).
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Scalar(scalar) => scalar.value.as_i64(),
            _ => None,
        }
    }

    /// The number as a float (whole numbers and numpy's scalars included).
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::Scalar(scalar) => scalar.value.as_f64(),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            Self::Scalar(scalar) => scalar.value.as_bool(),
            _ => None,
        }
    }

    /// The elements of a list, tuple or set.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a dict of any kind.
    pub fn as_items(&self) -> Option<&[(Value, Value)]> {
        match self {
            Self::Dict(items) | Self::OrderedDict { items, .. } => Some(items),
            Self::DefaultDict(dict) => Some(&dict.items),
            _ => None,
        }
    }

    /// The entry of a dict of any kind under a text.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_items()?
            .iter()
            .find(|(name, _)| matches!(name, Self::Text(name) if &**name == key))
            .map(|(_, value)| value)
    }

    /// The tensor behind a torch tensor, a parameter or a numpy array.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        match self {
            Self::Tensor(tensor) | Self::Array(tensor) | Self::Parameter { tensor, .. } => Some(tensor),
            _ => None,
        }
    }

    /// What kind of value it is, for messages: "a list", "a tensor".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::BigInt(_) => "a whole number",
            Self::Float(_) => "a float",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Set(_) => "a set",
            Self::Dict(_) | Self::OrderedDict { .. } | Self::DefaultDict(_) => "a dictionary",
            Self::Range(_) => "a range",
            Self::Size(_) => "a torch size",
            Self::Dtype(_) => "a torch type",
            Self::Device(_) => "a torch device",
            Self::Tensor(_) => "a tensor",
            Self::Parameter { .. } => "a parameter",
            Self::Array(_) => "an array",
            Self::Scalar(_) => "a numpy scalar",
            Self::Strings(_) => "an array of texts",
            Self::Struct(_) => "a Matlab structure",
            Self::Cell(_) => "a Matlab cell array",
            Self::Object(_) => "an object",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_text() {
        let value = Value::dict([("a", Value::Int(1)), ("b", Value::text("x"))]);
        assert_eq!(value.get("a").and_then(Value::as_f64), Some(1.0));
        assert_eq!(value.get("b").and_then(Value::as_str), Some("x"));
        assert!(value.get("c").is_none() && Value::None.get("a").is_none());
        assert!(std::mem::size_of::<Value>() <= 24);
    }
}
