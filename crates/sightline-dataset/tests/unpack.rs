//! Archives that want to write elsewhere, are broken, or would fill the disk.
#![allow(clippy::unwrap_used, clippy::panic)]

use flate2::Compression;
use flate2::write::GzEncoder;
use sightline_dataset::pull::{Form, PullError, Unpack, Unpacked, unpack};
use std::io::Write as _;
use std::path::PathBuf;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    fn unpack(
        &self,
        bytes: &[u8],
        form: Form,
        flat: bool,
        drop: Option<&str>,
    ) -> Result<Unpacked, PullError> {
        std::fs::create_dir_all(self.path("")).unwrap();
        std::fs::write(self.path("archive"), bytes).unwrap();
        let how = Unpack {
            form,
            into: "set/files".to_owned(),
            flat,
            drop: drop.map(str::to_owned),
        };
        unpack(
            &self.path("archive"),
            "archive",
            &how,
            &self.path(""),
            &mut |_| (),
        )
    }

    /// The archive is refused for this reason, and nothing is written anywhere but itself.
    #[track_caller]
    fn refuses(&self, bytes: &[u8], form: Form, reason: &str) {
        let said = self.unpack(bytes, form, false, None).unwrap_err().to_string();
        assert!(said.contains(reason), "no {reason:?} in {said}");
        assert!(!self.path("set").exists());
        assert!(!self.path("archive.unpacking").exists());
        let outside: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().collect();
        assert_eq!(outside.len(), 1);
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("set/files").join(name)).unwrap()
    }
}

/// Entries as they are named, without tar's own care for names.
fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, text)| (*name, tar::EntryType::Regular, text.as_bytes()))
        .collect();
    tar_of(&entries)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zip archive of stored entries.
fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let offset = out.len() as u32;
        let (size, length) = (
            (content.len() as u32).to_le_bytes(),
            (name.len() as u16).to_le_bytes(),
        );
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &length,
            &[0, 0],
        ]
        .concat();
        out.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
        let place = [&[0; 10][..], &offset.to_le_bytes(), name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\x00", &common[..], &place].concat());
    }
    let (start, count) = (out.len() as u32, (entries.len() as u16).to_le_bytes());
    let size = (directory.len() as u32).to_le_bytes();
    out.extend(directory);
    out.extend(
        [
            b"PK\x05\x06\0\0\0\0",
            &count[..],
            &count,
            &size,
            &start.to_le_bytes(),
            &[0, 0],
        ]
        .concat(),
    );
    out
}

#[test]
fn files_come_out_as_they_went_in() {
    let entries = [("top/a.txt", "one"), ("./top/in/b.txt", "two"), ("c.txt", "")];
    for (form, bytes) in [
        (Form::Tar, files(&entries)),
        (Form::Tgz, gzip(&files(&entries))),
        (
            Form::Zip,
            zip_of(&entries.map(|(name, text)| (name, text.as_bytes()))),
        ),
    ] {
        let place = Place::new();
        let done = place.unpack(&bytes, form, false, None).unwrap();
        assert_eq!((done.files, done.bytes, done.left_out), (3, 6, 0));
        assert_eq!(
            (
                place.text("top/a.txt"),
                place.text("top/in/b.txt"),
                place.text("c.txt")
            ),
            ("one".into(), "two".into(), String::new())
        );
        let list = std::fs::read_to_string(place.path("archive.unpacked.sha256")).unwrap();
        let first = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed  set/files/top/a.txt\n";
        assert!(list.starts_with(first), "{list}");

        let place = Place::new();
        place.unpack(&bytes, form, true, None).unwrap();
        assert_eq!(place.text("b.txt"), "two");
        let place = Place::new();
        place.unpack(&bytes, form, false, Some("top")).unwrap();
        assert_eq!(
            (place.text("a.txt"), place.text("c.txt")),
            ("one".into(), String::new())
        );
    }
}

#[test]
fn two_archives_share_a_folder() {
    let place = Place::new();
    place
        .unpack(&files(&[("in/a", "1"), ("b", "old")]), Form::Tar, false, None)
        .unwrap();
    place
        .unpack(&files(&[("in/c", "2"), ("b", "new")]), Form::Tar, false, None)
        .unwrap();
    assert_eq!(
        (place.text("in/a"), place.text("in/c"), place.text("b")),
        ("1".into(), "2".into(), "new".into())
    );
}

#[test]
fn no_entry_leads_out() {
    for name in ["../out", "a/../../out", "/tmp/out", "a/..", "a\\..\\b"] {
        let reason = "has a name that is not accepted";
        Place::new().refuses(&files(&[("fine", "x"), (name, "x")]), Form::Tar, reason);
        Place::new().refuses(&gzip(&files(&[(name, "x")])), Form::Tgz, reason);
        Place::new().refuses(&zip_of(&[("fine", b"x"), (name, b"x")]), Form::Zip, reason);
    }
    // Neither as a folder, nor by a name that is given apart from the entry.
    let folder = tar_of(&[("../out", tar::EntryType::Directory, b"")]);
    Place::new().refuses(&folder, Form::Tar, "leads out");
    let long = tar_of(&[
        ("././@LongLink", tar::EntryType::GNULongName, b"../../out\0"),
        ("fine", tar::EntryType::Regular, b"x"),
    ]);
    Place::new().refuses(&long, Form::Tar, "leads out");
    let extended = tar_of(&[
        ("pax", tar::EntryType::XHeader, b"20 path=../../out.x\n"),
        ("fine", tar::EntryType::Regular, b"x"),
    ]);
    Place::new().refuses(&extended, Form::Tar, "leads out");
}

