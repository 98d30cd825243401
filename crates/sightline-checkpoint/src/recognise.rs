//! What a checkpoint is: whose, of which network, with which options, weights and whitenings.
//!
//! Every project saves its own layout; this module knows them (each from the code that writes it) and gives one
//! form. It looks, it does not convert weights: tensors stay views of the file.

mod csa;
mod how;
mod keras;
mod names;
mod projects;
mod stored_whitenings;
mod whitening;

pub use csa::block_of as csa_block_of;
pub use how::to_current as how_to_current;
pub use stored_whitenings::{WHITENINGS, store_whitenings};
pub use whitening::{WhiteningForm, WhiteningParams};

use crate::read::File;
use crate::tensor::Tensor;
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Project {
    /// naver/deep-image-retrieval.
    Dirtorch,
    /// filipradenovic/cnnimageretrieval-pytorch.
    Cirtorch,
    /// tonyngjichun/SOLAR.
    Solar,
    /// MCC-WH/Token.
    Token,
    /// MCC-WH/CSA.
    Csa,
    /// gtolias/how.
    How,
    /// feymanpriv/DELG.
    Delg,
    /// ShihaoShao-GH/SuperGlobal (CVNet's weights).
    Superglobal,
    /// Nanne/pytorch-NetVlad.
    Netvlad,
    /// leftthomas/CGD.
    Cgd,
    /// PuchatekwSzortach/combination_of_multiple_global_descriptors_for_image_retrieval.
    CgdTf,
    /// A plain state dict of torchvision's networks.
    Torchvision,
    /// Weights of no known layout, or no weights at all.
    Unknown,
}

impl Project {
    /// Its name, as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dirtorch => "dirtorch (deep-image-retrieval)",
            Self::Cirtorch => "cirtorch (cnnimageretrieval-pytorch)",
            Self::Solar => "SOLAR",
            Self::Token => "Token",
            Self::Csa => "CSA",
            Self::How => "HOW",
            Self::Delg => "DELG",
            Self::Superglobal => "SuperGlobal (CVNet)",
            Self::Netvlad => "NetVLAD",
            Self::Cgd => "CGD",
            Self::CgdTf => "CGD (TensorFlow)",
            Self::Torchvision => "torchvision",
            Self::Unknown => "unknown",
        }
    }
}

/// How pictures were prepared for the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// Mean of each channel, of values in 0 to 1.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel.
    pub std: Vec<f64>,
    /// Size of the pictures, where the file gives one.
    pub input_size: Option<Vec<i64>>,
}

/// What a checkpoint is.
#[derive(Clone, Debug)]
pub struct Recognised {
    /// Whose file it is.
    pub project: Project,
    /// Sightline's name of the network (`resnet101/dir-gem`), where the file says enough to know it.
    pub architecture: Option<String>,
    /// The trunk that the names of the weights show, such as `resnet18:layer3`.
    pub trunk: Option<String>,
    /// The network's options, as the file names them.
    pub options: Vec<(String, Value)>,
    /// The weights in the file's order, under the names of the original without data-parallel prefixes.
    pub state_dict: Vec<(String, Tensor)>,
    /// How pictures were prepared, where the file says it.
    pub preprocess: Option<Preprocess>,
    /// Whitenings by name; cirtorch's are `DATASET/ss` and `DATASET/ms`.
    pub whitenings: Vec<(String, WhiteningParams)>,
    /// Epochs, iterations, best scores.
    pub counters: Vec<(String, Value)>,
}

/// Tells what a file is: as [`recognise()`], and for a safetensors file by the metadata `architecture`, `preprocess` and
/// `whitenings` that `model convert` writes, where the tensors alone do not say it.
pub fn recognise_file(file: &File) -> Recognised {
    let mut known = recognise(&file.value);
    let metadata = |key: &str| {
        let found = file.metadata.iter().find(|(name, _)| name == key);
        found.map(|(_, text)| text.as_str())
    };
    known.architecture = known
        .architecture
        .or_else(|| metadata("architecture").map(str::to_owned));
    known.preprocess = known
        .preprocess
        .or_else(|| serde_json::from_str(metadata("preprocess")?).ok());
    if let Some(text) = metadata(WHITENINGS) {
        let stored = stored_whitenings::take_stored(text, &mut known.state_dict);
        known.whitenings.extend(stored);
    }
    known
}

