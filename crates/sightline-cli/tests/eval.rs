//! What `sightline eval` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, names, shared};
use serde_json::Value;
use sightline::descriptor::DescriptorSet;

fn drawn() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 6);
    place
}

fn eval_model(place: &Place, more: &str) -> Value {
    place
        .run_seeded(&format!(
            "eval --dataset gnd.json --images pictures --json - {more}"
        ))
        .ends(0)
        .json()
}

fn eval_sets(place: &Place, ending: &str) -> Value {
    place
        .run(&format!(
            "eval --dataset gnd.json --features db.{ending} --query-features q.{ending} --json -"
        ))
        .ends(0)
        .json()
}

#[test]
fn sets_give_the_same_numbers_as_the_model() {
    let place = drawn();
    let from_model = eval_model(&place, "");
    place.extract_sides("safetensors", "");
    let from_sets = eval_sets(&place, "safetensors");
    assert_eq!(from_model["metrics"], from_sets["metrics"]);
    assert_eq!(from_model["queries"], from_sets["queries"]);
    assert_eq!(from_model["card"]["identity"], from_sets["card"]["identity"]);
}

#[test]
fn json_has_the_keys_that_were_promised() {
    let place = drawn();
    let output = eval_model(&place, "");
    let metrics = &output["metrics"];
    for key in ["mAP", "mAP-easy", "mAP-medium", "mAP-hard", "R@1", "mP@10-medium"] {
        let value = metrics[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} in {metrics}"));
        assert!((0.0..=1.0).contains(&value), "{key} is {value}");
    }
    assert_eq!(metrics["mAP"], metrics["mAP-medium"]);
    let queries = output["queries"].as_array().unwrap();
    assert_eq!(names(&output["queries"], "name")[4], "scene05_query");
    let mean = queries.iter().map(|one| one["ap"].as_f64().unwrap()).sum::<f64>() / 6.0;
    assert!((mean - metrics["mAP"].as_f64().unwrap()).abs() < 1e-12);
    let identity = &output["card"]["identity"];
    for key in ["weights", "architecture", "recipe", "scales", "dim"] {
        assert!(!identity[key].is_null(), "the card lacks {key}");
    }
    assert!(identity.as_object().unwrap().contains_key("whitening"));
    assert_eq!(output["card"]["protocol"], "cirtorch");
    assert_eq!(output["card"]["circumstances"]["date"], "2023-11-14");
}

#[test]
fn a_setup_without_positives_is_null() {
    let place = drawn();
    let mut truth = place.json("gnd.json");
    for query in truth["gnd"].as_array_mut().unwrap() {
        query["hard"] = serde_json::json!([]);
    }
    place.write("gnd.json", truth.to_string());
    let metrics = &eval_model(&place, "")["metrics"];
    assert!(metrics.as_object().unwrap().contains_key("mAP-hard"));
    assert!(metrics["mAP-hard"].is_null());
    assert_eq!(metrics["mAP-easy"], metrics["mAP"]);
}

#[test]
fn the_numbers_are_also_a_table_and_a_page() {
    let place = drawn();
    place
        .run_seeded("eval --dataset gnd.json --images pictures --json out.json --report page.html")
        .ends(0)
        .prints("mAP-easy")
        .prints("interval");
    assert!(place.json("out.json")["metrics"]["mAP"].is_number());
    let page = place.text("page.html");
    assert!(page.contains("scene03_query") && page.contains("data:image/jpeg;base64,"));
}

#[test]
fn sets_of_different_recipes_do_not_mix() {
    let place = drawn();
    place.extract_sides("safetensors", "--size 64");
    place
        .run_seeded("extract gnd.json --images pictures --side queries -o q.safetensors --size 48")
        .ends(0);
    place
        .run("eval --dataset gnd.json --features db.safetensors --query-features q.safetensors")
        .ends(3)
        .complains("recipe.resize")
        .complains("64")
        .complains("48")
        .complains("db.safetensors");
}

#[test]
fn npy_sets_give_the_same_numbers() {
    let place = drawn();
    let from_model = eval_model(&place, "");
    place.extract_sides("npy", "");
    let from_sets = eval_sets(&place, "npy");
    assert_eq!(from_model["metrics"], from_sets["metrics"]);
}

