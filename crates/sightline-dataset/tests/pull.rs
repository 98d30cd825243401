//! Downloads from a server on loopback that behaves as badly as servers do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod loopback;
mod puller;

use loopback::{Answer, Server};
use puller::{MD5, Place, SHA256, content, file_at};
use sightline_dataset::pull::{FileEntry, Receipt, Status};

#[test]
fn an_honest_server_gives_the_file_and_a_receipt() {
    let server = Server::new(|_, _| Answer::whole(&content()));
    let mut place = Place::new();
    let file = FileEntry {
        size: Some(300_000),
        md5: Some(MD5.to_owned()),
        sha256: Some(SHA256.to_owned()),
        ..file_at(server.url("file"))
    };
    let pulled = place.pull(&file).unwrap();
    assert_eq!(pulled.status, Status::Downloaded);
    place.is_whole();
    let receipt = Receipt::of(&place.path("a/file.bin")).unwrap();
    assert_eq!(Some(&receipt), pulled.receipt.as_ref());
    assert_eq!(
        (receipt.size, receipt.sha256.as_str(), receipt.day.as_str()),
        (300_000, SHA256, "2024-02-29")
    );
    assert_eq!(receipt.url, Some(server.url("file")));
    assert_eq!(receipt.compared, ["md5", "sha256"]);
    assert_eq!(server.asked()[0].header("accept-encoding"), Some("identity"));

    // The second pull only looks, and a check reads.
    assert_eq!(place.pull(&file).unwrap().status, Status::AlreadyThere);
    place.options.check = true;
    assert_eq!(place.pull(&file).unwrap().status, Status::AlreadyThere);
    assert_eq!(server.asked().len(), 1);
    let mut changed = content();
    changed[7] ^= 1;
    std::fs::write(place.path("a/file.bin"), changed).unwrap();
    assert!(place.refused(&file).contains("has changed since it was pulled"));
    std::fs::remove_file(place.path("a/file.bin")).unwrap();
    let gone = place.pull(&file).unwrap();
    assert_eq!(gone.status, Status::Missing);
    assert!(gone.advice.unwrap().contains("pull again"));
    place.options.check = false;
    assert_eq!(place.pull(&file).unwrap().status, Status::Downloaded);
    place.is_whole();
}

#[test]
fn a_download_that_breaks_off_is_continued() {
    let server = Server::new(|number, asked| {
        let answer = Answer::honest(asked, &content(), "\"v1\"");
        if number < 2 { answer.cut(100_000) } else { answer }
    });
    let mut place = Place::new();
    let pulled = place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();
    let froms: Vec<Option<usize>> = server.asked().iter().map(loopback::Asked::from).collect();
    assert_eq!(froms, [None, Some(100_000), Some(200_000)]);
    assert_eq!(server.asked()[1].header("if-range"), Some("\"v1\""));
    assert!(
        place.remarks[0].contains("broke off after 100000 of 300000 bytes"),
        "{:?}",
        place.remarks
    );
    assert_eq!(pulled.receipt.unwrap().sha256, SHA256);
}

#[test]
fn an_interrupted_pull_is_continued_by_the_next_one() {
    let server = Server::new(|number, asked| {
        let answer = Answer::honest(asked, &content(), "\"v1\"");
        if number == 0 { answer.cut(123_456) } else { answer }
    });
    let mut place = Place::new();
    place.options.tries = 1;
    let file = file_at(server.url("file"));
    let said = place.refused(&file);
    assert!(
        said.contains("broke off") && said.contains("run the same command again"),
        "{said}"
    );
    assert_eq!(
        std::fs::metadata(place.path("a/file.bin.part")).unwrap().len(),
        123_456
    );
    place.pull(&file).unwrap();
    assert_eq!(server.asked()[1].from(), Some(123_456));
    place.is_whole();
}

