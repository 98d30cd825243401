//! What may be typed after `graph`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum GraphCommand {
    /// Finds the nearest neighbours of every picture of a set among all of them
    #[command(
        after_help = "Every two descriptors are compared once, exactly, on all cores. While it goes on the state is kept beside the output (GRAPH.state); \
the same command goes on from it after an interruption.\n\nExamples:\n  \
sightline graph create db.safetensors -o db.graph.safetensors -k 50\n  \
sightline graph create db.safetensors -o all.graph.safetensors --distractors r1m.safetensors\n  \
sightline eval --dataset gnd_roxford5k.pkl --features db.safetensors --query-features q.safetensors --rerank k-reciprocal --graph db.graph.safetensors"
    )]
    Create(GraphCreateArgs),
    /// Says what is in a graph
    #[command(after_help = "Example:\n  sightline graph info db.graph.safetensors --json")]
    Info(GraphInfoArgs),
}

#[derive(Args, Debug)]
pub(crate) struct GraphCreateArgs {
    /// The descriptors
    #[arg(value_name = "SET")]
    pub(crate) set: PathBuf,

    /// The graph to write (safetensors, whatever its ending)
    #[arg(long, short, value_name = "GRAPH")]
    pub(crate) output: PathBuf,

    /// Neighbours of each picture, itself counted
    #[arg(short, default_value_t = 50, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) k: u32,

    /// Further descriptors behind the set, as in eval; several are allowed
    #[arg(long, value_name = "SET")]
    pub(crate) distractors: Vec<PathBuf>,

    /// Keep the state every so many seconds
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) save_every: f64,

    /// Print what was made as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=1e6).contains(seconds));
    seconds.ok_or_else(|| "should be a number of seconds from 0".to_owned())
}

#[derive(Args, Debug)]
pub(crate) struct GraphInfoArgs {
    /// The graph
    #[arg(value_name = "GRAPH")]
    pub(crate) graph: PathBuf,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