#[test]
fn links_are_left_out_and_nothing_is_written_through_them() {
    let place = Place::new();
    let bytes = tar_of(&[
        ("link", tar::EntryType::Symlink, b""),
        ("hard", tar::EntryType::Link, b""),
        ("pipe", tar::EntryType::Fifo, b""),
        ("link/file", tar::EntryType::Regular, b"x"),
    ]);
    let done = place.unpack(&bytes, Form::Tar, false, None).unwrap();
    assert_eq!((done.files, done.left_out), (1, 3));
    assert_eq!(place.text("link/file"), "x");
    assert!(place.path("set/files/link").symlink_metadata().unwrap().is_dir());
}

#[test]
fn names_that_stand_twice_are_refused() {
    let twice = "two of its entries go to";
    Place::new().refuses(&files(&[("a", "1"), ("./a", "2")]), Form::Tar, twice);
    Place::new().refuses(&files(&[("a", "1"), ("a/b", "2")]), Form::Tar, twice);
    Place::new().refuses(&zip_of(&[("a", b"1"), ("./a", b"2")]), Form::Zip, twice);
    let said = Place::new().unpack(&files(&[("x/a", "1"), ("y/a", "2")]), Form::Tar, true, None);
    assert!(said.unwrap_err().to_string().contains(twice));
}

#[test]
fn bombs_are_refused() {
    // 200 MB of zeros in 1 MB.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(200 << 20);
    header.set_cksum();
    encoder.write_all(header.as_bytes()).unwrap();
    for _ in 0..200 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    Place::new().refuses(
        &encoder.finish().unwrap(),
        Form::Tgz,
        "more than the 67108864 bytes",
    );

    // A name that claims to be long; a sparse file; a size beyond all.
    let mut long = tar::Header::new_gnu();
    long.set_path("././@LongLink").unwrap();
    long.set_entry_type(tar::EntryType::GNULongName);
    long.set_size(1 << 40);
    long.set_cksum();
    Place::new().refuses(long.as_bytes(), Form::Tar, "claims 1099511627776 bytes");
    let sparse = tar_of(&[("s", tar::EntryType::GNUSparse, b"")]);
    Place::new().refuses(&sparse, Form::Tar, "sparse");
    let mut huge = tar::Header::new_gnu();
    huge.set_path("huge").unwrap();
    huge.set_size(u64::MAX);
    huge.set_cksum();
    Place::new().refuses(huge.as_bytes(), Form::Tar, "damaged");
}

#[test]
fn stored_entries_that_lie_over_one_another_are_a_bomb() {
    // Each entry's content is the next entry with its header, so that 1 MB is 100 MB.
    let mut content = vec![7; 1 << 20];
    let mut directory = Vec::new();
    let header = 30 + 4;
    for index in (0..100_u32).rev() {
        let mut crc = flate2::Crc::new();
        crc.update(&content);
        let (name, size) = (format!("e{index:03}"), (content.len() as u32).to_le_bytes());
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &[4, 0, 0, 0],
        ]
        .concat();
        let offset = (index * header).to_le_bytes();
        directory.extend(
            [
                b"PK\x01\x02\x14\x00",
                &common[..],
                &[0; 10],
                &offset,
                name.as_bytes(),
            ]
            .concat(),
        );
        content = [b"PK\x03\x04", &common[..], name.as_bytes(), &content].concat();
    }
    let (start, size) = (content.len() as u32, directory.len() as u32);
    let end = [
        &b"PK\x05\x06\0\0\0\0\x64\0\x64\0"[..],
        &size.to_le_bytes(),
        &start.to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    let archive = [content, directory, end].concat();
    Place::new().refuses(&archive, Form::Zip, "more than the 67108864 bytes");
}

#[test]
fn broken_archives_are_refused() {
    let good = files(&[("a", "some text"), ("b", "more")]);
    Place::new().refuses(&good[..512 + 4], Form::Tar, "ends after 4");
    let mut wrong = good.clone();
    wrong[1] ^= 1;
    Place::new().refuses(&wrong, Form::Tar, "damaged");
    let packed = gzip(&good);
    Place::new().refuses(&packed[..packed.len() - 4], Form::Tgz, "damaged");
    let mut wrong = packed.clone();
    let sum = wrong.len() - 6;
    wrong[sum] ^= 1;
    Place::new().refuses(&wrong, Form::Tgz, "damaged");
    Place::new().refuses(b"no archive at all", Form::Tgz, "damaged");
    Place::new().refuses(b"no archive at all", Form::Zip, "zip");
    let mut wrong = zip_of(&[("a", b"some text")]);
    wrong[32] ^= 1;
    Place::new().refuses(&wrong, Form::Zip, "checksum");
    // What follows the packed bytes and is none is passed over, as gzip does.
    let done = Place::new().unpack(&[&packed[..], &[0; 100]].concat(), Form::Tgz, false, None);
    assert_eq!(done.unwrap().files, 2);
}

#[test]
fn shadows_of_macos_are_no_files() {
    let place = Place::new();
    let bytes = zip_of(&[("a.jpg", b"x"), ("._a.jpg", b"y"), ("__MACOSX/a.jpg", b"z")]);
    assert_eq!(place.unpack(&bytes, Form::Zip, false, None).unwrap().files, 1);
}
