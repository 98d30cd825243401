//! Matlab 5 files, and the ground truths and annotations in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_checkpoint::{Storage, Value, mat};
use sightline_dataset::{cars::Cars, ground_truth, netvlad_dbstruct::DbStruct};

fuzz_target!(|bytes: &[u8]| {
    let Ok(variables) = mat::read(&Storage::from_vec(bytes.to_vec())) else { return };
    let value = Value::dict(variables);
    if let Ok(dataset) = ground_truth::from_value(&value, "fuzz", 1) {
        let _ = dataset.validate();
    }
    if let Ok(cars) = Cars::from_value(&value) {
        let _ = cars.test_set("fuzz");
    }
    if let Ok(structure) = DbStruct::from_value(&value) {
        let _ = structure.dataset("fuzz");
    }
});
