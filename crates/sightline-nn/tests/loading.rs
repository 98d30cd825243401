//! Files and architectures: those that belong together, and what is said of those that do not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs)]

use sightline_checkpoint::recognise::{Project, recognise};
use sightline_checkpoint::{Tensor, Value};
use sightline_nn::{Architecture, CheckpointError, Network, TensorProblem, Weights, parameter_values};
use std::path::Path;
use std::sync::Arc;

fn architecture(name: &str) -> Architecture {
    Architecture::parse(name).unwrap()
}

/// A state dict of the architecture, without its last `missing` tensors.
fn state_dict(name: &str, missing: usize) -> Vec<(String, Tensor)> {
    let mut wanted = architecture(name).parameters();
    wanted.truncate(wanted.len() - missing);
    let tensor = |shape: &[usize]| {
        let count = shape.iter().product();
        Tensor::from_f32(shape.to_vec(), &vec![0.01; count]).unwrap()
    };
    wanted
        .into_iter()
        .map(|wanted| (wanted.name, tensor(&wanted.shape)))
        .collect()
}

#[test]
fn a_missing_stage_is_named_with_what_fits() {
    let file = state_dict("resnet18:layer2/mac", 0);
    let error = Network::load(&architecture("resnet18/gem"), &Weights::from_state_dict(&file)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "These weights do not fit resnet18/gem: the tensor `layer3.0.conv1.weight` of shape [256, 128, 3, 3] \
         is missing. What would fit: resnet18:layer2/gem."
    );
}

#[test]
fn another_depth_is_named_by_its_first_other_shape() {
    let file = state_dict("resnet50/dir-gem-out128", 0);
    let error = Network::load(
        &architecture("resnet34/dir-gem"),
        &Weights::from_state_dict(&file),
    )
    .unwrap_err();
    assert_eq!(
        *error.problem,
        TensorProblem::Shape {
            name: "layer1.0.conv1.weight".to_owned(),
            wanted: vec![64, 64, 3, 3],
            found: vec![64, 64, 1, 1],
        }
    );
    assert_eq!(error.fitting[0], "resnet50/dir-gem");
    assert!(error.fitting.contains(&"resnet50/gem".to_owned()), "{error}");
    assert!(!error.fitting.iter().any(|name| name.contains("101")), "{error}");
}

#[test]
fn other_projects_names_and_no_network_at_all() {
    let file = state_dict("resnet18/cir-gem-w", 0);
    let error = Network::load(
        &architecture("resnet18/dir-gem"),
        &Weights::from_state_dict(&file),
    )
    .unwrap_err();
    assert_eq!(error.fitting, ["resnet18/cir-gem-w", "resnet18/cir-gem"]);

    let file = state_dict("resnet18/cir-mac-r", 0);
    let error = Network::load(
        &architecture("resnet18/cir-gem"),
        &Weights::from_state_dict(&file),
    )
    .unwrap_err();
    assert_eq!(error.fitting[0], "resnet18/cir-mac-r");

    let file = state_dict("resnet18/cir-gemmp-r-w", 0);
    let error = Network::load(
        &architecture("resnet18/dir-gem"),
        &Weights::from_state_dict(&file),
    )
    .unwrap_err();
    assert_eq!(error.fitting[0], "resnet18/cir-gemmp-r-w");

    let file = vec![("mean".to_owned(), Tensor::from_f32(vec![1], &[0.0]).unwrap())];
    let error = Network::load(&architecture("resnet18/gem"), &Weights::from_state_dict(&file)).unwrap_err();
    assert!(
        error.to_string().ends_with("it holds one tensor, `mean`."),
        "{error}"
    );
    let error = Network::load(&architecture("resnet18/gem"), &Weights::new()).unwrap_err();
    assert!(
        error.to_string().ends_with("The file holds no tensors."),
        "{error}"
    );
}

#[test]
fn files_of_torchvision_say_which_trunk_they_hold() {
    for (name, fitting) in [
        ("vgg16/mac", "vgg16/gem"),
        ("densenet121:features.6/mac", "densenet121:features.6/gem"),
        ("squeezenet1_1/cir-gem-w", "squeezenet1_1/cir-gem-w"),
        (
            "resnext101_32x4d:layer2/dir-gem-out64",
            "resnext101_32x4d:layer2/dir-gem",
        ),
        ("resnet18/dir-fpn", "resnet18/dir-fpn"),
    ] {
        let file = state_dict(name, 0);
        let error =
            Network::load(&architecture("resnet34/gem"), &Weights::from_state_dict(&file)).unwrap_err();
        assert_eq!(error.fitting[0], fitting, "{name}");
    }
}

