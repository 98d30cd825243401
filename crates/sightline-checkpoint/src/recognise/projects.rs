//! The layouts of the projects: how to tell them apart, where each keeps its options, what its network is called.

use super::names::{Names, Trunk};
use super::{Preprocess, Project};
use crate::value::Value;

/// Whose file a value is: by the dictionaries around the weights first, then by the weights' names.
pub(super) fn project(value: &Value, names: &Names<'_>) -> Project {
    let meta = value.get("meta");
    let in_meta = |key: &str| meta.is_some_and(|meta| meta.get(key).is_some());
    if value.get("model_options").is_some() || holds_meters(value) {
        Project::Dirtorch
    } else if value.get("net_params").is_some() || in_meta("corercf_size") || in_meta("skip_layer") {
        Project::How
    } else if in_meta("soa") || names.any(|name| name.starts_with("features.soa")) {
        Project::Solar
    } else if in_meta("pooling") || is_whitening_file(value) {
        Project::Cirtorch
    } else if names.starts("encoder_q.") || is_cvnet(names) {
        Project::Superglobal
    } else if names.starts("globalmodel.")
        || names.starts("localmodel.")
        || value.get("model_state").is_some()
    {
        Project::Delg
    } else if names.starts("backbone.block") || names.starts("tr.") {
        Project::Token
    } else if names.starts("topk_proj.") || names.starts("feature_align.") {
        Project::Csa
    } else if names.has("pool.centroids") || value.get("recalls").is_some() {
        Project::Netvlad
    } else if names.starts("main_modules.")
        || names.starts("auxiliary_module.")
        || value.get("test_features").is_some()
    {
        Project::Cgd
    } else if names.starts("conv1_conv.") && names.starts("dense.") {
        Project::CgdTf
    } else if names.starts("adpool.") || names.starts("adpoolx5.") {
        Project::Dirtorch
    } else if names.starts("features.") && (names.has("pool.p") || names.starts("whiten.")) {
        Project::Cirtorch
    } else if names.has("conv1.weight") && names.starts("layer1.")
        || names.starts("features.") && names.starts("classifier.")
    {
        Project::Torchvision
    } else {
        Project::Unknown
    }
}

/// CVNet's own files have DELG's prefix for the trunk, but none of DELG's other parts.
fn is_cvnet(names: &Names<'_>) -> bool {
    let of_delg = ["localmodel.", "desc_cls.", "att_cls."];
    names.starts("globalmodel.") && !of_delg.iter().any(|part| names.starts(part))
}

/// dirtorch's training state keeps its meters as objects.
fn holds_meters(value: &Value) -> bool {
    value.as_items().unwrap_or_default().iter().any(
        |(_, value)| matches!(value, Value::Object(object) if object.class.starts_with("utils.watcher.")),
    )
}

/// cirtorch's `{m, P}`.
fn is_whitening_file(value: &Value) -> bool {
    ["m", "P"]
        .iter()
        .all(|key| value.get(key).is_some_and(|part| part.as_tensor().is_some()))
}

/// The network's options, as the file names them.
pub(super) fn options(project: Project, value: &Value) -> Vec<(String, Value)> {
    let kept = match project {
        Project::Dirtorch => value.get("model_options"),
        Project::How => value.get("net_params"),
        Project::Delg | Project::Superglobal => {
            // The configuration is YAML text; it stays one.
            return value
                .get("cfg")
                .map(|text| vec![("cfg".to_owned(), text.clone())])
                .unwrap_or_default();
        }
        _ => value.get("meta"),
    };
    kept.and_then(Value::as_items)
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.clone())))
        // The whitenings are not options; they are listed by themselves.
        .filter(|(key, _)| key != "Lw")
        .collect()
}

/// Mean, deviation and size, wherever the file keeps them.
pub(super) fn preprocess(value: &Value) -> Option<Preprocess> {
    let runtime = value
        .get("net_params")
        .and_then(|params| params.get("runtime"))
        .and_then(|runtime| runtime.get("mean_std"))
        .and_then(Value::as_list);
    if let Some([mean, std]) = runtime {
        return Some(Preprocess {
            mean: numbers(mean)?,
            std: numbers(std)?,
            input_size: None,
        });
    }
    let table = value.get("preprocess").or_else(|| value.get("meta"))?;
    let size = table
        .get("input_size")
        .and_then(numbers)
        .map(|size| size.into_iter().map(|length| length as i64).collect());
    Some(Preprocess {
        mean: numbers(table.get("mean")?)?,
        std: numbers(table.get("std")?)?,
        input_size: size,
    })
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    match value.as_list() {
        Some(items) => items.iter().map(Value::as_f64).collect(),
        None => match value.as_tensor() {
            Some(tensor) => tensor.to_f64().ok(),
            None => Some(vec![value.as_f64()?]),
        },
    }
}

