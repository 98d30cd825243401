//! Files that jenicek/asmk itself wrote (`scripts/asmk_fixtures.py`): two calls of `add`, with idf, and what its search gave.
#![allow(clippy::unwrap_used)]

use sightline_checkpoint::formula::uniform;
use sightline_checkpoint::{read, read_bytes};
use sightline_local::Codebook;
use sightline_local::asmk::{
    AsmkSettings, BuildSettings, Builder, ForeignIndex, Index, MatchKernel, aggregate_images, search,
};
use sightline_search::Rows;
use std::path::{Path, PathBuf};

const DIM: usize = 40;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/asmk")
        .join(name)
}

/// Images of nine features each.
fn images(tag: &str, count: usize) -> Vec<Vec<f32>> {
    let values: Vec<f32> = uniform(&format!("import.{tag}"), 1, count * 9 * DIM)
        .iter()
        .map(|v| *v as f32)
        .collect();
    values.chunks(9 * DIM).map(<[f32]>::to_vec).collect()
}

fn rows(images: &[Vec<f32>]) -> Vec<Rows<'_>> {
    images.iter().map(|image| Rows::f32(image, DIM)).collect()
}

#[test]
fn an_inverted_file_of_the_original_answers_as_it_did_and_is_ours_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let codebook = Codebook::open(data("codebook.pkl")).unwrap();
    for (name, binary) in [("binary", true), ("float", false)] {
        let source = data(&format!("ivf_{name}.pkl"));
        let file = read(&source).unwrap();
        let foreign = ForeignIndex::new(&source, &file, Some(&codebook), 1).unwrap();
        let path = folder.path().join(name);
        foreign.write(&path, None).unwrap();
        let index = Index::open(&path).unwrap();
        index.verify().unwrap();

        let queries = aggregate_images(&codebook, &rows(&images("q", 2)), 3, binary).unwrap();
        let found = search(&index, &queries, &MatchKernel::default(), None).unwrap();
        let text = std::fs::read_to_string(data(&format!("{name}.json"))).unwrap();
        let want: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (query, found) in found.iter().enumerate() {
            assert_eq!(found.len(), index.images());
            for (place, hit) in found.iter().enumerate() {
                assert_eq!(want["ranks"][query][place], index.number(hit.id));
                let score = want["scores"][query][place].as_f64().unwrap();
                assert!(
                    (hit.score - score).abs() <= 1e-7 + 1e-5 * score.abs(),
                    "{} {score}",
                    hit.score
                );
            }
        }

        // The same in two calls of our own.
        let how = AsmkSettings {
            binary,
            idf: true,
            ..AsmkSettings::default()
        };
        let own = folder.path().join("own");
        let all = aggregate_images(&codebook, &rows(&images("db", 12)), 1, binary).unwrap();
        for range in [0..5, 5..12] {
            let mut builder = match range.start {
                0 => Builder::new(&own, how.card(&codebook, None), BuildSettings::default()).unwrap(),
                _ => Builder::adding_to(&own, Index::open(&own).unwrap(), BuildSettings::default()).unwrap(),
            };
            for image in range {
                builder.push(&image.to_string(), &all[image]).unwrap();
            }
            builder.finish(&mut |_, _| {}).unwrap();
        }
        let own = Index::open(&own).unwrap();
        assert_eq!(own.card(), index.card());
        assert_eq!(own.idf(), index.idf());
        assert_eq!(own.norms(), index.norms());
        for word in 0..codebook.words() as u32 {
            assert_eq!(own.entries_of(word).0, index.entries_of(word).0);
            if binary {
                assert_eq!(own.entries_of(word).1, index.entries_of(word).1);
            }
        }
        // Without the codebook everything but the bits that pad is known.
        let alone = ForeignIndex::new(&source, &file, None, 1).unwrap();
        assert_eq!(alone.card().dim, if binary { 64 } else { DIM });
        let other = Codebook::new(DIM, vec![0.0; 9 * DIM]).unwrap();
        assert!(ForeignIndex::new(&source, &file, Some(&other), 1).is_err());
        assert!(foreign.write(&path, Some(&["one".to_owned()])).is_err());
    }
}

#[test]
fn an_aggregated_partition_is_the_aggregation_of_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let codebook = Codebook::open(data("codebook.pkl")).unwrap();
    let file = read(data("partition.pkl")).unwrap();
    let mut builder = Builder::new(
        &path,
        AsmkSettings::default().card(&codebook, None),
        BuildSettings::default(),
    )
    .unwrap();
    builder.push_partition(Path::new("partition.pkl"), &file).unwrap();
    let again = builder
        .push_partition(Path::new("partition.pkl"), &file)
        .unwrap_err();
    assert!(again.to_string().contains("12 ids are taken"), "{again}");
    builder.finish(&mut |_, _| {}).unwrap();
    let index = Index::open(&path).unwrap();
    let all = aggregate_images(&codebook, &rows(&images("db", 12)), 1, true).unwrap();
    let entries: usize = all.iter().map(|image| image.words.len()).sum();
    assert_eq!((index.images(), index.entries()), (12, entries));
    let found = search(&index, &all, &MatchKernel::default(), Some(1)).unwrap();
    for (image, found) in (0..).zip(&found) {
        assert_eq!(found[0].id, image);
        assert!((found[0].score - 1.0).abs() < 1e-12);
    }
    // A last id that is far beyond the others would fill the disk with the names of those between.
    let mut bytes = std::fs::read(data("partition.pkl")).unwrap();
    let last = bytes
        .windows(8)
        .rposition(|part| part == 11_u64.to_le_bytes())
        .unwrap();
    bytes[last + 3] = 0x7f;
    let mut builder = Builder::new(
        &path,
        AsmkSettings::default().card(&codebook, None),
        BuildSettings::default(),
    )
    .unwrap();
    let far = builder
        .push_partition(Path::new("far.pkl"), &read_bytes(&bytes).unwrap())
        .unwrap_err();
    assert!(far.to_string().contains("leaves out more than"), "{far}");
    let wrong = read(data("codebook.pkl")).unwrap();
    let mut builder = Builder::new(
        &path,
        AsmkSettings::default().card(&codebook, None),
        BuildSettings::default(),
    )
    .unwrap();
    assert!(builder.push_partition(Path::new("codebook.pkl"), &wrong).is_err());
}
