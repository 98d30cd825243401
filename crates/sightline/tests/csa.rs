//! CSA from a checkpoint to a new order: what is opened, what is refused, and that no answer depends on threads or the device.

#![cfg(feature = "nn")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use sightline::checkpoint::recognise::{Project, recognise_file};
use sightline::checkpoint::safetensors::write_safetensors;
use sightline::checkpoint::{Tensor, formula, read};
use sightline::nn::{Csa, CsaSizes};
use sightline::rerank::{Chain, CsaSettings, Rankings};
use sightline::search::{Hit, Rows};
use sightline::{CsaModel, Error, Model, StageOptions, csa, open_stage};
use std::path::{Path, PathBuf};

const SIZES: CsaSizes = CsaSizes {
    anchors: 9,
    width: 24,
    depth: 2,
    heads: 3,
    hidden: 40,
    qkv_bias: true,
};

/// A checkpoint with weights by formula; `change` sees each tensor's name and shape first and may drop it.
fn checkpoint(folder: &Path, change: impl Fn(&str, &mut Vec<usize>) -> bool) -> PathBuf {
    let mut tensors = Vec::new();
    for wanted in Csa::parameters(SIZES) {
        let mut shape = wanted.shape;
        if change(&wanted.name, &mut shape) {
            let values = formula::parameter(&wanted.name, &shape, 5);
            let name = format!("module.{}", wanted.name);
            tensors.push((name, Tensor::from_f32(shape, &values).unwrap()));
        }
    }
    let path = folder.join("checkpoint.safetensors");
    write_safetensors(&path, &tensors, &[]).unwrap();
    path
}

fn whole(folder: &Path) -> PathBuf {
    checkpoint(folder, |_, _| true)
}

fn settings(weights: &Path, k: usize) -> CsaSettings {
    CsaSettings {
        k,
        heads: Some(SIZES.heads),
        ..CsaSettings::new(weights)
    }
}

/// The answers of every query after CSA.
fn order(settings: &CsaSettings, device: &str, threads: usize) -> Vec<Vec<Hit>> {
    let (queries, images) = (
        formula::unit_rows("queries", 5, 16, 1),
        formula::unit_rows("images", 60, 16, 1),
    );
    let mut chain = Chain::default();
    chain
        .stages
        .push(Box::new(csa(settings, device, threads).unwrap()));
    let found = Rankings::search(
        Rows::f32(&queries, 16),
        Rows::f32(&images, 16),
        Vec::new(),
        60,
        Vec::new(),
    );
    chain.run(found.unwrap(), &|_, _, _| {}).unwrap().rankings.lists
}

#[test]
fn the_order_depends_on_neither_threads_nor_device() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&whole(folder.path()), 30);
    let one = order(&settings, "cpu", 1);
    assert_eq!(order(&settings, "cpu", 3), one);
    for (by_burn, by_plan) in order(&settings, "burn", 1)
        .iter()
        .flatten()
        .zip(one.iter().flatten())
    {
        assert_eq!(by_burn.index, by_plan.index);
        assert!((by_burn.score - by_plan.score).abs() < 1e-5);
    }
    // More candidates than images: all are re-ranked.
    let all = CsaSettings { k: 1024, ..settings };
    assert!(
        order(&all, "cpu", 1)[0]
            .iter()
            .all(|hit| hit.score.abs() <= 1.0 + 1e-5)
    );
}

#[test]
fn a_checkpoint_says_its_sizes_but_for_the_heads() {
    let folder = tempfile::tempdir().unwrap();
    let path = whole(folder.path());
    let found = recognise_file(&read(&path).unwrap());
    assert_eq!(found.project, Project::Csa);
    let model = CsaModel::open(&path, Some(3)).unwrap();
    assert_eq!(model.network.sizes(), SIZES);
    // A head for each 64 channels, at least one.
    assert_eq!(CsaModel::open(&path, None).unwrap().network.sizes().heads, 1);
    let stage = model.stage(10, "cpu", 1).unwrap();
    assert_eq!((stage.k, stage.l), (10, 9));
    // Only training needs what aligns.
    let path = checkpoint(folder.path(), |name, _| !name.starts_with("feature_align"));
    assert_eq!(CsaModel::open(&path, Some(3)).unwrap().network.sizes(), SIZES);
    // It is no network of pictures.
    let error = Model::open(&path, None).err().unwrap().to_string();
    assert!(error.contains("--rerank csa:weights="), "{error}");
}

#[test]
fn an_exported_file_computes_the_same() {
    let model = CsaModel::seeded(SIZES, 4).unwrap();
    for (k, checked) in [(None, 12), (None, 31), (Some(20), 20)] {
        let file = model.to_onnx(k).unwrap();
        assert!(model.check_export(file, checked, 2).unwrap().agrees());
    }
    let fixed = model.to_onnx(Some(20)).unwrap();
    assert!(model.check_export(fixed, 21, 1).is_err());
}

#[test]
fn what_does_not_fit_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = whole(folder.path());
    let message = |settings: &CsaSettings| csa(settings, "cpu", 1).err().unwrap().to_string();
    let other = CsaSettings {
        l: Some(512),
        ..settings(&path, 30)
    };
    let text = message(&other);
    assert!(text.contains("has 9 anchors, and l=512"), "{text}");
    let heads = CsaSettings {
        heads: Some(5),
        ..settings(&path, 30)
    };
    let text = message(&heads);
    assert!(
        text.contains("24 channels and 5 heads") && text.contains("cannot be divided"),
        "{text}"
    );
    let text = open_stage(
        &format!("csa:weights={},l=4", path.display()),
        &StageOptions {
            device: "cpu".to_owned(),
            threads: 1,
            images: Vec::new(),
            queries: Vec::new(),
        },
    );
    assert!(text.err().unwrap().to_string().contains("l=4"));

    for (name, problem) in [
        ("topk_proj.weight", "no tensor `topk_proj.weight`"),
        ("blocks.0.mlp.fc1.weight", "no tensor `blocks.0.mlp.fc1.weight`"),
        ("blocks.1.attn.proj.bias", "`blocks.1.attn.proj.bias`"),
        ("blocks.1.norm1.weight", "`blocks.1.norm1.weight`"),
        ("topk_proj.bias", "`topk_proj.bias`"),
    ] {
        let path = checkpoint(folder.path(), |own, _| own != name);
        let text = message(&settings(&path, 30));
        assert!(
            text.contains(problem) && text.contains("checkpoint.safetensors"),
            "{text}"
        );
    }
    for (name, shape) in [
        ("topk_proj.weight", vec![24, 0]),
        ("topk_proj.weight", vec![1, 100_000]),
        ("topk_proj.weight", vec![24]),
        ("blocks.1.attn.qkv.weight", vec![24, 24]),
        ("blocks.0.mlp.fc1.weight", vec![40, 25]),
        ("blocks.0.norm1.bias", vec![24, 1]),
    ] {
        let path = checkpoint(folder.path(), |own, own_shape| {
            if own == name {
                own_shape.clone_from(&shape);
            }
            true
        });
        let refused = csa(&settings(&path, 30), "cpu", 1).err().unwrap();
        assert!(
            matches!(refused, Error::Csa { .. }),
            "{name} {shape:?}: {refused}"
        );
        assert!(refused.to_string().contains(name), "{refused}");
    }
    let missing = csa(&settings(Path::new("none.pth"), 30), "cpu", 1);
    assert!(matches!(missing.err(), Some(Error::Read(_))));
    let path = whole(folder.path());
    let text = csa(&settings(&path, 30), "tpu", 1).err().unwrap().to_string();
    assert!(text.contains("tpu"), "{text}");
}
