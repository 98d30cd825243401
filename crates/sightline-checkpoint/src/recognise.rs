//! What a checkpoint is: whose, of which network, with which options, weights and whitenings.
//!
//! Every project saves its own layout; this module knows them (each from the code that writes it) and gives one
//! form. It looks, it does not convert weights: tensors stay views of the file.

mod how;
mod names;
mod projects;
mod whitening;

pub use how::to_current as how_to_current;
pub use whitening::{WhiteningForm, WhiteningParams};

use crate::tensor::Tensor;
use crate::value::Value;
use serde::Serialize;

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
    /// A plain state dict of torchvision's ResNets.
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
            Self::Torchvision => "torchvision",
            Self::Unknown => "unknown",
        }
    }
}

/// How pictures were prepared for the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    let all = names::Names::of(&state_dict);
    let project = projects::project(value, &all);
    let options = projects::options(project, value);
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
