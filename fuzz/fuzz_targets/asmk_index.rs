//! Inverted files: opened, searched and verified. The footer's checksum is put right first, or nothing would get past it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_checkpoint::Storage;
use sightline_local::asmk::{Aggregated, Index, MatchKernel, search};
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let mut file = bytes.to_vec();
    if let Some(end) = file.len().checked_sub(48) {
        let length = u64::from_le_bytes(file[end + 32..end + 40].try_into().unwrap_or_default());
        let start = usize::try_from(length).ok().and_then(|length| end.checked_sub(length));
        if let Some(start) = start {
            let right = sightline_card::sha256(&file[start..end]);
            file[end..end + 32].copy_from_slice(&right);
        }
    }
    let Ok(index) = Index::from_storage(Path::new("fuzz.sasmk"), &Storage::from_vec(file)) else {
        return;
    };
    let card = index.card();
    let words: Vec<u32> = (0..card.words.min(8) as u32).collect();
    let units = vec![0x3F80_0000; words.len() * card.units()];
    let query = Aggregated { words, units };
    let _ = search(&index, &[query], &MatchKernel::default(), Some(3));
    let _ = (index.name(0), index.number(0), index.stats(), index.verify());
});
