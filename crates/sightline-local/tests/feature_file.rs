//! Files of local features: what is written comes back, and nothing damaged passes for whole.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sightline_descriptor::{RowType, Shard};
use sightline_local::{
    FeatureFile, FeatureFileError, FeatureHeader, FeatureWriter, LocalFeatures, merge_features,
};

/// Features whose values are exact in half precision, places apart.
fn features(count: usize, dim: usize, seed: usize) -> LocalFeatures {
    let value = |i: usize| ((i * 37 + seed * 11) % 64) as f32 / 8.0;
    LocalFeatures {
        dim,
        descriptors: (0..count * dim).map(value).collect(),
        strengths: (0..count).map(|i| 1.0 / (i + 1) as f32).collect(),
        places: (0..count).map(|i| [value(i) + 0.1, value(i + 1)]).collect(),
        scales: (0..count).map(|i| [2.0, 1.0, 0.5][i % 3]).collect(),
        size: [30 + seed, 40],
    }
}

fn write(
    path: &Path,
    pictures: &[LocalFeatures],
    first: usize,
    row_type: RowType,
    shard: Option<Shard>,
) -> Result<(), FeatureFileError> {
    let names: Vec<String> = (0..pictures.len())
        .map(|i| format!("b\u{e4}r \"{}\".jpg", first + i))
        .collect();
    let counts: Vec<usize> = pictures.iter().map(LocalFeatures::len).collect();
    let mut writer = FeatureWriter::create(
        path,
        &FeatureHeader {
            names: &names,
            counts: &counts,
            dim: pictures.first().map_or(1, |one| one.dim),
            row_type,
            card: None,
            shard,
        },
    )?;
    for picture in pictures {
        writer.push(picture)?;
    }
    writer.finish()
}

#[test]
fn what_is_written_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.safetensors");
    for row_type in [RowType::F32, RowType::F16] {
        // An odd number of descriptors of odd length, and pictures without features.
        let counts = [3, 0, 5, 1, 0].into_iter().enumerate();
        let pictures: Vec<LocalFeatures> = counts.map(|(i, count)| features(count, 3, i)).collect();
        write(&path, &pictures, 0, row_type, None).unwrap();
        let file = FeatureFile::open(&path).unwrap();
        file.verify().unwrap();
        assert_eq!((file.len(), file.features(), file.dim()), (5, 9, 3));
        assert_eq!(file.row_type(), row_type);
        assert_eq!(file.names()[2], "b\u{e4}r \"2\".jpg");
        assert_eq!(file.range(2), 3..8);
        for (index, picture) in pictures.iter().enumerate() {
            assert_eq!(file.picture(index).to_features(), *picture);
        }
        assert!(file.picture(5).is_empty());
        assert_eq!(file.range(5), 0..0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn files_without_features_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.safetensors");
    for pictures in [vec![], vec![features(0, 3, 0); 2]] {
        write(&path, &pictures, 0, RowType::F32, None).unwrap();
        let file = FeatureFile::open(&path).unwrap();
        file.verify().unwrap();
        assert_eq!((file.len(), file.features()), (pictures.len(), 0));
        assert!(pictures.is_empty() || file.dim() == 3);
        assert!(file.picture(0).is_empty());
    }
}

#[test]
fn merged_shards_equal_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let pictures: Vec<LocalFeatures> = (0..7).map(|i| features(i % 4, 5, i)).collect();
    write(&place("whole"), &pictures, 0, RowType::F16, None).unwrap();
    let shards: Vec<PathBuf> = (1..=3)
        .map(|index| {
            let shard = Shard::new(index, 3).unwrap();
            let range = shard.range(pictures.len());
            let path = place(&format!("part{index}"));
            let first = range.start;
            write(&path, &pictures[range], first, RowType::F16, Some(shard)).unwrap();
            path
        })
        .collect();
    let shuffled = [shards[2].clone(), shards[0].clone(), shards[1].clone()];
    merge_features(&shuffled, &place("merged")).unwrap();
    assert_eq!(
        fs::read(place("merged")).unwrap(),
        fs::read(place("whole")).unwrap()
    );
    let refused = merge_features(&shuffled[..2], &place("merged"))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("shard 2/3 is missing"), "{refused}");
}

#[test]
fn a_writer_that_is_dropped_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features");
    write(&path, &[features(2, 3, 0)], 0, RowType::F32, None).unwrap();
    let before = fs::read(&path).unwrap();
    let names = ["a".to_owned(), "b".to_owned()];
    let header = FeatureHeader {
        names: &names,
        counts: &[2, 2],
        dim: 3,
        row_type: RowType::F32,
        card: None,
        shard: None,
    };
    let mut writer = FeatureWriter::create(&path, &header).unwrap();
    writer.push(&features(2, 3, 1)).unwrap();
    assert!(matches!(
        writer.push(&features(3, 3, 1)),
        Err(FeatureFileError::Unwritable { .. })
    ));
    let refused = writer.finish().unwrap_err().to_string();
    assert!(refused.contains("1 pictures are missing"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn rows_of_a_journal_come_back() {
    let whole = features(4, 3, 2);
    assert_eq!(LocalFeatures::from_row(&whole.to_row(), 3), Some(whole.clone()));
    assert_eq!(LocalFeatures::from_row(&whole.to_row(), 4), None);
    assert_eq!(LocalFeatures::from_row(&[], 3), None);
}

proptest! {
    /// Any byte changed, and any cut, is refused when the file is opened or verified; reading what could be opened never panics.
    #[test]
    fn damage_is_refused(place: prop::sample::Index, flip in 1u8.., cut: Option<prop::sample::Index>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features");
        write(&path, &[features(3, 2, 0), features(2, 2, 1)], 0, RowType::F16, None).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        match cut {
            Some(cut) => bytes.truncate(cut.index(bytes.len())),
            None => {
                let place = place.index(bytes.len());
                bytes[place] ^= flip;
            }
        }
        fs::write(&path, bytes).unwrap();
        if let Ok(file) = FeatureFile::open(&path) {
            for picture in 0..file.len() {
                prop_assert!(file.picture(picture).to_features().len() <= file.features());
            }
            prop_assert!(file.verify().is_err());
        }
    }
}
