//! Reads other people's files: torch, pickle, Matlab 5, npy, npz, safetensors; never runs code from a file.

mod column_major;
pub mod formula;
pub mod npy;
pub mod safetensors;
pub mod storage;
pub mod tensor;
pub mod value;

pub use storage::Storage;
pub use tensor::{Dtype, Tensor, TensorError};
pub use value::Value;
