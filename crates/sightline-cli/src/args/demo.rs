//! What may be typed after `demo`.

use super::ModelArgs;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  sightline demo\n  sightline demo ~/Pictures -o my-report.html")]
pub(crate) struct DemoArgs {
    /// Folder of your own pictures; without it, scenes are drawn on the spot
    pub(crate) folder: Option<PathBuf>,

    /// The report page
    #[arg(long, short, default_value = "report.html", value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Number of scenes to draw
    #[arg(long, default_value_t = 25, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) scenes: u32,

    /// Seed of the scenes
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub(crate) seed: u64,

    /// Keep the drawn pictures and their ground truth in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "folder")]
    pub(crate) keep: Option<PathBuf>,

    /// Answers a query on the page
    #[arg(short, default_value_t = 6, value_name = "K")]
    pub(crate) k: usize,

    #[command(flatten)]
    pub(crate) model: ModelArgs,
}
