//! The first path, from a folder of pictures to ranked answers and a mAP, as a list of promises about the command.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use assert_cmd::Command;
use serde_json::Value as Json;
use sightline::image::encode::{jpeg, png};
use sightline::scenes::{Collection, Role};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const MODEL: [&str; 4] = ["--model", "seeded", "--arch", "resnet18:layer1/gem"];

/// A folder of four drawn scenes with their ground truth, and a cache of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        sightline::demo::write_scenes(&folder.path().join("scenes"), 4, 5, &mut || {}).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the command here; yields exit code, stdout and stderr.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::cargo_bin("sightline")
            .unwrap()
            .current_dir(self.folder.path())
            .env("SIGHTLINE_CACHE", self.path("cache"))
            .env("SOURCE_DATE_EPOCH", "1790000000")
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Runs the command with the seeded model; it must succeed. Yields stdout and stderr.
    fn describes(&self, arguments: &[&str]) -> (String, String) {
        let (code, stdout, stderr) = self.run(&[arguments, &MODEL].concat());
        assert_eq!(code, 0, "{arguments:?}: {stderr}");
        (stdout, stderr)
    }

    fn json(&self, name: &str) -> Json {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

#[test]
fn evaluating_a_model_and_its_descriptor_sets_gives_the_same_numbers() {
    let place = Place::new();
    let truth = "scenes/gnd_scenes.json";
    let pictures = ["--images", "scenes/png"];
    place.describes(
        &[
            &[
                "eval",
                "--dataset",
                truth,
                "--json",
                "model.json",
                "--report",
                "report.html",
            ],
            &pictures[..],
        ]
        .concat(),
    );
    place.describes(&[&["extract", truth, "-o", "db.safetensors"], &pictures[..]].concat());
    place.describes(
        &[
            &["extract", truth, "--side", "queries", "-o", "q.npy"],
            &pictures[..],
        ]
        .concat(),
    );
    let features = ["--features", "db.safetensors", "--query-features", "q.npy"];
    let (code, _, stderr) = place.run(
        &[
            &["eval", "--dataset", truth, "--json", "sets.json"],
            &features[..],
        ]
        .concat(),
    );
    assert_eq!(code, 0, "{stderr}");

    let (model, sets) = (place.json("model.json"), place.json("sets.json"));
    assert_eq!(model["metrics"], sets["metrics"]);
    assert_eq!(model["queries"], sets["queries"]);
    for key in ["mAP", "mAP-easy", "mAP-medium", "mAP-hard", "R@1", "mP@10-medium"] {
        let value = model["metrics"][key].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&value), "{key} {value}");
    }
    assert_eq!(model["metrics"]["mAP"], model["metrics"]["mAP-medium"]);
    assert_eq!(model["queries"].as_array().unwrap().len(), 4);
    assert_eq!(model["queries"][0]["name"], "scene01_query");
    assert_eq!(model["card"]["identity"]["architecture"], "resnet18:layer1/gem");
    assert_eq!(model["card"]["identity"]["recipe"]["resize"]["filter"], "lanczos");
    let page = fs::read_to_string(place.path("report.html")).unwrap();
    assert!(page.contains("data:image/jpeg;base64,") && page.contains("1. "));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"));
}

#[test]
fn shards_threads_and_batches_do_not_change_a_byte() {
    let place = Place::new();
    place.describes(&["extract", "scenes/png", "-o", "whole.safetensors"]);
    let whole = fs::read(place.path("whole.safetensors")).unwrap();
    place.describes(&[
        "extract",
        "scenes/png",
        "-o",
        "one.safetensors",
        "--threads",
        "1",
        "--batch",
        "1",
    ]);
    assert!(
        fs::read(place.path("one.safetensors")).unwrap() == whole,
        "threads and batch"
    );
    for shard in ["1", "2", "3"] {
        place.describes(&[
            "extract",
            "scenes/png",
            "-o",
            &format!("s{shard}.safetensors"),
            "--shard",
            &format!("{shard}/3"),
        ]);
    }
    let (code, _, stderr) = place.run(&[
        "extract",
        "merge",
        "s2.safetensors",
        "s3.safetensors",
        "s1.safetensors",
        "-o",
        "merged.safetensors",
    ]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        fs::read(place.path("merged.safetensors")).unwrap() == whole,
        "shards"
    );
}

