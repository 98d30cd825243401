//! What may be typed after `dataset`.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Prints a ground truth's totals, what is missing and what is broken
    #[command(
        after_help = "Examples:\n  sightline dataset check gnd_roxford5k.pkl\n  sightline dataset check gnd_kth.pkl --images jpg --json"
    )]
    Check {
        /// The data set
        #[arg(value_name = "D")]
        dataset: String,

        /// Folder that holds the pictures; without it only the ground truth is checked
        #[arg(long, value_name = "FOLDER")]
        images: Option<PathBuf>,

        /// Folder that holds the known data sets (default: $SIGHTLINE_DATA, then $DB_ROOT)
        #[arg(long, value_name = "FOLDER")]
        data_root: Option<PathBuf>,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
