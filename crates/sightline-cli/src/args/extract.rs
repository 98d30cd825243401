//! What may be typed after `extract`.

use super::{ModelArgs, RecipeArgs};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(
    after_help = "IMAGES is a folder (searched recursively), a picture, a list (@list.txt, one path a line), a ground truth \
with --images, a known name under --data-root, or a dirtorch data set such as 'ImageList(\"list.txt\",\"root\")'.\n\nExamples:\n  \
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

    /// Which side of a ground truth to describe; both: into NAME.dbdescs.npy and NAME.qdescs.npy, as dirtorch (one file where the
    /// images query themselves)
    #[arg(long, value_enum, default_value = "database")]
    pub(crate) side: Sides,

    #[command(flatten)]
    pub(crate) work: WorkArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}

/// Where the pictures of a data set lie, and how the work is done: shared by `extract` and `local extract`.
#[derive(Args, Clone, Debug)]
pub(crate) struct WorkArgs {
    /// Folder that holds a ground truth's pictures
    #[arg(long = "images", value_name = "FOLDER")]
    pub(crate) pictures: Option<PathBuf>,

    /// Folder that holds the known data sets (default: $SIGHTLINE_DATA, then $DB_ROOT)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_root: Option<PathBuf>,

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

/// What `--side` takes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sides {
    Database,
    Queries,
    Both,
}

/// One side of a data set.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Side {
    Database,
    Queries,
}
