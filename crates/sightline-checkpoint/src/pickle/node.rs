//! What the machine builds: nodes in an arena, named by number, so that parts may be changed after they were
//! stored elsewhere, and so that neither nesting nor self-containment can exhaust the call stack.

use super::globals::Global;
use crate::storage::Storage;
use crate::tensor::{Dtype, Tensor};
use crate::value::{Scalar, Strings};
use std::sync::Arc;

/// A value on the stack: small ones in place, the others by their number in the arena.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Node(u32),
}

/// A value in the arena.
#[derive(Debug)]
pub(super) enum Node {
    /// UTF-8 text in the pickle itself: start and length, already checked.
    Text(usize, usize),
    /// Text that had to be decoded.
    OwnedText(Arc<str>),
    Bytes(Storage),
    /// Python 2's `str`: bytes where data is wanted, latin-1 where text is.
    OldText(Storage),
    BigInt(Arc<str>),
    List(Vec<Item>),
    Tuple(Box<[Item]>),
    Set(Vec<Item>),
    Dict(Vec<(Item, Item)>),
    OrderedDict(Box<OrderedDict>),
    DefaultDict(Box<(&'static str, Vec<(Item, Item)>)>),
    Range([i64; 3]),
    Size(Vec<i64>),
    Device(Arc<str>),
    Global(Global),
    /// A part of a torch storage.
    Storage(Box<StorageUse>),
    Tensor(Box<Pending>),
    Parameter(u32, bool),
    NumpyDtype(Box<NumpyDtype>),
    /// `_reconstruct` was called; BUILD makes it an array.
    EmptyArray,
    Array(Arc<Tensor>),
    Strings(Arc<Strings>),
    Scalar(Arc<Scalar>),
    /// An object kept as plain data: the class and its attributes.
    Object(&'static str, Option<Item>),
    /// Its value was handed on.
    Taken,
}

#[derive(Debug, Default)]
pub(super) struct OrderedDict {
    pub(super) items: Vec<(Item, Item)>,
    pub(super) attrs: Option<Item>,
}

/// A storage as a persistent id names it.
#[derive(Clone, Debug)]
pub(super) struct StorageUse {
    /// Number in the program's table of keys.
    pub(super) key: usize,
    /// First element, nonzero for views of old files.
    pub(super) offset: usize,
    /// Number of elements from there.
    pub(super) count: usize,
}

/// One storage that a pickle names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StorageKey {
    /// Its key: the entry's name in a zip file, a number as text in a legacy file.
    pub(crate) key: String,
    /// Type of its elements; `None` for untyped storages, counted in bytes.
    pub(crate) dtype: Option<Dtype>,
    /// Number of elements.
    pub(crate) count: usize,
}

/// A tensor whose bytes are not known yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) storage: StorageUse,
    pub(super) dtype: Dtype,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// A numpy type: numbers, or text of a fixed length.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NumpyDtype {
    pub(super) kind: NumpyKind,
    pub(super) big_endian: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum NumpyKind {
    Number(Dtype),
    /// So many UTF-32 characters.
    Text(usize),
    /// So many bytes.
    Bytes(usize),
}

impl StorageKey {
    /// Bytes of all elements, or `None` where that does not fit.
    pub(crate) fn bytes(&self) -> Option<usize> {
        self.count.checked_mul(self.dtype.map_or(1, Dtype::size))
    }
}