#[test]
fn names_of_old_densenet_files_are_understood() {
    let mut file = state_dict("densenet121:features.4/gem", 0);
    for entry in &mut file {
        for (new, old) in [
            ("norm1.", "norm.1."),
            ("norm2.", "norm.2."),
            ("conv1.", "conv.1."),
            ("conv2.", "conv.2."),
        ] {
            entry.0 = entry.0.replace(new, old);
        }
    }
    assert!(
        file.iter()
            .any(|(name, _)| name == "features.denseblock1.denselayer1.norm.1.weight")
    );
    let network = Network::load(
        &architecture("densenet121:features.4/gem"),
        &Weights::from_state_dict(&file),
    )
    .unwrap();
    assert!(network.unused().unknown.is_empty());
}

#[test]
fn what_lies_beyond_the_last_stage_is_left_out_and_the_unknown_listed() {
    let mut file = state_dict("resnet18/classifier-out10", 0);
    let number = || Tensor::from_f32(vec![], &[7.0]).unwrap();
    file.push(("bn1.num_batches_tracked".to_owned(), number()));
    file.push(("layer4.0.bn1.num_batches_tracked".to_owned(), number()));
    file.push(("optimizer.step".to_owned(), number()));
    for entry in &mut file {
        entry.0 = format!("module.{}", entry.0);
    }
    let network = Network::load(
        &architecture("resnet18:layer3/gem"),
        &Weights::from_state_dict(&file),
    )
    .unwrap();
    let unused = network.unused();
    assert_eq!(unused.unknown, ["optimizer.step"]);
    assert!(unused.beyond.contains(&"layer4.1.bn2.running_var".to_owned()));
    assert!(
        unused
            .beyond
            .contains(&"layer4.0.bn1.num_batches_tracked".to_owned())
    );
    assert!(unused.beyond.contains(&"fc.bias".to_owned()));
    assert!(!unused.beyond.iter().any(|name| name.starts_with("bn1")));

    let network = Network::load(
        &architecture("resnet18/classifier"),
        &Weights::from_state_dict(&file),
    )
    .unwrap();
    assert_eq!(network.architecture().dim(), 10);
    assert!(network.unused().beyond.is_empty());
}

#[test]
fn the_real_file_ends_at_layer3() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/resnet18-imagenet-to-layer3/resnet18-layer3.pth");
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let file = sightline_checkpoint::read(&path).unwrap();
    let recognised = sightline_checkpoint::recognise(&file.value);
    // Nothing in the file says what follows the trunk.
    let error = Architecture::of_checkpoint(&recognised).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("What would fit: resnet18:layer3/gem."),
        "{error}"
    );
    let weights = Weights::from_state_dict(&recognised.state_dict);
    let network = Network::load(&architecture("resnet18:layer3/gem"), &weights).unwrap();
    assert!(network.unused().beyond.is_empty() && network.unused().unknown.is_empty());
    let local = Network::load(&architecture("resnet18:layer3/how-unreduced"), &weights).unwrap();
    assert!(local.unused().beyond.is_empty() && local.unused().unknown.is_empty());
    let error = Network::load(&architecture("resnet18/gem"), &weights).unwrap_err();
    assert!(error.to_string().contains("`layer4.0.conv1.weight`"), "{error}");
    assert_eq!(error.fitting, ["resnet18:layer3/gem"]);
}

#[test]
fn a_file_of_cgd_needs_a_name_and_every_order_of_its_descriptors_fits() {
    for (name, count) in [
        ("resnet50/cgd-GS-out96-classes10", 2),
        ("resnext50_32x4d/cgd-M", 1),
    ] {
        let file = state_dict(name, 0);
        let value = Value::dict(
            file.iter()
                .map(|(name, tensor)| (name.clone(), Value::Tensor(Arc::new(tensor.clone())))),
        );
        let recognised = recognise(&value);
        assert_eq!(recognised.project, Project::Cgd);
        let error = Architecture::of_checkpoint(&recognised).unwrap_err();
        let CheckpointError::Unsaid { fitting } = error else {
            panic!("{error}");
        };
        let trunk = name.split_once('/').unwrap().0;
        let letters: Vec<&str> = match count {
            1 => vec!["G", "M", "S"],
            _ => vec!["GM", "GS", "MG", "MS", "SG", "SM"],
        };
        let want: Vec<String> = letters.iter().map(|l| format!("{trunk}/cgd-{l}")).collect();
        assert_eq!(fitting[..want.len()], want);
    }
}

