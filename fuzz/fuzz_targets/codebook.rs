//! Codebooks: our own files and the pickled ones of asmk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_local::Codebook;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = sightline_checkpoint::read_bytes(bytes) else {
        return;
    };
    if let Ok(codebook) = Codebook::from_file(&file) {
        assert!(codebook.words() > 0 && codebook.dim() > 0);
        assert_eq!(codebook.centroids().len(), codebook.words() * codebook.dim());
        if codebook.centroids().len() < 1 << 16 {
            let word = codebook.quantise(codebook.word(0), 1);
            // Word 0 is at distance 0 from itself, and the lowest of its equals.
            assert_eq!(word.ok(), Some(vec![0]));
        }
    }
});
