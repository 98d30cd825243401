//! Plain pickles of all protocols, and what data sets make of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_checkpoint::{Storage, pickle};
use sightline_dataset::{ground_truth, sfm120k::Sfm120k, token_split};

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = pickle::read(&Storage::from_vec(bytes.to_vec())) else { return };
    if let Ok(dataset) = ground_truth::from_value(&value, "fuzz", 0) {
        let _ = dataset.validate();
    }
    let _ = Sfm120k::from_value(&value, "train");
    let _ = token_split::from_value(&value, "fuzz");
});
