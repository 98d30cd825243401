//! Foreign ONNX files: loading alone, as a file that is refused must cost nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_plan::RtenExecutor;
use std::sync::Once;

/// The runtime's own panics are caught and become errors; libFuzzer's hook would end the process before that.
static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let _ = RtenExecutor::from_onnx(bytes.to_vec(), 1);
});
