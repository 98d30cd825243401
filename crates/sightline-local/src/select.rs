//! The strongest local features of a picture over all its scales, as HOW keeps them.

use half::f16;

/// The local features of one picture at one scale, a feature a cell, as a network gives them.
#[derive(Clone, Copy, Debug)]
pub struct ScaleMap<'a> {
    /// How much larger than the prepared picture the network's picture was.
    pub scale: f64,
    /// Rows of cells, h.
    pub height: usize,
    /// Cells of a row, w.
    pub width: usize,
    /// Features `[D, h, w]`.
    pub features: &'a [f32],
    /// Strength of each cell, `[h, w]`.
    pub strengths: &'a [f32],
}

/// A feature that was kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selected {
    /// Index of its map.
    pub map: usize,
    /// Its column in the map of its scale.
    pub x: usize,
    /// Its row in the map of its scale.
    pub y: usize,
    /// Its strength.
    pub strength: f32,
    /// Its scale in half precision, as HOW keeps it (1.414 becomes 1.4140625).
    pub scale: f16,
}

impl ScaleMap<'_> {
    /// Number of cells.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.height * self.width
    }

    /// The feature of a cell of this map, `[D]`.
    pub fn descriptor(&self, x: usize, y: usize) -> impl Iterator<Item = f32> {
        let cell = y * self.width + x;
        self.features
            .iter()
            .skip(cell)
            .step_by(self.cells().max(1))
            .copied()
    }
}

/// The `most` strongest features of all maps together (all where none), strongest first; equal ones by map, row and column
/// (`how_select_local` of `how/layers/functional.py`, whose sort leaves them undefined).
#[must_use]
pub fn strongest(maps: &[ScaleMap<'_>], most: Option<usize>) -> Vec<Selected> {
    let mut all: Vec<Selected> = Vec::with_capacity(maps.iter().map(ScaleMap::cells).sum());
    for (index, map) in maps.iter().enumerate() {
        all.extend(map.strengths.iter().enumerate().map(|(cell, strength)| Selected {
            map: index,
            x: cell % map.width,
            y: cell / map.width,
            strength: *strength,
            scale: f16::from_f64(map.scale),
        }));
    }
    all.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    all.truncate(most.unwrap_or(usize::MAX));
    all
}

/// The largest strength of all maps, by which HOW divides them; 1 where there is none above 0.
#[must_use]
pub fn largest_strength(maps: &[ScaleMap<'_>]) -> f32 {
    let largest = maps
        .iter()
        .flat_map(|map| map.strengths)
        .fold(0.0f32, |a, b| a.max(*b));
    if largest > 0.0 { largest } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_of_all_scales_come_first_and_equal_ones_keep_their_order() {
        let small = ScaleMap {
            scale: 1.0,
            height: 1,
            width: 2,
            features: &[1.0, 2.0, 10.0, 20.0],
            strengths: &[0.5, 0.75],
        };
        let large = ScaleMap {
            scale: 1.414,
            height: 2,
            width: 1,
            features: &[3.0, 4.0, 30.0, 40.0],
            strengths: &[0.75, 1.0],
        };
        let maps = [small, large];
        let kept = strongest(&maps, Some(3));
        let places: Vec<_> = kept.iter().map(|one| (one.map, one.x, one.y)).collect();
        assert_eq!(places, [(1, 0, 1), (0, 1, 0), (1, 0, 0)]);
        assert_eq!(kept[0].scale.to_f32(), 1.414_062_5);
        let values: Vec<f32> = maps[1].descriptor(0, 1).collect();
        assert_eq!(values, [4.0, 40.0]);
        assert_eq!(strongest(&maps, None).len(), 4);
        assert_eq!(largest_strength(&maps), 1.0);
        assert_eq!(largest_strength(&[]), 1.0);
    }
}
