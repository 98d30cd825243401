//! What may be typed after `show`.

use super::{EvalArgs, ModelArgs, RecipeArgs};
use clap::{Args, Subcommand, ValueEnum};
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
    /// Draws queries and their answers as strips: right answers green, wrong ones red, junk grey
    #[command(
        after_help = "Queries and answers come from the same options as `eval`. Half of the queries shown are those with the worst answers.\n\n\
Examples:\n  \
sightline show ranking --dataset gnd_kth.pkl --images jpg --features db.safetensors --query-features q.safetensors -o strips.png\n  \
sightline show ranking --dataset gnd_kth.pkl --images jpg --model weights.pth --arch resnet18:layer3/gem --query obj1_q.jpg -o strips.html\n  \
sightline show ranking --dataset cars196 --data-root data --features cars.safetensors --mark dot -o strips.png"
    )]
    Ranking(Box<ShowRankingArgs>),
    /// Draws a data set: queries with their boxes, and what the ground truth lists for each
    #[command(
        after_help = "Examples:\n  sightline show data --dataset gnd_roxford5k.pkl --images jpg -o oxford.html\n  \
sightline show data --dataset photos-by-class --queries 20 -o classes.png"
    )]
    Data(Box<ShowDataArgs>),
    /// Draws where a network looks: the strength of local features, tokens' shares, second-order attention
    #[command(
        after_help = "Local features (HOW, DELG, DELF): their strength. Token: which share of each place goes to each token. SOLAR: what one place \
looks at in each block (--at). Others: the length of the last map's vectors, which is what poolings weigh.\n\nExamples:\n  \
sightline show attention a.jpg --model how.pth -o attention.png\n  \
sightline show attention a.jpg --model solar.pth --at 320,200 --size 512 -o attention.html"
    )]
    Attention(Box<ShowAttentionArgs>),
}

#[derive(Args, Debug)]
pub(crate) struct ShowRankingArgs {
    /// The drawing to write: a picture (.png) or a self-contained page (.html)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Queries to show at most, half from the worst and half from the best end
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) queries: u16,

    /// Show this query, by its name; several are allowed, and no others are shown
    #[arg(long, value_name = "NAME", conflicts_with = "queries")]
    pub(crate) query: Vec<String>,

    /// Answers to show of each
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) answers: u16,

    /// How a picture marks answers: a frame, or a dot (as CGD's figures show answers of the same category)
    #[arg(long, value_enum, default_value = "frame")]
    pub(crate) mark: MarkChoice,

    #[command(flatten)]
    pub(crate) eval: EvalArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum MarkChoice {
    Frame,
    Dot,
}

#[derive(Args, Debug)]
pub(crate) struct ShowDataArgs {
    /// The data set, as `eval` takes it
    #[arg(long, value_name = "D")]
    pub(crate) dataset: String,

    /// Folder that holds the pictures
    #[arg(long, value_name = "FOLDER")]
    pub(crate) images: Option<PathBuf>,

    /// Folder that holds the known data sets (default: $SIGHTLINE_DATA, then $DB_ROOT)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_root: Option<PathBuf>,

    /// The drawing to write: a picture (.png) or a self-contained page (.html)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Queries to show at most, evenly from all
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) queries: u16,

    /// Pictures to show of each
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) answers: u16,

    /// Refuse pictures with more pixels
    #[arg(long, value_name = "N", default_value_t = sightline::image::decode::DecodeOptions::default().max_pixels)]
    pub(crate) max_pixels: u64,
}

#[derive(Args, Debug)]
pub(crate) struct ShowAttentionArgs {
    /// The picture
    #[arg(value_name = "PICTURE")]
    pub(crate) picture: PathBuf,

    /// The drawing to write: a picture (.png) or a self-contained page (.html)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// The place that looks, for SOLAR, in pixels of the prepared picture (default: where the last map is strongest)
    #[arg(long, value_name = "X,Y", value_parser = place)]
    pub(crate) at: Option<[f64; 2]>,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
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

/// Reads X,Y.
fn place(text: &str) -> Result<[f64; 2], String> {
    let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    text.split_once(',')
        .and_then(|(x, y)| Some([number(x)?, number(y)?]))
        .ok_or_else(|| "it reads X,Y in pixels, such as 320,200".to_owned())
}
