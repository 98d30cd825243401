//! What `sightline bench` promises: what it says, never how fast.
#![allow(clippy::unwrap_used)]

mod promise;

use promise::Place;
use serde_json::Value;

#[track_caller]
fn is_positive(value: &Value) {
    assert!(value.as_f64().is_some_and(|number| number > 0.0), "{value}");
}

#[test]
fn every_network_device_and_size_is_measured_in_a_process_of_its_own() {
    let place = Place::new();
    let said = place
        .run("bench extract --arch resnet18:layer1/gem,resnet18:layer2/gem --size 32,48 --device cpu --rounds 2 --batch 2 --threads 1 --json")
        .ends(0);
    let results = said.json();
    let asked: Vec<(&str, u64)> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["architecture"].as_str().unwrap(),
                one["size"][0].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        asked,
        [
            ("resnet18:layer1/gem", 32),
            ("resnet18:layer1/gem", 48),
            ("resnet18:layer2/gem", 32),
            ("resnet18:layer2/gem", 48)
        ]
    );
    for one in results.as_array().unwrap() {
        assert_eq!(one["device"], "cpu");
        assert_eq!(one["batch"], 2);
        assert_eq!(one["threads"], 1);
        assert_eq!(one["times"]["rounds"], 2);
        assert!(one["runtime"].as_str().unwrap().starts_with("rten"));
        is_positive(&one["images_per_s"]);
        assert!(one["times"]["median_s"].as_f64().unwrap() >= one["times"]["min_s"].as_f64().unwrap());
        if cfg!(target_os = "linux") {
            is_positive(&one["peak_memory"]);
            assert!(one["peak_memory"].as_u64().unwrap() >= one["running_memory"].as_u64().unwrap());
        }
    }
    place
        .run("bench extract --arch resnet18:layer1/gem --size 32 --rounds 1")
        .ends(0)
        .prints("images/s")
        .prints("32x32");
}

#[test]
fn the_share_that_is_not_the_network_is_measured_on_pictures() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    let line =
        "bench extract --in pictures --arch resnet18:layer1/gem --recipe cirtorch --size 64 --rounds 1";
    let result = place.run(&format!("{line} --json")).ends(0).json();
    assert_eq!(result["pictures"], 6);
    assert_eq!(result["architecture"], "resnet18:layer1/gem");
    for part in ["whole", "network"] {
        assert_eq!(result[part]["rounds"], 1);
        is_positive(&result[part]["min_s"]);
    }
    assert!(result["share_not_network"].as_f64().unwrap() < 1.0);
    place.run(line).ends(0).prints("not the network");
}

#[test]
fn search_is_measured_on_a_file_that_may_be_kept() {
    let place = Place::new();
    let line = "bench search --rows 500 --dim 16 --queries 3 -k 5 --wanted 7 --rounds 1 --half";
    let result = place
        .run(&format!("{line} --keep noise.safetensors --json"))
        .ends(0)
        .json();
    assert_eq!((&result["rows"], &result["dim"]), (&500.into(), &16.into()));
    assert_eq!((&result["queries"], &result["k"]), (&3.into(), &5.into()));
    assert_eq!(
        (&result["wanted"], &result["value_bytes"]),
        (&7.into(), &2.into())
    );
    is_positive(&result["top_k"]["min_s"]);
    is_positive(&result["ranks"]["min_s"]);
    if cfg!(target_os = "linux") {
        is_positive(&result["memory_beyond_mapping"]);
    }
    let set = sightline::descriptor::DescriptorSet::open(place.path("noise.safetensors")).unwrap();
    assert_eq!((set.len(), set.dim()), (500, 16));
    for row in 0..set.len() {
        let norm: f32 = set.row(row).iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 5e-3, "row {row} has the squared norm {norm}");
    }
    // The file is used again, and no other file is taken for it.
    let before = place.read("noise.safetensors");
    place
        .run(&format!("{line} --keep noise.safetensors"))
        .ends(0)
        .prints("3 queries x 500 rows");
    assert!(place.read("noise.safetensors") == before);
    place
        .run("bench search --rows 501 --dim 16 --half --keep noise.safetensors")
        .ends(2)
        .complains("500 rows");
    place.run(line).ends(0);
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 1);
    for (seed, same) in [(1, true), (2, false)] {
        place
            .run(&format!("{line} --seed {seed} --keep seeded{seed}.safetensors"))
            .ends(0);
        assert_eq!(place.read(&format!("seeded{seed}.safetensors")) == before, same);
    }
}

#[test]
fn preparing_is_measured_for_every_recipe_and_size() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    let line = "bench prepare pictures --recipe cirtorch,photos --size 32,64 --at-most 4 --rounds 1";
    let results = place.run(&format!("{line} --json")).ends(0).json();
    let asked: Vec<(&str, u64)> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["recipe"].as_str().unwrap(), one["size"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        asked,
        [("cirtorch", 32), ("cirtorch", 64), ("photos", 32), ("photos", 64)]
    );
    for one in results.as_array().unwrap() {
        assert_eq!(one["pictures"], 4);
        is_positive(&one["ms"]);
        is_positive(&one["decode_ms"]);
    }
    place.run(line).ends(0).prints("ms a picture");
}