#[test]
fn a_kill_loses_nothing() {
    let place = Place::new();
    place.describes(&["extract", "scenes/png", "-o", "whole.safetensors"]);
    let command = assert_cmd::cargo::cargo_bin("sightline");
    for milliseconds in [20, 60, 90, 120, 150, 200, 300] {
        let mut child = std::process::Command::new(&command)
            .current_dir(place.folder.path())
            .env("SOURCE_DATE_EPOCH", "1790000000")
            .args([
                "extract",
                "scenes/png",
                "-o",
                "killed.safetensors",
                "--quiet",
                "--batch",
                "1",
            ])
            .args(MODEL)
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        // It may have ended by itself: that is a run like any other.
        let _ = child.kill();
        child.wait().unwrap();
    }
    place.describes(&["extract", "scenes/png", "-o", "killed.safetensors"]);
    assert!(
        fs::read(place.path("killed.safetensors")).unwrap()
            == fs::read(place.path("whole.safetensors")).unwrap()
    );
    assert!(!place.path("killed.safetensors.part").exists());
}

#[test]
fn what_cannot_be_read_is_listed_and_stops_nothing() {
    let place = Place::new();
    let folder = place.path("mixed");
    fs::create_dir_all(folder.join("deep")).unwrap();
    let collection = Collection::new(1, 1);
    let picture = collection.draw(&collection.pictures[0], 64, 48);
    let whole = jpeg(&picture, 90).unwrap();
    let mut bomb = png(&picture).unwrap();
    // Width and height in the header; their check sum no longer fits either.
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    for (name, bytes) in [
        ("good.jpg", &whole[..]),
        ("deep/misnamed.jpg", &png(&picture).unwrap()),
        ("empty.jpg", b""),
        ("text.png", b"no picture at all"),
        ("truncated.jpg", &whole[..whole.len() / 2]),
        ("bomb.png", &bomb),
        ("notes.txt", b"not meant to be a picture"),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let (code, stdout, stderr) = place.run(
        &[
            &["extract", "mixed", "-o", "mixed.safetensors", "--json"],
            &MODEL[..],
        ]
        .concat(),
    );
    assert_eq!(code, 1, "{stderr}");
    let summary: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(summary["described"], 2);
    let skipped = place.json("mixed.safetensors.skipped.json");
    let mut names: Vec<&str> = skipped["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["bomb.png", "empty.jpg", "text.png", "truncated.jpg"]);
    for name in names {
        assert!(stderr.contains(name), "{name} is not named in {stderr}");
    }
    let (code, _, stderr) = place.run(
        &[
            &[
                "extract",
                "mixed",
                "-o",
                "tolerant.safetensors",
                "--truncated",
                "tolerate",
                "--quiet",
            ],
            &MODEL[..],
        ]
        .concat(),
    );
    assert_eq!(code, 1);
    assert!(!stderr.contains("truncated.jpg"), "{stderr}");
}

#[test]
fn a_search_finds_the_scene_and_starts_from_its_cache() {
    let place = Place::new();
    let query = "scenes/png/scene02_query.png";
    let search = ["search", "--in", "scenes/png", query, "-k", "3", "--exclude-self"];
    let (first, said) = place.describes(&search);
    assert!(said.contains("24 described now"), "{said}");
    assert_eq!(first.lines().count(), 3);
    assert!(first.contains("scene02_"), "{first}");
    assert!(!first.contains("scene02_query"));
    let (second, said) = place.describes(&search);
    assert!(said.contains("24 from the cache, 0 described now"), "{said}");
    assert_eq!(first, second);

    fs::remove_file(place.path("scenes/png/scene04_hard1.png")).unwrap();
    fs::copy(place.path(query), place.path("scenes/png/copy.png")).unwrap();
    let (third, said) = place.describes(&[&search[..], &["--json"]].concat());
    assert!(
        said.contains("23 from the cache, 1 described now, 1 gone"),
        "{said}"
    );
    let answers: Json = serde_json::from_str(&third).unwrap();
    assert_eq!(answers["answers"][0]["name"], "copy.png");
    let score = answers["answers"][0]["score"].as_f64().unwrap();
    assert!((score - 1.0).abs() < 1e-5, "{score}");

    let part = place
        .describes(&[&search[..], &["--box", "0,0,60,50"]].concat())
        .0;
    assert_ne!(part, third);
}

#[test]
fn what_was_made_differently_does_not_mix() {
    let place = Place::new();
    place.describes(&[
        "extract",
        "scenes/png",
        "-o",
        "small.safetensors",
        "--size",
        "100",
    ]);
    let query = "scenes/png/scene01_query.png";
    // The query follows the set's card by itself ...
    place.describes(&["search", "--features", "small.safetensors", query]);
    // ... and other wishes are refused by the name of what differs.
    let (code, _, stderr) = place.run(
        &[
            &[
                "search",
                "--features",
                "small.safetensors",
                query,
                "--size",
                "120",
            ],
            &MODEL[..],
        ]
        .concat(),
    );
    assert_eq!(code, 3);
    assert!(
        stderr.contains("resize.size") && stderr.contains("100") && stderr.contains("120"),
        "{stderr}"
    );
}

#[test]
fn hostile_files_are_refused_with_a_sentence() {
    let place = Place::new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tried = 0;
    for entry in fs::read_dir(workspace.join("tests/golden/formats")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "safetensors") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Json = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let part = |name: &str| {
            let offsets = header.get(name)?["data_offsets"].as_array()?;
            let at = |index: usize| 8 + length + offsets[index].as_u64().unwrap() as usize;
            Some(&bytes[at(0)..at(1)])
        };
        let Some(refused) = part("out.refused") else {
            continue;
        };
        let case: Json = serde_json::from_str(header["__metadata__"]["case"].as_str().unwrap()).unwrap();
        for (name, verdict) in case["params"]["order"].as_array().unwrap().iter().zip(refused) {
            let name = name.as_str().unwrap();
            fs::write(place.path("file"), part(&format!("in.file.{name}")).unwrap()).unwrap();
            let (code, _, stderr) = place.run(&["model", "inspect", "file"]);
            assert!(!stderr.contains("panicked"), "{name}: {stderr}");
            if *verdict == 1 {
                assert_eq!(code, 3, "{} {name}", path.display());
                assert!(
                    stderr.starts_with("error: ") && stderr.trim_end().ends_with('.'),
                    "{name}: {stderr}"
                );
            } else {
                assert!(code == 0 || code == 3, "{name}: {code}");
            }
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} files were found");
}

#[test]
fn a_data_set_is_checked() {
    let place = Place::new();
    let (code, stdout, _) = place.run(&[
        "dataset",
        "check",
        "scenes/gnd_scenes.json",
        "--images",
        "scenes/png",
        "--json",
    ]);
    assert_eq!(code, 0);
    let report: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&report["totals"]["images"], &report["totals"]["hard"]),
        (&20.into(), &8.into())
    );

    fs::remove_file(place.path("scenes/png/scene03_easy1.png")).unwrap();
    let text = fs::read_to_string(place.path("scenes/gnd_scenes.json")).unwrap();
    fs::write(
        place.path("scenes/gnd_scenes.json"),
        text.replacen("\"hard\":[", "\"hard\":[999,", 1),
    )
    .unwrap();
    let (code, stdout, _) = place.run(&[
        "dataset",
        "check",
        "scenes/gnd_scenes.json",
        "--images",
        "scenes/png",
    ]);
    assert_eq!(code, 1);
    assert!(
        stdout.contains("scene03_easy1") && stdout.contains("999"),
        "{stdout}"
    );
}

