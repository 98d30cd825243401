//! What may be typed after `local`.

use super::{CodebookCommand, LocalIndexCommand, ModelArgs, RecipeArgs, Side, TokenArgs, VladArgs, WorkArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum LocalCommand {
    /// Turns pictures into a file of local features
    Extract(Box<LocalExtractArgs>),
    /// Says what is in a file of local features
    #[command(after_help = "Example:\n  sightline local info db.safetensors --verify")]
    Info(LocalInfoArgs),
    /// Visual words: trains them, says what a codebook holds
    Codebook {
        /// What to do
        #[command(subcommand)]
        command: CodebookCommand,
    },
    /// Turns a file of local features into a set of VLAD descriptors
    Vlad(VladArgs),
    /// Turns a file of local features into a set of descriptors with Token's network
    Token(TokenArgs),
    /// ASMK indexes: made of local features, changed, searched
    Index {
        #[command(subcommand)]
        command: LocalIndexCommand,
    },
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(
    after_help = "IMAGES is what `sightline extract` takes. Every picture is described at --scales (default: HOW's seven, 2 to 0.25), and the \
strongest --features over all of them are kept. A whitening (learned with `sightline whiten learn` from local features) is applied to \
every feature, as a linear map.\n\nExamples:\n  \
sightline local extract photos -o raw.safetensors --model trunk.safetensors --arch resnet18:layer3/how-unreduced --scales 1\n  \
sightline whiten learn raw.safetensors -o white.safetensors --dims 128\n  \
sightline local extract gnd_kth.pkl --images jpg -o db.safetensors --model trunk.safetensors --arch resnet18:layer3/how-unreduced \
--whiten white.safetensors\n  \
sightline local extract gnd_kth.pkl --images jpg --side queries -o q.safetensors --model how.pth\n  \
sightline local extract photos -o part1.safetensors --shard 1/4 --model how.pth\n  \
sightline local extract merge part*.safetensors -o photos.safetensors"
)]
pub(crate) struct LocalExtractArgs {
    #[command(subcommand)]
    pub(crate) merge: Option<LocalExtractCommand>,

    /// The pictures
    #[arg(required = true, value_name = "IMAGES")]
    pub(crate) images: Option<String>,

    /// The file to write (safetensors, whatever its ending)
    #[arg(long, short, required = true, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Which side of a ground truth to describe
    #[arg(long, value_enum, default_value = "database")]
    pub(crate) side: Side,

    /// Features of a picture at most, the strongest (0: all of them)
    #[arg(long, default_value_t = sightline::HOW_FEATURES, value_name = "N")]
    pub(crate) features: usize,

    /// Divide whitened features by their length
    #[arg(long, requires = "whiten")]
    pub(crate) whiten_l2: bool,

    #[command(flatten)]
    pub(crate) work: WorkArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) recipe: RecipeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LocalExtractCommand {
    /// Puts the files of all shards together
    Merge {
        /// The shards' files, in any order
        #[arg(required = true, num_args = 1.., value_name = "FILE")]
        files: Vec<PathBuf>,

        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(crate) struct LocalInfoArgs {
    /// The file of local features
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Read all of it and compare it with its checksums
    #[arg(long)]
    pub(crate) verify: bool,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
