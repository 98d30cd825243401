//! The regions of R-MAC: overlapping squares in several sizes (Tolias et al., *Particular Object Retrieval with
//! Integral Max-Pooling of CNN Activations*, section 3.2), as cirtorch lays them out.

use crate::Ops;
use sightline_plan::Region;

/// The regions of a map of `[height, width]` for levels 1 to `levels`, in pooling order: the whole map, then level
/// by level, row by row. (cirtorch `layers/functional.py`, `rmac` and `roipool` alike.)
///
/// At level l the squares are ⌊2 w / (l + 1)⌋ wide, with w the shorter side; l of them stand along that side, and up
/// to six more along the longer one, so many that neighbours overlap by about 40 %. Levels whose squares would be
/// empty are left out, so there are no more levels than 2 w - 1. An empty map has no regions.
pub fn regions([height, width]: [usize; 2], levels: usize) -> Vec<Region> {
    let shorter = height.min(width);
    if shorter == 0 {
        return Vec::new();
    }
    let mut regions = vec![Region {
        top: 0,
        left: 0,
        height,
        width,
    }];
    let extra = extra_regions(height, width);
    for level in 1..=levels.min(2 * shorter - 1) {
        let side = 2 * shorter / (level + 1);
        let along = |length: usize| {
            let more = if length > shorter { extra } else { 0 };
            starts(length, side, level + more)
        };
        let (rows, columns) = (along(height), along(width));
        for &top in &rows {
            for &left in &columns {
                regions.push(Region {
                    top,
                    left,
                    height: side,
                    width: side,
                });
            }
        }
    }
    regions
}

/// How many more regions than the level's number stand along the longer side: 1 to 6.
///
/// Every operation is rounded to float32 as in the original: where two counts are equally good, rounding decides.
fn extra_regions(height: usize, width: usize) -> usize {
    let shorter = height.min(width);
    let difference = (height.max(width) - shorter) as f32;
    let (side, area) = (shorter as f32, (shorter * shorter) as f32);
    let mut best = (f32::INFINITY, 1);
    for count in 1..=6_u8 {
        // A product with the rounded reciprocal, which is not always the quotient.
        let step = (1.0 / f32::from(count)) * difference;
        let overlap = (area - side * step) / area;
        let miss = (overlap - 0.4).abs();
        if miss < best.0 {
            best = (miss, usize::from(count));
        }
    }
    best.1
}

/// First pixels of `count` regions of `side` pixels along an axis of `length`.
fn starts(length: usize, side: usize, count: usize) -> Vec<usize> {
    let step = match count {
        1 => 0.0,
        _ => ((length - side) as f64 / (count - 1) as f64) as f32,
    };
    // ⌊side / 2 - 1⌋, which is -1 for a side of one pixel.
    let half = (side / 2) as i64 - 1;
    (0..count)
        .map(|index| {
            let centre = (half as f32 + index as f32 * step).floor() as i64;
            // Never out of the map, whatever the rounding of very long maps.
            (centre - half).clamp(0, (length - side) as i64) as usize
        })
        .collect()
}

/// Pools every region of the map: `[N, C, H, W]` -> a map whose R pixels are the regions, `[N, C, R, 1]`.
pub(super) fn pool_regions<O: Ops>(
    ops: &mut O,
    map: O::T<4>,
    levels: usize,
    mut pool: impl FnMut(&mut O, O::T<4>) -> O::T<2>,
) -> O::T<4> {
    let size = ops.map_size(&map);
    let rows = regions(size, levels)
        .into_iter()
        .map(|region| {
            let part = match [region.height, region.width] == size {
                true => map.clone(),
                false => ops.crop(map.clone(), region),
            };
            pool(ops, part)
        })
        .collect();
    ops.stack_pixels(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts_along(size: [usize; 2], levels: usize) -> Vec<[usize; 3]> {
        let regions = regions(size, levels).into_iter().skip(1);
        regions
            .map(|region| [region.top, region.left, region.height])
            .collect()
    }

    #[test]
    fn small_and_empty_maps() {
        assert!(regions([0, 5], 3).is_empty());
        assert_eq!(regions([4, 6], 0).len(), 1);
        // A single pixel: the whole map and level 1, however many levels.
        assert_eq!(regions([1, 1], 1000).len(), 2);
        // Four regions of one pixel on three pixels: two lie alike.
        assert_eq!(
            starts_along([1, 3], 9),
            [[0, 0, 1], [0, 0, 1], [0, 1, 1], [0, 2, 1]]
        );
    }

    #[test]
    fn regions_stay_within_the_map() {
        for (height, width) in [(1, 100_000), (3, 33), (2, 32), (9, 35), (37, 4001), (8192, 3)] {
            for region in regions([height, width], 7) {
                assert!(region.top + region.height <= height && region.left + region.width <= width);
                assert!(region.height > 0 && region.width > 0);
            }
        }
    }

    #[test]
    fn rounding_decides_between_equal_counts() {
        // 1 and 2 more are equally good at 5 x 9 and 10 x 18; see the golden table for all others.
        let along = |height, width| starts_along([height, width], 1).len();
        assert_eq!((along(7, 7), along(7, 10)), (1, 2));
        assert_eq!(along(1, 40), 7);
        assert_eq!(along(40, 1), 7);
    }
}