#[test]
fn float16_sets_rank_as_their_rounding_allows() {
    let place = drawn();
    let from_model = eval_model(&place, "");
    for ending in ["safetensors", "npy"] {
        place.extract_sides(ending, "--half");
        let from_sets = eval_sets(&place, ending);
        let (a, b) = (&from_model["metrics"]["mAP"], &from_sets["metrics"]["mAP"]);
        assert!(
            (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 0.01,
            "{a} {b}"
        );
    }
}

#[test]
fn rankings_of_a_file_are_evaluated() {
    let place = drawn();
    let truth = place.json("gnd.json");
    let all: Vec<u64> = (0..30).collect();
    let mut lines = String::new();
    for query in truth["gnd"].as_array().unwrap() {
        let first: Vec<u64> = ["easy", "hard"]
            .iter()
            .flat_map(|list| query[*list].as_array().unwrap())
            .map(|id| id.as_u64().unwrap())
            .collect();
        let rest = all.iter().copied().filter(|id| !first.contains(id));
        let line: Vec<String> = first
            .iter()
            .copied()
            .chain(rest)
            .map(|id| id.to_string())
            .collect();
        lines += &(line.join(" ") + "\n");
    }
    place.write("ranks.txt", lines);
    let output = place
        .run("eval --dataset gnd.json --ranks ranks.txt --json -")
        .ends(0)
        .json();
    for key in ["mAP", "mAP-easy", "mAP-hard", "R@1"] {
        assert_eq!(output["metrics"][key], 1.0, "{key}");
    }
}

#[test]
fn missing_pictures_count_as_never_found_and_are_listed() {
    let place = drawn();
    let whole = eval_model(&place, "");
    std::fs::remove_file(place.path("pictures/scene01_easy1.jpg")).unwrap();
    let said = place
        .run_seeded("eval --dataset gnd.json --images pictures --json -")
        .ends(1)
        .complains("scene01_easy1");
    let output = said.json();
    assert_eq!(names(&output["missing"], "name"), ["scene01_easy1"]);
    assert!(output["metrics"]["mAP-easy"].as_f64().unwrap() < whole["metrics"]["mAP-easy"].as_f64().unwrap());
}

#[test]
fn queries_need_descriptors_of_their_own() {
    let place = drawn();
    place.extract_sides("safetensors", "");
    place
        .run("eval --dataset gnd.json --features db.safetensors")
        .ends(2)
        .complains("--query-features");
}

#[test]
fn a_set_of_other_pictures_is_refused() {
    let place = drawn();
    place.extract_sides("safetensors", "");
    place
        .run("eval --dataset gnd.json --features q.safetensors --query-features db.safetensors")
        .ends(3)
        .complains("q.safetensors");
}

#[test]
fn real_weights_on_real_photographs_give_the_reference_numbers() {
    let (Some(kth), Some(weights)) = (
        shared("kth-buildings"),
        shared("resnet18-imagenet-to-layer3/resnet18-layer3.pth"),
    ) else {
        return;
    };
    let place = Place::new();
    let (truth, pictures) = (kth.join("gnd_kth.pkl"), kth.join("jpg"));
    let (truth, pictures) = (truth.to_str().unwrap(), pictures.to_str().unwrap());
    for (side, output) in [("database", "db.safetensors"), ("queries", "q.safetensors")] {
        let args = [
            "extract", truth, "--images", pictures, "--side", side, "-o", output,
        ];
        let model = [
            "--model",
            weights.to_str().unwrap(),
            "--arch",
            "resnet18:layer3/gem",
        ];
        let recipe = ["--recipe", "cirtorch", "--size", "512"];
        place.run_args(&[&args[..], &model, &recipe].concat()).ends(0);
    }
    let sets = [
        "--features",
        "db.safetensors",
        "--query-features",
        "q.safetensors",
    ];
    let output = place
        .run_args(&[&["eval", "--dataset", truth, "--json", "-"][..], &sets].concat())
        .ends(0)
        .json();
    let map = output["metrics"]["mAP"].as_f64().unwrap();
    assert!((map - 0.94784).abs() <= 0.0015, "mAP is {map}");
    assert_eq!(output["metrics"]["R@1"], 0.96);
    assert!(output["metrics"]["mAP-hard"].is_null());

    let reference = sightline::checkpoint::read(kth.join("reference_descriptors.safetensors")).unwrap();
    for (name, set) in [("database", "db.safetensors"), ("queries", "q.safetensors")] {
        let wanted = reference.value.get(name).unwrap().as_tensor().unwrap();
        let wanted = wanted.to_f32().unwrap();
        let set = DescriptorSet::open(place.path(set)).unwrap();
        assert_eq!(wanted.len(), set.len() * set.dim());
        for (row, wanted) in wanted.chunks(set.dim()).enumerate() {
            let own = set.row(row);
            let cosine: f64 = own
                .iter()
                .zip(wanted)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
            assert!(
                cosine >= 0.9999,
                "{name} row {row} ({}): cosine {cosine}",
                set.names()[row]
            );
        }
    }
}
