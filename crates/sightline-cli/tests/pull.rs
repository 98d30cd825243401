//! What `sightline dataset pull|list` and `sightline model pull|list` promise. Everything comes from loopback.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../sightline-dataset/tests/loopback/mod.rs"]
mod loopback;
mod promise;

use loopback::{Answer, Server};
use promise::{Place, SEEDED, names};
use serde_json::{Value, json};

/// A place with drawn scenes, a server that has them as a data set, and the table that says so.
fn scenes() -> (Place, Server) {
    let place = Place::new();
    let pictures = place.draw_scenes("drawn", 2);
    let mut builder = tar::Builder::new(Vec::new());
    for name in &pictures {
        let bytes = place.read(&format!("drawn/{name}"));
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder
            .append_data(&mut header, format!("inside/{name}"), &bytes[..])
            .unwrap();
    }
    let archive = builder.into_inner().unwrap();
    // roxford5k's truth is read by name; any revisited truth does for that.
    let truth = place.read("gnd.json");
    let server = Server::new(move |number, asked| match asked.path.as_str() {
        "/pictures.tar" => {
            let answer = Answer::honest(asked, &archive, "\"1\"");
            if number == 0 { answer.cut(1000) } else { answer }
        }
        "/gnd.json" => Answer::whole(&truth),
        _ => Answer::new("404 Not Found", &[("Content-Length", "0")]),
    });
    let table = json!({ "format_version": 1, "datasets": [
        { "name": "oxford5k", "what": "pictures", "files": [{
            "group": "pictures", "url": server.url("pictures.tar"), "to": "test/oxford5k/pictures.tar",
            "unpack": { "as": "tar", "into": "test/oxford5k/jpg", "flat": true } }] },
        { "name": "roxford5k", "what": "truth", "terms": "None.", "needs": ["oxford5k:pictures"],
          "files": [{ "url": server.url("gnd.json"), "to": "test/roxford5k/gnd_roxford5k.json" }],
          "links": [{ "path": "test/roxford5k/jpg", "to": "test/oxford5k/jpg" }] },
        { "name": "gone", "what": "nothing", "files": [
            { "url": server.url("gone"), "to": "gone/a" }, { "url": server.url("gnd.json"), "to": "gone/b" }] },
        { "name": "lost", "what": "nothing", "files": [{ "url": server.url("gone"), "to": "lost/a" }] },
    ], "models": [
        { "name": "hand", "what": "weights", "files": [{ "by_hand": "https://drive.google.com/1", "to": "networks/w.pth" }] },
    ]});
    place.write("table.json", table.to_string());
    (place, server)
}

#[test]
fn a_pulled_set_is_evaluated_by_its_name() {
    let (place, server) = scenes();
    let pull = "dataset pull roxford5k --data-root data --table table.json --json";
    let said = place.run(pull).ends(0).complains("broke off after 1000");
    let summary = said.json();
    assert_eq!(summary["data_root"], "data");
    let files = &summary["files"];
    assert_eq!(
        names(files, "to"),
        ["test/oxford5k/pictures.tar", "test/roxford5k/gnd_roxford5k.json"]
    );
    assert_eq!(names(files, "status"), ["downloaded", "downloaded"]);
    assert_eq!(files[0]["receipt"]["unpacked"]["files"], 12);
    assert_eq!(files[0]["receipt"]["day"], "2023-11-14");
    assert_eq!(server.asked()[1].from(), Some(1000));

    let mut eval: Vec<&str> = "eval --dataset roxford5k --data-root data --size 64 --json out.json"
        .split(' ')
        .collect();
    eval.extend(SEEDED);
    place.run_args(&eval).ends(0);
    assert!(place.json("out.json")["metrics"]["mAP"].is_number());

    let again = place.run(pull).ends(0).json();
    assert_eq!(
        names(&again["files"], "status"),
        ["already-there", "already-there"]
    );
    assert_eq!(server.asked().len(), 3);
    place
        .run("dataset pull roxford5k --data-root data --table table.json --check")
        .ends(0)
        .prints("already there");
    place.write("data/test/oxford5k/jpg/scene01_easy1.jpg", b"spoilt");
    place
        .run("dataset pull roxford5k --data-root data --table table.json --check")
        .ends(1)
        .complains("scene01_easy1.jpg has changed since it was pulled");
}

#[test]
fn a_killed_pull_is_continued() {
    let content: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
    let sent = content.clone();
    let server = Server::new(move |number, asked| {
        if number > 0 {
            return Answer::honest(asked, &sent, "\"1\"");
        }
        let headers = [("Content-Length", "200000"), ("ETag", "\"1\"")];
        Answer::new("200 OK", &headers)
            .then(0, &sent[..70_000])
            .then(60_000, &sent[70_000..])
    });
    let place = Place::new();
    let table = json!({ "format_version": 1, "models": [
        { "name": "w", "what": "", "files": [{ "url": server.url("w"), "to": "networks/w.pth" }] } ]});
    place.write("table.json", table.to_string());
    let args = [
        "model",
        "pull",
        "w",
        "--data-root",
        "data",
        "--table",
        "table.json",
    ];
    let mut child = place.std_command().args(args).spawn().unwrap();
    let part = place.path("data/networks/w.pth.part");
    let begun = || std::fs::metadata(&part).is_ok_and(|facts| facts.len() == 70_000);
    for _ in 0..600 {
        if begun() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(begun(), "the download never began");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("data/networks/w.pth").exists());
    place.run_args(&args).ends(0).prints("downloaded");
    assert_eq!(server.asked()[1].from(), Some(70_000));
    assert!(place.read("data/networks/w.pth") == content);
}

