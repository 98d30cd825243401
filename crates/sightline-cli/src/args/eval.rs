//! What may be typed after `eval`.

use super::{JunkChoice, LocalEvalArgs, ModelArgs, RecipeArgs, RerankArgs};
use clap::Args;
use clap::builder::PossibleValuesParser;
use sightline::eval::Protocol;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["model", "features", "ranks", "index"]))]
#[command(
    after_help = "D is a ground truth (gnd_*.pkl, .mat, .json), a folder of classic text files, a known name under --data-root, \
a labelled folder, or a dirtorch data set.\n\nExamples:\n  \
sightline eval --dataset gnd_kth.pkl --images jpg --model weights.pth --arch resnet18:layer3/gem --recipe cirtorch --size 512\n  \
sightline eval --dataset gnd_roxford5k.pkl --features db.safetensors --query-features q.safetensors --json out.json\n  \
sightline eval --dataset gnd_roxford5k.pkl --ranks ranks.npy\n  \
sightline eval --dataset roxford5k --data-root data --features db.safetensors --query-features q.safetensors --distractors r1m.safetensors\n  \
sightline eval --dataset gnd_kth.pkl --features db.safetensors --query-features q.safetensors --whiten w.safetensors --rerank aqe:k=3,alpha=3\n  \
sightline eval --dataset gnd_roxford5k.pkl --features db.safetensors --query-features q.safetensors --rerank diffusion --rerank csa:weights=csa.pth\n  \
sightline eval --dataset gnd_roxford5k.pkl --features db.safetensors --query-features q.safetensors --local asmk-star --codebook c.safetensors\n  \
sightline eval --dataset gnd_roxford5k.pkl --features db.safetensors --query-features q.safetensors --compare none aqe:k=3,alpha=3 aqe:k=3,alpha=3+diffusion\n  \
sightline eval --dataset gnd_roxford5k.pkl --images jpg --model how.pth --local asmk-star --codebook c.safetensors --distractors r1m.sasmk"
)]
pub(crate) struct EvalArgs {
    /// The ground truth
    #[arg(long, value_name = "D")]
    pub(crate) dataset: String,

    /// Folder that holds the pictures
    #[arg(long, value_name = "FOLDER")]
    pub(crate) images: Option<PathBuf>,

    /// Folder that holds the known data sets (default: $SIGHTLINE_DATA, then $DB_ROOT)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_root: Option<PathBuf>,

    /// The database's descriptors (a query's too, where the database queries itself)
    #[arg(long, value_name = "SET", conflicts_with = "model")]
    pub(crate) features: Option<PathBuf>,

    /// The queries' descriptors
    #[arg(long, value_name = "SET", conflicts_with_all = ["model", "ranks"])]
    pub(crate) query_features: Option<PathBuf>,

    /// Rankings: .npy [list length, queries] of image indices, or text with one query's indices a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "features"])]
    pub(crate) ranks: Option<PathBuf>,

    /// Descriptors of images that answer no query: they join the database and are only read through. Several are allowed. With
    /// --local asmk or asmk-star, one inverted file of theirs
    #[arg(long, value_name = "SET", conflicts_with = "ranks")]
    pub(crate) distractors: Vec<PathBuf>,

    /// Protocol (default by the kind of ground truth)
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Protocol::ALL.map(Protocol::name)))]
    pub(crate) protocol: Option<String>,

    /// The k of mP@k and of recall at k
    #[arg(long, value_name = "K,K,...", value_delimiter = ',')]
    pub(crate) kappas: Vec<usize>,

    /// Seed of the bootstrap that gives the confidence interval
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    pub(crate) seed: u64,

    /// Write everything as JSON to this file ("-": stdout)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write a self-contained report page; without the pictures (--images) it shows their names
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Queries that the page shows with their answers at most, half from the worst and half from the best end
    #[arg(long, value_name = "N", default_value_t = 100, requires = "report")]
    pub(crate) report_queries: usize,

    /// Show this query on the page, by its name; several are allowed, and no others are shown
    #[arg(long, value_name = "NAME", requires = "report")]
    pub(crate) report_query: Vec<String>,

    /// Answers of a query that the page shows
    #[arg(long, value_name = "N", default_value_t = 10, requires = "report", value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) report_answers: u16,

    #[command(flatten)]
    pub(crate) rerank: RerankArgs,

    /// Evaluate several in one call and compare each with the first, query by query: `none`, or what --rerank takes; `+` joins
    /// stages that follow each other. Descriptors are made once
    #[arg(
        long,
        value_name = "METHOD",
        num_args = 1..,
        conflicts_with_all = ["rerank", "dba", "aqe", "adba"],
        help_heading = "Re-ranking"
    )]
    pub(crate) compare: Vec<String>,

    /// When junk leaves the answers: after re-ranking or before it
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "after",
        help_heading = "Re-ranking"
    )]
    pub(crate) rerank_junk: JunkChoice,

    #[command(flatten)]
    pub(crate) local: LocalEvalArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}
