//! The map through as few matches as determine it.
//!
//! Samples that determine none are refused: points on a line or in one place, and matches that no camera makes, where
//! points would have to lie on both sides of the horizon.

use super::model::{ModelKind, PointMatch};

/// Twice the area of a triangle, relative to the squared extent of the sample, below which it counts as a line.
const FLAT: f64 = 1e-6;

/// The matrix `[3, 3]` through a sample of [`ModelKind::sample_size`] matches, w positive on the sample.
pub(super) fn through(kind: ModelKind, sample: &[PointMatch], mirrored: bool) -> Option<[f64; 9]> {
    let matrix = match (kind, sample) {
        (ModelKind::Similarity, [first, second]) => similarity(first, second),
        (ModelKind::Affine, [first, second, third]) => affine([first, second, third], mirrored),
        (ModelKind::Homography, [first, second, third, fourth]) => {
            homography([first, second, third], fourth, mirrored)
        }
        _ => None,
    }?;
    matrix.iter().all(|value| value.is_finite()).then_some(matrix)
}

fn minus(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

fn cross(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[1] - b[0] * a[1]
}

/// As complex numbers: the ratio of the two differences is the turn and scale.
fn similarity(first: &PointMatch, second: &PointMatch) -> Option<[f64; 9]> {
    let (p, q) = (minus(second.from, first.from), minus(second.to, first.to));
    let (length, other) = (p[0] * p[0] + p[1] * p[1], q[0] * q[0] + q[1] * q[1]);
    if length <= 0.0 || other <= 0.0 {
        return None;
    }
    let a = (q[0] * p[0] + q[1] * p[1]) / length;
    let b = (q[1] * p[0] - q[0] * p[1]) / length;
    let ([x, y], [u, v]) = (first.from, first.to);
    Some([a, -b, u - a * x + b * y, b, a, v - b * x - a * y, 0.0, 0.0, 1.0])
}

fn affine(sample: [&PointMatch; 3], mirrored: bool) -> Option<[f64; 9]> {
    let [first, second, third] = sample;
    let (p1, p2) = (minus(first.from, third.from), minus(second.from, third.from));
    let (q1, q2) = (minus(first.to, third.to), minus(second.to, third.to));
    let (from, to) = (cross(p1, p2), cross(q1, q2));
    if flat(&[from], &[p1, p2]) || flat(&[to], &[q1, q2]) || (from * to < 0.0 && !mirrored) {
        return None;
    }
    let row = |axis: usize| {
        let a = (q1[axis] * p2[1] - q2[axis] * p1[1]) / from;
        let b = (q2[axis] * p1[0] - q1[axis] * p2[0]) / from;
        [a, b, third.to[axis] - a * third.from[0] - b * third.from[1]]
    };
    let ([a, b, c], [d, e, f]) = (row(0), row(1));
    Some([a, b, c, d, e, f, 0.0, 0.0, 1.0])
}

/// With the fourth point as origin of either plane, its homogeneous coordinates are a sum of the other three's, weighted
/// with areas of triangles; the map sends weighted points to weighted points. All four stay on one side of
/// the horizon exactly if the four triangles turn the same way in both pictures, or all the other way.
fn homography(three: [&PointMatch; 3], fourth: &PointMatch, mirrored: bool) -> Option<[f64; 9]> {
    let p = three.map(|point| minus(point.from, fourth.from));
    let q = three.map(|point| minus(point.to, fourth.to));
    let areas = |p: &[[f64; 2]; 3]| [cross(p[1], p[2]), cross(p[2], p[0]), cross(p[0], p[1])];
    let (a, b) = (areas(&p), areas(&q));
    let (from, to) = (a[0] + a[1] + a[2], b[0] + b[1] + b[2]);
    let same = from * to > 0.0 && a.iter().zip(&b).all(|(a, b)| a * b > 0.0);
    let turned = mirrored && from * to < 0.0 && a.iter().zip(&b).all(|(a, b)| a * b < 0.0);
    if !(same || turned) {
        return None;
    }
    let with_whole = |areas: &[f64; 3], whole: f64| [areas[0], areas[1], areas[2], whole];
    if flat(&with_whole(&a, from), &p) || flat(&with_whole(&b, to), &q) {
        return None;
    }
    // Rows of the map between the shifted planes; the third entry of the first two rows is 0.
    let mut rows = [[0.0; 3]; 3];
    for i in 0..3 {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        let line = [p[j][1] - p[k][1], p[k][0] - p[j][0], a[i]];
        let weight = b[i] / (a[i] * to);
        for (row, factor) in rows.iter_mut().zip([weight * q[i][0], weight * q[i][1], weight]) {
            for (entry, value) in row.iter_mut().zip(line) {
                *entry += factor * value;
            }
        }
    }
    rows[0][2] = 0.0;
    rows[1][2] = 0.0;
    // Back to the pictures' own origins.
    let [x, y] = fourth.from;
    for row in &mut rows {
        row[2] -= row[0] * x + row[1] * y;
    }
    let last = rows[2];
    for (row, shift) in rows.iter_mut().zip(fourth.to) {
        for (entry, value) in row.iter_mut().zip(last) {
            *entry += shift * value;
        }
    }
    let [[a, b, c], [d, e, f], [g, h, i]] = rows;
    Some([a, b, c, d, e, f, g, h, i])
}

/// Whether one of the triangles of those doubled areas is a line beside the extent of its points around the origin.
fn flat(areas: &[f64], points: &[[f64; 2]]) -> bool {
    let extent = points.iter().map(|[x, y]| x * x + y * y).fold(0.0, f64::max);
    areas.iter().any(|area| area.abs() <= FLAT * extent)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::model::SpatialModel;
    use super::*;

    const POINTS: [[f64; 2]; 4] = [[10.0, 20.0], [300.0, 40.0], [280.0, 400.0], [30.0, 350.0]];

    fn mapped(matrix: [f64; 9], points: &[[f64; 2]]) -> Vec<PointMatch> {
        let model = SpatialModel { matrix };
        points
            .iter()
            .map(|&from| PointMatch {
                from,
                to: model.apply(from).unwrap(),
            })
            .collect()
    }

    fn assert_through(kind: ModelKind, matrix: [f64; 9], mirrored: bool) {
        let sample = mapped(matrix, &POINTS[..kind.sample_size()]);
        let got = through(kind, &sample, mirrored).unwrap();
        for (got, want) in SpatialModel::scaled(got).unwrap().matrix.iter().zip(matrix) {
            assert!((got - want).abs() < 1e-9 * (1.0 + want.abs()), "{got} {want}");
        }
    }

    #[test]
    fn the_map_that_made_the_sample_is_found() {
        assert_through(
            ModelKind::Similarity,
            [0.8, -0.3, 5.0, 0.3, 0.8, -7.0, 0.0, 0.0, 1.0],
            false,
        );
        assert_through(
            ModelKind::Affine,
            [0.9, 0.2, 40.0, -0.15, 1.1, 25.0, 0.0, 0.0, 1.0],
            false,
        );
        assert_through(
            ModelKind::Affine,
            [-0.9, 0.2, 40.0, -0.15, 1.1, 25.0, 0.0, 0.0, 1.0],
            true,
        );
        let homography = [1.05, 0.08, 12.0, -0.04, 0.93, 30.0, 2e-4, -1e-4, 1.0];
        assert_through(ModelKind::Homography, homography, false);
        assert_through(ModelKind::Homography, homography, true);
        let turned = [-1.05, 0.08, 12.0, -0.04, 0.93, 30.0, 2e-4, -1e-4, 1.0];
        assert_through(ModelKind::Homography, turned, true);
        let sample = mapped(turned, &POINTS);
        assert_eq!(through(ModelKind::Homography, &sample, false), None);
    }

    #[test]
    fn what_determines_no_map_is_refused() {
        let line: Vec<PointMatch> = (0..4)
            .map(|i| PointMatch {
                from: [16.0 * f64::from(i), 4.0 + 8.0 * f64::from(i)],
                to: [3.0 + 32.0 * f64::from(i), 11.0 + 16.0 * f64::from(i)],
            })
            .collect();
        assert_eq!(through(ModelKind::Affine, &line[..3], true), None);
        assert_eq!(through(ModelKind::Homography, &line, true), None);
        let same = [PointMatch::default(); 4];
        for (_, kind) in ModelKind::NAMES {
            assert_eq!(through(kind, &same[..kind.sample_size()], true), None);
        }
        // Three on a line, one beside it.
        let mut one_off = line.clone();
        one_off[3] = PointMatch {
            from: [100.0, 7.0],
            to: [90.0, 300.0],
        };
        assert_eq!(through(ModelKind::Homography, &one_off, true), None);
        // Two points exchanged: a quadrangle becomes a bow tie, which no camera sees.
        let mut tie = mapped(SpatialModel::IDENTITY.matrix, &POINTS);
        let (first, second) = (tie[0].to, tie[1].to);
        (tie[0].to, tie[1].to) = (second, first);
        assert_eq!(through(ModelKind::Homography, &tie, true), None);
    }
}
