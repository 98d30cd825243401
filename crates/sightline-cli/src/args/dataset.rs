//! What may be typed after `dataset`.

use super::pull::{PullArgs, TableArgs};
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
    /// Lists the published data sets that can be pulled, with size and terms
    #[command(after_help = "Examples:\n  sightline dataset list\n  sightline dataset list --json")]
    List(TableArgs),
    /// Downloads published data sets: continued where it broke off, checked, unpacked
    #[command(
        after_help = "Archives are unpacked and kept (--delete-archives removes them). A receipt beside each file records address, day, \
size and SHA-256. Ctrl-C loses nothing: the same command continues.\n\n\
Exit codes: 0 everything is there, 1 some files failed or must be fetched by hand, 2 wrong usage, 3 nothing could be had.\n\n\
Examples:\n  sightline dataset pull roxford5k --data-root data\n  sightline dataset pull gldv2:index --parts 0-3 --data-root data\n  \
sightline dataset pull roxford5k --check"
    )]
    Pull(Box<PullArgs>),
}
