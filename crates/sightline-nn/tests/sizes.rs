//! Sizes that a file decides: a tensor without values may claim any, and a stranger may have written it.

#![allow(clippy::unwrap_used, missing_docs)]

use sightline_nn::{Architecture, Network, TokenLocal, TokenOptions, Weights};

/// The trunk of a network by formula, with tensors of those shapes and no values.
fn load(name: &str, empty: &[(&str, &[usize])]) -> Result<Network, String> {
    let trunk = Architecture::parse(&name.replace(name.split_once('/').unwrap().1, "mac")).unwrap();
    let wanted = Architecture::parse(name).unwrap();
    let by_formula = Weights::by_formula(&trunk, 1);
    let mut weights = Weights::new();
    // The trunk goes by the names that the head gives it.
    for (own, other) in wanted.parameters().into_iter().zip(trunk.parameters()) {
        assert_eq!(by_formula.shape(&other.name), Some(&own.shape[..]));
        weights.insert(&own.name, &own.shape, vec![0.5; own.shape.iter().product()]);
    }
    for (name, shape) in empty {
        weights.insert(name, shape, Vec::new());
    }
    Network::load(&wanted, &weights).map_err(|error| error.to_string())
}

#[test]
fn sizes_that_no_network_has_are_refused_before_anything_is_allocated() {
    const HUGE: usize = 1 << 45;
    for (head, tensor, shape) in [
        ("token", "tr.query", &[1, 0, HUGE][..]),
        ("token", "tr.query", &[1, HUGE, 0]),
        ("token-netvlad", "vlad.centroids", &[1, HUGE, 0]),
        ("token-netvlad", "vlad.centroids", &[1, 0, HUGE]),
        ("token-rmac", "whiten.weight", &[HUGE, 0, 1, 1]),
        ("cgd-tf-S", "softmax_predictions.weight", &[HUGE, 0]),
        ("cgd-S", "main_modules.0.0.weight", &[HUGE, 0]),
        ("netvlad", "pool.centroids", &[HUGE, 0]),
        ("how", "dim_reduction.weight", &[HUGE, 0, 1, 1]),
    ] {
        let error = load(&format!("resnet18:layer1/{head}"), &[(tensor, shape)]).unwrap_err();
        assert!(error.contains("do not fit"), "{head}: {error}");
    }
}

#[test]
fn no_layer_is_empty() {
    for (head, empty) in [
        (
            "how",
            &[
                ("dim_reduction.weight", &[0, 64, 1, 1][..]),
                ("dim_reduction.bias", &[0]),
            ][..],
        ),
        (
            "netvlad",
            &[("pool.conv.weight", &[0, 64, 1, 1]), ("pool.centroids", &[0, 64])],
        ),
        ("classifier", &[("fc.weight", &[0, 64]), ("fc.bias", &[0])]),
    ] {
        let error = load(&format!("resnet18:layer1/{head}"), empty).unwrap_err();
        assert!(error.contains("instead of"), "{head}: {error}");
    }
    let mut weights = Weights::new();
    weights.insert("tr.conv.0.weight", &[1024, 0], Vec::new());
    let error = TokenLocal::load(&TokenOptions::default(), &weights).unwrap_err();
    assert!(error.to_string().contains("at least one column"), "{error}");
}

#[test]
fn an_untrained_head_takes_a_bounded_part_of_memory() {
    let trunk = Architecture::parse("resnet50/mac").unwrap();
    let wanted = Architecture::parse("resnet50/classifier-out1048576").unwrap();
    let (weights, made) = Weights::by_formula(&trunk, 1).with_seeded_head(&wanted, 1);
    assert_eq!(made, ["fc.bias"]);
    let error = Network::load(&wanted, &weights).unwrap_err();
    assert!(error.to_string().contains("`fc.weight`"), "{error}");
}

#[test]
fn names_ask_for_no_more_classes_than_a_layer_can_have() {
    for name in [
        "keras_resnet50:conv4_block3/cgd-tf-SMG-classes8193",
        "keras_resnet50/cgd-tf-reference-classes8193",
        "vgg16/netvlad-k4097",
        "resnet50/token-d8193",
    ] {
        assert!(Architecture::parse(name).is_err(), "{name}");
    }
}