#[test]
fn without_a_version_the_day_or_the_size_must_be_the_same() {
    // The day is sent back; the server may then send the whole.
    let day = "Wed, 21 Oct 2015 07:28:00 GMT";
    let server = Server::new(move |number, _| {
        let headers = [("Content-Length", "300000"), ("Last-Modified", day)];
        let answer = Answer::new("200 OK", &headers).then(0, &content());
        if number == 0 { answer.cut(1000) } else { answer }
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    assert_eq!(server.asked()[1].header("if-range"), Some(day));
    place.is_whole();
    assert!(place.remarks.iter().any(|text| text.contains("beginning anew")));

    // Only the size is known: the range is asked for, and the answer's size compared.
    let server = Server::new(|number, asked| match (number, asked.from()) {
        (0, _) => Answer::whole(&content()).cut(1000),
        (1, Some(1000)) => Answer::new(
            "206 Partial Content",
            &[("Content-Range", "bytes 1000-1999/2000")],
        )
        .then(0, &content()[..1000]),
        _ => Answer::whole(&content()),
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    let froms: Vec<Option<usize>> = server.asked().iter().map(loopback::Asked::from).collect();
    assert_eq!(froms, [None, Some(1000), None]);
    place.is_whole();
    assert!(
        place
            .remarks
            .iter()
            .any(|text| text.contains("has changed on the server"))
    );
}

#[test]
fn a_file_that_changes_in_between_is_begun_anew() {
    let old = vec![7; 300_000];
    let server = Server::new(move |number, asked| {
        if number == 0 {
            Answer::honest(asked, &old, "\"old\"").cut(50_000)
        } else {
            Answer::honest(asked, &content(), "\"new\"")
        }
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();

    // The same where the server forgets to look at If-Range.
    let old = vec![7; 300_000];
    let server = Server::new(move |number, asked| match number {
        0 => Answer::honest(asked, &old, "\"old\"").cut(50_000),
        1 => {
            let headers = [
                ("Content-Range", "bytes 50000-299999/300000"),
                ("ETag", "\"new\""),
            ];
            Answer::new("206 Partial Content", &headers).then(0, &content()[50_000..])
        }
        _ => Answer::honest(asked, &content(), "\"new\""),
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_wrong_range_is_not_appended() {
    for range in [
        "bytes 0-299999/300000",
        "bytes 100001-299999/300000",
        "bytes nonsense",
        "bytes 100000-99999/300000",
    ] {
        let server = Server::new(move |number, asked| match number {
            0 => Answer::honest(asked, &content(), "\"v1\"").cut(100_000),
            1 => {
                Answer::new("206 Partial Content", &[("Content-Range", range)]).then(0, &content()[..200_000])
            }
            _ => Answer::honest(asked, &content(), "\"v1\""),
        });
        let mut place = Place::new();
        place.pull(&file_at(server.url("file"))).unwrap();
        place.is_whole();
        assert_eq!(server.asked()[2].from(), None, "{range}");
    }
}

#[test]
fn a_server_that_knows_no_ranges_sends_all_again() {
    let server = Server::new(|number, _| {
        let answer =
            Answer::new("200 OK", &[("Content-Length", "300000"), ("ETag", "\"v1\"")]).then(0, &content());
        if number == 0 { answer.cut(250_000) } else { answer }
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    assert_eq!(server.asked()[1].from(), Some(250_000));
    place.is_whole();
}

#[test]
fn lies_about_the_length_are_found_out() {
    // Fewer than announced, always.
    let server = Server::new(|_, _| Answer::whole(&content()).cut(10));
    let said = Place::new().refused(&file_at(server.url("file")));
    assert!(said.contains("broke off after"), "{said}");

    // More than announced: what was announced is all that counts.
    let server = Server::new(|_, _| {
        Answer::new("200 OK", &[("Content-Length", "300000")]).then(0, &[content(), vec![1; 5000]].concat())
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();

    // Another size than published, announced or not.
    let known = |server: &Server| FileEntry {
        size: Some(300_000),
        ..file_at(server.url("file"))
    };
    for length in [299_999, 300_001] {
        let server = Server::new(move |_, _| Answer::whole(&vec![0; length]));
        let said = Place::new().refused(&known(&server));
        assert!(said.contains("offers") && said.contains("300000"), "{said}");
        let server = Server::new(move |_, _| Answer::new("200 OK", &[]).then(0, &vec![0; length]));
        let mut place = Place::new();
        let said = place.refused(&known(&server));
        assert!(said.contains("300000"), "{said}");
        assert!(!place.path("a/file.bin").exists());
    }
}

#[test]
fn a_length_that_nobody_knows_is_fine() {
    let server = Server::new(|_, _| Answer::new("200 OK", &[]).then(0, &content()));
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();
}

#[test]
fn chunks_that_break_off_are_no_end() {
    let server = Server::new(|number, _| {
        let content = content();
        let chunk = [b"186a0\r\n", &content[..100_000], b"\r\n"].concat();
        let answer = Answer::new("200 OK", &[("Transfer-Encoding", "chunked")]).then(0, &chunk);
        if number == 0 {
            return answer;
        }
        let rest = [b"30d40\r\n", &content[100_000..], b"\r\n0\r\n\r\n"].concat();
        answer.then(0, &rest)
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn redirects_are_followed_and_bounded() {
    let goal = Server::new(|number, asked| {
        let answer = Answer::honest(asked, &content(), "\"v1\"");
        if number == 0 { answer.cut(1000) } else { answer }
    });
    let to = goal.url("goal");
    let server = Server::new(move |_, asked| match asked.path.as_str() {
        "/1" => Answer::new("302 Found", &[("Location", "/2"), ("Content-Length", "0")]),
        "/2" => Answer::new(
            "301 Moved Permanently",
            &[("Location", &to), ("Content-Length", "0")],
        ),
        path => Answer::new(
            "307 Temporary Redirect",
            &[("Location", path), ("Content-Length", "0")],
        ),
    });
    let mut place = Place::new();
    let pulled = place.pull(&file_at(server.url("1"))).unwrap();
    place.is_whole();
    assert_eq!(pulled.receipt.unwrap().url, Some(goal.url("goal")));
    // The wish for the rest is passed on.
    assert_eq!(goal.asked()[1].from(), Some(1000));

    let said = Place::new().refused(&file_at(server.url("loop")));
    assert!(said.contains("redirects more than 10 times"), "{said}");
    assert!(server.asked().len() < 20);
}

#[test]
fn a_silent_server_is_given_up() {
    let server = Server::new(|number, asked| {
        let answer = Answer::honest(asked, &content(), "\"v1\"");
        if number == 0 {
            answer.cut(1000).then(3000, b"late")
        } else {
            answer
        }
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();
    assert_eq!(server.asked()[1].from(), Some(1000));

    // Slow is not silent: pauses shorter than the limit are waited for, however many.
    let server = Server::new(|_, _| {
        let mut answer = Answer::new("200 OK", &[("Content-Length", "300000")]);
        for piece in content().chunks(50_000) {
            answer = answer.then(150, piece);
        }
        answer
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn server_errors_are_tried_again_and_refusals_are_not() {
    let server = Server::new(|number, asked| match number {
        0 => Answer::new("500 Internal Server Error", &[("Content-Length", "0")]),
        1 => Answer::new(
            "503 Service Unavailable",
            &[("Content-Length", "0"), ("Retry-After", "0")],
        ),
        _ => Answer::honest(asked, &content(), "\"v1\""),
    });
    let mut place = Place::new();
    place.pull(&file_at(server.url("file"))).unwrap();
    place.is_whole();
    assert!(
        place.remarks[0].contains("500 (Internal Server Error)"),
        "{:?}",
        place.remarks
    );

    let server = Server::new(|_, _| Answer::new("500 Internal Server Error", &[("Content-Length", "0")]));
    assert!(Place::new().refused(&file_at(server.url("file"))).contains("500"));
    assert_eq!(server.asked().len(), 3);

    let server = Server::new(|_, _| Answer::new("404 Not Found", &[("Content-Length", "0")]));
    let said = Place::new().refused(&file_at(server.url("file")));
    assert!(
        said.contains("404") && said.contains("no longer at this address") && said.contains("--table"),
        "{said}"
    );
    assert_eq!(server.asked().len(), 1);

    // Nobody listens.
    let said = Place::new().refused(&file_at("http://127.0.0.1:9/file"));
    assert!(said.contains("the connection failed"), "{said}");
}

#[test]
fn a_web_page_is_not_the_file() {
    let server = Server::new(|_, _| {
        Answer::new(
            "200 OK",
            &[
                ("Content-Length", "6"),
                ("Content-Type", "text/html; charset=utf-8"),
            ],
        )
        .then(0, b"<html>")
    });
    let said = Place::new().refused(&file_at(server.url("file")));
    assert!(said.contains("web page"), "{said}");
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let server = Server::new(|_, _| Answer::whole(&vec![9; 300_000]));
    let mut place = Place::new();
    let file = FileEntry {
        sha256: Some(SHA256.to_owned()),
        ..file_at(server.url("file"))
    };
    let said = place.refused(&file);
    assert!(said.contains("SHA-256") && said.contains(SHA256), "{said}");
    assert_eq!(server.asked().len(), 1);
    assert!(!place.path("a/file.bin").exists());
    assert_eq!(std::fs::metadata(place.path("a/file.bin.part")).unwrap().len(), 0);

    // Pieces that do not fit together get one chance in one piece.
    let server = Server::new(|number, asked| {
        let wrong = vec![9; 300_000];
        match number {
            0 => Answer::honest(asked, &wrong, "\"same\"").cut(1000),
            _ => Answer::honest(asked, &content(), "\"same\""),
        }
    });
    let file = FileEntry {
        sha256: Some(SHA256.to_owned()),
        ..file_at(server.url("file"))
    };
    place.pull(&file).unwrap();
    place.is_whole();
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_checksum_that_lies_beside_the_file_is_asked_for() {
    for (published, works) in [(MD5, true), ("00000000000000000000000000000000", false)] {
        let text = format!("{published}  images_000.tar\n");
        let server = Server::new(move |_, asked| match asked.path.as_str() {
            "/sum" => Answer::whole(text.as_bytes()),
            _ => Answer::whole(&content()),
        });
        let file = FileEntry {
            md5_url: Some(server.url("sum")),
            ..file_at(server.url("file"))
        };
        let mut place = Place::new();
        match place.pull(&file) {
            Ok(pulled) => assert_eq!(pulled.receipt.unwrap().compared, ["md5"]),
            Err(error) => assert!(!works && error.to_string().contains(MD5), "{error}"),
        }
        assert_eq!(place.path("a/file.bin").exists(), works);
    }
    let server = Server::new(|_, asked| match asked.path.as_str() {
        "/sum" => Answer::new("404 Not Found", &[("Content-Length", "0")]),
        _ => Answer::whole(&content()),
    });
    let file = FileEntry {
        md5_url: Some(server.url("sum")),
        ..file_at(server.url("file"))
    };
    assert!(Place::new().refused(&file).contains("published checksum"));
}

#[test]
fn the_next_address_is_tried_and_the_mirror_asked() {
    let bad = Server::new(|_, _| Answer::new("404 Not Found", &[("Content-Length", "0")]));
    let good = Server::new(|_, _| Answer::whole(&content()));
    let mut place = Place::new();
    let mut file = file_at(bad.url("file"));
    file.url.push(good.url("file"));
    place.pull(&file).unwrap();
    place.is_whole();

    let mut place = Place::new();
    place.options.mirror = Some(good.url("copy/"));
    place.pull(&file_at("https://example.org/data/x.bin")).unwrap();
    place.is_whole();
    assert_eq!(good.asked()[1].path, "/copy/example.org/data/x.bin");
}

#[test]
fn what_came_from_one_address_stays_until_another_sends_something() {
    let nothing = || Answer::new("404 Not Found", &[("Content-Length", "0")]);
    let bad = Server::new(move |_, _| nothing());
    let good = Server::new(move |number, asked| match number {
        0 => Answer::honest(asked, &content(), "\"v1\"").cut(100_000),
        2 => nothing(),
        _ => Answer::honest(asked, &content(), "\"v1\""),
    });
    let mut place = Place::new();
    place.options.tries = 1;
    let mut file = file_at(bad.url("file"));
    file.url.push(good.url("file"));
    place.refused(&file);
    place.pull(&file).unwrap();
    place.is_whole();
    // The second time its own address is the first that is asked, and goes on where it ended.
    assert_eq!((bad.asked().len(), good.asked()[1].from()), (1, Some(100_000)));

    // Its address has nothing for now, nor have others: it stays.
    let part = |place: &Place| std::fs::metadata(place.path("a/file.bin.part")).unwrap().len();
    let begun = Server::new(move |number, asked| match number {
        0 => Answer::honest(asked, &content(), "\"v1\"").cut(100_000),
        _ => nothing(),
    });
    let mut place = Place::new();
    place.options.tries = 1;
    let mut file = file_at(begun.url("file"));
    place.refused(&file);
    file.url.push(bad.url("file"));
    place.refused(&file);
    assert_eq!(part(&place), 100_000);
    // Another address sends it from the beginning.
    file.url.push(good.url("file"));
    place.refused(&file);
    assert_eq!(part(&place), 100_000);
    place.pull(&file).unwrap();
    place.is_whole();
    assert_eq!(good.asked()[3].from(), None);
}

#[test]
fn a_body_that_ends_early_is_continued_where_the_size_is_published() {
    let server = Server::new(|number, asked| match number {
        0 => Answer::new("200 OK", &[("ETag", "\"v1\"")]).then(0, &content()[..100_000]),
        _ => Answer::honest(asked, &content(), "\"v1\""),
    });
    let file = FileEntry {
        size: Some(300_000),
        ..file_at(server.url("file"))
    };
    let mut place = Place::new();
    place.pull(&file).unwrap();
    place.is_whole();
    assert_eq!(server.asked()[1].from(), Some(100_000));
}
