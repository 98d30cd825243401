//! What may be typed after `bench`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Pictures a second and peak memory of networks, or with --in how much of an extraction is not the network
    #[command(
        after_help = "Each combination of network, device and size runs in a process of its own, so that the peak memory is its own. \
The pictures are noise.\n\nExamples:\n  sightline bench extract --arch resnet18/gem,resnet50/gem --size 224,1024 --threads 2\n  \
sightline bench extract --model weights.pth --arch resnet18:layer3/gem --size 512 --device cpu,burn --json\n  \
sightline bench extract --in photos --model weights.pth --arch resnet18:layer3/gem --recipe cirtorch --size 512"
    )]
    Extract(BenchExtractArgs),
    /// Time and memory of exact search among rows of noise that lie in a file
    #[command(
        after_help = "Examples:\n  sightline bench search --rows 100000 --dim 512 --queries 1000 -k 50\n  \
sightline bench search --rows 1001001 --dim 2048 --queries 70 --half --keep noise.safetensors"
    )]
    Search(BenchSearchArgs),
    /// Time from a picture file to the network's input, on one thread
    #[command(
        after_help = "Example:\n  sightline bench prepare photos --recipe cirtorch,photos --size 512,1024"
    )]
    Prepare(BenchPrepareArgs),
    /// Time, size and memory of an ASMK index of features that are drawn
    #[command(
        after_help = "The word of a feature follows a Zipf distribution and its residual is noise, so that no codebook is needed; a query is an \
image with noise. With --quantise descriptors and codebook are drawn, and words are assigned as well. One query is asked after another, then \
all at once.\n\nExamples:\n  sightline bench asmk --images 100000 --features 1000 --threads 1\n  \
sightline bench asmk --images 2000 --features 300 --words 4096 --quantise --queries 20"
    )]
    Asmk(BenchAsmkArgs),
    /// Time and accuracy of robust homographies from made-up matches, on one thread
    #[command(
        after_help = "scripts/homography_in_opencv.py fits the same matches with OpenCV.\n\n\
Example:\n  sightline bench homography --matches 1000 --inliers 0.3 --noise 1"
    )]
    Homography(BenchHomographyArgs),
    /// Time of k-means on vectors that are drawn
    #[command(
        after_help = "Vector i is the noise of row i plus twice that of centre i mod --centres, each uniform in [-1, 1). The training is that of \
`local codebook train --form faiss`.\n\nExample:\n  sightline bench kmeans --rows 1000000 --dim 128 --words 4096 --threads 2"
    )]
    Kmeans(BenchKMeansArgs),
    /// Time of the graph of neighbours of descriptors that are drawn
    #[command(
        after_help = "Descriptor i is the noise of row i plus that of centre i mod --centres, each uniform in [-1, 1), divided by its length. \
scripts/beside_python.py --only graph lets FAISS search the same.\n\nExample:\n  sightline bench graph --rows 100000 --dim 512 -k 50 --threads 2"
    )]
    Graph(BenchGraphArgs),
    /// Time and memory of re-ranking among descriptors that are drawn
    #[command(
        after_help = "Images are those of `bench graph`; query q is noise of its own plus centre 7919 q mod --centres. scripts/rerank_beside_python.py runs the \
original methods on the same.\n\nExamples:\n  sightline bench rerank --method k-reciprocal --images 100000 --dim 512 --queries 70\n  \
sightline bench rerank --method diffusion:form=paper --images 100000 --graph 50"
    )]
    Rerank(BenchRerankArgs),
    /// Milliseconds a query of CSA's re-ranking network, at the published size unless told otherwise
    #[command(
        after_help = "The weights are seeded, the hidden layers four times as wide as a token, and the affinities noise. \
scripts/csa_in_onnxruntime.py lets ONNX Runtime run the same network in turns.\n\nExamples:\n  sightline bench csa --threads 1\n  \
sightline bench csa --queries 8 --batch 4 --by sightline,rten --export csa.onnx"
    )]
    Csa(BenchCsaArgs),
}

#[derive(Args, Debug)]
pub(crate) struct BenchCsaArgs {
    /// Tokens: the query and its candidates (K + 1)
    #[arg(long, value_name = "N", default_value_t = 1025, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub(crate) tokens: u32,

    /// Anchors (L)
    #[arg(long, value_name = "L", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) anchors: u32,

    /// Channels of a token
    #[arg(long, value_name = "D", default_value_t = 768, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) width: u32,

