//! Damaged files: whatever is cut, changed or inserted, reading ends with a value or a sentence.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use proptest::prelude::*;
use safetensors::SafeTensors;
use sightline_checkpoint::inspect::Summary;
use sightline_checkpoint::read_bytes;
use std::path::Path;

/// The files inside the golden cases of the area `formats`.
fn originals() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/formats");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            let bytes = std::fs::read(&path).unwrap();
            for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
                if name.starts_with("in.file") {
                    let label = format!("{} {name}", path.file_stem().unwrap().display());
                    files.push((label, view.data().to_vec()));
                }
            }
        }
    }
    files.sort();
    assert!(files.len() > 100);
    files
}

/// Reads and looks at everything, as `model inspect` and `model convert` do.
fn exercise(bytes: &[u8]) {
    match read_bytes(bytes) {
        Ok(file) => {
            let summary = Summary::of(&file);
            assert!(!serde_json::to_string(&summary).unwrap().is_empty());
            for (_, tensor) in sightline_checkpoint::recognise(&file.value).state_dict {
                assert_eq!(tensor.to_bytes().len(), tensor.byte_len());
                let _ = tensor.to_f32();
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with(|c: char| c.is_uppercase()), "{text}");
        }
    }
}

#[test]
fn cut_files_are_survived() {
    for (_, file) in originals() {
        let step = (file.len() / 60).max(1);
        for length in (0..file.len()).step_by(step) {
            exercise(&file[..length]);
        }
    }
}

/// One change: where (as a share of the file), what is put there, how much it replaces.
type Change = (f64, Vec<u8>, usize);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let odd_bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..6),
        Just(vec![0xff; 4]),
        Just(vec![0xff; 8]),
        Just(vec![0; 8]),
        Just(vec![0x7f, 0xff, 0xff, 0xff]),
        prop::sample::select(b"().0125NRbcdehijlopqrstu}]\x81\x85\x86\x93\x94\x95".to_vec())
            .prop_map(|b| vec![b]),
    ];
    prop::collection::vec((0.0..1.0, odd_bytes, 0_usize..9), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_files_are_survived(changes in changes()) {
        for (_, file) in originals() {
            let mut file = file;
            for (share, bytes, replaced) in &changes {
                let start = (*share * file.len() as f64) as usize;
                let end = (start + replaced).min(file.len());
                file.splice(start..end, bytes.iter().copied());
            }
            exercise(&file);
        }
    }

    #[test]
    fn any_bytes_are_survived(start in prop::sample::select(vec![
        &b""[..], b"\x80\x02", b"\x80\x04", b"\x80\x04(", b"PK\x03\x04", b"\x93NUMPY\x01\x00",
    ]), bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        exercise(&[start, &bytes].concat());
    }

    #[test]
    fn any_opcodes_are_survived(opcodes in prop::collection::vec(
        prop::sample::select(b"(((]})NK\x01\x88h\x00\x94\x94q\x00ltdeauspR0b12\x85\x86\x87\x8f\x90\x91.".to_vec()), 0..200,
    )) {
        let named = b"\x80\x04ccollections\nOrderedDict\n\x94ctorch\nSize\n\x94";
        exercise(&[&named[..], &opcodes, b"."].concat());
    }
}