#[test]
fn files_of_the_tensorflow_project_say_what_they_are() {
    for (name, says) in [
        ("keras_resnet50:conv4_block3/cgd-tf-SMG-out48-classes5", true),
        ("keras_resnet50:conv4_block3/cgd-tf-SMG", true),
        ("keras_resnet50/cgd-tf-reference-size64-classes5", true),
        ("keras_resnet50:conv4_block3/cgd-tf-S-out16-classes5", false),
    ] {
        // As Keras itself names and stores them.
        let entry = |(name, tensor): (String, Tensor)| {
            let (layer, part) = name.rsplit_once('.').unwrap();
            let norm = layer.ends_with("_bn") || layer == "logits" || layer == "batch_normalization";
            let part = match part {
                "weight" if norm => "gamma",
                "bias" if norm => "beta",
                "running_mean" => "moving_mean",
                "running_var" => "moving_variance",
                "weight" => "kernel",
                other => other,
            };
            let shape = match *tensor.shape() {
                [o, i, h, w] => vec![h, w, i, o],
                [o, i] => vec![i, o],
                ref shape => shape.to_vec(),
            };
            let tensor = tensor.reshaped(shape).unwrap();
            (format!("{layer}/{part}:0"), Value::Tensor(Arc::new(tensor)))
        };
        let recognised = recognise(&Value::dict(state_dict(name, 0).into_iter().map(entry)));
        assert_eq!(recognised.project, Project::CgdTf);
        let found = Architecture::of_checkpoint(&recognised);
        let weights = Weights::from_state_dict(&recognised.state_dict);
        match found {
            Ok(found) => {
                assert!(says, "{name}");
                let network = Network::load(&found, &weights).unwrap();
                assert!(network.unused().unknown.is_empty(), "{name}");
                assert_eq!(network.architecture().dim(), architecture(name).dim());
            }
            Err(error) => {
                assert!(!says, "{name}: {error}");
                assert!(error.to_string().contains("cgd-tf-S"), "{error}");
            }
        }
    }
}

#[test]
fn a_trunk_of_other_names_gets_an_untrained_head() {
    let mut file = state_dict("resnet18:layer2/mac", 0);
    let count = Tensor::from_f32(vec![], &[7.0]).unwrap();
    file.push(("bn1.num_batches_tracked".to_owned(), count));
    let wanted = architecture("resnet18:layer2/cgd-SG-out8-classes3");
    let (weights, made) = Weights::from_state_dict(&file).with_seeded_head(&wanted, 5);
    assert_eq!(made[..2], ["main_modules.0.0.weight", "main_modules.1.0.weight"]);
    assert_eq!(made.len(), 8);
    let network = Network::load(&wanted, &weights).unwrap();
    assert!(network.unused().unknown.is_empty());
    // The trunk's own values, and those of the seed.
    let value = |network: &Network, name: &str| parameter_values(network, name).unwrap().data;
    assert!(
        value(&network, "features.4.0.conv1.weight")
            .iter()
            .all(|v| *v == 0.01)
    );
    let formula = Network::load(&wanted, &Weights::by_formula(&wanted, 5)).unwrap();
    assert_eq!(value(&network, &made[0]), value(&formula, &made[0]));
    // What is there stays as it is, and a trunk is never made up.
    let (_, made) = weights.with_seeded_head(&wanted, 6);
    assert!(made.is_empty(), "{made:?}");
    let deeper = architecture("resnet18:layer3/cgd-S");
    let (weights, _) = Weights::from_state_dict(&file).with_seeded_head(&deeper, 5);
    let error = Network::load(&deeper, &weights).unwrap_err();
    assert!(error.to_string().contains("features.0.weight"), "{error}");
}

