//! What may be typed after `search`.

use super::{ModelArgs, RecipeArgs, RerankArgs};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("collection").required(true).args(["folder", "features"]))]
#[command(
    after_help = "Examples:\n  sightline search --in photos query.jpg --model weights.pth --arch resnet18:layer3/gem -k 5\n  \
sightline search --features photos.safetensors query.jpg --model weights.pth --box 10,20,300,200 --json"
)]
pub(crate) struct SearchArgs {
    /// The query picture
    #[arg(value_name = "QUERY")]
    pub(crate) query: PathBuf,

    /// Search the pictures of this folder; their descriptors are kept in a cache and only what changed is described again
    #[arg(long = "in", value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,

    /// Search this set of descriptors; the query is prepared as its card says, and --model must be the same
    #[arg(long, value_name = "SET")]
    pub(crate) features: Option<PathBuf>,

    /// Look only at this part of the query: left, top, width, height in pixels
    #[arg(
        long = "box",
        value_name = "X,Y,W,H",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true
    )]
    pub(crate) region: Vec<f64>,

    /// Number of answers
    #[arg(short, default_value_t = 20, value_name = "K")]
    pub(crate) k: usize,

    /// Leave out the query picture itself
    #[arg(long)]
    pub(crate) exclude_self: bool,

    /// Print the answers as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) rerank: RerankArgs,

    /// For --rerank spatial: the network that describes the query's local features, as --rerank-features were described
    #[arg(
        long,
        value_name = "WEIGHTS",
        requires = "rerank_features",
        help_heading = "Re-ranking"
    )]
    pub(crate) rerank_model: Option<PathBuf>,

    /// Its architecture, where the weights do not say it
    #[arg(
        long,
        value_name = "ARCH",
        requires = "rerank_model",
        help_heading = "Re-ranking"
    )]
    pub(crate) rerank_arch: Option<String>,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}
