//! What can be wrong with an evaluation's inputs.

use crate::Protocol;

/// Why an evaluation could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A matrix whose number of values does not fit its row length.
    #[error(
        "The {what} hold {values} values, which is not a whole number of rows of {dim} values: pass whole rows."
    )]
    Shape {
        /// Which matrix.
        what: &'static str,
        /// Values it holds.
        values: usize,
        /// Row length.
        dim: usize,
    },
    /// Not one label for every vector.
    #[error("Every vector needs a label, but there are {labels} labels for {vectors} vectors.")]
    Labels {
        /// Labels given.
        labels: usize,
        /// Vectors given.
        vectors: usize,
    },
    /// More neighbours asked for than the gallery holds.
    #[error(
        "The {k} nearest neighbours were asked for, but the gallery holds {images} vectors: ask for fewer."
    )]
    TooManyNeighbours {
        /// Neighbours asked for.
        k: usize,
        /// Vectors in the gallery.
        images: usize,
    },
    /// The data set is inconsistent.
    #[error(transparent)]
    Dataset(#[from] sightline_dataset::DatasetError),
    /// A list or folder of pictures without classes.
    #[error(
        "The data set \"{0}\" has no ground truth, so there is nothing to evaluate against: pass a ground-truth file, \
         a list with labels or a folder with one subfolder for each class."
    )]
    NoTruth(String),
    /// No protocol has that name.
    #[error("There is no protocol \"{0}\": choose cirtorch, dirtorch, token, recall, netvlad or gldv2.")]
    UnknownProtocol(String),
    /// The protocol is defined for other ground truths.
    #[error("The protocol {protocol} does not read a {kind} ground truth: choose one of {fitting}.")]
    ProtocolDoesNotFit {
        /// The protocol asked for.
        protocol: Protocol,
        /// Kind of the ground truth.
        kind: &'static str,
        /// Protocols that read it.
        fitting: String,
    },
    /// Another number of queries in the ranking than in the data set.
    #[error(
        "The ranking is of {ranked} queries, but the data set has {queries}: pass one ranking for each query, in the \
         data set's order."
    )]
    Queries {
        /// Queries in the ranking.
        ranked: usize,
        /// Queries of the data set.
        queries: usize,
    },
    /// Fewer images in the ranking than in the data set.
    #[error(
        "The ranking is over {ranked} images, but the data set has {images}: rank all of them (distractors may follow \
         behind)."
    )]
    Images {
        /// Images in the ranking.
        ranked: usize,
        /// Images of the data set.
        images: usize,
    },
    /// No k, or a k of 0.
    #[error("The k of mP@k and R@k must be whole numbers of at least 1, and there must be one.")]
    Kappas,
    /// A bootstrap that cannot be made.
    #[error(
        "A confidence interval needs 1 to {most} resamples and a level between 0 and 1, but {resamples} resamples at \
         level {level} were asked for."
    )]
    Bootstrap {
        /// Resamples asked for.
        resamples: u32,
        /// Level asked for.
        level: f64,
        /// Resamples at most.
        most: u32,
    },
    /// An image twice in one list.
    #[error(
        "The ranked list of query {query} (counted from 0) names image {image} more than once: a ranking names an image \
         once."
    )]
    Repeated {
        /// The query.
        query: usize,
        /// The image.
        image: u32,
    },
    /// An answer that is neither an index nor a known name.
    #[error(
        "The ranked list of query {query} (counted from 0) holds \"{answer}\", which is neither an image's index nor the \
         name of an image of the data set."
    )]
    NotAnImage {
        /// The query.
        query: usize,
        /// What stands there.
        answer: String,
    },
}