#[test]
fn a_converted_model_describes_alike_and_a_wrong_one_is_named() {
    let place = Place::new();
    let weights = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/resnet18-imagenet-to-layer3/resnet18-layer3.pth");
    if !weights.is_file() {
        eprintln!("skipped: {} is not there", weights.display());
        return;
    }
    let weights = weights.to_str().unwrap();
    let (code, _, stderr) = place.run(&["model", "convert", weights, "-o", "converted.safetensors"]);
    assert_eq!(code, 0, "{stderr}");
    let search = |model: &str| {
        let found = place.run(&[
            "search",
            "--in",
            "scenes/png",
            "scenes/png/scene01_query.png",
            "--model",
            model,
            "--arch",
            "resnet18:layer3/gem",
        ]);
        assert_eq!(found.0, 0, "{}", found.2);
        found.1
    };
    assert_eq!(search(weights), search("converted.safetensors"));
    let (code, _, stderr) = place.run(&[
        "search",
        "--in",
        "scenes/png",
        "x.png",
        "--model",
        weights,
        "--arch",
        "resnet50/gem",
    ]);
    assert_eq!(code, 3);
    assert!(
        stderr.contains("layer1.0.conv1.weight") && stderr.contains("resnet18:layer3/gem"),
        "{stderr}"
    );
}

