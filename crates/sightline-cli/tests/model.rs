//! What `sightline model` and `--model` promise.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, checkpoint_file};
use sightline::descriptor::DescriptorSet;
use std::path::Path;

const ARCH: &str = "--arch resnet18:layer1/gem";

fn golden(case: &str) -> sightline::checkpoint::File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/formats")
        .join(case);
    sightline::checkpoint::read(&path).unwrap()
}

#[test]
fn inspect_shows_the_tensors_of_a_checkpoint() {
    let place = Place::new();
    place.write("weights.pth", checkpoint_file::resnet18_to_layer1(""));
    place
        .run("model inspect weights.pth")
        .ends(0)
        .prints("layer1.1.conv2.weight")
        .prints("[64, 64, 3, 3]")
        .prints("float32")
        .prints("25 tensors");
    let summary = place.run("model inspect weights.pth --json").ends(0).json();
    assert_eq!(summary["tensors"].as_array().unwrap().len(), 25);
    assert_eq!(summary["tensors"][0]["name"], "conv1.weight");
    assert_eq!(summary["tensors"][0]["shape"], serde_json::json!([64, 3, 7, 7]));
    assert_eq!(summary["tensors"][0]["dtype"], "float32");
    let elements = 64 * 3 * 49 + 4 * 64 * 64 * 9 + 5 * 4 * 64;
    assert_eq!(summary["elements"], elements);
    assert_eq!(summary["bytes"], 4 * elements);
}

#[test]
fn inspect_reads_safetensors_npy_and_pickle() {
    let place = Place::new();
    let header = br#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let mut safetensors = (header.len() as u64).to_le_bytes().to_vec();
    safetensors.extend(header);
    safetensors.extend([0; 8]);
    place.write("a.safetensors", safetensors);
    let summary = place.run("model inspect a.safetensors --json").ends(0).json();
    assert_eq!(summary["tensors"][0]["name"], "a");

    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    npy.extend(format!("{text:<117}\n").as_bytes());
    npy.extend([0; 24]);
    place.write("a.npy", npy);
    place.run("model inspect a.npy").ends(0).prints("[2, 3]");

    // {"depth": 3}
    place.write("a.pkl", b"\x80\x02}X\x05\x00\x00\x00depthK\x03s.");
    place.run("model inspect a.pkl").ends(0).prints("depth");
    let summary = place.run("model inspect a.pkl --json").ends(0).json();
    assert!(summary["entries"]["depth"].is_string() || summary["entries"]["depth"].is_number());
}

#[test]
fn inspect_knows_whose_checkpoint_it_is() {
    let place = Place::new();
    for (case, project) in [
        ("dirtorch_checkpoint_published", "dirtorch"),
        ("cirtorch_published", "cirtorch"),
        ("how_checkpoint", "how"),
        ("solar_checkpoint", "solar"),
    ] {
        let file = golden(&format!("{case}.safetensors"));
        let bytes = file.value.get("in.file").unwrap().as_tensor().unwrap();
        place.write("checkpoint", bytes.to_bytes());
        let summary = place.run("model inspect checkpoint --json").ends(0).json();
        let found = summary["project"].as_str().unwrap().to_lowercase();
        assert_eq!(found, project, "{case}");
        place
            .run("model inspect checkpoint")
            .ends(0)
            .prints(summary["tensors"][0]["name"].as_str().unwrap());
    }
}

#[test]
fn hostile_and_damaged_files_are_refused_with_one_sentence() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/formats");
    let place = Place::new();
    let mut refused = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let case = entry.unwrap().file_name().into_string().unwrap();
        if !case.contains("refused") {
            continue;
        }
        let file = golden(&case);
        let about = &file.metadata.iter().find(|(key, _)| key == "case").unwrap().1;
        let about: serde_json::Value = serde_json::from_str(about).unwrap();
        let must = file.value.get("out.refused").unwrap().as_tensor().unwrap();
        let must = must.to_f32().unwrap();
        for (name, must) in about["params"]["order"].as_array().unwrap().iter().zip(must) {
            let name = name.as_str().unwrap();
            let bytes = file
                .value
                .get(&format!("in.file.{name}"))
                .unwrap()
                .as_tensor()
                .unwrap();
            place.write("hostile", bytes.to_bytes());
            let said = place.run("model inspect hostile");
            let one_sentence = said.err.starts_with("error: ") && said.err.trim_end().lines().count() == 1;
            let allowed = if must == 1.0 { &[3][..] } else { &[0, 3] };
            if !allowed.contains(&said.code) || (said.code == 3 && (!one_sentence || !said.out.is_empty())) {
                wrong.push(format!(
                    "{case}/{name}: exit code {}, {}{}",
                    said.code, said.out, said.err
                ));
            }
            refused += usize::from(said.code == 3);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused > 50, "only {refused} files were refused");
}

#[test]
fn a_converted_checkpoint_describes_alike() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    place.write("weights.pth", checkpoint_file::resnet18_to_layer1("module."));
    place
        .run("model convert weights.pth -o converted.safetensors")
        .ends(0)
        .prints("25 tensors");
    place
        .run("model inspect converted.safetensors")
        .ends(0)
        .prints("layer1.0.bn1.running_var");
    for (model, output) in [
        ("weights.pth", "a.safetensors"),
        ("converted.safetensors", "b.safetensors"),
    ] {
        place
            .run(&format!("extract pictures -o {output} --model {model} {ARCH}"))
            .ends(0);
    }
    let open = |name: &str| DescriptorSet::open(place.path(name)).unwrap();
    let (a, b) = (open("a.safetensors"), open("b.safetensors"));
    assert_eq!(a.len(), 6);
    for row in 0..a.len() {
        assert_eq!(a.row(row), b.row(row));
    }
}

#[test]
fn a_wrong_pairing_names_the_tensor_and_what_would_fit() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    place.write("weights.pth", checkpoint_file::resnet18_to_layer1(""));
    for (wrong, tensor) in [
        ("resnet50:layer1/gem", "layer1.0.conv1.weight"),
        ("resnet18:layer2/gem", "layer2.0.conv1.weight"),
    ] {
        place
            .run(&format!(
                "extract pictures -o set.safetensors --model weights.pth --arch {wrong}"
            ))
            .ends(3)
            .complains("weights.pth")
            .complains(tensor)
            .complains("resnet18:layer1");
    }
}

#[test]
fn a_file_that_does_not_say_its_architecture_asks_for_it() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    place.write("weights.pth", checkpoint_file::resnet18_to_layer1(""));
    place
        .run("extract pictures -o set.safetensors --model weights.pth")
        .ends(3)
        .complains("--arch")
        .complains("resnet18:layer1");
}

#[test]
fn a_file_without_weights_is_no_model() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    place.write("a.pkl", b"\x80\x02}X\x05\x00\x00\x00depthK\x03s.");
    place
        .run(&format!(
            "extract pictures -o set.safetensors --model a.pkl {ARCH}"
        ))
        .ends(3)
        .complains("a.pkl")
        .complains("model inspect");
    place
        .run("model convert a.pkl -o b.safetensors")
        .ends(3)
        .complains("a.pkl");
    assert!(!place.path("b.safetensors").exists());
}
