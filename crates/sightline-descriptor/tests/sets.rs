//! Descriptor sets on disk: both forms, damaged files, shards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use half::f16;
use proptest::prelude::*;
use sightline_card::{Card, Circumstances, Identity, Scales};
use sightline_descriptor::{DescriptorSet, RowType, SetError, SetHeader, SetWriter, Shard, merge};

fn card(dim: usize) -> Card {
    let identity = Identity {
        architecture: "resnet18:layer3/gem".to_owned(),
        weights: "ab".repeat(32),
        recipe: serde_json::json!({"name": "cirtorch", "size": 512}),
        scales: Scales::single(),
        whitening: None,
        dim,
        seed: None,
        local: None,
    };
    Card::new(
        identity,
        Circumstances {
            date: "2026-05-01".to_owned(),
            ..Circumstances::default()
        },
    )
}

fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|i| format!("folder/picture \"{i}\" \u{e9}.jpg"))
        .collect()
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin()).collect()
}

fn write(path: &Path, header: &SetHeader<'_>, rows: &[f32]) -> Result<(), SetError> {
    let mut writer = SetWriter::create(path, header)?;
    for row in rows.chunks(header.dim) {
        writer.push(row)?;
    }
    writer.finish()
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["safetensors", "npy"] {
        for row_type in [RowType::F32, RowType::F16] {
            for (count, dim) in [(0, 5), (1, 1), (7, 3), (10, 16)] {
                let path = folder.path().join(format!("set.{ending}"));
                let (names, rows, card) = (names(count), values(count * dim), card(dim));
                let header = SetHeader {
                    card: Some(&card),
                    shard: Shard::new(2, 3),
                    ..SetHeader::new(&names, dim, row_type)
                };
                write(&path, &header, &rows).unwrap();
                let set = DescriptorSet::open(&path).unwrap();
                assert_eq!((set.len(), set.dim(), set.row_type()), (count, dim, row_type));
                assert_eq!((set.names(), set.has_names()), (&names[..], true));
                assert_eq!((set.card(), set.shard()), (Some(&card), Shard::new(2, 3)));
                let want: Vec<f32> = match row_type {
                    RowType::F32 => rows,
                    RowType::F16 => rows.iter().map(|v| f16::from_f32(*v).to_f32()).collect(),
                };
                assert_eq!(set.to_f32(), want);
                assert_eq!(set.as_f32().is_some(), row_type == RowType::F32);
                assert_eq!(set.as_f16().is_some(), row_type == RowType::F16);
                let hits = sightline_search::top_k(set.rows(), set.rows(), 1, None).unwrap();
                assert_eq!(hits.len(), count);
                for i in 0..count {
                    assert_eq!(set.row(i), want[i * dim..(i + 1) * dim]);
                }
                assert!(set.row(count).is_empty());
            }
        }
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(
        left.len(),
        4,
        "only the two sets and the side files of one are left: {left:?}"
    );
}

/// Files as version 1 wrote them must stay readable, and equal contents must still give the same bytes.
#[test]
fn version_1_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["safetensors", "npy"] {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/set_v1.{ending}"));
        let set = DescriptorSet::open(&fixture).unwrap();
        assert_eq!(set.names(), names(3));
        assert_eq!(set.card(), Some(&card(4)));
        assert_eq!(set.to_f32(), values(12));
        let path = folder.path().join(format!("set_v1.{ending}"));
        let (names, card) = (names(3), card(4));
        write(
            &path,
            &SetHeader {
                card: Some(&card),
                ..SetHeader::new(&names, 4, RowType::F32)
            },
            &values(12),
        )
        .unwrap();
        assert_eq!(fs::read(path).unwrap(), fs::read(fixture).unwrap());
    }
}

#[test]
fn further_metadata_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.safetensors");
    let extra = [("folder".to_owned(), "{\"a\":1}".to_owned())].into();
    let names = names(1);
    write(
        &path,
        &SetHeader {
            extra: &extra,
            ..SetHeader::new(&names, 2, RowType::F32)
        },
        &[1.0, 2.0],
    )
    .unwrap();
    assert_eq!(DescriptorSet::open(&path).unwrap().extra(), &extra);
    let npy = folder.path().join("set.npy");
    let refused = write(
        &npy,
        &SetHeader {
            extra: &extra,
            ..SetHeader::new(&names, 2, RowType::F32)
        },
        &[1.0, 2.0],
    );
    assert!(refused.unwrap_err().to_string().contains("write .safetensors"));
}

