//! What may be typed after `model`.

use super::pull::{PullArgs, TableArgs};
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Prints what a checkpoint or data file holds
    #[command(
        after_help = "Examples:\n  sightline model inspect Resnet101-AP-GeM.pt\n  sightline model inspect weights.pth --json"
    )]
    Inspect {
        /// The file: torch (zip or legacy), pickle, safetensors, npy, npz, Matlab 5, ONNX
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
    /// Writes a network as an ONNX file that other programs run, and checks it by running it
    #[command(
        after_help = "The file says of itself what it is: `--model FILE.onnx` needs no --arch and no --recipe.\n\nExamples:\n  \
sightline model export Resnet101-AP-GeM.pt -o ap-gem.onnx\n  \
sightline model export weights.pth --arch resnet18:layer3/gem --input-size 384x512 -o weights.onnx\n  \
sightline model export checkpoint-epoch100.pth --arch csa --k 1024 -o csa.onnx"
    )]
    Export {
        /// The checkpoint, or `seeded`
        #[arg(value_name = "MODEL")]
        file: PathBuf,

        /// The form to write
        #[arg(long, value_enum, default_value = "onnx")]
        format: ExportFormat,

        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,

        /// Architecture, where the checkpoint does not say it
        #[arg(long, value_name = "NAME")]
        arch: Option<String>,

        /// Make it for pictures of this height and width only (networks that pool over regions need it)
        #[arg(long, value_name = "HxW", value_parser = height_and_width)]
        input_size: Option<[usize; 2]>,

        /// Of CSA's re-ranking network: make it for this number of candidates only
        #[arg(long, value_name = "N")]
        k: Option<usize>,

        /// Print the check as JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists the networks with their papers and published figures, and the published weights that can be pulled
    #[command(
        after_help = "Examples:\n  sightline model list\n  sightline model list token\n  sightline model list --json"
    )]
    List {
        /// Only those whose name contains this; with all published figures
        word: Option<String>,

        #[command(flatten)]
        table: TableArgs,
    },
    /// Downloads published weights, checked and with a receipt
    #[command(
        after_help = "Weights go to networks/ and whiten/ below the data root. What lies on Google Drive has no direct address: the command says \
where to fetch it by hand and where to save it.\n\n\
Exit codes: 0 everything is there, 1 some files failed or must be fetched by hand, 2 wrong usage, 3 nothing could be had.\n\n\
Examples:\n  sightline model pull gl18-tl-resnet101-gem-w --data-root data\n  sightline model pull solar how-r50 --check"
    )]
    Pull(Box<PullArgs>),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ExportFormat {
    Onnx,
}

/// Reads HxW; a network's input has at most 16384 pixels a side.
fn height_and_width(text: &str) -> Result<[usize; 2], String> {
    let side = |text: &str| text.parse().ok().filter(|side| (1..=16384).contains(side));
    text.split_once(['x', 'X'])
        .and_then(|(height, width)| Some([side(height)?, side(width)?]))
        .ok_or_else(|| "it reads HEIGHTxWIDTH in pixels, such as 384x512".to_owned())
}
