//! Files of local features: what can be opened can be read, and what was damaged does not pass its checksums unnoticed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_local::FeatureFile;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = FeatureFile::from_bytes("fuzz.safetensors", bytes.to_vec()) {
        assert_eq!(file.rows().count(), file.features());
        let mut next = 0;
        for picture in 0..file.len() {
            let range = file.range(picture);
            assert_eq!(range.start, next);
            next = range.end;
            let features = file.picture(picture);
            assert_eq!(features.len(), range.len());
            assert_eq!(features.descriptors.count(), range.len());
            assert_eq!(features.scales.len(), range.len());
        }
        assert_eq!(next, file.features());
        assert!(file.picture(file.len()).is_empty());
        let _ = file.verify();
    }
});
