//! Files with the layouts of MCC-WH/Token: each says what it is, and describes a picture as its network does.

#![cfg(feature = "nn")]
#![allow(clippy::unwrap_used, missing_docs)]

use sightline::checkpoint::Tensor;
use sightline::checkpoint::safetensors::write_safetensors;
use sightline::image::encode;
use sightline::nn::{Architecture, Network, Weights, parameter_values};
use sightline::scenes::Collection;
use sightline::{Describer, Model, Settings};
use std::path::Path;

const SEED: u64 = 11;

/// The state dict of a network, every value by formula.
fn state_dict(architecture: &Architecture) -> Vec<(String, Tensor)> {
    let network = Network::load(architecture, &Weights::by_formula(architecture, SEED)).unwrap();
    let tensor = |name: &str| {
        let values = parameter_values(&network, name).unwrap();
        Tensor::from_f32(values.shape, &values.data).unwrap()
    };
    let wanted = architecture.parameters().into_iter();
    wanted
        .map(|wanted| (wanted.name.clone(), tensor(&wanted.name)))
        .collect()
}

fn descriptor(model: &Model, picture: &Path) -> Vec<f32> {
    let mut describer = Describer::new(model, Settings::default()).unwrap();
    let described = describer.describe_file(picture, None).unwrap();
    described.row(0)
}

#[test]
fn every_network_of_the_project_opens_without_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let collection = Collection::new(1, 1);
    let drawing = collection.draw(&collection.pictures[0], 96, 72);
    let picture = folder.path().join("picture.png");
    std::fs::write(&picture, encode::png(&drawing).unwrap()).unwrap();

    for (name, dim) in [
        ("resnet18/token-l3-d64", 1024),
        ("resnet34/token", 1024),
        ("resnet18/token-solar-out24", 24),
        ("resnet18/token-delg-out40", 40),
        ("resnet50/token-netvlad-k3-d64", 64),
        ("resnet18/token-rmac-out32", 32),
    ] {
        let mut tensors = state_dict(&Architecture::parse(name).unwrap());
        // What training leaves in the file besides.
        let number = Tensor::from_f32(vec![], &[7.0]).unwrap();
        tensors.push(("backbone.block1.1.num_batches_tracked".to_owned(), number));
        let classes = Tensor::from_f32(vec![5, dim], &vec![0.1; 5 * dim]).unwrap();
        tensors.push(("classifier.weight".to_owned(), classes));
        let path = folder.path().join("network.safetensors");
        write_safetensors(&path, &tensors, &[]).unwrap();

        let model = Model::open(&path, None).unwrap();
        assert_eq!(model.architecture(), name);
        assert_eq!(
            (model.recipe.as_deref(), model.remark()),
            (Some("token"), None),
            "{name}"
        );
        let found = descriptor(&model, &picture);
        assert_eq!(found.len(), dim, "{name}");
        let norm: f32 = found.iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 1e-4, "{name}: {norm}");

        let mut seeded = Model::seeded(name, SEED).unwrap();
        seeded.recipe = model.recipe.clone();
        assert_eq!(found, descriptor(&seeded, &picture), "{name}");
    }
}
