//! The local features of one picture.

/// The local features of one picture, strongest first.
///
/// Places are pixels of the picture as the recipe prepared it (after cropping and shrinking, at scale 1), x to the
/// right and y down, (0, 0) the centre of the first pixel. Multiply by the ratio of sizes for the file's own pixels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalFeatures {
    /// Length of a descriptor, D.
    pub dim: usize,
    /// Descriptors `[M, D]`, row after row; normalised only where the method normalises them.
    pub descriptors: Vec<f32>,
    /// Strength of each feature (attention), `[M]`.
    pub strengths: Vec<f32>,
    /// Place of each feature, x and y, `[M]`.
    pub places: Vec<[f32; 2]>,
    /// Scale of the picture at which each was found (2 is twice as large), `[M]`.
    pub scales: Vec<f32>,
    /// Height and width of the prepared picture, in pixels.
    pub size: [usize; 2],
}

impl LocalFeatures {
    /// Number of features, M.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The descriptor of one feature, `[D]`.
    #[must_use]
    pub fn descriptor(&self, index: usize) -> &[f32] {
        &self.descriptors[index * self.dim..(index + 1) * self.dim]
    }
}
