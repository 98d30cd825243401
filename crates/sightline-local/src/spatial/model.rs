//! What maps the points of one picture onto another.

use super::minimal;

/// Which family of maps is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// Turning, scaling and shifting: 4 unknowns, 2 matches.
    Similarity,
    /// Any linear map and a shift: 6 unknowns, 3 matches.
    Affine,
    /// A plane seen from two places: 8 unknowns, 4 matches.
    Homography,
}

impl ModelKind {
    /// Every kind and its name.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("similarity", Self::Similarity),
        ("affine", Self::Affine),
        ("homography", Self::Homography),
    ];

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(_, kind)| *kind)
    }

    /// Its name, such as `homography`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Similarity => "similarity",
            Self::Affine => "affine",
            Self::Homography => "homography",
        }
    }

    /// How many matches determine it.
    #[must_use]
    pub fn sample_size(self) -> usize {
        match self {
            Self::Similarity => 2,
            Self::Affine => 3,
            Self::Homography => 4,
        }
    }
}

/// Two places that may show the same point: x and y in either picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PointMatch {
    /// Place in the first picture.
    pub from: [f64; 2],
    /// Place in the second.
    pub to: [f64; 2],
}

/// A map of the plane, as a matrix of homogeneous coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpatialModel {
    /// `[3, 3]`, row-major: (x, y, 1) becomes (u w, v w, w). Scaled so that the last entry is 1 or -1 where it is not 0,
    /// and w is positive on the side where the matches lie. The last row of a similarity or affine map is 0, 0, 1.
    pub matrix: [f64; 9],
}

impl SpatialModel {
    /// The map that leaves everything where it is.
    pub const IDENTITY: Self = Self {
        matrix: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };

    /// The map through as few matches as determine it ([`ModelKind::sample_size`]); none where they do not, or no camera
    /// sees them so. It may turn the picture over.
    #[must_use]
    pub fn through(kind: ModelKind, sample: &[PointMatch]) -> Option<Self> {
        Self::scaled(minimal::through(kind, sample, true)?)
    }

    /// Where a point comes to lie; none for points on or behind the horizon of a homography.
    #[must_use]
    pub fn apply(&self, point: [f64; 2]) -> Option<[f64; 2]> {
        let h = &self.matrix;
        let [x, y] = point;
        let w = h[6] * x + h[7] * y + h[8];
        let mapped = [(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w];
        (w > 0.0 && mapped.iter().all(|value| value.is_finite())).then_some(mapped)
    }

    /// Whether it turns the picture over, as a mirror does.
    #[must_use]
    pub fn mirrors(&self) -> bool {
        let h = &self.matrix;
        let determinant = h[0] * (h[4] * h[8] - h[5] * h[7]) - h[1] * (h[3] * h[8] - h[5] * h[6])
            + h[2] * (h[3] * h[7] - h[4] * h[6]);
        determinant < 0.0
    }

    /// The same map with the last entry 1 or -1; none where an entry is no number.
    pub(super) fn scaled(matrix: [f64; 9]) -> Option<Self> {
        let last = matrix[8].abs();
        let scale = if last > 0.0 { 1.0 / last } else { 1.0 };
        let matrix = matrix.map(|value| value * scale);
        matrix
            .iter()
            .all(|value| value.is_finite())
            .then_some(Self { matrix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_behind_the_horizon_are_nowhere() {
        let model = SpatialModel {
            matrix: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, -0.01, 0.0, 1.0],
        };
        assert_eq!(model.apply([50.0, 10.0]), Some([100.0, 20.0]));
        assert_eq!(model.apply([100.0, 10.0]), None);
        assert_eq!(model.apply([200.0, 10.0]), None);
        assert!(!model.mirrors());
    }

    #[test]
    fn names_lead_back() {
        for (name, kind) in ModelKind::NAMES {
            assert_eq!((ModelKind::named(name), kind.name()), (Some(kind), name));
        }
        assert_eq!(ModelKind::named("projective"), None);
    }
}
