//! Which local features of DELG and DELF are kept, and what they see of the picture (feymanpriv/DELG `tools/extractor.py`,
//! `tools/delg_utils.py`).

use crate::features::LocalFeatures;
use crate::select::ScaleMap;
use crate::suppression::suppress;

/// The scales of the original's extractor, in its order.
// Its four digits, not the roots themselves.
#[allow(clippy::approx_constant)]
pub const DELG_SCALES: [f64; 7] = [0.25, 0.3535, 0.5, 0.7071, 1.0, 1.4142, 2.0];

/// How features are chosen from the maps of all scales; its default is the original's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DelgSelection {
    /// Which positions are features, for each scale by itself.
    pub threshold: AttentionThreshold,
    /// What a position sees of the picture.
    pub field: ReceptiveField,
    /// Features of all scales whose fields overlap a better one's by more than this go (intersection over union).
    pub overlap: f32,
    /// At most this many features.
    pub most: usize,
    /// Whether to end the list as the original does: it takes the first `most` entries of a list that is zero behind the
    /// last survivor, so that the first feature of the first scale comes again and again. Without it, as by default, the
    /// list ends with the last survivor.
    pub repeat_first: bool,
}

impl Default for DelgSelection {
    fn default() -> Self {
        Self {
            threshold: AttentionThreshold::default(),
            field: ReceptiveField::default(),
            overlap: 0.98,
            most: 1000,
            repeat_first: false,
        }
    }
}

/// The local features of one picture and the part of it that each one sees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DelgFeatures {
    /// Strongest first. Descriptors of unit length, the attention as strength, the middles of the boxes as places.
    pub features: LocalFeatures,
    /// `[y1, x1, y2, x2]` in pixels of the picture at scale 1, both ends included; they reach beyond it. `[M]`.
    pub boxes: Vec<[f32; 4]>,
}

impl DelgSelection {
    /// The features of the maps of all scales, strongest first.
    ///
    /// The strengths of the maps are attentions as the network gives them (not divided by the largest), `size` is height
    /// and width of the picture at scale 1. Descriptors are divided by their length, which is at least 1e-12.
    #[must_use]
    pub fn select(&self, maps: &[ScaleMap<'_>], size: [usize; 2]) -> DelgFeatures {
        // Map and cell of every candidate; descriptors are only read of those that stay.
        let (mut cells, mut boxes, mut attention) = (Vec::new(), Vec::new(), Vec::new());
        for map in maps {
            for cell in self.threshold.select(map.strengths) {
                let (row, column) = (cell / map.width, cell % map.width);
                cells.push((map, row, column));
                boxes.push(self.field.of(row, column, map.scale));
                attention.push(map.strengths[cell]);
            }
        }
        let kept = suppress(&boxes, &attention, self.overlap, self.most);
        let kept = match self.repeat_first {
            true => kept.as_published(self.most),
            false => kept.survivors(),
        };
        let mut found = DelgFeatures::default();
        let features = &mut found.features;
        features.size = size;
        for at in kept {
            let (map, row, column) = cells[*at];
            let [y, x] = ReceptiveField::centre(boxes[*at]);
            let before = features.descriptors.len();
            features.descriptors.extend(unit(map.descriptor(column, row)));
            features.dim = features.descriptors.len() - before;
            features.strengths.push(attention[*at]);
            features.scales.push(map.scale as f32);
            features.places.push([x, y]);
            found.boxes.push(boxes[*at]);
        }
        found
    }
}

fn unit(descriptor: impl Iterator<Item = f32>) -> impl Iterator<Item = f32> {
    let values: Vec<f32> = descriptor.collect();
    let norm: f64 = values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let norm = norm.sqrt().max(1e-12);
    values.into_iter().map(move |x| (f64::from(x) / norm) as f32)
}

/// Which positions of a map are features: those whose attention is above a threshold that is halved until enough are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionThreshold {
    /// The first threshold; a feature's attention lies strictly above it.
    pub first: f64,
    /// With fewer features than this the threshold is halved.
    pub enough: usize,
    /// No threshold below this is tried.
    pub lowest: f64,
}

impl Default for AttentionThreshold {
    /// The original's: 260, 1000 and 0.1, so that the last one tried is 260 / 2^11 = 0.127.
    fn default() -> Self {
        Self {
            first: 260.0,
            enough: 1000,
            lowest: 0.1,
        }
    }
}

impl AttentionThreshold {
    /// The positions that are features, in order.
    ///
    /// The original stops with an error where exactly one position passes at a threshold that is not the last (a list of
    /// one loses its axis); here that is too few like any other number, and the threshold is halved.
    #[must_use]
    pub fn select(&self, attention: &[f32]) -> Vec<usize> {
        let mut threshold = self.first;
        loop {
            let above = |at: &usize| attention[*at] > threshold as f32;
            let chosen: Vec<usize> = (0..attention.len()).filter(above).collect();
            let next = threshold / 2.0;
            // A threshold that halving does not lower (0, infinite or no number) is the last one.
            if chosen.len() >= self.enough || !(self.lowest..threshold).contains(&next) {
                return chosen;
            }
            threshold = next;
        }
    }
}