#[test]
fn wrong_names_and_combinations_are_wrong_usage() {
    let place = Place::new();
    place
        .run("bench extract --arch resnet19/gem --size 32")
        .ends(2)
        .complains("resnet18/gem");
    place
        .run("bench extract --model a.pth --arch resnet18/gem,resnet50/gem")
        .ends(2)
        .complains("one network");
    place
        .run("bench extract --recipe cirtorch")
        .ends(2)
        .complains("--in");
    place.run("bench search --rows 0").ends(2);
    place.run("bench prepare nowhere").ends(3).complains("nowhere");
    place
        .run("bench extract --arch resnet18:layer1/gem --size 32 --device nowhere --rounds 1")
        .ends(3)
        .complains("nowhere");
}

#[test]
fn robust_homographies_are_found_and_timed() {
    let place = Place::new();
    let said = place.run("bench homography --pairs 3 --rounds 1 --json").ends(0);
    let result = said.json();
    assert_eq!(result["failed"], 0);
    assert!(result["recall"].as_f64().unwrap() > 0.9);
    assert!(result["corner_error_mean"].as_f64().unwrap() < 1.0);
    is_positive(&result["times"]["min_s"]);
    place
        .run("bench homography --matches 50 --pairs 1 --rounds 1")
        .ends(0)
        .prints("corners px");
    place
        .run("bench homography --inliers 30")
        .ends(2)
        .complains("a share from 0 to 1");
}

#[test]
fn csas_network_is_run_by_its_own_kernels_and_by_rten() {
    let place = Place::new();
    let line = "bench csa --tokens 20 --anchors 6 --width 16 --heads 2 --depth 1 --queries 3 --batch 2 --rounds 1 --threads 1";
    let said = place
        .run(&format!("{line} --by sightline,rten --export csa.onnx --json"))
        .ends(0);
    let results = said.json();
    let scores = |index: usize| -> Vec<f64> {
        let scores = results[index]["scores"].as_array().unwrap();
        scores.iter().map(|score| score.as_f64().unwrap()).collect()
    };
    assert_eq!(scores(0).len(), 19);
    for (ours, rten) in scores(0).iter().zip(scores(1)) {
        assert!((ours - rten).abs() < 1e-5, "{ours} {rten}");
    }
    is_positive(&results[0]["ms_per_query"]);
    assert!(place.path("csa.onnx").is_file());
    place.run(line).ends(0).prints("ms a query");
    place
        .run("bench csa --by onnx")
        .ends(2)
        .complains("sightline, rten");
    place
        .run("bench csa --width 7 --heads 2")
        .ends(2)
        .complains("heads divide the width");
}

#[test]
fn graphs_and_re_ranking_are_measured_on_clusters() {
    let place = Place::new();
    let result = place
        .run("bench graph --rows 300 --dim 256 -k 10 --rounds 2 --json")
        .ends(0)
        .json();
    assert_eq!((&result["rows"], &result["centres"]), (&300.into(), &30.into()));
    assert_eq!(result["times"]["rounds"], 2);
    is_positive(&result["times"]["min_s"]);
    // Ten descriptors a centre, and a centre's are each other's neighbours.
    for (row, list) in result["first"].as_array().unwrap().iter().enumerate() {
        let list: Vec<u64> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_u64().unwrap())
            .collect();
        assert_eq!(list[0], row as u64);
        assert!(
            list.iter().filter(|one| **one % 30 == row as u64).count() >= 9,
            "{list:?}"
        );
    }
    place
        .run("bench graph --rows 300 --dim 256 -k 10")
        .ends(0)
        .prints("300 descriptors x 256 values around 30 centres");

    let line =
        "bench rerank --images 300 --dim 256 --queries 5 --method k-reciprocal --method superglobal:m=20,k=3";
    let result = place.run(&format!("{line} --json")).ends(0).json();
    assert_eq!(
        result["stages"],
        serde_json::json!(["k-reciprocal", "superglobal"])
    );
    assert_eq!(result["graph"], Value::Null);
    is_positive(&result["rerank"]["s"]);
    assert!(result["right"][1].as_f64().unwrap() > 0.9);
    let stored = place.run(&format!("{line} --graph 40 --json")).ends(0).json();
    is_positive(&stored["graph"]["s"]);
    assert_eq!(stored["first"], result["first"]);
    place
        .run(&format!("{line} --graph 40"))
        .ends(0)
        .prints("the graph beforehand");
    place
        .run("bench rerank --method k-reciprocl")
        .ends(2)
        .complains("did you mean k-reciprocal?");
}
