//! Whether the inliers of a map lie so that they speak for it.

use super::model::{ModelKind, PointMatch};

/// Least ratio of a cloud's thickness to its length: below it, the points lie on a line.
const THINNEST: f64 = 0.01;

/// Whether these inliers determine a map of that kind: not all in one place, and for affine maps and homographies not
/// on one line, in either picture. Places of the second picture that lie no further apart than the `threshold` are one place.
pub(super) fn determines(kind: ModelKind, inliers: &[PointMatch], threshold: f64) -> bool {
    let from = extent(inliers.iter().map(|one| one.from));
    let to = extent(inliers.iter().map(|one| one.to));
    let on_a_line = |[length, thickness]: [f64; 2]| thickness < THINNEST * length;
    let apart = from[0] > 0.0 && to[0] > threshold / 2.0;
    apart && (kind == ModelKind::Similarity || !(on_a_line(from) || on_a_line(to)))
}

/// Standard deviation of points along their main direction and across it.
fn extent(points: impl Iterator<Item = [f64; 2]> + Clone) -> [f64; 2] {
    let count = (points.clone().count() as f64).max(1.0);
    let sum = points
        .clone()
        .fold([0.0, 0.0], |sum, [x, y]| [sum[0] + x, sum[1] + y]);
    let centre = [sum[0] / count, sum[1] / count];
    let [mut xx, mut xy, mut yy] = [0.0; 3];
    for point in points {
        let (x, y) = (point[0] - centre[0], point[1] - centre[1]);
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    let [xx, xy, yy] = [xx / count, xy / count, yy / count];
    let half = (xx + yy) / 2.0;
    let largest = half + ((xx - yy) * (xx - yy) / 4.0 + xy * xy).sqrt();
    // The product of both eigenvalues is the determinant; their difference would lose the small one's digits.
    let smallest = if largest > 0.0 {
        (xx * yy - xy * xy) / largest
    } else {
        0.0
    };
    [largest.sqrt(), smallest.max(0.0).sqrt()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_thickness_of_a_slanted_bar() {
        // Four corners of a bar 10 x 2 along the direction (3, 4) / 5.
        let corners = [(5.0, 1.0), (5.0, -1.0), (-5.0, 1.0), (-5.0, -1.0)]
            .map(|(along, across)| [7.0 + 0.6 * along - 0.8 * across, 9.0 + 0.8 * along + 0.6 * across]);
        let [length, thickness] = extent(corners.into_iter());
        assert!((length - 5.0).abs() < 1e-12 && (thickness - 1.0).abs() < 1e-12);
        assert_eq!(extent(std::iter::empty()), [0.0, 0.0]);
    }

    #[test]
    fn a_line_serves_a_similarity_only_and_a_point_nothing() {
        let line: Vec<PointMatch> = (0..9)
            .map(|i| PointMatch {
                from: [f64::from(i), 2.0 * f64::from(i)],
                to: [5.0 * f64::from(i), 3.0],
            })
            .collect();
        assert!(determines(ModelKind::Similarity, &line, 3.0));
        assert!(!determines(ModelKind::Affine, &line, 3.0));
        assert!(!determines(ModelKind::Homography, &line, 3.0));
        assert!(!determines(
            ModelKind::Similarity,
            &[PointMatch::default(); 9],
            3.0
        ));
        // Everything is sent to nearly one place.
        let collapsed: Vec<PointMatch> = line
            .iter()
            .map(|one| PointMatch {
                to: [0.1 * one.from[0], 0.0],
                ..*one
            })
            .collect();
        assert!(!determines(ModelKind::Similarity, &collapsed, 3.0));
    }
}
