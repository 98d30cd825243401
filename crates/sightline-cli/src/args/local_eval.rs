//! How local features are compared in an evaluation.

use clap::{Args, ValueEnum};
use sightline::local::VladNormalisation;
use std::path::PathBuf;

/// How local features are compared.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Local features")]
pub(crate) struct LocalEvalArgs {
    /// Compare local features, which --model makes or --features and --query-features hold (files of `local extract`)
    #[arg(long, value_enum, value_name = "METHOD", requires = "codebook")]
    pub(crate) local: Option<LocalMethod>,

    /// The codebook (`local codebook train`)
    #[arg(long, value_name = "FILE", requires = "local")]
    pub(crate) codebook: Option<PathBuf>,

    /// Inverted file of the database (`local index create`), in place of its local features
    #[arg(long, value_name = "FILE", requires = "local", conflicts_with_all = ["features", "ranks"])]
    pub(crate) index: Option<PathBuf>,

    /// Words of a feature of the database
    #[arg(long, requires = "local", value_name = "N", default_value_t = 1)]
    pub(crate) assign: usize,

    /// Words of a feature of a query
    #[arg(long, requires = "local", value_name = "N", default_value_t = 5)]
    pub(crate) query_assign: usize,

    /// Exponent of the similarity of two aggregated vectors
    #[arg(long, requires = "local", value_name = "ALPHA", default_value_t = 3.0)]
    pub(crate) alpha: f32,

    /// Least similarity of two aggregated vectors that counts
    #[arg(
        long,
        requires = "local",
        value_name = "T",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub(crate) threshold: f32,

    /// Let words count by how rare they are
    #[arg(long, requires = "local")]
    pub(crate) idf: bool,

    /// How VLADs are normalised: raw, l2, ssr_l2, intra_l2 or ssr_intra_l2 (see `local vlad`)
    #[arg(long, requires = "local", default_value = "intra_l2", value_name = "HOW")]
    pub(crate) vlad_normalise: VladNormalisation,

    /// Features of a picture at most that --model makes (0: all of them)
    #[arg(long, requires = "local", default_value_t = sightline::HOW_FEATURES, value_name = "N")]
    pub(crate) local_features: usize,

    /// Divide features that --model makes and --whiten whitens by their length
    #[arg(long, requires_all = ["local", "whiten"])]
    pub(crate) whiten_l2: bool,
}

/// What is made of local features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LocalMethod {
    /// Residuals summed by word, compared as they are
    Asmk,
    /// The same, binary: their signs are compared
    AsmkStar,
    /// One descriptor a picture: all residuals, word after word
    Vlad,
}
