//! What may be typed after `model`.

use clap::Subcommand;
use std::path::PathBuf;

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
