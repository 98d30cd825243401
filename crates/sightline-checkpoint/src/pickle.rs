//! Pickles of protocols 0 to 5, read without running anything.
//!
//! A pickle is a program for a small stack machine. This reader runs the part of it that builds data: numbers,
//! texts, containers, and the few constructors of Python, numpy and torch that checkpoints and ground truths
//! use ([`globals`] is the list). Every other name is refused, by name, before anything could be done with it.
//! Nothing is allocated by a length that the file only claims; what a file builds is bounded by its own size.

pub mod globals;

mod construct;
mod freeze;
mod machine;
mod node;
mod numbers;
mod numpy;
mod opcodes;
mod torch;

use crate::storage::Storage;
use crate::tensor::TensorError;
use crate::value::Value;
use thiserror::Error;

pub(crate) use freeze::Bytes;
pub(crate) use machine::{Ids, Machine};
pub(crate) use node::StorageKey;

/// Why a pickle was refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum PickleError {
    /// The pickle names a function or class outside the list.
    #[error(
        "The pickle names `{name}`, which is not on the list of what a file may build; nothing of it was run. {advice}"
    )]
    Global {
        /// Module and name as in the file.
        name: String,
        /// What to do instead, a full sentence.
        advice: &'static str,
    },
    /// A name on the list is used in a way that it does not allow.
    #[error(
        "The pickle uses `{name}` with {what}, at byte {at}; this does not build plain data and was refused."
    )]
    Use {
        /// Module and name.
        name: String,
        /// How it is used.
        what: String,
        /// Position in the pickle.
        at: usize,
    },
    /// The bytes are no pickle, or a damaged one.
    #[error("The pickle is damaged at byte {at}: {what}.")]
    Damaged {
        /// Position in the pickle.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// The pickle would build more than its size justifies, or nests too deep, or holds itself.
    #[error("The pickle was refused at byte {at}: {what}.")]
    Excess {
        /// Position in the pickle.
        at: usize,
        /// Which bound.
        what: String,
    },
    /// An array or tensor does not fit its bytes.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// Reads one pickle that fills `bytes`.
///
/// # Errors
/// For damaged bytes, names outside the list, anything self-containing or out of bounds, and bytes that follow
/// the pickle's end.
pub fn read(bytes: &Storage) -> Result<Value, PickleError> {
    Machine::run_all(bytes, bytes.len(), Ids::Refused)?.freeze(&Bytes::default())
}
