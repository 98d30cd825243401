//! Which network, and on what it runs: shared by every subcommand that describes pictures.

use clap::{Args, ValueEnum};
use sightline::plan::{MapPooling, TokenPooling};
use std::path::PathBuf;

/// Which network, and on what it runs.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// Checkpoint of an original project, an ONNX file (.onnx), or `seeded` for a network with random (but fixed) weights
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// Architecture, where the checkpoint does not say it: resnet101/gem, or up to a stage, resnet18:layer3/gem
    #[arg(long, value_name = "NAME")]
    pub(crate) arch: Option<String>,

    /// Make what the checkpoint lacks of the head that --arch names from this seed: an untrained head behind its trunk, to
    /// have a starting line
    #[arg(long, value_name = "SEED", requires = "arch")]
    pub(crate) head_seed: Option<u64>,

    /// Where the network runs: cpu (a recorded plan), burn (the network itself, on the CPU), cuda, cuda:1, wgpu; ort,
    /// ort-cuda (ONNX Runtime)
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: String,

    /// Output of an ONNX file that descriptors are made of (default: the only one, or `descriptor`)
    #[arg(long, value_name = "NAME")]
    pub(crate) model_output: Option<String>,

    /// How tokens [N, T, C] of an ONNX file become a descriptor: cls (the default), mean or gem over the patches, gem:P
    #[arg(long, value_name = "HOW")]
    pub(crate) token_pooling: Option<TokenPooling>,

    /// Leading tokens of an ONNX file that are no patches, CLS and registers (default 1)
    #[arg(long, value_name = "N")]
    pub(crate) special_tokens: Option<usize>,

    /// How a map [N, C, H, W] of an ONNX file becomes a descriptor: gem (the default), gem:P, mac, spoc
    #[arg(long, value_name = "HOW")]
    pub(crate) map_pooling: Option<MapPooling>,

    /// Scales at which every picture is described; the descriptors are pooled (default 1)
    #[arg(long, value_name = "S,S,...", value_delimiter = ',')]
    pub(crate) scales: Vec<f64>,

    /// How the descriptors of several scales or --trfs become one (default: as the recipe's project does)
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) pooling: Option<PoolingChoice>,

    /// Power of the pooling gem over scales (default 3) or superglobal-power (default 10)
    #[arg(long, value_name = "P")]
    pub(crate) gemp: Option<f64>,

    /// Whitening to apply: one of the checkpoint, by its name (`model inspect` lists them), or a file (`whiten learn` writes one)
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) whiten: Option<String>,

    /// Power of the whitening's eigenvalues (default as dirtorch: 0.25 for eval, else 0.5)
    #[arg(long, value_name = "P", requires = "whiten")]
    pub(crate) whitenp: Option<f64>,

    /// Number of whitened dimensions to keep
    #[arg(long, value_name = "D", requires = "whiten")]
    pub(crate) whitenv: Option<usize>,

    /// Multiplier of the whitening's eigenvalues
    #[arg(long, value_name = "M", requires = "whiten")]
    pub(crate) whitenm: Option<f64>,
}

impl ModelArgs {
    /// Whether neither scales nor their pooling were asked for.
    pub(crate) fn asks_for_no_scales(&self) -> bool {
        self.scales.is_empty() && self.pooling.is_none() && self.gemp.is_none()
    }

    /// The same without what was said of a whitening.
    pub(crate) fn without_whitening(&self) -> Self {
        Self {
            whiten: None,
            whitenp: None,
            whitenv: None,
            whitenm: None,
            ..self.clone()
        }
    }
}

/// How descriptors over scales are pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PoolingChoice {
    /// dirtorch's: the mean
    Mean,
    /// dirtorch's: the signed generalised mean with power --gemp
    Gem,
    /// cirtorch's, with the power of the network's own GeM
    Cirtorch,
    /// Token's: the mean, and a single scale as it is
    Token,
    /// SuperGlobal's: the largest value over scales
    SuperglobalMax,
    /// SuperGlobal's generalised mean with power --gemp
    SuperglobalPower,
    /// SuperGlobal without pooling: the mean
    SuperglobalMean,
    /// DELG's: the mean of normalised descriptors
    Delg,
}
