//! What `sightline local index` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, names};
use sightline::local::{Codebook, FeatureFile};

const HOW: &str = "--model seeded --arch resnet18:layer1/how-out8";

/// Twelve pictures in `pictures`, their features in `db.safetensors`, and words made of some of these.
fn place() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    extract(&place, "pictures", "db");
    let file = FeatureFile::open(place.path("db.safetensors")).unwrap();
    let values: Vec<f32> = (0..file.len())
        .flat_map(|picture| file.picture(picture).to_features().descriptors[..16].to_vec())
        .collect();
    Codebook::new(8, values)
        .unwrap()
        .write(place.path("words.safetensors"))
        .unwrap();
    place
}

fn extract(place: &Place, folder: &str, output: &str) {
    place
        .run(&format!(
            "local extract {folder} -o {output}.safetensors {HOW} --features 40 --scales 1"
        ))
        .ends(0);
}

#[test]
fn pictures_find_themselves_first() {
    let place = place();
    let made = place
        .run("local index create db.safetensors -o db.sasmk --codebook words.safetensors --json")
        .ends(0)
        .json();
    assert_eq!(made["images"], 12);
    assert_eq!(made["card"]["binary"], true);
    for form in ["", "--float", "--idf", "--assign 3"] {
        place
            .run(&format!(
                "local index create db.safetensors -o x.sasmk --codebook words.safetensors {form}"
            ))
            .ends(0)
            .prints("12 images (0 distractors)");
        let found = place
            .run("local index search x.sasmk db.safetensors --codebook words.safetensors --assign 1 -k 3 --json")
            .ends(0)
            .json();
        let queries = found.as_array().unwrap();
        assert_eq!(queries.len(), 12);
        for query in queries {
            assert_eq!(names(&query["answers"], "name").len(), 3);
            assert_eq!(query["answers"][0]["rank"], 1);
            if form != "--assign 3" {
                assert_eq!(query["answers"][0]["name"], query["query"], "{form}");
                // A feature that is its word is a zero vector, and as values has no likeness to itself.
                let score = query["answers"][0]["score"].as_f64().unwrap();
                assert!(form == "--float" || (score - 1.0).abs() < 1e-4, "{form} {score}");
            }
        }
        // Threads change nothing.
        let search =
            "local index search x.sasmk db.safetensors --codebook words.safetensors --json --threads";
        assert_eq!(
            place.run(&format!("{search} 1")).out,
            place.run(&format!("{search} 3")).out
        );
    }
    place
        .run("local index stats db.sasmk --verify")
        .ends(0)
        .prints("binary (ASMK*), 8 values, 24 words, without idf, 1 a feature");
}

#[test]
fn a_picture_is_described_as_the_index_was() {
    let place = place();
    place
        .run("local index create db.safetensors -o db.sasmk --codebook words.safetensors")
        .ends(0);
    let name = FeatureFile::open(place.path("db.safetensors")).unwrap().names()[3].clone();
    let search = "local index search db.sasmk";
    let of_file = place
        .run(&format!(
            "{search} db.safetensors --codebook words.safetensors --json"
        ))
        .ends(0)
        .json();
    let of_picture = place
        .run(&format!(
            "{search} pictures/{name} --codebook words.safetensors {HOW} --json"
        ))
        .ends(0)
        .json();
    assert_eq!(of_picture[0]["answers"], of_file[3]["answers"]);
    place
        .run(&format!(
            "{search} pictures/{name} --codebook words.safetensors {HOW} --box 10,10,50,40 -k 2"
        ))
        .ends(0);
    place
        .run(&format!("{search} pictures/{name} --codebook words.safetensors --model seeded --arch resnet18:layer2/how-out8"))
        .ends(3)
        .complains("architecture");
    place
        .run(&format!(
            "{search} db.safetensors --codebook words.safetensors {HOW}"
        ))
        .ends(2)
        .complains("--model");
}