/// Single numbers and texts beside the weights: epoch, iterations, best score, version.
pub(super) fn counters(value: &Value) -> Vec<(String, Value)> {
    // A bare state dict has none; a table of numbers is no checkpoint.
    if !["state_dict", "model_state"]
        .iter()
        .any(|key| value.get(key).is_some())
    {
        return Vec::new();
    }
    value
        .as_items()
        .unwrap_or_default()
        .iter()
        .filter(|(key, value)| {
            key.as_str() != Some("cfg")
                && matches!(
                    value,
                    Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Text(_) | Value::Scalar(_)
                )
        })
        .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.clone())))
        .collect()
}

/// Sightline's name of the network, where the file says enough.
pub(super) fn architecture(
    project: Project,
    options: &[(String, Value)],
    names: &Names<'_>,
    trunk: Option<&Trunk>,
) -> Option<String> {
    let option = |key: &str| {
        options
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    };
    let text = |key: &str| option(key).and_then(Value::as_str);
    let is = |key: &str| option(key).is_some_and(truthy);
    let by_weights = trunk.map(Trunk::to_string);
    match project {
        Project::Dirtorch => {
            let Some(arch) = text("arch") else {
                // Its pretrained classifiers have torchvision's names; what else follows a pooling, no weight says.
                let classifier = names.has("fc.weight") && !names.starts("adpool");
                return by_weights
                    .filter(|_| classifier)
                    .map(|trunk| format!("{trunk}/classifier"));
            };
            let (trunk, head) = dirtorch_network(arch, text("pooling").unwrap_or("gem"))?;
            let mut name = format!("{trunk}/{head}");
            if head == "classifier" {
                return Some(name);
            }
            let pyramid = head.starts_with("dir-fpn");
            // A pyramid's length is by default as many as its stages have channels.
            let usual = if pyramid { None } else { Some(2048) };
            let out_dim = option("out_dim").and_then(Value::as_i64);
            if let Some(out_dim) = out_dim.filter(|out_dim| Some(*out_dim) != usual) {
                name.push_str(&format!("-out{out_dim}"));
            }
            if is("norm_features") {
                name.push_str("-normfeatures");
            }
            // The original leaves negative ones out, and pyramids all.
            let bias = option("center_bias").and_then(Value::as_f64);
            if let Some(bias) = bias.filter(|bias| *bias > 0.0 && !pyramid) {
                name.push_str(&format!("-bias{bias}"));
            }
            if is("without_fc") {
                name.push_str("-nofc");
            }
            let power = option("gemp").and_then(Value::as_f64).unwrap_or(3.0);
            // A file that holds the power needs no name for it.
            let pools_by_power = pyramid || head == "dir-gem";
            if pools_by_power && power != 3.0 && !names.starts("adpool") {
                name.push_str(&format!("-p{power}"));
            }
            Some(name)
        }
        Project::Cirtorch => {
            let trunk = text("architecture").filter(|name| CIRTORCH_TRUNKS.contains(name))?;
            let pooling = text("pooling")?;
            if !matches!(pooling, "gem" | "gemmp" | "mac" | "spoc" | "rmac") {
                return None;
            }
            let mut name = format!("{trunk}/cir-{pooling}");
            for (key, option) in [
                ("local_whitening", "-lw"),
                ("regional", "-r"),
                ("whitening", "-w"),
            ] {
                if is(key) {
                    name.push_str(option);
                }
            }
            Some(name)
        }
        Project::Solar => {
            let mut name = format!("{}/solar", resnet(text("architecture")?)?);
            let [before_last, last] = ["soa4", "soa5"].map(|word| names.starts(&format!("features.{word}.")));
            match (before_last, last) {
                (true, false) => name.push_str("-soa4"),
                (false, true) => name.push_str("-soa5"),
                _ => {}
            }
            Some(name)
        }
        Project::How => {
            let trunk = resnet(text("architecture")?)?;
            let mut name = match option("skip_layer").and_then(Value::as_i64).unwrap_or(0) {
                0 => format!("{trunk}/how"),
                skipped @ 1..=3 => format!("{trunk}:layer{}/how", 4 - skipped),
                _ => return None,
            };
            // Either layer is left out where its options are empty.
            if option("dim_reduction").is_some_and(|options| !truthy(options)) {
                name.push_str("-unreduced");
            }
            let side = match option("smoothing") {
                None => 3,
                Some(options) => options.get("kernel_size").and_then(Value::as_i64).unwrap_or(1),
            };
            if side != 3 {
                name.push_str(&format!("-smooth{side}"));
            }
            Some(name)
        }
        Project::Token => Some(format!("{}/{}", by_weights?, token_head(names)?)),
        // A file up to the third stage has the local branch alone.
        Project::Delg => by_weights.map(|trunk| match trunk.contains(':') {
            true => format!("{trunk}/delf"),
            false => format!("{trunk}/delg"),
        }),
        Project::Superglobal => by_weights.map(|trunk| format!("{trunk}/superglobal")),
        Project::Netvlad => {
            // VGG-16's last convolution is layer 28 of its features, AlexNet's is layer 10.
            let trunk = match (names.has("encoder.28.weight"), names.has("encoder.10.weight")) {
                (true, _) => "vgg16",
                (false, true) => "alexnet",
                _ => return None,
            };
            Some(format!("{trunk}/netvlad"))
        }
        Project::CgdTf => cgd_tf(names).map(str::to_owned),
        Project::Torchvision if names.has("fc.weight") => {
            by_weights.map(|trunk| format!("{trunk}/classifier"))
        }
        Project::Csa if !options.is_empty() => Some("csa".to_owned()),
        // What pooling follows a bare trunk, and which descriptors a CGD network joins, no weight says.
        Project::Torchvision | Project::Cgd | Project::Csa | Project::Unknown => None,
    }
}