#[test]
fn checkpoints_of_dirtorch_and_cirtorch_say_what_they_are() {
    let (text, yes, float) = (Value::text, Value::Bool(true), Value::Float);
    let dirtorch =
        |options: &[(&'static str, Value)]| ("model_options", Value::dict(options.iter().cloned()));
    let cirtorch = |architecture: &str, pooling: &str, layers: &[&'static str]| {
        let layers = layers.iter().map(|layer| (*layer, yes.clone()));
        let names = [("architecture", text(architecture)), ("pooling", text(pooling))];
        ("meta", Value::dict(names.into_iter().chain(layers)))
    };
    let arch = |name: &str| ("arch", text(name));
    let bias = |bias: f64| ("center_bias", float(bias));
    let length = |length: i64| ("out_dim", Value::Int(length));
    let norm = ("norm_features", yes.clone());
    let without = ("without_fc", yes.clone());
    for (options, want) in [
        (
            dirtorch(&[arch("resnet18_rmac"), length(96), norm.clone(), bias(0.25)]),
            "resnet18/dir-gem-out96-normfeatures-bias0.25",
        ),
        (
            dirtorch(&[
                arch("resnet18_rmac"),
                ("pooling", text("avg")),
                without,
                bias(-1.0),
            ]),
            "resnet18/dir-avg-nofc",
        ),
        (
            // The power is in the file, and the bias does nothing.
            dirtorch(&[arch("resnet18_fpn_rmac"), norm, bias(0.5), ("gemp", float(2.5))]),
            "resnet18/dir-fpn-normfeatures",
        ),
        (
            dirtorch(&[arch("resnet18_fpn0_rmac"), length(70)]),
            "resnet18/dir-fpn0-out70",
        ),
        (dirtorch(&[arch("resnet18"), length(40)]), "resnet18/classifier"),
        (
            dirtorch(&[arch("resnext101_32x4d"), length(16)]),
            "resnext101_32x4d/dir-gem-out16",
        ),
        (cirtorch("resnet18", "gem", &["whitening"]), "resnet18/cir-gem-w"),
        (
            cirtorch("resnet18", "mac", &["local_whitening", "regional", "whitening"]),
            "resnet18/cir-mac-lw-r-w",
        ),
        (
            cirtorch("densenet121", "gem", &["regional"]),
            "densenet121/cir-gem-r",
        ),
        (cirtorch("squeezenet1_0", "rmac", &[]), "squeezenet1_0/cir-rmac"),
        (
            cirtorch("alexnet", "gemmp", &["local_whitening"]),
            "alexnet/cir-gemmp-lw",
        ),
        (cirtorch("vgg11", "spoc", &["whitening"]), "vgg11/cir-spoc-w"),
    ] {
        let state = state_dict(want, 0).into_iter();
        let state = state.map(|(name, tensor)| (format!("module.{name}"), Value::Tensor(Arc::new(tensor))));
        let recognised = recognise(&Value::dict([("state_dict", Value::dict(state)), options]));
        let found = Architecture::of_checkpoint(&recognised).unwrap();
        assert_eq!(found.to_string(), want);
        let network = Network::load(&found, &Weights::from_state_dict(&recognised.state_dict)).unwrap();
        assert!(network.unused().unknown.is_empty(), "{want}");
    }
}

#[test]
fn checkpoints_of_delg_and_cvnet_say_what_they_are() {
    use sightline_checkpoint::{Value, recognise};
    use std::sync::Arc;
    // What the file holds, with another prefix and more tensors; its network, and what that leaves out.
    for (held, prefix, more, want, beyond) in [
        ("resnet50/delg-out16-classes3", "", None, "resnet50/delg-out16", 4),
        (
            "resnet50:layer3/delf",
            "",
            Some("globalmodel.s4.b1.f.a.weight"),
            "resnet50:layer3/delf",
            1,
        ),
        (
            "resnet50/superglobal-out16",
            "encoder_q.",
            Some("encoder_q.sefc.weight"),
            "resnet50/superglobal-out16",
            1,
        ),
        (
            "resnet50/superglobal-out16",
            "globalmodel.",
            Some("seb1.weight"),
            "resnet50/superglobal-out16",
            1,
        ),
    ] {
        let tensors = state_dict(held, 0)
            .into_iter()
            .map(|(name, tensor)| (format!("{prefix}{name}"), tensor));
        let more = more.map(|name| (name.to_owned(), Tensor::from_f32(vec![1], &[0.0]).unwrap()));
        let tensors = tensors
            .chain(more)
            .map(|(name, tensor)| (name, Value::Tensor(Arc::new(tensor))));
        let recognised = recognise(&Value::dict([("model_state", Value::dict(tensors))]));
        let found = match want.contains(":layer3") {
            // The odd tensor shows a fourth stage, of which the file has not enough.
            true => Architecture::parse(want).unwrap(),
            false => Architecture::of_checkpoint(&recognised).unwrap(),
        };
        let weights = Weights::from_state_dict(&recognised.state_dict);
        let network = Network::load(&found, &weights).unwrap();
        assert_eq!(network.architecture().to_string(), want);
        let unused = network.unused();
        assert_eq!(
            (unused.beyond.len(), unused.unknown.len()),
            (beyond, 0),
            "{want}: {unused:?}"
        );
        let error = Network::load(&architecture("resnet50/gem"), &weights).unwrap_err();
        assert!(error.fitting.contains(&want.replace("-out16", "")), "{error}");
    }
    // Training takes the classifiers as well.
    let file = state_dict("resnet50/delg-out16-classes3", 0);
    let network = Network::load(
        &architecture("resnet50/delg-classes"),
        &Weights::from_state_dict(&file),
    )
    .unwrap();
    assert_eq!(network.architecture().to_string(), "resnet50/delg-out16-classes3");
    assert!(network.unused().beyond.is_empty() && network.unused().unknown.is_empty());
}

#[test]
fn checkpoints_of_how_say_what_they_are() {
    let text = Value::text;
    let numbers = |values: [f64; 3]| Value::list(values.map(Value::Float).to_vec());
    let state = |name: &str, old: bool| {
        let tensors = state_dict(name, 0).into_iter().map(move |(name, tensor)| {
            let name = if old {
                name.replace("dim_reduction.", "whiten.")
            } else {
                name
            };
            (name, Value::Tensor(Arc::new(tensor)))
        });
        ("state_dict", Value::dict(tensors))
    };
    let mean_std = [numbers([0.1, 0.2, 0.3]), numbers([1.0, 2.0, 3.0])];
    let new = |skip: i64, dim: Value, smoothing: Value| {
        let runtime = Value::dict([("mean_std", Value::list(mean_std.to_vec()))]);
        let options = [
            ("architecture", text("resnet18")),
            ("skip_layer", Value::Int(skip)),
            ("dim_reduction", dim),
            ("smoothing", smoothing),
            ("runtime", runtime),
        ];
        ("net_params", Value::dict(options))
    };
    let dim = |dim: i64| Value::dict([("dim", Value::Int(dim))]);
    let side = |side: i64| Value::dict([("kernel_size", Value::Int(side))]);
    let meta = Value::dict([
        ("architecture", text("resnet18")),
        ("skip_layer", Value::Int(1)),
        ("dim", Value::Int(40)),
        ("feat_pool_k", Value::Int(3)),
        ("mean", mean_std[0].clone()),
        ("std", mean_std[1].clone()),
    ]);
    for (options, old, want) in [
        (("meta", meta), true, "resnet18:layer3/how-out40"),
        (new(1, dim(24), side(3)), false, "resnet18:layer3/how-out24"),
        (new(0, dim(128), side(5)), false, "resnet18/how-out128-smooth5"),
        (
            new(2, Value::None, side(3)),
            false,
            "resnet18:layer2/how-unreduced",
        ),
        (
            new(2, dim(9), Value::None),
            false,
            "resnet18:layer2/how-out9-smooth1",
        ),
    ] {
        // Its trunk has cirtorch's names; without a reduction layer `cir-spoc` has the same parameters.
        let names = want.replace("how-unreduced", "cir-spoc");
        let recognised = recognise(&Value::dict([options, state(&names, old)]));
        assert_eq!(recognised.preprocess.as_ref().unwrap().mean, [0.1, 0.2, 0.3]);
        let found = Architecture::of_checkpoint(&recognised).unwrap();
        let network = Network::load(&found, &Weights::from_state_dict(&recognised.state_dict)).unwrap();
        assert_eq!(network.architecture().to_string(), want);
        assert!(
            network.unused().unknown.is_empty(),
            "{want}: {:?}",
            network.unused()
        );
    }
}

#[test]
fn checkpoints_of_solar_and_netvlad_say_what_they_are() {
    use sightline_checkpoint::{Value, recognise};
    use std::sync::Arc;
    for want in [
        "resnet18/solar",
        "resnet18/solar-soa4",
        "resnet18/solar-soa5",
        "alexnet/netvlad-k5",
        "vgg16/netvlad-k3-v2",
    ] {
        let state = state_dict(want, 0).into_iter().map(|(name, tensor)| {
            // Data-parallel training puts its prefix behind the parts of NetVLAD's networks.
            let name = match name.split_once('.') {
                Some((part @ ("encoder" | "pool"), rest)) if want.contains("netvlad") => {
                    format!("{part}.module.{rest}")
                }
                _ => name,
            };
            (name, Value::Tensor(Arc::new(tensor)))
        });
        let mut entries = vec![("state_dict", Value::dict(state))];
        if want.contains("solar") {
            let meta = [
                ("architecture", Value::text("resnet18")),
                ("soa", Value::Bool(true)),
            ];
            entries.push(("meta", Value::dict(meta)));
        }
        let recognised = recognise(&Value::dict(entries));
        let found = Architecture::of_checkpoint(&recognised).unwrap();
        let network = Network::load(&found, &Weights::from_state_dict(&recognised.state_dict)).unwrap();
        assert_eq!(network.architecture().to_string(), want);
        assert!(network.unused().unknown.is_empty(), "{want}");
    }
}