#[test]
fn adding_gives_the_file_that_making_it_at_once_gives() {
    let place = place();
    std::fs::create_dir(place.path("more")).unwrap();
    let first = std::fs::read_dir(place.path("pictures"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    std::fs::copy(first.path(), place.path("more").join(first.file_name())).unwrap();
    extract(&place, "more", "more");
    let create = "local index create --codebook words.safetensors";
    place
        .run(&format!(
            "{create} db.safetensors more.safetensors -o both.sasmk --memory 1"
        ))
        .ends(0);
    place.run(&format!("{create} db.safetensors -o db.sasmk")).ends(0);
    place
        .run("local index add db.sasmk more.safetensors --codebook words.safetensors -o two.sasmk")
        .ends(0)
        .prints("13 images");
    assert!(place.read("both.sasmk") == place.read("two.sasmk"));
    // Onto distractors: the pictures of before have negative numbers.
    place
        .run(&format!(
            "{create} more.safetensors -o onto.sasmk --onto db.sasmk"
        ))
        .ends(0)
        .prints("13 images (12 distractors)");
    let found = place
        .run("local index search onto.sasmk more.safetensors --codebook words.safetensors -k 13 --json")
        .ends(0)
        .json();
    let mut numbers: Vec<i64> = found[0]["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["number"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (-12..=0).collect::<Vec<_>>());
}

#[test]
fn removed_pictures_answer_no_more() {
    let place = place();
    place
        .run("local index create db.safetensors -o db.sasmk --codebook words.safetensors")
        .ends(0);
    let all = FeatureFile::open(place.path("db.safetensors"))
        .unwrap()
        .names()
        .to_vec();
    place.write("gone.txt", format!("{}\n\n{}\n", all[1], all[2]));
    place
        .run(&format!("local index remove db.sasmk {} @gone.txt", all[0]))
        .ends(0);
    let found = place
        .run("local index search db.sasmk db.safetensors --codebook words.safetensors -k 12 --json")
        .ends(0)
        .json();
    let mut left = names(&found[0]["answers"], "name");
    left.sort();
    let mut want = all[3..].to_vec();
    want.sort();
    assert_eq!(left, want);
    let near = format!("{}x", all[3]);
    place
        .run(&format!("local index remove db.sasmk {near}"))
        .ends(2)
        .complains(&format!("did you mean {}?", all[3]));
    place.run("local index stats db.sasmk --verify --json").ends(0);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let place = place();
    place
        .run("local index create db.safetensors -o db.sasmk --codebook words.safetensors")
        .ends(0);
    let other = Codebook::new(8, vec![0.5; 16]).unwrap();
    other.write(place.path("other.safetensors")).unwrap();
    place
        .run("local index search db.sasmk db.safetensors --codebook other.safetensors")
        .ends(3)
        .complains("number of words");
    place
        .run("local index add db.sasmk db.safetensors --codebook other.safetensors")
        .ends(3)
        .complains("number of words");
    place
        .run(&format!(
            "local extract pictures -o two.safetensors {HOW} --features 10 --scales 1"
        ))
        .ends(0);
    place
        .run("local index search db.sasmk two.safetensors --codebook words.safetensors")
        .ends(3)
        .complains("local.features");
    place
        .run("local index create db.safetensors -o x.sasmk --codebook db.safetensors")
        .ends(3)
        .complains("codebook");
    let mut bytes = place.read("db.sasmk");
    bytes[70] ^= 1;
    place.write("bad.sasmk", &bytes);
    let verify = place.run("local index stats bad.sasmk --verify").ends(3);
    verify.complains("damaged");
    place
        .run("local index stats db.safetensors")
        .ends(3)
        .complains("no inverted file");
    assert!(!place.path("x.sasmk").exists() && !place.path("x.sasmk.tmp").exists());
}

#[test]
fn what_is_read_is_not_written_over() {
    let place = place();
    for (command, kept) in [
        (
            "local index create db.safetensors -o db.safetensors --codebook words.safetensors",
            "db.safetensors",
        ),
        (
            "local index create db.safetensors -o pictures/../words.safetensors --codebook words.safetensors",
            "words.safetensors",
        ),
        (
            "local codebook train db.safetensors -o db.safetensors --words 8",
            "db.safetensors",
        ),
        (
            "local vlad db.safetensors --codebook words.safetensors -o words.safetensors",
            "words.safetensors",
        ),
    ] {
        let before = std::fs::read(place.path(kept)).unwrap();
        place.run(command).ends(2).complains("write to another file");
        assert_eq!(std::fs::read(place.path(kept)).unwrap(), before);
    }
}

#[test]
fn no_features_make_an_empty_index() {
    let place = place();
    std::fs::create_dir(place.path("none")).unwrap();
    std::fs::write(place.path("none/a.jpg"), "no picture").unwrap();
    place
        .run(&format!(
            "local extract none -o none.safetensors {HOW} --features 40 --scales 1"
        ))
        .ends(1);
    place
        .run("local index create none.safetensors -o none.sasmk --codebook words.safetensors")
        .ends(0)
        .prints("0 images (0 distractors), 0 entries");
    place
        .run("local index search none.sasmk db.safetensors --codebook words.safetensors --json")
        .ends(0);
    place
        .run("local index add none.sasmk db.safetensors --codebook words.safetensors")
        .ends(0)
        .prints("12 images");
}