#[test]
fn an_unfinished_set_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.safetensors");
    let names = names(2);
    let header = SetHeader::new(&names, 2, RowType::F32);
    write(&path, &header, &[1.0, 2.0, 3.0, 4.0]).unwrap();
    let before = fs::read(&path).unwrap();
    let mut writer = SetWriter::create(&path, &header).unwrap();
    writer.push(&[9.0, 9.0]).unwrap();
    assert!(
        writer
            .push(&[9.0])
            .unwrap_err()
            .to_string()
            .contains("a row has 1 values instead of 2")
    );
    assert!(
        writer
            .finish()
            .unwrap_err()
            .to_string()
            .contains("1 rows are missing")
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let mut writer = SetWriter::create(&path, &header).unwrap();
    for _ in 0..2 {
        writer.push(&[9.0, 9.0]).unwrap();
    }
    assert!(writer.push(&[9.0, 9.0]).is_err());
    drop(writer);
    assert_eq!(fs::read(&path).unwrap(), before);
    // A folder where the set should be: it fails at the very end.
    let taken = folder.path().join("taken.safetensors");
    fs::create_dir(&taken).unwrap();
    assert!(write(&taken, &header, &[1.0, 2.0, 3.0, 4.0]).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_card_of_another_dimension_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (names, card) = (names(1), card(3));
    let header = SetHeader {
        card: Some(&card),
        ..SetHeader::new(&names, 2, RowType::F32)
    };
    assert!(SetWriter::create(folder.path().join("a.safetensors"), &header).is_err());
    assert!(matches!(
        SetWriter::create(
            folder.path().join("a.txt"),
            &SetHeader::new(&names, 2, RowType::F32)
        ),
        Err(SetError::Ending { .. })
    ));
}

#[test]
fn names_with_line_ends_fit_one_form_only() {
    let folder = tempfile::tempdir().unwrap();
    let names = vec!["a\nb.jpg".to_owned()];
    let header = SetHeader::new(&names, 1, RowType::F32);
    write(&folder.path().join("a.safetensors"), &header, &[1.0]).unwrap();
    assert_eq!(
        DescriptorSet::open(folder.path().join("a.safetensors"))
            .unwrap()
            .names(),
        names
    );
    assert!(write(&folder.path().join("a.npy"), &header, &[1.0]).is_err());
}

#[test]
fn side_files_must_fit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.b.npy");
    let names = names(2);
    write(&path, &SetHeader::new(&names, 1, RowType::F32), &[1.0, 2.0]).unwrap();
    assert!(folder.path().join("a.b.names.txt").exists() && !folder.path().join("a.b.card.json").exists());
    fs::write(folder.path().join("a.b.names.txt"), "one\n").unwrap();
    assert!(
        DescriptorSet::open(&path)
            .unwrap_err()
            .to_string()
            .contains("1 names for 2 rows")
    );
    fs::remove_file(folder.path().join("a.b.names.txt")).unwrap();
    assert_eq!(DescriptorSet::open(&path).unwrap().names(), ["0", "1"]);
    fs::write(folder.path().join("a.b.card.json"), "{").unwrap();
    assert!(matches!(DescriptorSet::open(&path), Err(SetError::Card { .. })));
}

#[test]
fn a_card_left_from_an_older_set_does_not_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let (names, card) = (names(1), card(1));
    write(
        &path,
        &SetHeader {
            card: Some(&card),
            ..SetHeader::new(&names, 1, RowType::F32)
        },
        &[1.0],
    )
    .unwrap();
    write(&path, &SetHeader::new(&names, 1, RowType::F32), &[2.0]).unwrap();
    assert!(DescriptorSet::open(&path).unwrap().card().is_none());
}

#[test]
fn a_missing_file_and_a_folder_are_errors() {
    assert!(matches!(
        DescriptorSet::open("/nonexistent/set.safetensors#x"),
        Err(SetError::Io { .. })
    ));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        DescriptorSet::open(folder.path()),
        Err(SetError::Io { .. })
    ));
}

#[test]
fn the_reference_descriptors_of_kth_open() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/kth-buildings/reference_descriptors.safetensors");
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return;
    }
    let open = |tensor: &str| DescriptorSet::open(format!("{}#{tensor}", path.display())).unwrap();
    assert_eq!(
        (
            open("database").len(),
            open("queries").len(),
            open("queries").dim()
        ),
        (149, 50, 256)
    );
    let norm: f32 = open("queries").row(7).iter().map(|v| v * v).sum();
    assert!((norm - 1.0).abs() < 1e-5);
}

fn shards(folder: &Path, total: usize, count: usize, dim: usize, ending: &str) -> Vec<PathBuf> {
    let (all, rows, card) = (names(total), values(total * dim), card(dim));
    (1..=count)
        .map(|index| {
            let shard = Shard::new(index, count).unwrap();
            let range = shard.range(total);
            let path = folder.join(format!("part{index}.{ending}"));
            let names = &all[range.clone()];
            let header = SetHeader {
                card: Some(&card),
                shard: Some(shard),
                ..SetHeader::new(names, dim, RowType::F16)
            };
            write(&path, &header, &rows[range.start * dim..range.end * dim]).unwrap();
            path
        })
        .collect()
}

