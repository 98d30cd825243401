//! What can be wrong with an evaluation's inputs.

/// Why an evaluation could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A matrix whose number of values does not fit its row length.
    #[error(
        "Recall needs whole rows, but the {what} hold {values} values, which is no multiple of the row length {dim}."
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
}
