//! What `sightline eval --distractors` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;
use serde_json::{Value, json};
use sightline::descriptor::{DescriptorSet, RowType, SetHeader, SetWriter};

const EVAL: &str =
    "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors --json -";

/// Both sides of a data set, and other pictures as `more.safetensors`; some of these equal pictures of the database.
fn extracted() -> Place {
    let place = Place::new();
    place.draw_scenes("others", 3);
    place.draw_scenes("pictures", 5);
    place.extract_sides("safetensors", "");
    place.run_seeded("extract others -o more.safetensors").ends(0);
    place
}

/// The rows of some sets, one after the other, as one set without a card.
fn join(place: &Place, sets: &[&str], row_type: RowType, to: &str) {
    let sets: Vec<DescriptorSet> = sets
        .iter()
        .map(|set| DescriptorSet::open(place.path(set)).unwrap())
        .collect();
    let names: Vec<String> = sets.iter().flat_map(|set| set.names().to_vec()).collect();
    let header = SetHeader::new(&names, sets[0].dim(), row_type);
    let mut writer = SetWriter::create(place.path(to), &header).unwrap();
    for set in &sets {
        (0..set.len()).for_each(|row| writer.push(&set.row(row)).unwrap());
    }
    writer.finish().unwrap();
}

fn eval(place: &Place, more: &str) -> Value {
    place.run(&format!("{EVAL} {more}")).ends(0).json()
}

#[test]
fn distractors_are_images_that_are_never_right() {
    let place = extracted();
    let alone = eval(&place, "");
    assert_eq!(alone["distractors"], 0);
    let among = eval(&place, "--distractors more.safetensors");
    assert_eq!(among["distractors"], 18);
    assert!(among["metrics"]["mAP"].as_f64().unwrap() < alone["metrics"]["mAP"].as_f64().unwrap());

    // The same with the distractors as images of the data set.
    let more = DescriptorSet::open(place.path("more.safetensors")).unwrap();
    let mut truth = place.json("gnd.json");
    let images = truth["imlist"].as_array_mut().unwrap();
    images.extend(more.names().iter().map(|name| json!(name)));
    place.write("all.json", truth.to_string());
    join(
        &place,
        &["db.safetensors", "more.safetensors"],
        RowType::F32,
        "all.safetensors",
    );
    for protocol in ["cirtorch", "dirtorch"] {
        let line =
            "eval --dataset all.json --features all.safetensors --query-features q.safetensors --json -";
        let joined = place.run(&format!("{line} --protocol {protocol}")).ends(0).json();
        let among = eval(
            &place,
            &format!("--distractors more.safetensors --protocol {protocol}"),
        );
        assert_eq!(joined["metrics"], among["metrics"], "{protocol}");
        assert_eq!(joined["queries"], among["queries"], "{protocol}");
    }

    let described = place
        .run_seeded("eval --dataset gnd.json --images pictures --distractors more.safetensors --json -")
        .ends(0)
        .json();
    assert_eq!(described["queries"], among["queries"]);
}

#[test]
fn several_sets_add_up_in_any_form() {
    let place = extracted();
    let twice = eval(
        &place,
        "--distractors more.safetensors --distractors more.safetensors",
    );
    join(
        &place,
        &["more.safetensors", "more.safetensors"],
        RowType::F32,
        "two.npy",
    );
    let joined = eval(&place, "--distractors two.npy");
    assert_eq!(
        (&twice["distractors"], &twice["queries"]),
        (&json!(36), &joined["queries"])
    );
    join(&place, &["more.safetensors"], RowType::F16, "half.safetensors");
    place
        .run(&format!("{EVAL} --distractors half.safetensors"))
        .ends(0)
        .complains("half.safetensors has no card");
}

#[test]
fn distractors_made_otherwise_are_refused() {
    let place = extracted();
    place
        .run_seeded("extract others -o small.safetensors --size 32")
        .ends(0);
    place
        .run(&format!("{EVAL} --distractors small.safetensors"))
        .ends(3)
        .complains("recipe.resize")
        .complains("small.safetensors");
    place
        .run_seeded("extract others -o deep.npy --arch resnet18:layer2/gem")
        .ends(2);
    place
        .run("extract others -o deep.npy --model seeded --arch resnet18:layer2/gem")
        .ends(0);
    std::fs::remove_file(place.path("deep.card.json")).unwrap();
    place
        .run(&format!("{EVAL} --distractors deep.npy"))
        .ends(3)
        .complains("64")
        .complains("128");
    place.write("ranks.txt", "0\n");
    place
        .run("eval --dataset gnd.json --ranks ranks.txt --distractors more.safetensors")
        .ends(2)
        .complains("--distractors");
}

#[test]
fn pictures_of_classes_have_distractors_too() {
    let place = Place::new();
    place.draw_scenes("others", 2);
    place.draw_scenes("drawn", 3);
    for (index, name) in std::fs::read_dir(place.path("drawn"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .enumerate()
    {
        let class = &name[..7];
        place.write(
            &format!("classes/{class}/{index}-{name}"),
            place.read(&format!("drawn/{name}")),
        );
    }
    place.run_seeded("extract others -o more.safetensors").ends(0);
    for protocol in ["recall", "dirtorch"] {
        let line = format!("eval --dataset classes --protocol {protocol} --kappas 1,18 --json -");
        let alone = place.run_seeded(&line).ends(0).json();
        let among = place
            .run_seeded(&format!("{line} --distractors more.safetensors"))
            .ends(0)
            .json();
        assert_eq!(among["distractors"], 12);
        let first = |output: &Value| output["metrics"]["R@1"].as_f64().unwrap();
        assert!(first(&among) <= first(&alone), "{protocol}");
        let key = if protocol == "recall" { "R@18" } else { "top-18" };
        assert!(
            among["metrics"][key].is_number(),
            "{protocol}: {}",
            among["metrics"]
        );
    }
}
