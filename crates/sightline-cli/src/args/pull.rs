//! What may be typed after `dataset pull|list` and `model pull|list`.

use clap::Args;
use std::path::PathBuf;

/// Where addresses come from.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// A table of your own; its entries replace those of the same name, others are added (see docs/data.md)
    #[arg(long, value_name = "FILE", env = "SIGHTLINE_PULL_TABLE")]
    pub(crate) table: Option<PathBuf>,

    /// Folder that everything lies below (default: $SIGHTLINE_DATA, then $DB_ROOT)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_root: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// What to pull: NAME, or NAME:GROUP for a part of it; `list` prints them
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,

    /// Only these of numbered files, such as 0-3,7
    #[arg(long, value_name = "NUMBERS")]
    pub(crate) parts: Option<String>,

    #[command(flatten)]
    pub(crate) table: TableArgs,

    /// Ask this server instead: https://a.org/b becomes PREFIX/a.org/b
    #[arg(long, value_name = "PREFIX", env = "SIGHTLINE_PULL_MIRROR")]
    pub(crate) mirror: Option<String>,

    /// Download nothing; compare what is there with its receipts, byte for byte
    #[arg(long)]
    pub(crate) check: bool,

    /// Download nothing; say what would be, from where and to where
    #[arg(long, conflicts_with = "check")]
    pub(crate) dry_run: bool,

    /// Remove archives once they are unpacked (without it they are kept)
    #[arg(long)]
    pub(crate) delete_archives: bool,

    /// How often one address is tried in a row without getting further
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) tries: u32,

    /// Longest silence of a server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) stall: u64,
}
