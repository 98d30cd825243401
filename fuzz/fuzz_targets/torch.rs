//! Any file that `read` recognises by content: torch archives above all. What is accepted can be walked and converted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = sightline_checkpoint::read_bytes(bytes) else { return };
    if let Some(tensor) = file.value.as_tensor() {
        let _ = tensor.to_f32();
    }
    for (_, value) in file.value.as_items().unwrap_or_default() {
        if let Some(tensor) = value.as_tensor() {
            let _ = (tensor.to_bytes(), tensor.to_f64());
        }
    }
});
