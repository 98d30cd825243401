//! What may be typed after `reproduce`.

use clap::Args;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(
    after_help = "Weights are looked for in --models, then in networks/ below the data root, where `sightline model pull` puts them.\n\n\
Exit codes: 0 done, 1 done but some pictures failed, 2 wrong usage, 3 failed or files are missing (each is listed with where it is looked for \
and how to get it).\n\n\
Examples:\n  sightline reproduce\n  sightline reproduce gl18-tl-resnet101-gem-w-rparis6k --data-root data\n  \
sightline reproduce resnet101-ap-gem-rparis6k --data-root data --models weights --json -"
)]
pub(crate) struct ReproduceArgs {
    /// The row; without it all rows are listed
    pub(crate) name: Option<String>,

    /// Folder of the data sets and, in networks/, of the weights (default: $SIGHTLINE_DATA, then $DB_ROOT)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_root: Option<PathBuf>,

    /// Folder of the weights
    #[arg(long, value_name = "FOLDER")]
    pub(crate) models: Option<PathBuf>,

    /// Folder that holds the pictures, where the data set does not say it
    #[arg(long, value_name = "FOLDER")]
    pub(crate) images: Option<PathBuf>,

    /// The distractors' descriptors, for rows among distractors (default: DISTRACTORS/MODEL.safetensors below the data root)
    #[arg(long, value_name = "SET")]
    pub(crate) distractors: Option<PathBuf>,

    /// Another table of rows, in the form of the one that is built in
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,

    /// Where the network runs: cpu, burn, cuda, cuda:1, wgpu
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: String,

    /// Write the result (or the list) as JSON to this file ("-": stdout)
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
