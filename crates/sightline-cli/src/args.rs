//! What may be typed: one structure a subcommand, and those that several share.
//!
//! Nothing here computes. The completions and the manual page are made from these definitions.

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use sightline::eval::Protocol;
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
    Demo(DemoArgs),
    /// Turns pictures into a set of descriptors
    Extract(Box<ExtractArgs>),
    /// Finds the pictures that show the same thing as the query
    Search(Box<SearchArgs>),
    /// Evaluates a model, a set of descriptors or rankings against a ground truth
    Eval(Box<EvalArgs>),
    /// Looks into a checkpoint, or converts it
    Model {
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Checks ground truths and the pictures they name
    Dataset {
        #[command(subcommand)]
        command: DatasetCommand,
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

/// Which network, and on what it runs.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// Checkpoint of an original project, or `seeded` for a network with random (but fixed) weights
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// Architecture, where the checkpoint does not say it: resnet101/gem, or up to a stage, resnet18:layer3/gem
    #[arg(long, value_name = "NAME")]
    pub(crate) arch: Option<String>,

    /// Where the network runs: cpu (a recorded plan), burn (the network itself, on the CPU), cuda, cuda:1, wgpu
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: String,

    /// Scales at which every picture is described; the descriptors are pooled (default 1)
    #[arg(long, value_name = "S,S,...", value_delimiter = ',')]
    pub(crate) scales: Vec<f64>,

    /// Whitening of the checkpoint to apply, by its name (`model inspect` lists them)
    #[arg(long, value_name = "NAME")]
    pub(crate) whiten: Option<String>,

    /// Power of the whitening's eigenvalues (default as dirtorch: 0.25 for eval, else 0.5)
    #[arg(long, value_name = "P", requires = "whiten")]
    pub(crate) whitenp: Option<f64>,

    /// Number of whitened dimensions to keep
    #[arg(long, value_name = "D", requires = "whiten")]
    pub(crate) whitenv: Option<usize>,

    /// Multiplier of the whitening's eigenvalues
    #[arg(long, value_name = "M", requires = "whiten")]
    pub(crate) whitenm: Option<f64>,
}

/// How a picture becomes the network's input.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Recipe")]
pub(crate) struct RecipeArgs {
    /// Named recipe: dirtorch, cirtorch, token, how, solar, delg, netvlad, cgd, cgd-tf, superglobal, photos
    #[arg(long, value_name = "NAME")]
    pub(crate) recipe: Option<String>,

    /// Longer side at most this many pixels (shrinks only)
    #[arg(long, value_name = "PIXELS", conflicts_with_all = ["short_size", "square"])]
    pub(crate) size: Option<u32>,

    /// Shorter side this many pixels
    #[arg(long, value_name = "PIXELS", conflicts_with = "square")]
    pub(crate) short_size: Option<u32>,

    /// Both sides this many pixels
    #[arg(long, value_name = "PIXELS")]
    pub(crate) square: Option<u32>,

    /// dirtorch's transform text, such as "Scale(1050, largest=True)"; several are several passes, pooled
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    pub(crate) trfs: Vec<String>,

    /// Any other value of the recipe, such as resize.filter=bilinear (the card shows all of them)
    #[arg(long, value_name = "STEP=VALUE", value_parser = step_value)]
    pub(crate) set: Vec<(String, serde_json::Value)>,

    /// Pixel means, in 0..1
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1)]
    pub(crate) mean: Vec<f64>,

    /// Pixel standard deviations, in 0..1
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1)]
    pub(crate) std: Vec<f64>,

    /// Turn pictures as their EXIF orientation says
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) orientation: Option<OrientationChoice>,

    /// What to do with pictures whose data ends early
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) truncated: Option<TruncatedChoice>,

    /// Refuse pictures with more pixels than this
    #[arg(long, value_name = "N", default_value_t = 178_956_970)]
    pub(crate) max_pixels: u64,
}

