//! Names, shapes and numbers of the parameters of every trunk, as the originals have them.

#![allow(clippy::unwrap_used, missing_docs)]

use sightline_nn::Architecture;
use std::collections::BTreeMap;

/// Shapes by name.
fn parameters(name: &str) -> BTreeMap<String, Vec<usize>> {
    let wanted = Architecture::parse(name).unwrap().parameters();
    wanted
        .into_iter()
        .map(|wanted| (wanted.name, wanted.shape))
        .collect()
}

/// Number of learned values, which torchvision's documentation states for its whole classifiers.
fn learned(name: &str) -> usize {
    let values = parameters(name)
        .into_iter()
        .filter(|(name, _)| !name.contains(".running_"));
    values.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

#[test]
fn every_trunk_has_as_many_values_as_torchvisions() {
    for (name, classifier, whole) in [
        ("resnet18", 512_000 + 1000, 11_689_512),
        ("resnet34", 512_000 + 1000, 21_797_672),
        ("resnet50", 2_048_000 + 1000, 25_557_032),
        ("resnet101", 2_048_000 + 1000, 44_549_160),
        ("resnet152", 2_048_000 + 1000, 60_192_808),
        ("resnext101_32x4d", 2_048_000 + 1000, 44_177_704),
        ("resnext101_64x4d", 2_048_000 + 1000, 83_455_272),
        ("densenet121", 1_024_000 + 1000, 7_978_856),
        ("densenet161", 2_208_000 + 1000, 28_681_000),
        ("densenet169", 1_664_000 + 1000, 14_149_480),
        ("densenet201", 1_920_000 + 1000, 20_013_928),
        ("squeezenet1_0", 512_000 + 1000, 1_248_424),
        ("squeezenet1_1", 512_000 + 1000, 1_235_496),
        // Three linear layers behind a map of 7 x 7 (AlexNet: 6 x 6) pixels.
        ("vgg11", 123_642_856, 132_863_336),
        ("vgg13", 123_642_856, 133_047_848),
        ("vgg16", 123_642_856, 138_357_544),
        ("vgg19", 123_642_856, 143_667_240),
        ("alexnet", 58_631_144, 61_100_840),
    ] {
        for head in ["mac", "cir-mac"] {
            assert_eq!(
                learned(&format!("{name}/{head}")),
                whole - classifier,
                "{name}/{head}"
            );
        }
    }
}

#[test]
fn dirtorchs_networks_have_the_entries_of_the_originals() {
    // 123 entries with gem, of which 20 batch norms each hold a counter that is no parameter.
    assert_eq!(parameters("resnet18/dir-gem").len(), 123 - 20);
    assert_eq!(parameters("resnet18/dir-max").len(), 122 - 20);
    // The pyramid has two convolutions and one power more, in mode 0 one power more.
    assert_eq!(parameters("resnet18/dir-fpn").len(), 123 - 20 + 3);
    assert_eq!(parameters("resnet18/dir-fpn0").len(), 123 - 20 + 1);
    let fpn = parameters("resnet50/dir-fpn");
    assert_eq!(fpn["conv1x5.weight"], [1024, 2048, 1, 1]);
    assert_eq!(fpn["conv3c4.weight"], [1024, 1024, 3, 3]);
    assert_eq!(fpn["adpoolx5.p"], [1]);
    assert_eq!(fpn["adpoolc4.p"], [1]);
    assert_eq!(fpn["fc.weight"], [3072, 3072]);
    assert_eq!(parameters("resnet18/dir-fpn-out9")["fc.weight"], [9, 768]);

    let resnext = parameters("resnext101_32x4d/dir-gem-out7");
    assert_eq!(resnext["backbone.0.weight"], [64, 3, 7, 7]);
    assert_eq!(resnext["backbone.1.running_mean"], [64]);
    assert_eq!(resnext["backbone.4.0.0.0.0.0.weight"], [128, 64, 1, 1]);
    assert_eq!(resnext["backbone.6.22.0.0.0.3.weight"], [512, 16, 3, 3]);
    assert_eq!(resnext["backbone.7.0.0.1.0.weight"], [2048, 1024, 1, 1]);
    assert_eq!(resnext["backbone.7.2.0.0.2.bias"], [2048]);
    assert_eq!(resnext["last_linear.weight"], [7, 2048]);
    assert_eq!(resnext["adpool.p"], [1]);
    assert!(!resnext.contains_key("fc.weight"));
}

#[test]
fn each_project_names_its_own_way() {
    let cirtorch = parameters("resnext101_64x4d/cir-gem-w");
    assert_eq!(cirtorch["features.4.0.conv2.weight"], [256, 4, 3, 3]);
    assert_eq!(cirtorch["whiten.weight"], [2048, 2048]);
    let torchvision = parameters("resnext101_64x4d/gem");
    assert_eq!(torchvision["layer1.0.conv2.weight"], [256, 4, 3, 3]);

    let cirtorch = parameters("densenet121/cir-gem");
    assert_eq!(cirtorch["features.4.denselayer2.norm1.weight"], [96]);
    assert_eq!(cirtorch["features.5.conv.weight"], [128, 256, 1, 1]);
    assert_eq!(cirtorch["features.11.running_var"], [1024]);
    let torchvision = parameters("densenet121/gem");
    assert_eq!(
        torchvision["features.denseblock1.denselayer2.conv2.weight"],
        [32, 128, 3, 3]
    );
    assert_eq!(torchvision["features.transition1.norm.bias"], [256]);
    assert_eq!(torchvision["features.norm5.weight"], [1024]);

    // The numbers of the convolutions.
    for (name, numbers) in [
        ("alexnet", &[0, 3, 6, 8, 10][..]),
        ("vgg11", &[0, 3, 6, 8, 11, 13, 16, 18]),
        ("vgg13", &[0, 2, 5, 7, 10, 12, 15, 17, 20, 22]),
        ("vgg16", &[0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]),
        (
            "vgg19",
            &[0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
        ),
    ] {
        let found: Vec<String> = parameters(&format!("{name}/cir-mac")).into_keys().collect();
        let mut wanted: Vec<String> = numbers
            .iter()
            .flat_map(|number| ["bias", "weight"].map(|part| format!("features.{number}.{part}")))
            .collect();
        wanted.sort();
        assert_eq!(found, wanted, "{name}");
    }
    let squeezenet = parameters("squeezenet1_0/gem");
    assert_eq!(squeezenet["features.0.weight"], [96, 3, 7, 7]);
    assert_eq!(squeezenet["features.12.expand3x3.weight"], [256, 64, 3, 3]);
    assert_eq!(
        parameters("squeezenet1_1/gem")["features.0.weight"],
        [64, 3, 3, 3]
    );
}
