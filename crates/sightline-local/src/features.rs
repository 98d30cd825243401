//! The local features of one picture.

/// Values of a row before those of its features: height and width.
const SIDES: usize = 2;
/// Values of a feature besides its descriptor: x, y, scale, strength.
const OF_A_FEATURE: usize = 4;

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

    /// The features as one row of numbers, for journals and pipelines that know rows only: height, width, then x, y, scale and
    /// strength of each feature, then the descriptors.
    #[must_use]
    pub fn to_row(&self) -> Vec<f32> {
        let mut row = Vec::with_capacity(SIDES + self.len() * (OF_A_FEATURE + self.dim));
        row.extend(self.size.map(|side| side as f32));
        for ((place, scale), strength) in self.places.iter().zip(&self.scales).zip(&self.strengths) {
            row.extend([place[0], place[1], *scale, *strength]);
        }
        row.extend_from_slice(&self.descriptors);
        row
    }

    /// How many features a row of so many values holds; none if it is no such row.
    #[must_use]
    pub fn count_of_row(values: usize, dim: usize) -> Option<usize> {
        let values = values.checked_sub(SIDES)?;
        let one = OF_A_FEATURE.checked_add(dim)?;
        values.is_multiple_of(one).then_some(values / one)
    }

    /// The features of a row of [`LocalFeatures::to_row`], with descriptors of `dim` values; none if it is no such row.
    #[must_use]
    pub fn from_row(row: &[f32], dim: usize) -> Option<LocalFeatures> {
        let count = LocalFeatures::count_of_row(row.len(), dim)?;
        let (sides, rest) = row.split_at(SIDES);
        let (records, descriptors) = rest.split_at(count * OF_A_FEATURE);
        let records = records.as_chunks::<OF_A_FEATURE>().0;
        Some(LocalFeatures {
            dim,
            descriptors: descriptors.to_vec(),
            strengths: records.iter().map(|[_, _, _, strength]| *strength).collect(),
            places: records.iter().map(|[x, y, _, _]| [*x, *y]).collect(),
            scales: records.iter().map(|[_, _, scale, _]| *scale).collect(),
            size: [sides[0] as usize, sides[1] as usize],
        })
    }
}
