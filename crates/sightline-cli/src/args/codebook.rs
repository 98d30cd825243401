//! What may be typed after `local codebook`, `local vlad` and `local token`.

use clap::{Args, Subcommand, ValueEnum};
use sightline::local::{VladNormalisation, codebook_size};
use sightline::nn::TokenOptions;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum CodebookCommand {
    /// Trains visual words on a file of local features
    #[command(
        after_help = "The form faiss trains exactly as FAISS's Clustering does, which is what ASMK and HOW use: on all features, or 256 a word \
drawn at random. The form minibatch is for many words on many features: each iteration moves the words by a batch. After every iteration \
the state is kept beside the output (CODEBOOK.state) until the training is done; --resume goes on from it.\n\nExamples:\n  \
sightline local codebook train db.safetensors -o codebook.safetensors --words 64k\n  \
sightline local codebook train train.safetensors -o codebook.safetensors --words 64k --images 20000 --scale1-only\n  \
sightline local codebook train db.safetensors -o small.safetensors --words 64 --start plus-plus --iterations 20\n  \
sightline local codebook train big.safetensors -o codebook.safetensors --words 64k --form minibatch --resume"
    )]
    Train(CodebookTrainArgs),
    /// Says what is in a codebook
    #[command(after_help = "Example:\n  sightline local codebook info codebook.safetensors --json")]
    Info(CodebookInfoArgs),
}

#[derive(Args, Debug)]
pub(crate) struct CodebookTrainArgs {
    /// The file of local features
    #[arg(value_name = "FEATURES")]
    pub(crate) features: PathBuf,

    /// The codebook to write (safetensors, whatever its ending)
    #[arg(long, short, value_name = "CODEBOOK")]
    pub(crate) output: PathBuf,

    /// How many words: a number, or such as 64k (65536)
    #[arg(long, default_value = "64k", value_name = "K", value_parser = words)]
    pub(crate) words: usize,

    /// How features move the words
    #[arg(long, value_enum, default_value = "faiss")]
    pub(crate) form: CodebookForm,

    /// Which words it starts from
    #[arg(long, value_enum, default_value = "random")]
    pub(crate) start: CodebookStart,

    /// Passes over the features, or batches (default: 10, with --form minibatch 100)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) iterations: Option<u32>,

    /// Features of a batch (default: 4 a word, 16384 at least)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: Option<u32>,

    /// Seed of all draws
    #[arg(long, default_value_t = 1234, value_name = "N")]
    pub(crate) seed: u32,

    /// Go on from what an interrupted training left beside the output
    #[arg(long)]
    pub(crate) resume: bool,

    /// Train on the first N pictures only
    #[arg(long, value_name = "N")]
    pub(crate) images: Option<usize>,

    /// Train on the N strongest features of each picture at most
    #[arg(long, value_name = "N")]
    pub(crate) per_image: Option<usize>,

    /// Train on features found at scale 1 only
    #[arg(long)]
    pub(crate) scale1_only: bool,

    /// Print what was trained as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CodebookForm {
    /// As FAISS does: on all features in every iteration, or 256 a word drawn at random
    Faiss,
    /// On a batch of features in every iteration
    Minibatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CodebookStart {
    /// Features drawn at random, as FAISS draws them
    Random,
    /// Features drawn far from one another (k-means++)
    PlusPlus,
}

#[derive(Args, Debug)]
pub(crate) struct CodebookInfoArgs {
    /// The codebook: a file of `codebook train`, or a pickled one of asmk
    #[arg(value_name = "CODEBOOK")]
    pub(crate) codebook: PathBuf,

    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The set is an ordinary descriptor set, WORDS x VALUES long: `eval --features`, `whiten learn|apply` and others take it. \
Queries need the same codebook and normalisation.\n\nExamples:\n  \
sightline local vlad db.safetensors --codebook codebook.safetensors -o vlad.safetensors\n  \
sightline whiten learn vlad.safetensors -o pca.safetensors --dims 128\n  \
sightline whiten apply vlad.safetensors -w pca.safetensors -o vlad128.safetensors"
)]
pub(crate) struct VladArgs {
    /// The file of local features
    #[arg(value_name = "FEATURES")]
    pub(crate) features: PathBuf,

    /// The codebook: a file of `codebook train`, or a pickled one of asmk
    #[arg(long, value_name = "CODEBOOK")]
    pub(crate) codebook: PathBuf,

    /// The set to write: .safetensors or .npy
    #[arg(long, short, value_name = "SET")]
    pub(crate) output: PathBuf,

    /// raw, l2, ssr_l2 (square roots first), intra_l2 (each word's part first) or ssr_intra_l2 (both)
    #[arg(long, default_value = "intra_l2", value_name = "HOW")]
    pub(crate) normalise: VladNormalisation,

    /// Write 16-bit floats
    #[arg(long)]
    pub(crate) half: bool,

    /// Print what was written as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(
    after_help = "The set is an ordinary descriptor set, 1024 values long: `eval --features`, `whiten learn|apply` and others take it. \
Queries need the same weights. WEIGHTS is a state dict with Token's names, `tr.conv.0.weight` being a matrix that takes a feature; \
`seeded` is a network with random weights.\n\nExamples:\n  \
sightline local token db.safetensors --model how-token.pth -o db-token.safetensors\n  \
sightline local token q.safetensors --model how-token.pth -o q-token.safetensors\n  \
sightline eval --dataset gnd.pkl --features db-token.safetensors --query-features q-token.safetensors"
)]
pub(crate) struct TokenArgs {
    /// The file of local features
    #[arg(value_name = "FEATURES")]
    pub(crate) features: PathBuf,

    /// The network that puts them together: a checkpoint, or seeded
    #[arg(long, value_name = "WEIGHTS")]
    pub(crate) model: PathBuf,

    /// token, with -lN (tokens), -dN (their length), -hN (heads of attention); weights say the first two themselves
    #[arg(long, default_value = "token", value_name = "NAME", value_parser = TokenOptions::parse)]
    pub(crate) arch: TokenOptions,

    /// The set to write: .safetensors or .npy
    #[arg(long, short, value_name = "SET")]
    pub(crate) output: PathBuf,

    /// Write 16-bit floats
    #[arg(long)]
    pub(crate) half: bool,

    /// Print what was written as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Words of a codebook.
fn words(text: &str) -> Result<usize, String> {
    codebook_size(text).ok_or_else(|| {
        format!("{text} is no number of words; write a whole number, or one in thousands of 1024 such as 64k")
    })
}
