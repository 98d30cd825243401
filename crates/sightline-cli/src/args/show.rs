//! What may be typed after `show`.

use super::{ModelArgs, RecipeArgs};
use clap::{Args, Subcommand};
use sightline::local::spatial::ModelKind;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ShowCommand {
    /// Draws two pictures side by side, with lines between what they have in common
    #[command(
        after_help = "Local features of both pictures are matched by their descriptors; the matches that agree on one map from the first \
picture to the second are drawn, the best in yellow, the last in blue. Places and --threshold are in pixels of the pictures as the recipe \
prepares them.\n\nExamples:\n  \
sightline show matches a.jpg b.jpg --model how.pth -o matches.png\n  \
sightline show matches a.jpg b.jpg --model trunk.pth --arch resnet18:layer3/how-unreduced --ratio 0.95 -o matches.html\n  \
sightline show matches a.jpg b.jpg --model how.pth --json"
    )]
    Matches(Box<ShowMatchesArgs>),
}

#[derive(Args, Debug)]
pub(crate) struct ShowMatchesArgs {
    /// The first picture
    #[arg(value_name = "A")]
    pub(crate) first: PathBuf,

    /// The second picture
    #[arg(value_name = "B")]
    pub(crate) second: PathBuf,

    /// The drawing to write: a picture (.png) or a self-contained page (.html)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Features of a picture at most, the strongest (0: all of them)
    #[arg(long, default_value_t = sightline::HOW_FEATURES, value_name = "N")]
    pub(crate) features: usize,

    /// Divide whitened features by their length
    #[arg(long, requires = "whiten")]
    pub(crate) whiten_l2: bool,

    /// Draw the matches that do not agree too, faintly
    #[arg(long)]
    pub(crate) outliers: bool,

    /// Print the counts, the map and the matches that agree as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) verification: VerificationArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}

/// Which features match, and what their places must agree on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Verification")]
pub(crate) struct VerificationArgs {
    /// Match every feature of the first picture with its nearest, even where that one has a nearer
    #[arg(long)]
    pub(crate) one_way: bool,

    /// Keep matches whose distance is less than this share of that to the second nearest
    #[arg(long, value_name = "SHARE")]
    pub(crate) ratio: Option<f64>,

    /// Keep matches of descriptors closer than this
    #[arg(long, value_name = "D")]
    pub(crate) max_distance: Option<f64>,

    /// What matches must agree on: similarity, affine or homography
    #[arg(long, value_name = "KIND", default_value = "homography", value_parser = model_kind)]
    pub(crate) model_kind: ModelKind,

    /// How far a match may lie from where the map puts it, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 12.0)]
    pub(crate) threshold: f64,

    /// Most samples of matches to try
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) max_samples: u32,

    /// Another seed draws other samples
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,
}

/// The kind of that name, or a sentence with those that there are.
fn model_kind(name: &str) -> Result<ModelKind, String> {
    ModelKind::named(name).ok_or_else(|| {
        let names = ModelKind::NAMES.map(|(name, _)| name);
        let near = sightline::dataset::suggestion(name, names);
        format!("there are {}{near}", names.join(", "))
    })
}
