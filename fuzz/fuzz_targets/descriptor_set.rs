//! Descriptor sets in both forms, and the card inside.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_descriptor::DescriptorSet;

fuzz_target!(|bytes: &[u8]| {
    for source in ["fuzz.safetensors", "fuzz.npy"] {
        if let Ok(set) = DescriptorSet::from_bytes(source, bytes.to_vec(), None) {
            assert_eq!(set.rows().count(), set.len());
            assert_eq!(set.names().len(), set.len());
            let _ = (set.row(0), set.row(set.len()));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = sightline_card::Card::from_json(text);
    }
});