/// The head of a network of MCC-WH/Token, by what only it has.
fn token_head(names: &Names<'_>) -> Option<&'static str> {
    let heads = [
        ("tr.query", "token"),
        ("vlad.centroids", "token-netvlad"),
        ("attention.att_conv1.weight", "token-delg"),
        ("pooling.f.0.weight", "token-solar"),
        // R-MAC has nothing but the layer that SOLAR and DELG have too.
        ("whiten.weight", "token-rmac"),
    ];
    heads
        .into_iter()
        .find(|(name, _)| names.has(name))
        .map(|(_, head)| head)
}

/// Which of the TensorFlow project's networks has these layers; none where descriptors were left out, of which the
/// weights do not say which.
fn cgd_tf(names: &Names<'_>) -> Option<&'static str> {
    if names.has("conv2d_1.weight") && names.has("conv5_block3_3_conv.weight") {
        let deeper = names.has("conv4_block7_1_conv.weight");
        return (!deeper).then_some("keras_resnet50/cgd-tf-reference");
    }
    // The auxiliary head, where it is there, has one more.
    let last = if names.has("softmax_predictions.weight") {
        3
    } else {
        2
    };
    let layer = |number: usize| names.has(&format!("dense_{number}.weight"));
    let tapped = names.has("conv4_block3_3_conv.weight") && !names.has("conv4_block4_1_conv.weight");
    (tapped && layer(last) && !layer(last + 1)).then_some("keras_resnet50:conv4_block3/cgd-tf-SMG")
}

/// The trunk and the head that one of dirtorch's functions builds with that pooling.
fn dirtorch_network<'a>(arch: &'a str, pooling: &str) -> Option<(&'a str, &'static str)> {
    const RESNEXTS: [&str; 2] = ["resnext101_32x4d", "resnext101_64x4d"];
    let base = arch.strip_suffix("_rmac");
    let pyramid = base.and_then(|base| match base.strip_suffix("_fpn0") {
        Some(trunk) => Some((trunk, "dir-fpn0")),
        None => Some((base.strip_suffix("_fpn")?, "dir-fpn")),
    });
    if let Some((trunk, head)) = pyramid {
        // With other poolings the original fails at the first picture.
        return (pooling == "gem").then_some((resnet(trunk)?, head));
    }
    let trunk = base.unwrap_or(arch);
    if base.is_none() && !RESNEXTS.contains(&trunk) {
        return Some((resnet(trunk)?, "classifier"));
    }
    let head = match pooling {
        "max" => "dir-max",
        "avg" => "dir-avg",
        gem if gem.starts_with("gem") => "dir-gem",
        _ => return None,
    };
    let known = RESNEXTS.contains(&trunk) || resnet(trunk).is_some();
    known.then_some((trunk, head))
}

/// The networks of torchvision that cirtorch knows the width of.
const CIRTORCH_TRUNKS: [&str; 16] = [
    "alexnet",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "squeezenet1_0",
    "squeezenet1_1",
];

fn resnet(name: &str) -> Option<&str> {
    let depth = name.strip_prefix("resnet")?;
    matches!(depth, "18" | "34" | "50" | "101" | "152").then_some(name)
}

/// Whether Python takes an option's value as true.
fn truthy(value: &Value) -> bool {
    match value {
        Value::None => false,
        Value::Text(text) => !text.is_empty(),
        other if other.as_items().is_some_and(<[_]>::is_empty) => false,
        other => other
            .as_bool()
            .or_else(|| other.as_f64().map(|number| number != 0.0))
            .unwrap_or(true),
    }
}
