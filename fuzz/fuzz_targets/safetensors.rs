//! safetensors files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_checkpoint::{Storage, safetensors};

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = safetensors::read(&Storage::from_vec(bytes.to_vec())) else { return };
    for (_, value) in file.to_value().as_items().unwrap_or_default() {
        if let Some(tensor) = value.as_tensor() {
            let _ = (tensor.to_bytes(), tensor.to_f32());
        }
    }
});
