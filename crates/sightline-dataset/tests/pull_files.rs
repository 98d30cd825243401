//! What lies on the disk before and after a download: locks, files that were there, receipts, archives.
#![allow(clippy::unwrap_used, clippy::panic)]

mod loopback;
mod puller;

use loopback::{Answer, Server};
use puller::{MD5, Place, SHA256, content, file_at};
use sightline_dataset::pull::{FileEntry, Form, Receipt, Status, Unpack, pull};
use std::path::Path;

#[test]
fn two_pulls_of_one_file_do_not_disturb_each_other() {
    let server = Server::new(|_, _| {
        let content = content();
        Answer::new("200 OK", &[("Content-Length", "300000")])
            .then(0, &content[..1000])
            .then(300, &content[1000..])
    });
    let place = Place::new();
    let file = file_at(server.url("file"));
    let statuses: Vec<Status> = std::thread::scope(|scope| {
        let one = || pull("test", &file, &place.options, &mut |_| ()).unwrap().status;
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == Status::Downloaded)
            .count(),
        1
    );
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == Status::AlreadyThere)
            .count(),
        2
    );
    assert_eq!(server.asked().len(), 1);
    place.is_whole();
}

#[test]
fn a_file_that_lies_there_is_adopted_or_refused() {
    let server = Server::new(|_, _| Answer::whole(&content()));
    let mut place = Place::new();
    std::fs::create_dir_all(place.path("a")).unwrap();
    std::fs::write(place.path("a/file.bin"), b"something else").unwrap();
    let file = FileEntry {
        sha256: Some(SHA256.to_owned()),
        ..file_at(server.url("file"))
    };
    let said = place.refused(&file);
    assert!(
        said.contains("lies there already") && said.contains("Move it away"),
        "{said}"
    );
    std::fs::write(place.path("a/file.bin"), content()).unwrap();
    let pulled = place.pull(&file).unwrap();
    assert_eq!(pulled.status, Status::Adopted);
    assert!(pulled.receipt.unwrap().found);
    assert_eq!(server.asked().len(), 0);
    assert_eq!(place.pull(&file).unwrap().status, Status::AlreadyThere);
}

#[test]
fn a_file_that_lies_there_is_compared_with_the_checksum_beside_its_address() {
    let server = Server::new(|_, asked| match asked.path.as_str() {
        "/sum" => Answer::whole(MD5.as_bytes()),
        _ => Answer::new("404 Not Found", &[("Content-Length", "0")]),
    });
    let mut place = Place::new();
    std::fs::create_dir_all(place.path("a")).unwrap();
    std::fs::write(place.path("a/file.bin"), b"something else").unwrap();
    let with_sum = |sum: &str| FileEntry {
        md5_url: Some(server.url(sum)),
        ..file_at(server.url("file"))
    };
    assert!(place.refused(&with_sum("sum")).contains(MD5));
    std::fs::write(place.path("a/file.bin"), content()).unwrap();
    let said = place.refused(&with_sum("lost"));
    assert!(
        said.contains("Cannot tell whether") && said.contains("404"),
        "{said}"
    );
    let pulled = place.pull(&with_sum("sum")).unwrap();
    assert_eq!(pulled.status, Status::Adopted);
    assert_eq!(pulled.receipt.unwrap().compared, ["md5"]);
}

#[test]
fn an_archive_that_cannot_be_unpacked_is_not_there() {
    let server = Server::new(|number, _| {
        let archive = small_tar();
        Answer::whole(if number == 0 { &archive[..513] } else { &archive })
    });
    let file = FileEntry {
        url: vec![server.url("set.tar")],
        to: "set/set.tar".to_owned(),
        unpack: Some(Unpack {
            form: Form::Tar,
            into: String::new(),
            flat: false,
            drop: None,
        }),
        ..FileEntry::default()
    };
    let mut place = Place::new();
    let said = place.refused(&file);
    assert!(
        said.contains("set.tar") && said.contains("Remove it and pull again."),
        "{said}"
    );
    assert!(
        !Receipt::of(&place.path("set/set.tar"))
            .unwrap()
            .is_complete(&file)
    );
    place.options.check = true;
    let checked = place.pull(&file).unwrap();
    assert_eq!(checked.status, Status::Missing);
    assert!(checked.advice.unwrap().contains("not unpacked"));
    place.options.check = false;
    std::fs::remove_file(place.path("set/set.tar")).unwrap();
    // Unpacked into the data root itself it is found again.
    let pulled = place.pull(&file).unwrap();
    assert_eq!(pulled.status, Status::Downloaded);
    assert!(pulled.receipt.unwrap().is_complete(&file));
    place.options.check = true;
    assert_eq!(place.pull(&file).unwrap().status, Status::AlreadyThere);
}

#[test]
fn what_must_be_fetched_by_hand_says_how() {
    let mut place = Place::new();
    let file = FileEntry {
        by_hand: Some("https://drive.google.com/file/d/1/view".to_owned()),
        to: "networks/W.pt".to_owned(),
        ..FileEntry::default()
    };
    let pulled = place.pull(&file).unwrap();
    assert_eq!(pulled.status, Status::ByHand);
    let advice = pulled.advice.unwrap();
    assert!(
        advice.contains("drive.google.com") && advice.contains("networks/W.pt"),
        "{advice}"
    );
    std::fs::write(place.path("networks/W.pt"), b"weights").unwrap();
    assert_eq!(place.pull(&file).unwrap().status, Status::Adopted);
}

#[test]
fn archives_are_unpacked_once_and_checked() {
    let server = Server::new(|_, _| Answer::whole(&small_tar()));
    for delete in [false, true] {
        let mut place = Place::new();
        place.options.delete_archives = delete;
        let file = FileEntry {
            url: vec![server.url("set.tar")],
            to: "set/set.tar".to_owned(),
            unpack: Some(Unpack {
                form: Form::Tar,
                into: "set/jpg".to_owned(),
                flat: true,
                drop: None,
            }),
            ..FileEntry::default()
        };
        let receipt = place.pull(&file).unwrap().receipt.unwrap();
        assert_eq!(receipt.unpacked.as_ref().unwrap().files, 2);
        assert_eq!(receipt.archive_deleted, delete);
        assert_eq!(place.path("set/set.tar").exists(), !delete);
        assert_eq!(std::fs::read(place.path("set/jpg/b.jpg")).unwrap(), b"bee");
        let before = server.asked().len();
        assert_eq!(place.pull(&file).unwrap().status, Status::AlreadyThere);
        place.options.check = true;
        assert_eq!(place.pull(&file).unwrap().status, Status::AlreadyThere);
        std::fs::write(place.path("set/jpg/b.jpg"), b"bed").unwrap();
        assert!(place.refused(&file).contains("jpg/b.jpg has changed"));
        place.options.check = false;
        assert_eq!(server.asked().len(), before);
        // What is missing is unpacked again, from the archive where it is still there.
        std::fs::remove_file(place.path("set/jpg/b.jpg")).unwrap();
        place.pull(&file).unwrap();
        assert_eq!(std::fs::read(place.path("set/jpg/b.jpg")).unwrap(), b"bee");
        assert_eq!(server.asked().len(), before + usize::from(delete));
        assert!(!leftovers(&place.path("set")));
    }
}

fn leftovers(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        [".part", ".part.json", ".lock", ".tmp", ".unpacking"]
            .iter()
            .any(|ending| name.ends_with(ending))
    })
}

fn small_tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in [("x/a.jpg", "ay"), ("y/b.jpg", "bee")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}
