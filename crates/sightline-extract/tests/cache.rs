//! The cached set of a folder, with a simulated network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod simulated;

use std::fs;
use std::path::Path;

use sightline_extract::{CacheReport, FolderCache, Network, Options, Picture};
use simulated::{Bytes, DIM, Sums, card};

/// Updates the cache of `folder/in` and says how many pictures the network saw.
fn update(folder: &Path) -> (CacheReport, usize) {
    let cache = FolderCache::open(&folder.join("cache"), &folder.join("in"), &card()).unwrap();
    let mut sums = Sums::default();
    let report = cache
        .update(
            &pictures(&folder.join("in")),
            &Bytes,
            &mut Network::new(&mut sums, DIM),
            &Options::default(),
            &mut |_| {},
        )
        .unwrap();
    (report, sums.pictures.into_inner())
}

/// The `.jpg` files of a folder and of the folders in it, sorted by name.
fn pictures(folder: &Path) -> Vec<Picture> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.push(Picture::new(name, path));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn numbers(report: &CacheReport) -> [usize; 4] {
    [
        report.kept,
        report.described,
        report.removed,
        report.skipped.len(),
    ]
}

#[test]
fn only_what_changed_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join("in").join(name);
    fs::create_dir_all(at("sub")).unwrap();
    for (name, content) in [
        ("a.jpg", &[1u8, 1, 1][..]),
        ("b.jpg", &[2, 2, 2]),
        ("sub/c.jpg", &[3, 3, 3]),
        ("d.jpg", b"bad"),
    ] {
        fs::write(at(name), content).unwrap();
    }
    let (report, seen) = update(folder.path());
    assert_eq!((numbers(&report), seen), ([0, 3, 0, 1], 3));
    assert_eq!(report.set.names(), ["a.jpg", "b.jpg", "sub/c.jpg"]);
    let first = report.set.to_f32();

    let written = fs::metadata(report.set.source()).unwrap().modified().unwrap();
    let (report, seen) = update(folder.path());
    assert_eq!((numbers(&report), seen), ([3, 0, 0, 1], 0));
    assert_eq!(report.skipped[0].reason, "It is bad.");
    assert_eq!(report.set.to_f32(), first);
    assert_eq!(
        fs::metadata(report.set.source()).unwrap().modified().unwrap(),
        written,
        "nothing was written"
    );

    fs::write(at("b.jpg"), [4, 4, 4, 4]).unwrap();
    fs::write(at("d.jpg"), [5, 5, 5, 5]).unwrap();
    fs::write(at("new.jpg"), [6, 6, 6]).unwrap();
    fs::remove_file(at("a.jpg")).unwrap();
    let (report, seen) = update(folder.path());
    assert_eq!((numbers(&report), seen), ([1, 3, 1, 0], 3));
    assert_eq!(report.set.names(), ["b.jpg", "d.jpg", "new.jpg", "sub/c.jpg"]);
    assert_eq!(report.set.row(3), first[2 * DIM..]);
    assert_ne!(report.set.row(0), first[DIM..2 * DIM]);
    let again = update(folder.path()).0;
    assert_eq!(numbers(&again), [4, 0, 0, 0]);
}

#[test]
fn a_broken_or_foreign_cache_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("in")).unwrap();
    fs::write(folder.path().join("in/a.jpg"), [1, 1, 1]).unwrap();
    let (report, _) = update(folder.path());
    let path = report.set.source().to_path_buf();
    let good = fs::read(&path).unwrap();
    drop(report);
    for content in [
        &b""[..],
        &good[..good.len() - 1],
        b"\x10\0\0\0\0\0\0\0{}              ",
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(numbers(&update(folder.path()).0), [0, 1, 0, 0]);
        assert_eq!(fs::read(&path).unwrap(), good);
    }
}

#[test]
fn other_settings_have_another_set() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("in")).unwrap();
    let root = folder.path().join("cache");
    let one = FolderCache::open(&root, &folder.path().join("in"), &card()).unwrap();
    let mut other = card();
    other.identity.recipe["size"] = 7.into();
    let other = FolderCache::open(&root, &folder.path().join("in"), &other).unwrap();
    assert_ne!(one.set_path(), other.set_path());
    assert!(FolderCache::open(&root, &folder.path().join("missing"), &card()).is_err());
    let empty = update(folder.path()).0;
    assert_eq!(numbers(&empty), [0, 0, 0, 0]);
    assert!(empty.set.is_empty());
}

#[test]
fn another_runtime_keeps_the_rows_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("in")).unwrap();
    fs::write(folder.path().join("in/a.jpg"), [1, 1, 1]).unwrap();
    update(folder.path());
    fs::write(folder.path().join("in/b.jpg"), [2, 2, 2]).unwrap();
    let mut later = card();
    later.circumstances.runtime = "another".to_owned();
    let cache = FolderCache::open(&folder.path().join("cache"), &folder.path().join("in"), &later).unwrap();
    let mut sums = Sums::default();
    let report = cache
        .update(
            &pictures(&folder.path().join("in")),
            &Bytes,
            &mut Network::new(&mut sums, DIM),
            &Options::default(),
            &mut |_| {},
        )
        .unwrap();
    assert_eq!(numbers(&report), [1, 1, 0, 0]);
    assert_eq!(report.set.card().unwrap().circumstances.runtime, ", another");
}
