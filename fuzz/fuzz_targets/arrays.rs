//! npy, npz and zip archives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_checkpoint::{Storage, npy, npz};

fuzz_target!(|bytes: &[u8]| {
    let storage = Storage::from_vec(bytes.to_vec());
    if let Ok(array) = npy::read(&storage)
        && let Some(tensor) = array.value.as_tensor()
    {
        let _ = (tensor.to_bytes(), tensor.to_f64());
    }
    for (_, value) in npz::read(&storage).unwrap_or_default() {
        if let Some(tensor) = value.as_tensor() {
            let _ = tensor.to_bytes();
        }
    }
});
