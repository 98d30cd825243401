//! What CSA promises: a checkpoint is inspected, re-ranks in `eval` and `search`, and becomes an ONNX file.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;
use serde_json::Value;
use sightline::checkpoint::safetensors::write_safetensors;
use sightline::checkpoint::{Tensor, formula};
use sightline::nn::{Csa, CsaSizes};

const SIZES: CsaSizes = CsaSizes {
    anchors: 6,
    width: 12,
    depth: 2,
    heads: 2,
    hidden: 48,
    qkv_bias: false,
};

const EVAL: &str =
    "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors --json -";

/// `csa.safetensors`: untrained weights.
fn with_weights(place: &Place) {
    let tensors: Vec<(String, Tensor)> = Csa::parameters(SIZES)
        .into_iter()
        .map(|wanted| {
            let values = formula::parameter(&wanted.name, &wanted.shape, 3);
            (wanted.name, Tensor::from_f32(wanted.shape, &values).unwrap())
        })
        .collect();
    write_safetensors(&place.path("csa.safetensors"), &tensors, &[]).unwrap();
}

#[test]
fn a_checkpoint_re_ranks_and_the_card_says_which() {
    let place = Place::new();
    let names = place.draw_scenes("pictures", 6);
    place.extract_sides("safetensors", "");
    with_weights(&place);
    let eval = |more: &str| place.run(&format!("{EVAL} {more}"));
    let rerank = "--rerank csa:weights=csa.safetensors,heads=2,k=10";
    let said = eval(rerank).ends(0);
    assert!(said.err.contains("csa: l=6"), "{}", said.err);
    let found: Value = said.json();
    let stage = &found["card"]["rerank"]["stages"][0];
    assert_eq!(
        (&stage["method"], &stage["k"], &stage["l"]),
        (&"csa".into(), &10.into(), &6.into())
    );
    assert_eq!(stage["weights"]["file"], "csa.safetensors");
    assert_eq!(stage["weights"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(found["card"]["rerank"]["shortlist"], 10);
    assert_ne!(found["queries"], eval("").ends(0).json()["queries"]);
    for other in ["--device burn", "--threads 1"] {
        let same = eval(&format!("{rerank} {other}")).ends(0).json();
        assert_eq!(same["metrics"], found["metrics"], "{other}");
    }
    let search = format!(
        "search --features db.safetensors pictures/{} --json {rerank}",
        names[0]
    );
    let answers = place.run_seeded(&search).ends(0);
    assert!(answers.out.contains("\"csa\""), "{}", answers.out);

    let refused = eval("--rerank csa:weights=csa.safetensors,l=512").ends(3);
    assert!(
        refused.err.contains("has 6 anchors, and l=512"),
        "{}",
        refused.err
    );
    eval("--rerank csa:k=10").ends(2).complains("csa needs weights");
    eval("--rerank csa:weigths=w")
        .ends(2)
        .complains("did you mean weights?");
    eval("--rerank csa:weights=gnd.json").ends(3);
}

#[test]
fn it_is_inspected_listed_and_exported() {
    let place = Place::new();
    with_weights(&place);
    let said = place.run("model inspect csa.safetensors --json").ends(0).json();
    assert_eq!(
        (&said["project"], &said["architecture"]),
        (&"csa".into(), &"csa".into())
    );
    let options = &said["options"];
    assert_eq!(
        (&options["embed_dim"], &options["depth"]),
        (&12.into(), &2.into())
    );
    assert_eq!(
        (&options["anchor_len"], &options["mlp_ratio"]),
        (&6.into(), &4.into())
    );
    assert_eq!(options["qkv_bias"], false);
    place
        .run("model list csa")
        .ends(0)
        .prints("--rerank csa:weights=")
        .prints("mAP-medium 77.92");

    let export = "model export csa.safetensors --arch csa-h2 -o csa.onnx";
    let said = place.run(&format!("{export} --json")).ends(0).json();
    assert_eq!(said["checks"].as_array().unwrap().len(), 2);
    let inspected = place.run("model inspect csa.onnx --json").ends(0).json();
    assert_eq!(inspected["inputs"][0]["name"], "affinity");
    assert_eq!(inspected["outputs"][0]["name"], "scores");
    // The file says what it is.
    place
        .run("model export csa.safetensors -o ten.onnx --k 10")
        .ends(0)
        .prints("[N, 6, 11, 1] only: 10 candidates");
    place
        .run("model convert csa.safetensors -o again.safetensors")
        .ends(0);
    place.run("model export again.safetensors -o again.onnx").ends(0);

    place
        .run(&format!("{export} --input-size 8x8"))
        .ends(2)
        .complains("--k says");
    place
        .run(&format!("{export} --k 0"))
        .ends(2)
        .complains("from 1 to");
    place
        .run("model export csa.safetensors --arch csa-h5 -o no.onnx")
        .ends(3)
        .complains("5 heads");
    let other = "model export seeded --arch resnet18:layer1/gem -o no.onnx --k 3";
    place.run(other).ends(2).complains("--k belongs to CSA");
    place
        .run("model export csa.safetensors --arch resnet18/gem -o no.onnx")
        .ends(3);
    assert!(!place.path("no.onnx").exists());
}