/// What a position of the map sees of the picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReceptiveField {
    /// Length of its sides.
    pub size: f32,
    /// Distance between neighbouring positions.
    pub stride: f32,
    /// How far the first position's field reaches beyond the picture.
    pub padding: f32,
}

impl Default for ReceptiveField {
    /// That of a ResNet-50 or -101 up to `s3`, as the original states it: 291, 16, 145.
    fn default() -> Self {
        Self {
            size: 291.0,
            stride: 16.0,
            padding: 145.0,
        }
    }
}

impl ReceptiveField {
    /// The field of position (row, column) of the map of a picture that was scaled by `scale`, in pixels of the
    /// unscaled picture: `[y1, x1, y2, x2]`, both ends included.
    #[must_use]
    pub fn of(&self, row: usize, column: usize, scale: f64) -> [f32; 4] {
        let [y, x] = [row, column].map(|at| at as f32 * self.stride - self.padding);
        let reach = self.size - 1.0;
        [y, x, y + reach, x + reach].map(|side| side / scale as f32)
    }

    /// The middle of a field, (y, x).
    #[must_use]
    pub fn centre([y1, x1, y2, x2]: [f32; 4]) -> [f32; 2] {
        [(y1 + y2) / 2.0, (x1 + x2) / 2.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_halved_until_enough_pass() {
        let rule = |first, enough, lowest| AttentionThreshold {
            first,
            enough,
            lowest,
        };
        let attention = [9.0, 3.0, 4.0, 1.1, 0.6, 0.1];
        // 8 leaves one, 4 leaves one (4 is not above 4), 2 leaves three.
        assert_eq!(rule(8.0, 2, 0.1).select(&attention), [0, 1, 2]);
        // 1 is the last that is tried, since 0.5 lies below 0.6.
        assert_eq!(rule(8.0, 9, 0.6).select(&attention), [0, 1, 2, 3]);
        assert_eq!(rule(8.0, 9, 0.5).select(&attention), [0, 1, 2, 3, 4]);
        assert_eq!(rule(0.0, 9, 0.1).select(&attention).len(), 6);
        assert!(rule(f64::INFINITY, 9, 0.1).select(&attention).is_empty());
        assert!(rule(f64::NAN, 9, 0.1).select(&attention).is_empty());
        let last = AttentionThreshold::default();
        assert_eq!(last.select(&[0.127, 0.1269, 0.0]), [0]);
    }

    #[test]
    fn features_of_all_scales_compete() {
        // Two scales of a picture of 32 x 16 pixels; cells of the second lie closer together.
        let one = ScaleMap {
            scale: 1.0,
            height: 1,
            width: 2,
            features: &[3.0, 1.0, 4.0, 0.0],
            strengths: &[2.0, 0.5],
        };
        let two = ScaleMap {
            scale: 2.0,
            features: &[0.0, 5.0, 2.0, 12.0],
            strengths: &[0.2, 0.05],
            ..one
        };
        let rule = DelgSelection {
            overlap: 0.9,
            ..DelgSelection::default()
        };
        let found = rule.select(&[one, two], [16, 32]);
        // 0.05 is below the last threshold; fields of 291 pixels, 16 apart, overlap by (275 / 307) of their union.
        assert_eq!(found.features.strengths, [2.0, 0.5, 0.2]);
        assert_eq!(found.features.places, [[0.0, 0.0], [16.0, 0.0], [0.0, 0.0]]);
        assert_eq!(found.features.scales, [1.0, 1.0, 2.0]);
        assert_eq!((found.features.dim, found.features.size), (2, [16, 32]));
        assert_eq!(found.features.descriptors, [0.6, 0.8, 1.0, 0.0, 0.0, 1.0]);
        let fewer = DelgSelection { overlap: 0.5, ..rule }.select(&[one, two], [16, 32]);
        assert_eq!(fewer.features.strengths, [2.0, 0.2]);
        let published = DelgSelection {
            overlap: 0.5,
            most: 9,
            repeat_first: true,
            ..rule
        };
        let published = published.select(&[one, two], [16, 32]);
        assert_eq!(published.features.strengths, [2.0, 0.2, 2.0]);
        assert_eq!(published.boxes[0], published.boxes[2]);
        assert!(rule.select(&[], [16, 32]).features.is_empty());
    }

    #[test]
    fn positions_see_a_square_around_them() {
        let field = ReceptiveField::default();
        assert_eq!(field.of(0, 0, 1.0), [-145.0, -145.0, 145.0, 145.0]);
        assert_eq!(field.of(1, 2, 0.5), [-258.0, -226.0, 322.0, 354.0]);
        assert_eq!(ReceptiveField::centre(field.of(1, 2, 0.5)), [32.0, 64.0]);
    }
}