/// Tells what a value read from a file is. Never fails: what is not known is [`Project::Unknown`], with the tensors
/// that its dictionaries hold.
pub fn recognise(value: &Value) -> Recognised {
    let converted = how::to_current(value);
    let value = converted.as_ref().unwrap_or(value);
    let state = value
        .get("state_dict")
        .or_else(|| value.get("model_state"))
        .filter(|state| state.as_items().is_some())
        .unwrap_or(value);
    let state_dict = match names::state_dict(state) {
        found if found.is_empty() => names::all_tensors(value),
        found => found,
    };
    let state_dict = keras::to_torch(state_dict);
    let all = names::Names::of(&state_dict);
    let project = projects::project(value, &all);
    let options = match project {
        Project::Csa => csa::options(&state_dict),
        _ => projects::options(project, value),
    };
    let trunk = all.trunk();
    let architecture = projects::architecture(project, &options, &all, trunk.as_ref());
    Recognised {
        architecture,
        trunk: trunk.map(|trunk| trunk.to_string()),
        preprocess: projects::preprocess(value),
        whitenings: whitening::find(value),
        counters: projects::counters(value),
        project,
        options,
        state_dict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn weights(names: &[&str]) -> Value {
        let tensor = Arc::new(Tensor::from_f32(vec![1], &[1.0]).unwrap());
        Value::dict(
            names
                .iter()
                .map(|name| (*name, Value::Tensor(Arc::clone(&tensor)))),
        )
    }

    fn named(options: &str, state: &Value, entries: &[(&str, Value)]) -> Option<String> {
        let options = (options, Value::dict(entries.iter().cloned()));
        recognise(&Value::dict([options, ("state_dict", state.clone())])).architecture
    }

    #[test]
    fn options_become_names() {
        let text = Value::text;
        let dirtorch =
            |entries: &[(&str, Value)]| named("model_options", &weights(&["module.adpool.p"]), entries);
        assert_eq!(
            dirtorch(&[("arch", text("resnet50_rmac")), ("gemp", Value::Int(4))]).as_deref(),
            Some("resnet50/dir-gem")
        );
        let options = [
            ("arch", text("resnet101_rmac")),
            ("pooling", text("max")),
            ("out_dim", Value::Int(512)),
            ("norm_features", Value::Bool(true)),
            ("without_fc", Value::Bool(false)),
            ("center_bias", Value::Float(0.3)),
        ];
        assert_eq!(
            dirtorch(&options).as_deref(),
            Some("resnet101/dir-max-out512-normfeatures-bias0.3")
        );
        let options = |arch: &str| [("arch", text(arch)), ("center_bias", Value::Float(0.5))];
        for (arch, name) in [
            ("resnet50_rmac", Some("resnet50/dir-gem-bias0.5")),
            ("resnet18_fpn_rmac", Some("resnet18/dir-fpn")),
            ("resnet101_fpn0_rmac", Some("resnet101/dir-fpn0")),
            ("resnet50", Some("resnet50/classifier")),
            ("resnext101_64x4d", Some("resnext101_64x4d/dir-gem-bias0.5")),
            ("senet154_rmac", None),
        ] {
            assert_eq!(dirtorch(&options(arch)).as_deref(), name, "{arch}");
        }
        let options = [
            ("arch", text("resnet50_fpn_rmac")),
            ("gemp", Value::Float(2.5)),
            ("out_dim", Value::Int(1024)),
            ("norm_features", Value::Bool(true)),
        ];
        assert_eq!(
            named("model_options", &weights(&["fc.weight"]), &options).as_deref(),
            Some("resnet50/dir-fpn-out1024-normfeatures-p2.5")
        );

        let cirtorch = |entries: &[(&str, Value)]| named("meta", &weights(&["pool.p"]), entries);
        let plain = [("architecture", text("resnet101")), ("pooling", text("gem"))];
        assert_eq!(cirtorch(&plain).as_deref(), Some("resnet101/cir-gem"));
        let whitened = [plain.as_slice(), &[("whitening", Value::Bool(true))]].concat();
        assert_eq!(cirtorch(&whitened).as_deref(), Some("resnet101/cir-gem-w"));
        let all = ["regional", "local_whitening", "whitening"].map(|key| (key, Value::Bool(true)));
        let all = [plain.as_slice(), &all].concat();
        assert_eq!(cirtorch(&all).as_deref(), Some("resnet101/cir-gem-lw-r-w"));
        let other = [("architecture", text("densenet169")), ("pooling", text("rmac"))];
        assert_eq!(cirtorch(&other).as_deref(), Some("densenet169/cir-rmac"));
        let unknown = [("architecture", text("inception_v3")), ("pooling", text("gem"))];
        assert_eq!(cirtorch(&unknown), None);
        let solar = [plain.as_slice(), &[("soa", Value::Bool(true))]].concat();
        assert_eq!(cirtorch(&solar).as_deref(), Some("resnet101/solar"));
    }

    #[test]
    fn a_bare_trunk_does_not_say_what_follows_it() {
        let state = weights(&[
            "conv1.weight",
            "layer1.0.conv1.weight",
            "layer1.1.conv1.weight",
            "layer2.0.conv1.weight",
            "layer2.1.conv1.weight",
        ]);
        let known = recognise(&state);
        assert_eq!(known.project, Project::Torchvision);
        assert_eq!(known.trunk.as_deref(), Some("resnet18:layer2"));
        assert_eq!(known.architecture, None);
        assert_eq!(known.state_dict.len(), 5);
    }

    #[test]
    fn torchvisions_other_networks_are_known_by_their_two_parts() {
        let project = |names: &[&str]| recognise(&weights(names)).project;
        assert_eq!(
            project(&["features.0.weight", "classifier.6.bias"]),
            Project::Torchvision
        );
        assert_eq!(
            project(&["features.conv0.weight", "classifier.weight"]),
            Project::Torchvision
        );
        assert_eq!(project(&["features.0.weight", "pool.p"]), Project::Cirtorch);
        assert_eq!(project(&["features.0.weight"]), Project::Unknown);
    }

    #[test]
    fn cvnet_has_delgs_prefix_and_nothing_else_of_it() {
        let known = |more: &[&str], stages: &[usize]| {
            let blocks = stages.iter().enumerate().flat_map(|(stage, count)| {
                (1..=*count).map(move |block| format!("globalmodel.s{}.b{block}.f.c.weight", stage + 1))
            });
            let names: Vec<String> = blocks.chain(more.iter().map(|name| (*name).to_owned())).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            recognise(&Value::dict([("model_state", weights(&names))]))
        };
        let all = [3, 4, 6, 3];
        for (more, stages, project, architecture) in [
            (
                &["globalmodel.head.fc.weight"][..],
                &all[..],
                Project::Superglobal,
                "resnet50/superglobal",
            ),
            (&["localmodel.conv1.weight"], &all, Project::Delg, "resnet50/delg"),
            (
                &["desc_cls.weight"],
                &[3, 4, 23, 3],
                Project::Delg,
                "resnet101/delg",
            ),
            (
                &["localmodel.conv1.weight"],
                &all[..3],
                Project::Delg,
                "resnet50:layer3/delf",
            ),
        ] {
            let known = known(more, stages);
            assert_eq!(known.project, project, "{more:?}");
            assert_eq!(known.architecture.as_deref(), Some(architecture));
        }
    }

    #[test]
    fn the_token_projects_networks_are_told_apart() {
        let trunk: Vec<String> = [3, 4, 6, 3]
            .iter()
            .enumerate()
            .flat_map(|(stage, blocks)| {
                (0..*blocks).map(move |block| format!("backbone.block{}.{block}.conv3.weight", stage + 2))
            })
            .collect();
        for (own, name) in [
            (&["tr.query"][..], Some("resnet50/token")),
            (
                &["vlad.centroids", "vlad.conv.0.weight"],
                Some("resnet50/token-netvlad"),
            ),
            (
                &["whiten.weight", "attention.att_conv1.weight", "reduction.weight"],
                Some("resnet50/token-delg"),
            ),
            (
                &["whiten.weight", "pooling.f.0.weight"],
                Some("resnet50/token-solar"),
            ),
            (&["whiten.weight"], Some("resnet50/token-rmac")),
            (&["classifier.weight"], None),
        ] {
            let mut names: Vec<&str> = trunk.iter().map(String::as_str).collect();
            names.extend(own);
            let known = recognise(&weights(&names));
            assert_eq!(known.project, Project::Token);
            assert_eq!(known.architecture.as_deref(), name);
        }
    }

    #[test]
    fn the_shapes_say_the_sizes_of_csas_network() {
        let tensor = |shape: &[usize]| {
            let values = vec![0.0; shape.iter().product()];
            Value::Tensor(Arc::new(Tensor::from_f32(shape.to_vec(), &values).unwrap()))
        };
        let mut state = vec![
            ("module.topk_proj.weight", tensor(&[6, 10])),
            ("module.blocks.0.norm1.weight", tensor(&[6])),
            ("module.blocks.0.attn.qkv.weight", tensor(&[18, 6])),
            ("module.blocks.0.mlp.fc1.weight", tensor(&[24, 6])),
            ("module.blocks.1.mlp.fc2.bias", tensor(&[6])),
            ("module.blocks.x.norm1.weight", tensor(&[6])),
        ];
        let known = |state: &[(&'static str, Value)]| {
            let epoch = ("epoch", Value::Int(100));
            recognise(&Value::dict([
                epoch,
                ("state_dict", Value::dict(state.iter().cloned())),
            ]))
        };
        let found = known(&state);
        assert_eq!(found.project, Project::Csa);
        assert_eq!(found.architecture.as_deref(), Some("csa"));
        let options: Vec<(String, Option<i64>)> = found
            .options
            .iter()
            .map(|(name, value)| (name.clone(), value.as_i64()))
            .collect();
        let want = [
            ("embed_dim", 6),
            ("depth", 2),
            ("anchor_len", 10),
            ("mlp_ratio", 4),
        ];
        for ((name, value), (want_name, want)) in options.iter().zip(want) {
            assert_eq!((name.as_str(), *value), (want_name, Some(want)));
        }
        assert_eq!(found.options[4].1.as_bool(), Some(false));
        assert_eq!(found.counters.len(), 1);
        state.remove(3);
        assert_eq!(known(&state).options.len(), 4);
        state[0] = ("feature_align.layers.0.bias", tensor(&[10]));
        let found = known(&state);
        assert_eq!((found.project, found.architecture), (Project::Csa, None));
        assert!(found.options.is_empty());
    }

    #[test]
    fn prefixes_of_data_parallel_training_are_taken_off() {
        let state = weights(&[
            "module.conv1.weight",
            "encoder.module.0.weight",
            "auxiliary_module.0.weight",
        ]);
        let names: Vec<String> = recognise(&Value::dict([("state_dict", state)]))
            .state_dict
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            ["conv1.weight", "encoder.0.weight", "auxiliary_module.0.weight"]
        );
    }

    #[test]
    fn whitenings_whose_shapes_disagree_are_left_out() {
        let array = |shape: &[usize]| {
            let count = shape.iter().product();
            Value::Array(Arc::new(
                Tensor::from_f32(shape.to_vec(), &vec![1.0; count]).unwrap(),
            ))
        };
        let file = |m: &[usize], p: &[usize]| Value::dict([("m", array(m)), ("P", array(p))]);
        let known = recognise(&file(&[4, 1], &[2, 4]));
        assert_eq!(known.project, Project::Cirtorch);
        assert_eq!(known.whitenings[0].0, "whitening");
        assert_eq!(known.whitenings[0].1.input_dim(), 4);
        assert_eq!(known.whitenings[0].1.output_dim(), 2);
        assert!(recognise(&file(&[3, 1], &[2, 4])).whitenings.is_empty());
        assert!(recognise(&file(&[4, 1], &[8])).whitenings.is_empty());
        let dirtorch = Value::dict([("means", array(&[3])), ("W", array(&[3, 2]))]);
        let found = recognise(&Value::dict([(
            "pca",
            Value::dict([("Landmarks_clean", dirtorch)]),
        )]));
        assert_eq!(found.whitenings[0].1.form, WhiteningForm::MeansW);
        assert_eq!(found.whitenings[0].1.output_dim(), 2);
    }
}