#[test]
fn what_fails_is_listed_and_the_rest_is_pulled() {
    let (place, _) = scenes();
    let said = place
        .run("dataset pull gone --data-root data --table table.json --json")
        .ends(1);
    let files = said.json()["files"].clone();
    assert_eq!(files[0]["failed"], "gone/a");
    assert!(files[0]["error"].as_str().unwrap().contains("404"));
    assert_eq!(files[1]["status"], "downloaded");
    place
        .run("dataset pull lost --data-root data --table table.json")
        .ends(3)
        .complains("404");
}

#[test]
fn what_needs_a_browser_says_where_to_save_it() {
    let (place, _) = scenes();
    let pull = "model pull hand --data-root data --table table.json";
    place
        .run(pull)
        .ends(1)
        .complains("https://drive.google.com/1")
        .complains("data/networks/w.pth");
    place.write("data/networks/w.pth", b"weights");
    place.run(pull).ends(0).prints("found there");
    place.run(pull).ends(0).prints("already there");
}

#[test]
fn names_that_do_not_exist_are_wrong_usage() {
    let place = Place::new();
    place
        .run("dataset pull roxfrod5k --data-root data")
        .ends(2)
        .complains("did you mean roxford5k?")
        .complains("cub200");
    place
        .run("model pull Resnet101-AP-Gem-LM81 --data-root data")
        .ends(2)
        .complains("did you mean Resnet101-AP-GeM-LM18?");
    place
        .run("dataset pull gldv2:idx --data-root data")
        .ends(2)
        .complains("did you mean index?");
    place
        .run("dataset pull gldv2:index --parts x --data-root data")
        .ends(2)
        .complains("0-3,7");
    place.run("dataset pull cub200").ends(2).complains("--data-root");
    place
        .run("dataset pull cub200 --data-root data --table no.json")
        .ends(2)
        .complains("no.json");
    place.write("bad.json", r#"{"format_version": 1, "datasets": [{"name": "a", "what": "", "files": [{"url": "http://x", "to": "../a"}]}]}"#);
    place
        .run("dataset list --table bad.json")
        .ends(2)
        .complains("leads out of its folder");
}

#[test]
fn lists_say_what_there_is() {
    let (place, _) = scenes();
    place
        .run("dataset list")
        .ends(0)
        .prints("roxford5k: ")
        .prints("Cite")
        .prints("1.2 GB")
        .prints("index");
    let models = place.run("model list --json").ends(0).json();
    for name in [
        "Resnet101-AP-GeM-LM18",
        "gl18-tl-resnet101-gem-w",
        "solar",
        "token-r101",
        "delg-r50-gldv2",
    ] {
        assert!(
            names(&models["weights"], "name").iter().any(|own| own == name),
            "{name}"
        );
    }
    // Networks come with their paper, and with their figures where one is asked for by name.
    let head = |list: &Value, name: &str| -> Value {
        let heads = list["networks"]["heads"].as_array().unwrap();
        let has = |head: &&Value| head["heads"].as_array().unwrap().iter().any(|own| own == name);
        heads.iter().find(has).unwrap().clone()
    };
    assert!(
        head(&models, "how")["paper"]
            .as_str()
            .unwrap()
            .contains("ECCV 2020")
    );
    assert!(
        !head(&models, "cir-gem")["published"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    place
        .run("model list cir-gem")
        .ends(0)
        .prints("mAP-medium 67.3, mAP-hard 44.3")
        .prints("gl18-tl-resnet101-gem-w");
    place
        .run("model list nothing-of-that-name")
        .ends(2)
        .complains("`sightline model list` prints all");
    place
        .run("dataset pull roxford5k --data-root data --table table.json")
        .ends(0);
    place
        .run("dataset list --data-root data --table table.json")
        .ends(0)
        .prints("roxford5k (there): truth");
    let listed = place
        .run("dataset list --data-root data --table table.json --json")
        .ends(0)
        .json();
    let entry = |name: &str| -> Value {
        listed
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (
            entry("roxford5k")["there"].clone(),
            entry("cub200")["there"].clone()
        ),
        (json!(true), json!(false))
    );
    assert_eq!(entry("cub200")["bytes"], 1_150_585_339_u64);
}

#[test]
fn a_dry_run_asks_nobody() {
    let (place, server) = scenes();
    place
        .run("dataset pull roxford5k --data-root data --table table.json --dry-run")
        .ends(0)
        .prints("data/test/oxford5k/pictures.tar")
        .prints("2 files");
    place
        .run("dataset pull cub200 --data-root data --dry-run --mirror https://mirror.example/")
        .ends(0)
        .prints("from https://mirror.example/");
    assert_eq!(server.asked().len(), 0);
    assert!(!place.path("data").exists());
    let plans = place
        .run("dataset pull gldv2:test --parts 3 --data-root data --dry-run --json")
        .ends(0)
        .json();
    assert_eq!(
        plans[0]["url"][0],
        "https://s3.amazonaws.com/google-landmark/test/images_003.tar"
    );
}