    /// Heads of the attention
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) heads: u32,

    /// Blocks
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) depth: u32,

    /// Queries of a round
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) queries: u32,

    /// Queries that are run together
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) batch: u32,

    /// Rounds, after one to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,

    /// What runs it: sightline, rten
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "sightline"
    )]
    pub(crate) by: Vec<String>,

    /// Write the network as an ONNX file
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,

    /// Print JSON, with the scores of the first query
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchRerankArgs {
    /// The method and its settings, as --rerank of eval takes them; several run one behind the other
    #[arg(long, value_name = "METHOD:KEY=VALUE,...", required = true)]
    pub(crate) method: Vec<String>,

    /// Images
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000_000))]
    pub(crate) images: u32,

    /// Values of a descriptor
    #[arg(long, value_name = "D", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) dim: u32,

    /// Centres that they lie around (0: noise alone; default: one for ten images)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    pub(crate) centres: Option<u32>,

    /// Queries
    #[arg(long, value_name = "N", default_value_t = 70, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) queries: u32,

    /// Make the graph of so many neighbours of each image beforehand, as if it had been stored (0: none)
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub(crate) graph: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchGraphArgs {
    /// Descriptors
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub(crate) rows: u32,

    /// Values of a descriptor
    #[arg(long, value_name = "D", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) dim: u32,

    /// Centres that they lie around (0: noise alone; default: one for ten descriptors)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    pub(crate) centres: Option<u32>,

    /// Neighbours of each
    #[arg(short, value_name = "K", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) k: u32,

    /// Graphs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchKMeansArgs {
    /// Vectors
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub(crate) rows: u32,

    /// Values of a vector
    #[arg(long, value_name = "D", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) dim: u32,

    /// Centres that the vectors lie around (0: noise alone)
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub(crate) centres: u32,

    /// Words, as a number or such as 4k
    #[arg(long, value_name = "K", default_value = "1024")]
    pub(crate) words: String,

    /// Iterations of a training
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) iterations: u32,

    /// Trainings
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchAsmkArgs {
    /// Images
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) images: u32,

    /// Features of an image
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) features: u32,

    /// Values of a descriptor
    #[arg(long, value_name = "D", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) dim: u32,

    /// Words of the codebook, as a number or such as 64k
    #[arg(long, value_name = "K", default_value = "64k")]
    pub(crate) words: String,

    /// Exponent of the words' Zipf distribution
    #[arg(long, value_name = "S", default_value_t = 1.0, conflicts_with = "quantise")]
    pub(crate) zipf: f64,

    /// Draw descriptors and a codebook, and assign words
    #[arg(long)]
    pub(crate) quantise: bool,

    /// Keep values in place of signs
    #[arg(long)]
    pub(crate) float: bool,

    /// Let words count by how rare they are
    #[arg(long)]
    pub(crate) idf: bool,

    /// Words of a feature of a query
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) assign: u32,

    /// Queries
    #[arg(long, value_name = "Q", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) queries: u32,

    /// Best images wanted for each query
    #[arg(short, value_name = "K", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) k: u32,

    /// Megabytes of entries in memory while building
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) memory: u32,

    /// Where the index lies; it is kept
    #[arg(long, value_name = "FILE")]
    pub(crate) keep: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchExtractArgs {
    /// Architectures, with seeded weights where no model is given [default: resnet18/gem, resnet50/gem, resnet101/gem]
    #[arg(long, value_name = "A,...", value_delimiter = ',')]
    pub(crate) arch: Vec<String>,

    /// Checkpoint of an original project, in place of seeded weights
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,

    /// Sides of the square pictures of noise [default: 224, 512, 1024]; with --in the longer side of the pictures at most
    #[arg(long, value_name = "PIXELS,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=16384))]
    pub(crate) size: Vec<u32>,

    /// Where the networks run, as for extract
    #[arg(long, value_name = "DEVICE,...", value_delimiter = ',', default_value = "cpu")]
    pub(crate) device: Vec<String>,

    /// Pictures of a batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) batch: u32,

    /// Rounds that are timed, after one that warms up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub(crate) rounds: u32,

    /// Extract these pictures and say how much of the time is not the network
    #[arg(long = "in", value_name = "FOLDER", conflicts_with = "batch")]
    pub(crate) pictures: Option<PathBuf>,

    /// Recipe for the pictures of --in
    #[arg(long, value_name = "NAME", requires = "pictures")]
    pub(crate) recipe: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure the one configuration in this process
    #[arg(long, hide = true)]
    pub(crate) here: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchSearchArgs {
    /// Rows of the set
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rows: u32,

    /// Values of a row
    #[arg(long, value_name = "D", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) dim: u32,

    /// Queries
    #[arg(long, value_name = "Q", default_value_t = 70, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) queries: u32,

    /// Best rows wanted for each query
    #[arg(short, value_name = "K", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) k: u32,

    /// Rows whose ranks are wanted for each query
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) wanted: u32,

    /// Store float16 in place of float32
    #[arg(long)]
    pub(crate) half: bool,

    /// Another number gives other rows, where the set is made
    #[arg(long, value_name = "SEED", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) seed: u32,

    /// Where the set lies (.safetensors or .npy): it is made where it does not exist, and kept
    #[arg(long, value_name = "SET")]
    pub(crate) keep: Option<PathBuf>,

    /// Rounds that are timed, after one that warms up
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub(crate) rounds: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure in this process
    #[arg(long, hide = true, requires = "keep")]
    pub(crate) here: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchPrepareArgs {
    /// Folder of pictures
    #[arg(value_name = "FOLDER")]
    pub(crate) pictures: PathBuf,

    /// Recipes
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        default_value = "cirtorch"
    )]
    pub(crate) recipe: Vec<String>,

    /// Longer sides of the pictures at most; none: the recipe's own size
    #[arg(long, value_name = "PIXELS,...", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=16384))]
    pub(crate) size: Vec<u32>,

    /// Pictures to take from the folder, at most
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub(crate) at_most: u32,

    /// Rounds that are timed, after one that warms up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub(crate) rounds: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchHomographyArgs {
    /// Matches of a pair of pictures
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(5..=1_000_000))]
    pub(crate) matches: u32,

    /// Share of the matches that is right
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    pub(crate) inliers: f64,

    /// Standard deviation of right matches along each axis, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 1.0)]
    pub(crate) noise: f64,

    /// Pairs, each with its own homography
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) pairs: u32,

    /// Matches closer than this to where the homography puts them agree with it, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 3.0)]
    pub(crate) threshold: f64,

    /// Chance at which the best homography shall be found
    #[arg(long, value_name = "SHARE", default_value_t = 0.999)]
    pub(crate) confidence: f64,

    /// Most samples to try
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) max_samples: u32,

    /// Rounds that are timed, after one that warms up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10000))]
    pub(crate) rounds: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
