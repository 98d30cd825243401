//! What may be typed after `local index`.

use super::{ModelArgs, RecipeArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum LocalIndexCommand {
    /// Makes an ASMK index of local features
    #[command(
        after_help = "FEATURES are files of `sightline local extract`, one after another; or pickles of jenicek/asmk and gtolias/how: one inverted \
file, or aggregated partitions in their order.\n\nExamples:\n  \
sightline local index create db.safetensors -o db.sasmk --codebook words.safetensors\n  \
sightline local index create db.safetensors -o all.sasmk --codebook words.safetensors --onto distractors.sasmk\n  \
sightline local index create ivf.pkl -o db.sasmk --codebook codebook.pkl"
    )]
    Create(Box<IndexCreateArgs>),
    /// Adds pictures to an index
    #[command(
        after_help = "With idf, words that get no new entry keep the idf of before, as in the original; make the index anew for the idf of all.\n\n\
Example:\n  sightline local index add db.sasmk more.safetensors --codebook words.safetensors"
    )]
    Add(IndexAddArgs),
    /// Takes pictures out of an index
    #[command(
        after_help = "The other pictures keep their ids.\n\nExample:\n  sightline local index remove db.sasmk all_souls_000013 all_souls_000026"
    )]
    Remove(IndexRemoveArgs),
    /// Finds the pictures most similar to queries
    #[command(
        after_help = "QUERIES is a file of `sightline local extract`, or a picture, which is described with --model as the index's features were.\n\n\
Examples:\n  sightline local index search db.sasmk queries.safetensors --codebook words.safetensors -k 5\n  \
sightline local index search db.sasmk query.jpg --codebook words.safetensors --model how.pth --json"
    )]
    Search(Box<IndexSearchArgs>),
    /// Says what is in an index, and how its entries spread over the words
    #[command(after_help = "Example:\n  sightline local index stats db.sasmk --verify")]
    Stats(IndexStatsArgs),
}

#[derive(Args, Debug)]
pub(crate) struct IndexCreateArgs {
    /// The local features
    #[arg(required = true, num_args = 1.., value_name = "FEATURES")]
    pub(crate) features: Vec<PathBuf>,

    /// The index to write
    #[arg(long, short, value_name = "INDEX")]
    pub(crate) output: PathBuf,

    /// The codebook
    #[arg(long, value_name = "FILE")]
    pub(crate) codebook: PathBuf,

    /// Keep values in place of signs: ASMK instead of ASMK*
    #[arg(long)]
    pub(crate) float: bool,

    /// Let words count by how rare they are
    #[arg(long)]
    pub(crate) idf: bool,

    /// Words that a feature is assigned to
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) assign: u32,

    /// Go on from this index, whose pictures become distractors; its settings are kept
    #[arg(long, value_name = "INDEX", conflicts_with_all = ["float", "idf", "assign"])]
    pub(crate) onto: Option<PathBuf>,

    /// Megabytes of entries in memory before they are sorted into an intermediate file beside the index
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) memory: u32,

    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct IndexAddArgs {
    /// The index
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,

    /// The local features
    #[arg(required = true, num_args = 1.., value_name = "FEATURES")]
    pub(crate) features: Vec<PathBuf>,

    /// The codebook that the index was made with
    #[arg(long, value_name = "FILE")]
    pub(crate) codebook: PathBuf,

    /// Write another index, and leave this one
    #[arg(long, short, value_name = "INDEX")]
    pub(crate) output: Option<PathBuf>,

    /// Megabytes of entries in memory before they are sorted into an intermediate file beside the index
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) memory: u32,

    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct IndexRemoveArgs {
    /// The index
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,

    /// Names of the pictures; @FILE takes one a line
    #[arg(required = true, num_args = 1.., value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Write another index, and leave this one
    #[arg(long, short, value_name = "INDEX")]
    pub(crate) output: Option<PathBuf>,

    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct IndexSearchArgs {
    /// The index
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,

    /// The queries' local features, or a picture
    #[arg(value_name = "QUERIES")]
    pub(crate) queries: PathBuf,

    /// The codebook that the index was made with
    #[arg(long, value_name = "FILE")]
    pub(crate) codebook: PathBuf,

    /// Words that a feature of a query is assigned to
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) assign: u32,

    /// Exponent of similarities
    #[arg(long, value_name = "A", default_value_t = 3.0)]
    pub(crate) alpha: f32,

    /// Least similarity that counts
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_hyphen_values = true)]
    pub(crate) threshold: f32,

    /// Number of answers for each query
    #[arg(short, default_value_t = 20, value_name = "K")]
    pub(crate) k: usize,

    /// Look only at this part of the query picture: left, top, width, height in pixels
    #[arg(
        long = "box",
        value_name = "X,Y,W,H",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true
    )]
    pub(crate) region: Vec<f64>,

    /// Print the answers as JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct IndexStatsArgs {
    /// The index
    #[arg(value_name = "INDEX")]
    pub(crate) index: PathBuf,

    /// Read all of it and compare it with its checksums
    #[arg(long)]
    pub(crate) verify: bool,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
