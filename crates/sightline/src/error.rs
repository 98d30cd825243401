//! What can go wrong between the stations.

use std::path::PathBuf;

/// An error of the library as a whole: what was being done, and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A checkpoint could not be read.
    #[error(transparent)]
    Read(#[from] sightline_checkpoint::ReadError),
    /// A file could not be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no network.
    #[error("{} holds no network weights; it is {what}. `sightline model inspect` prints what is inside.", .path.display())]
    NoWeights {
        /// The file.
        path: PathBuf,
        /// What kind of file it is.
        what: &'static str,
    },
    /// The file does not say its architecture.
    #[cfg(feature = "nn")]
    #[error("{}: {source}{}", .path.display(), name_one(.source))]
    ArchitectureUnknown {
        /// The file.
        path: PathBuf,
        /// What would fit.
        source: sightline_nn::CheckpointError,
    },
    /// The name of an architecture.
    #[cfg(feature = "nn")]
    #[error(transparent)]
    Architecture(#[from] sightline_nn::ArchitectureError),
    /// The weights do not fit the architecture.
    #[cfg(feature = "nn")]
    #[error("{}: {source}", .path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// Which tensor, and what would fit.
        source: sightline_nn::LoadError,
    },
    /// The weights are not of CSA's network, or not of the one that was asked for.
    #[cfg(feature = "nn")]
    #[error("{}: {source}", .path.display())]
    Csa {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        source: sightline_nn::CsaError,
    },
    /// Another number of anchors than the weights have.
    #[error(
        "{} has {} anchors, and l={l} was asked for. Leave l out, or use weights that were trained with {l} anchors.",
        .path.display(),
        anchors
    )]
    CsaAnchors {
        /// The file.
        path: PathBuf,
        /// Anchors of its network.
        anchors: usize,
        /// Those that were asked for.
        l: usize,
    },
    /// The network could not be recorded as a plan.
    #[cfg(feature = "nn")]
    #[error("The network cannot be recorded as a plan: {0}")]
    Record(#[from] sightline_nn::RecordError),
    /// A network computed something that cannot be read back.
    #[error("The network's values could not be read: {reason}")]
    Network {
        /// Why.
        reason: String,
    },
    /// There is nothing to show of where a network looks.
    #[error("{} cannot be shown looking at the picture: {reason}.", .path.display())]
    NoAttention {
        /// The model.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The runtime refuses the plan.
    #[error(transparent)]
    Executor(#[from] sightline_plan::LoadError),
    /// A network without local features.
    #[error(
        "The network {architecture} has no local features. Choose one whose head has them, such as `resnet18:layer3/how`, or \
         `resnet18:layer3/how-unreduced` for a plain trunk."
    )]
    NoLocal {
        /// The network.
        architecture: String,
    },
    /// A recipe that prepares a picture in several ways.
    #[error(
        "Local features lie at places of one prepared picture, and this recipe prepares each in {passes} ways. Give one transform text."
    )]
    LocalPasses {
        /// Number of transform texts.
        passes: usize,
    },
    /// Local features.
    #[error(transparent)]
    LocalExtract(#[from] sightline_local::LocalExtractError),
    /// Weights that do not aggregate local features.
    #[cfg(feature = "nn")]
    #[error(
        "{} cannot aggregate local features: {source}. That takes Token's tensors with a matrix `tr.conv.0.weight`; whole networks \
         of Token take pictures (`sightline extract`).",
        .path.display()
    )]
    AggregationWeights {
        /// The file.
        path: PathBuf,
        /// Which tensor.
        source: sightline_nn::TensorProblem,
    },
    /// Local features that a network cannot aggregate.
    #[error("The local features cannot be aggregated: {reason}.")]
    Aggregation {
        /// What is in the way, and what to do.
        reason: String,
    },
    /// Local features of one picture that could not be aggregated.
    #[error(
        "The local features of `{picture}` could not be aggregated: {reason}. Look into them with `sightline local info --verify`."
    )]
    AggregationOf {
        /// The picture.
        picture: String,
        /// Why.
        reason: String,
    },
    /// A file of local features.
    #[error(transparent)]
    FeatureFile(#[from] sightline_local::FeatureFileError),
    /// An ONNX file, or one that it names, could not be read.
    #[error(transparent)]
    OnnxFile(#[from] sightline_plan::OnnxFileError),
    /// An ONNX file that cannot serve as a network.
    #[error("{} cannot be used as a network: {reason}", .path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What is in the way, and what to do, as sentences.
        reason: String,
    },
    /// A device that this build lacks.
    #[cfg(feature = "nn")]
    #[error(transparent)]
    Device(#[from] sightline_nn::DeviceError),
    /// A whitening that is neither the model's nor a file.
    #[error("There is no whitening `{name}`: the model holds {holds}, and no file has that name{suggestion}")]
    NoWhitening {
        /// The name asked for.
        name: String,
        /// What the model holds.
        holds: String,
        /// `; did you mean NAME?`, or nothing.
        suggestion: String,
    },
    /// A file with other whitenings, or several.
    #[error("{} holds the whitenings {holds}: name one of them as {}#NAME{suggestion}", .path.display(), .path.display())]
    WhichWhitening {
        /// The file.
        path: PathBuf,
        /// What it holds.
        holds: String,
        /// `; did you mean NAME?`, or nothing.
        suggestion: String,
    },
    /// A card with a pooling over scales that this version does not know.
    #[error(
        "The card says that scales were pooled by `{name}`, which this version does not know. Use a newer Sightline."
    )]
    UnknownPooling {
        /// What the card calls it.
        name: String,
    },
    /// A file that is no whitening.
    #[error(transparent)]
    WhiteningFile(#[from] sightline_descriptor::WhiteningFileError),
    /// Pairs that cannot be read.
    #[error("The pairs {} cannot be used: {reason}.", .path.display())]
    Pairs {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A whitening that cannot be learned.
    #[error(transparent)]
    Learn(#[from] sightline_descriptor::LearnError),
    /// An expansion that cannot be made.
    #[error(transparent)]
    Expansion(#[from] sightline_descriptor::ExpansionError),
    /// A whitening that cannot be used.
    #[error(transparent)]
    Whitening(#[from] sightline_descriptor::WhiteningError),
    /// Extraction.
    #[error(transparent)]
    Extract(#[from] sightline_extract::ExtractError),
    /// A descriptor set.
    #[error(transparent)]
    Set(#[from] sightline_descriptor::SetError),
    /// Search.
    #[error(transparent)]
    Search(#[from] sightline_search::SearchError),
    /// k-means.
    #[error(transparent)]
    KMeans(#[from] sightline_search::KMeansError),
    /// A data set.
    #[error(transparent)]
    Dataset(#[from] sightline_dataset::DatasetError),
    /// A recipe.
    #[error(transparent)]
    Recipe(#[from] sightline_image::recipe::RecipeError),
    /// An evaluation.
    #[error(transparent)]
    Eval(#[from] sightline_eval::EvalError),
    /// Descriptors that were made in different ways.
    #[error(transparent)]
    Mix(#[from] sightline_card::MixError),
    /// A picture that should have been described.
    #[error("{} cannot be described: {reason}", .path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No row of a set belongs to the data set.
    #[error("No row of {} is called as a picture of the data set, such as `{wanted}`. Is it the set of these pictures?", .set.display())]
    NothingMeets {
        /// The set.
        set: PathBuf,
        /// A name that was looked for.
        wanted: String,
    },
    /// Another model's descriptors without those of the queries.
    #[error("{} holds another model's images, and nothing says where its queries are: name them with query-features=FILE.", .set.display())]
    FusedQueries {
        /// The set.
        set: PathBuf,
    },
    /// Another model's descriptors that lack a picture.
    #[error("{} has no descriptor of {name}, so its ranking cannot be fused: describe all pictures with both models.", .set.display())]
    FusedLacks {
        /// The set.
        set: PathBuf,
        /// The picture.
        name: String,
    },
    /// A set without names must have as many rows as there are pictures.
    #[error("{} has no names and {rows} rows, where the data set has {wanted} pictures: rows and pictures cannot meet.", .set.display())]
    NamelessSet {
        /// The set.
        set: PathBuf,
        /// Its rows.
        rows: usize,
        /// The data set's pictures.
        wanted: usize,
    },
    /// A name that two rows fit.
    #[error("`{name}` fits two rows of {}: `{first}` and `{second}`.", .set.display())]
    TwoRows {
        /// The set.
        set: PathBuf,
        /// The name.
        name: String,
        /// One row.
        first: String,
        /// The other.
        second: String,
    },
    /// A query that cannot be searched with.
    #[error("The query `{name}` has no descriptor.")]
    QueryWithoutDescriptor {
        /// Its name.
        name: String,
    },
}

/// What one does about a checkpoint that does not name its network.
#[cfg(feature = "nn")]
fn name_one(source: &sightline_nn::CheckpointError) -> &'static str {
    match source {
        sightline_nn::CheckpointError::Reranks => "",
        _ => " Name one with --arch.",
    }
}
