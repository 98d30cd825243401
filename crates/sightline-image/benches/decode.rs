//! `cargo bench -p sightline-image --bench decode -- FOLDER`: milliseconds per picture of a folder, by format.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use sightline_image::decode::{DecodeOptions, Format, decode, probe};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let Some(folder) = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"))
    else {
        println!("No folder of pictures was named; nothing to measure.");
        return;
    };
    let mut files: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(path).unwrap();
            if let Ok(found) = probe(&bytes) {
                files
                    .entry(Format::to_string(&found.format))
                    .or_default()
                    .push(bytes);
            }
        }
    }
    for (format, files) in files {
        let once = |_| {
            let start = Instant::now();
            for bytes in &files {
                let _ = black_box(decode(bytes, &DecodeOptions::default()));
            }
            start.elapsed().as_secs_f64()
        };
        let best = (0..5).map(once).fold(f64::INFINITY, f64::min);
        println!(
            "{format}: {} pictures, {:.2} ms each",
            files.len(),
            1e3 * best / files.len() as f64
        );
    }
}
