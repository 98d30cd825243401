//! What may be typed: one file a subcommand, and those that several share.
//!
//! Nothing here computes. The completions and the manual page are made from these definitions.

mod bench;
mod codebook;
mod dataset;
mod demo;
mod eval;
mod extract;
mod graph;
mod local;
mod local_eval;
mod local_index;
mod model;
mod network;
mod pull;
mod recipe;
mod reproduce;
mod rerank;
mod search;
mod show;
mod whiten;

pub(crate) use bench::{
    BenchAsmkArgs, BenchCommand, BenchCsaArgs, BenchExtractArgs, BenchGraphArgs, BenchHomographyArgs,
    BenchKMeansArgs, BenchPrepareArgs, BenchRerankArgs, BenchSearchArgs,
};
pub(crate) use codebook::{
    CodebookCommand, CodebookForm, CodebookInfoArgs, CodebookStart, CodebookTrainArgs, TokenArgs, VladArgs,
};
pub(crate) use dataset::DatasetCommand;
pub(crate) use demo::DemoArgs;
pub(crate) use eval::EvalArgs;
pub(crate) use extract::{ExtractArgs, ExtractCommand, Side, Sides, WorkArgs};
pub(crate) use graph::{GraphCommand, GraphCreateArgs, GraphInfoArgs};
pub(crate) use local::{LocalCommand, LocalExtractArgs, LocalExtractCommand, LocalInfoArgs};
pub(crate) use local_eval::{LocalEvalArgs, LocalMethod};
pub(crate) use local_index::{
    IndexAddArgs, IndexCreateArgs, IndexRemoveArgs, IndexSearchArgs, IndexStatsArgs, LocalIndexCommand,
};
pub(crate) use model::{ExportFormat, ModelCommand};
pub(crate) use network::{ModelArgs, PoolingChoice};
pub(crate) use pull::{PullArgs, TableArgs};
pub(crate) use recipe::{OrientationChoice, RecipeArgs, TruncatedChoice};
pub(crate) use reproduce::ReproduceArgs;
pub(crate) use rerank::{JunkChoice, RerankArgs};
pub(crate) use search::SearchArgs;
pub(crate) use show::{
    MarkChoice, ShowAttentionArgs, ShowCommand, ShowDataArgs, ShowMatchesArgs, ShowRankingArgs,
    VerificationArgs,
};
pub(crate) use whiten::{ApplyArgs, LearnArgs, Method, WhitenCommand};

use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Finds pictures of the same thing.
///
/// Give it a picture of a building, a product or a place, and it returns the pictures of that same object from a
/// collection. It extracts descriptors with the networks of the literature, searches exactly, and evaluates with the
/// protocols of the papers.
#[derive(Debug, Parser)]
#[command(name = "sightline", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 done but some inputs failed (each is listed), 2 wrong usage, 3 failed.\n\n\
Examples:\n  sightline demo\n  sightline search --in photos query.jpg --model weights.pth --arch resnet18:layer3/gem\n  \
sightline eval --dataset gnd_kth.pkl --images jpg --model weights.pth --arch resnet18:layer3/gem --recipe cirtorch --size 512"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Number of threads for decoding, the network and search (0: one a core)
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub(crate) threads: usize,

    /// Say nothing on stderr but errors: no progress, no remarks
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows everything on pictures drawn on the spot, or on your own folder, and writes a report page
    Demo(Box<DemoArgs>),
    /// Turns pictures into a set of descriptors
    Extract(Box<ExtractArgs>),
    /// Local features: many a picture, each at a place of its own
    Local {
        #[command(subcommand)]
        command: LocalCommand,
    },
    /// Finds the nearest neighbours of every picture of a set, for re-ranking
    Graph {
        #[command(subcommand)]
        command: GraphCommand,
    },
    /// Learns a whitening from descriptors, or applies one
    Whiten {
        #[command(subcommand)]
        command: WhitenCommand,
    },
    /// Finds the pictures that show the same thing as the query
    Search(Box<SearchArgs>),
    /// Evaluates a model, a set of descriptors or rankings against a ground truth
    Eval(Box<EvalArgs>),
    /// Evaluates a published row and prints published, got and difference
    Reproduce(Box<ReproduceArgs>),
    /// Looks into a checkpoint, converts it, exports its network, or downloads published weights
    Model {
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Checks ground truths and the pictures they name, or downloads published sets
    Dataset {
        #[command(subcommand)]
        command: DatasetCommand,
    },
    /// Draws what the parts do: matches between two pictures
    Show {
        #[command(subcommand)]
        command: ShowCommand,
    },
    /// Measures how fast the parts are on this machine, and how much memory they need
    Bench {
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Prints a completion script for your shell
    #[command(
        after_help = "Example:\n  sightline completions bash > ~/.local/share/bash-completion/completions/sightline"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Writes the manual pages into a folder
    #[command(after_help = "Example:\n  sightline man ~/.local/share/man/man1")]
    Man {
        /// Folder for `sightline.1` and one page a subcommand; it is made where it does not exist
        folder: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_do_not_contradict_each_other() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