#[test]
fn the_reference_numbers_of_the_real_photographs() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.join("kth-buildings/jpg").is_dir() {
        eprintln!("skipped: {} is not there", data.display());
        return;
    }
    let place = Place::new();
    let at = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let model = [
        "--model",
        &at("resnet18-imagenet-to-layer3/resnet18-layer3.pth"),
        "--arch",
        "resnet18:layer3/gem",
    ];
    let recipe = ["--recipe", "cirtorch", "--size", "512"];
    for (side, output) in [("database", "db.safetensors"), ("queries", "q.safetensors")] {
        let input = [
            &at("kth-buildings/gnd_kth.pkl"),
            "--images",
            &at("kth-buildings/jpg"),
            "--side",
            side,
            "-o",
            output,
        ];
        let (code, _, stderr) = place.run(&[&["extract"], &input[..], &model, &recipe].concat());
        assert_eq!(code, 0, "{stderr}");
        let reference = format!("{}#{side}", at("kth-buildings/reference_descriptors.safetensors"));
        let open = |path: &str| sightline::descriptor::DescriptorSet::open(path).unwrap();
        let (got, want) = (open(place.path(output).to_str().unwrap()), open(&reference));
        assert_eq!(got.len(), want.len());
        for row in 0..got.len() {
            let cosine: f32 = got.row(row).iter().zip(want.row(row)).map(|(a, b)| a * b).sum();
            assert!(cosine >= 0.9999, "{side} {row}: {cosine}");
        }
    }
    let features = [
        "--features",
        "db.safetensors",
        "--query-features",
        "q.safetensors",
        "--json",
        "kth.out.json",
    ];
    let (code, _, stderr) = place.run(
        &[
            &["eval", "--dataset", &at("kth-buildings/gnd_kth.pkl")],
            &features[..],
        ]
        .concat(),
    );
    assert_eq!(code, 0, "{stderr}");
    let metrics = &place.json("kth.out.json")["metrics"];
    assert!(
        (metrics["mAP"].as_f64().unwrap() - 0.94784).abs() <= 0.0015,
        "{metrics}"
    );
    assert_eq!(metrics["R@1"], 0.96);
    assert!(metrics["mAP-hard"].is_null());
}

#[test]
fn the_demo_runs_on_drawn_scenes_and_on_a_folder() {
    let place = Place::new();
    let (code, stdout, stderr) = place.run(&["demo", "--scenes", "3", "--keep", "kept"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("mAP") && stderr.contains("random weights"));
    assert!(place.path("kept/gnd_scenes.json").is_file());
    let count = |role: Role| {
        Collection::new(3, 1)
            .pictures
            .iter()
            .filter(|picture| picture.role == role)
            .count()
    };
    let page = fs::read_to_string(place.path("report.html")).unwrap();
    assert_eq!(
        page.matches("<section class=\"query\"").count(),
        count(Role::Query)
    );
    let (code, _, stderr) = place.run(&["demo", "kept/png", "-o", "own.html"]);
    assert_eq!(code, 0, "{stderr}");
    let page = fs::read_to_string(place.path("own.html")).unwrap();
    assert!(page.contains("scene01_query.png") && !page.contains("Average precision"));
}

#[test]
fn wrong_usage_is_told_with_what_was_perhaps_meant() {
    let place = Place::new();
    for (arguments, hint) in [
        (
            &[
                "extract",
                "scenes/png",
                "-o",
                "x.npy",
                "--model",
                "seeded",
                "--recipe",
                "cirtroch",
            ][..],
            "did you mean cirtorch",
        ),
        (
            &[
                "extract",
                "scenes/png",
                "-o",
                "x.npy",
                "--model",
                "seeded",
                "--arch",
                "resnet18/gme",
            ],
            "Did you mean",
        ),
        (&["extract", "scenes/png", "-o", "x.npy"], "--model"),
        (
            &[
                "extract",
                "scenes/png",
                "-o",
                "x.npy",
                "--model",
                "seeded",
                "--shard",
                "4/3",
            ],
            "--shard 4/3",
        ),
        (&["search", "scenes/png/scene01_query.png"], "--in"),
        (&["serach"], "search"),
    ] {
        let (code, _, stderr) = place.run(arguments);
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(hint), "{arguments:?}: {stderr}");
    }
}

#[test]
fn completions_and_manual_pages_come_from_the_definitions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let (code, stdout, _) = place.run(&["completions", shell]);
        assert!(code == 0 && stdout.contains("extract"), "{shell}");
    }
    assert_eq!(place.run(&["man", "man1"]).0, 0);
    for page in ["sightline.1", "sightline-extract.1", "sightline-eval.1"] {
        assert!(place.path("man1").join(page).is_file(), "{page}");
    }
}
