//! What may be typed after `whiten`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum WhitenCommand {
    /// Learns a whitening from a set of descriptors, or from a file of local features
    #[command(
        after_help = "Where there are fewer descriptors than values, whitening over all axes there are makes every picture equally unlike every \
other: keep a part of them with --dims here or --whitenv where it is applied.\n\n\
Examples:\n  sightline whiten learn db.safetensors -o w.safetensors --dims 128\n  \
sightline whiten learn local-features.safetensors -o w.safetensors --dims 128\n  \
sightline whiten learn train.safetensors -o w.safetensors --method cirtorch --pairs retrieval-SfM-120k-whiten.pkl\n  \
sightline eval --dataset gnd_kth.pkl --images jpg --model weights.pth --whiten w.safetensors"
    )]
    Learn(LearnArgs),
    /// Whitens a set of descriptors
    #[command(
        after_help = "Example:\n  sightline whiten apply db.safetensors -w w.safetensors -o white.safetensors --whitenp 0.25"
    )]
    Apply(ApplyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct LearnArgs {
    /// The descriptors, or a file of local features
    #[arg(value_name = "SET")]
    pub(crate) set: PathBuf,

    /// The whitening to write
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// How it is learned
    #[arg(long, value_enum, default_value = "pca")]
    pub(crate) method: Method,

    /// Pairs of the same thing, for the method cirtorch: two names a line, or cirtorch's pickle with cids, qidxs, pidxs
    #[arg(long, value_name = "FILE")]
    pub(crate) pairs: Option<PathBuf>,

    /// For the method how: 1 whitens fully, 0 only turns (default 1)
    #[arg(long, value_name = "S")]
    pub(crate) shrinkage: Option<f64>,

    /// Number of axes to keep (default: all that the descriptors spread over)
    #[arg(long, value_name = "D")]
    pub(crate) dims: Option<usize>,

    /// Print what was learned as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// scikit-learn's PCA, applied as dirtorch does (with --whitenp, --whitenm)
    Pca,
    /// cirtorch's PCA whitening
    CirtorchPca,
    /// cirtorch's whitening learned from pairs
    Cirtorch,
    /// HOW's PCA whitening with shrinkage
    How,
}

#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    /// The descriptors
    #[arg(value_name = "SET")]
    pub(crate) set: PathBuf,

    /// The whitening: a file of `whiten learn`, a pickled PCA, cirtorch's {m, P}, or a checkpoint; FILE#NAME where it holds several
    #[arg(long, short, value_name = "FILE")]
    pub(crate) whitening: String,

    /// The set to write: .safetensors or .npy
    #[arg(long, short, value_name = "SET")]
    pub(crate) output: PathBuf,

    /// Power of the whitening's eigenvalues (default 0.5, as dirtorch extracts; `eval` uses 0.25)
    #[arg(long, value_name = "P")]
    pub(crate) whitenp: Option<f64>,

    /// Number of whitened dimensions to keep
    #[arg(long, value_name = "D")]
    pub(crate) whitenv: Option<usize>,

    /// Multiplier of the whitening's eigenvalues
    #[arg(long, value_name = "M")]
    pub(crate) whitenm: Option<f64>,
}