#[test]
fn merged_shards_equal_the_whole_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["safetensors", "npy"] {
        for (total, count) in [(10, 1), (10, 3), (2, 5), (0, 2)] {
            let mut parts = shards(folder.path(), total, count, 3, ending);
            parts.reverse();
            let (whole, merged) = (
                folder.path().join(format!("whole.{ending}")),
                folder.path().join(format!("merged.{ending}")),
            );
            let (names, card) = (names(total), card(3));
            let header = SetHeader {
                card: Some(&card),
                ..SetHeader::new(&names, 3, RowType::F16)
            };
            write(&whole, &header, &values(total * 3)).unwrap();
            merge(&parts, &merged).unwrap();
            assert_eq!(fs::read(&merged).unwrap(), fs::read(&whole).unwrap());
            if ending == "npy" {
                for side in ["names.txt", "card.json"] {
                    let read = |path: &Path| fs::read(path.with_extension(side)).unwrap();
                    assert_eq!(read(&merged), read(&whole));
                }
            }
        }
    }
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.safetensors");
    let parts = shards(folder.path(), 10, 3, 2, "safetensors");
    let message = |inputs: &[&PathBuf]| {
        let inputs: Vec<PathBuf> = inputs.iter().map(|path| (*path).clone()).collect();
        merge(&inputs, &out).unwrap_err().to_string()
    };
    assert!(message(&[&parts[0], &parts[2]]).contains("shard 2/3 is missing"));
    assert!(message(&[&parts[0], &parts[1]]).contains("shard 3/3 is missing"));
    assert!(message(&[&parts[0], &parts[1], &parts[1], &parts[2]]).contains("shard 2/3 was given twice"));
    assert!(message(&[]).contains("no sets were given"));
    let write_one = |file: &str, size: usize, row_type: RowType, with_card: bool| {
        let (names, mut card) = (names(1), card(2));
        card.identity.recipe["size"] = size.into();
        let path = folder.path().join(file);
        let header = SetHeader {
            card: with_card.then_some(&card),
            ..SetHeader::new(&names, 2, row_type)
        };
        write(&path, &header, &[1.0, 2.0]).unwrap();
        path
    };
    let one = write_one("one.safetensors", 512, RowType::F32, true);
    let other = write_one("other.safetensors", 1024, RowType::F32, true);
    assert!(message(&[&one, &other]).contains("recipe.size is 512"));
    assert!(message(&[&one, &write_one("half.safetensors", 512, RowType::F16, true)]).contains("F16"));
    assert!(message(&[&write_one("bare.safetensors", 512, RowType::F32, false), &one]).contains("has none"));
    assert!(message(&[&parts[0], &one]).contains("is no shard"));
    assert!(!out.exists());
}

static VALID: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [valid_file("safetensors"), valid_file("npy")]);

fn valid_file(ending: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("set.{ending}"));
    let (names, card) = (names(4), card(3));
    let header = SetHeader {
        card: Some(&card),
        shard: Shard::new(1, 2),
        ..SetHeader::new(&names, 3, RowType::F32)
    };
    write(&path, &header, &values(12)).unwrap();
    fs::read(path).unwrap()
}

/// Whatever the bytes, reading gives a set whose parts agree, or an error.
fn read_any(bytes: Vec<u8>, tensor: Option<&str>) {
    if let Ok(set) = DescriptorSet::from_bytes("fuzz", bytes, tensor) {
        assert_eq!(set.names().len(), set.len());
        assert_eq!(set.to_f32().len(), set.len() * set.dim());
        assert_eq!(
            set.row(set.len().saturating_sub(1)).len(),
            if set.is_empty() { 0 } else { set.dim() }
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), npy: bool) {
        let mut bytes = VALID[usize::from(npy)].clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read_any(bytes, None);
    }

    #[test]
    fn shortened_files_are_refused(cut: prop::sample::Index, npy: bool) {
        let mut bytes = VALID[usize::from(npy)].clone();
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(DescriptorSet::from_bytes("cut", bytes, None).is_err());
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), magic: bool) {
        let mut bytes = bytes;
        if magic {
            bytes.splice(0..0, *b"\x93NUMPY\x01\x00");
        }
        read_any(bytes, Some("x"));
    }

    #[test]
    fn shards_cover_a_list_once(total in 0usize..10_000, count in 1usize..50) {
        let mut next = 0;
        for index in 1..=count {
            let range = Shard::new(index, count).unwrap().range(total);
            prop_assert_eq!(range.start, next);
            prop_assert!(range.len() == total / count || range.len() == total / count + 1);
            next = range.end;
        }
        prop_assert_eq!(next, total);
    }
}

#[test]
fn shards_are_read_from_text() {
    assert_eq!(Shard::parse("2/8"), Shard::new(2, 8));
    for wrong in ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/4", "a/b"] {
        assert_eq!(Shard::parse(wrong), None, "{wrong}");
    }
    assert_eq!(Shard::new(3, 3).unwrap().range(usize::MAX).end, usize::MAX);
}