/// Reads STEP=VALUE; a value that is no JSON is text.
fn step_value(text: &str) -> Result<(String, serde_json::Value), String> {
    let (step, value) = text
        .split_once('=')
        .ok_or("it reads STEP=VALUE, such as resize.filter=bilinear")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((step.trim().to_owned(), value))
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OrientationChoice {
    Apply,
    Ignore,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TruncatedChoice {
    Refuse,
    Tolerate,
}

impl ModelArgs {
    /// Whether neither scales nor a whitening were asked for.
    pub(crate) fn asks_nothing_else(&self) -> bool {
        self.scales.is_empty() && self.whiten.is_none()
    }
}

impl RecipeArgs {
    /// Whether nothing was asked for that changes a recipe.
    pub(crate) fn is_default(&self) -> bool {
        let sizes = self.size.is_none() && self.short_size.is_none() && self.square.is_none();
        let values =
            self.mean.is_empty() && self.std.is_empty() && self.set.is_empty() && self.trfs.is_empty();
        self.recipe.is_none() && sizes && values && self.orientation.is_none() && self.truncated.is_none()
    }
}

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

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(
    after_help = "IMAGES is a folder (searched recursively), a picture, a list (@list.txt, one path a line), a ground truth \
with --images, or a dirtorch data set such as 'ImageList(\"list.txt\",\"root\")'.\n\nExamples:\n  \
sightline extract photos -o photos.safetensors --model weights.pth --arch resnet18:layer3/gem\n  \
sightline extract gnd_kth.pkl --images jpg --side queries -o q.safetensors --model weights.pth\n  \
sightline extract photos -o part1.safetensors --shard 1/4 --model weights.pth\n  \
sightline extract merge part*.safetensors -o photos.safetensors"
)]
pub(crate) struct ExtractArgs {
    #[command(subcommand)]
    pub(crate) merge: Option<ExtractCommand>,

    /// The pictures
    #[arg(required = true, value_name = "IMAGES")]
    pub(crate) images: Option<String>,

    /// The set to write: .safetensors or .npy
    #[arg(long, short, required = true, value_name = "SET")]
    pub(crate) output: Option<PathBuf>,

    /// Folder that holds a ground truth's pictures
    #[arg(long = "images", value_name = "FOLDER")]
    pub(crate) pictures: Option<PathBuf>,

    /// Which side of a ground truth to describe
    #[arg(long, value_enum, default_value = "database")]
    pub(crate) side: Side,

    /// Store float16 in place of float32
    #[arg(long)]
    pub(crate) half: bool,

    /// Describe only the i-th of n equal parts of the list (from 1); put them together with `extract merge`
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<String>,

    /// Begin anew, throwing away what an interrupted run left
    #[arg(long)]
    pub(crate) restart: bool,

    /// Memory for decoded pictures that wait for the network, in MiB
    #[arg(long, default_value_t = 512, value_name = "MIB")]
    pub(crate) memory: usize,

    /// Largest number of equally large pictures to run at once
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) batch: usize,

    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExtractCommand {
    /// Puts the sets of all shards together
    Merge {
        /// The shards' sets, in any order
        #[arg(required = true, num_args = 1.., value_name = "SET")]
        sets: Vec<PathBuf>,

        /// The set to write
        #[arg(long, short, value_name = "SET")]
        output: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Side {
    Database,
    Queries,
}

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
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["model", "features", "ranks"]))]
#[command(
    after_help = "D is a ground truth (gnd_*.pkl, .mat, .json), a folder of classic text files, a known name under --data-root, \
a labelled folder, or a dirtorch data set.\n\nExamples:\n  \
sightline eval --dataset gnd_kth.pkl --images jpg --model weights.pth --arch resnet18:layer3/gem --recipe cirtorch --size 512\n  \
sightline eval --dataset gnd_roxford5k.pkl --features db.safetensors --query-features q.safetensors --json out.json\n  \
sightline eval --dataset gnd_roxford5k.pkl --ranks ranks.npy"
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
    #[arg(long, value_name = "SET", requires = "features")]
    pub(crate) query_features: Option<PathBuf>,

    /// Rankings: .npy [list length, queries] of image indices, or text with one query's indices a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "features"])]
    pub(crate) ranks: Option<PathBuf>,

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

    /// Write a self-contained report page
    #[arg(long, value_name = "FILE", requires = "images")]
    pub(crate) report: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Prints what a checkpoint or data file holds
    #[command(
        after_help = "Examples:\n  sightline model inspect Resnet101-AP-GeM.pt\n  sightline model inspect weights.pth --json"
    )]
    Inspect {
        /// The file: torch (zip or legacy), pickle, safetensors, npy, npz, Matlab 5
        file: PathBuf,

        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Writes a checkpoint's tensors as safetensors, with what is known of it as metadata
    #[command(after_help = "Example:\n  sightline model convert Resnet101-AP-GeM.pt -o ap-gem.safetensors")]
    Convert {
        /// The file to read
        file: PathBuf,

        /// The .safetensors file to write
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_do_not_contradict_each_other() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
