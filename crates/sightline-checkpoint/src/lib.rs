//! Reads other people's files: torch, pickle, Matlab 5, npy, npz, safetensors; never runs code from a file.
//!
//! [`read()`] looks at a file's content and gives a tree of plain data ([`Value`]), whose tensors are views of the
//! memory-mapped file. [`recognise()`] says what a checkpoint is: whose, of which network, with which options,
//! weights and whitenings. A file may build only what is on a list; damaged and hostile files are refused with a
//! sentence, in bounded time and memory.
//!
//! It does not run networks (that is `sightline-nn`), nor does it know what a ground truth means
//! (`sightline-dataset`); the only format it writes is safetensors.
//!
//! ```
//! use sightline_checkpoint::{read_bytes, recognise};
//!
//! // A pickle of {"meta": {"architecture": "resnet50", "pooling": "gem"}}, as Python writes it.
//! let pickle = b"(dp0\nS'meta'\np1\n(dp2\nS'architecture'\np3\nS'resnet50'\np4\nsS'pooling'\np5\nS'gem'\np6\nss.";
//! let file = read_bytes(pickle)?;
//! assert_eq!(file.kind.describe(), "Python pickle");
//! assert_eq!(recognise(&file.value).architecture.as_deref(), Some("resnet50/cir-gem"));
//!
//! // Names outside the list are refused before anything is done with them.
//! let error = read_bytes(b"cos\nsystem\n(S'rm -r /'\ntR.").unwrap_err();
//! assert!(error.to_string().contains("`os.system`"));
//! # Ok::<(), sightline_checkpoint::read::Refusal>(())
//! ```

mod column_major;
mod dtype;
pub mod formula;
pub mod inspect;
pub mod mat;
pub mod npy;
pub mod npz;
pub mod pickle;
pub mod read;
pub mod recognise;
pub mod safetensors;
pub mod storage;
pub mod tensor;
pub mod torch_legacy;
pub mod torch_zip;
pub mod value;
pub mod zip;

pub use inspect::Summary;
pub use read::{File, FileKind, ReadError, read, read_bytes};
pub use recognise::{Recognised, WhiteningParams, recognise, recognise_file};
pub use storage::Storage;
pub use tensor::{Dtype, Tensor, TensorError};
pub use value::Value;
