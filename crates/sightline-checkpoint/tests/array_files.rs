//! Array files that were damaged at random: each is read or refused, in bounded time, and nothing panics.

#![allow(clippy::unwrap_used, clippy::panic)]

use sightline_checkpoint::{Storage, mat, npy, npz, safetensors};
use std::path::Path;
use std::time::{Duration, Instant};

/// The files inside the golden cases whose name begins with `start`.
fn golden_files(start: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/formats");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if !path.file_name().unwrap().to_str().unwrap().starts_with(start) {
            continue;
        }
        let case = safetensors::read(&Storage::from_vec(std::fs::read(path).unwrap())).unwrap();
        let inside = case
            .tensors
            .iter()
            .filter(|(name, _)| name.starts_with("in.file"));
        files.extend(inside.map(|(_, tensor)| tensor.to_bytes()));
    }
    assert!(!files.is_empty());
    files
}

/// Splitmix64: the same damage in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % limit.max(1)
    }
}

fn damage(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            2 if at < bytes.len() => bytes[at] = [0, 0xff, 0x7f, 0x80][dice.below(4)],
            3 if at + 4 <= bytes.len() => bytes[at..at + 4].fill(0xff),
            4 if at + 8 <= bytes.len() => bytes.copy_within(at.., at.saturating_sub(dice.below(16))),
            _ => bytes.insert(at, dice.below(256) as u8),
        }
    }
}

fn survives(start: &str, rounds: usize, read: impl Fn(&Storage)) {
    let mut dice = Dice(17);
    for file in golden_files(start) {
        for _ in 0..rounds {
            let mut bytes = file.clone();
            damage(&mut bytes, &mut dice);
            let begin = Instant::now();
            read(&Storage::from_vec(bytes));
            assert!(begin.elapsed() < Duration::from_secs(1));
        }
    }
}

#[test]
fn damaged_npy_files() {
    survives("npy_", 2000, |storage| {
        if let Ok(npy) = npy::read(storage) {
            assert!(
                npy.value
                    .as_tensor()
                    .is_none_or(|tensor| tensor.byte_len() <= storage.len())
            );
        }
    });
}

#[test]
fn damaged_npz_files() {
    survives("npz_", 5000, |storage| {
        let _ = npz::read(storage);
    });
}

#[test]
fn damaged_mat_files() {
    survives("mat_", 2000, |storage| {
        let _ = mat::read(storage);
    });
}

#[test]
fn damaged_safetensors_files() {
    survives("safetensors", 2000, |storage| {
        if let Ok(read) = safetensors::read(storage) {
            let bytes: usize = read.tensors.iter().map(|(_, tensor)| tensor.byte_len()).sum();
            assert!(bytes <= storage.len());
        }
    });
}
