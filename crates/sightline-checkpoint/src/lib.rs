//! Reads other people's files: torch, pickle, Matlab 5, npy, npz, safetensors; never runs code from a file.

mod column_major;
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
pub use recognise::{Recognised, WhiteningParams, recognise};
pub use storage::Storage;
pub use tensor::{Dtype, Tensor, TensorError};
pub use value::Value;
