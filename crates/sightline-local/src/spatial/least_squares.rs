//! The map with the least sum of squared forward transfer errors over many matches.
//!
//! For similarities and affine maps it is a linear problem with one solution. For homographies it is approached from a
//! given one by Levenberg and Marquardt's steps, in coordinates around the matches' centres, where a homography's last entry cannot
//! vanish.

use super::model::{ModelKind, PointMatch};
use super::solve::solve;

/// Steps of a homography's approach where it shall arrive.
pub(super) const TO_THE_END: usize = 20;

/// The map `[3, 3]` of that kind over `matches`, starting from `start`; none where they do not determine it. `steps`
/// bounds a homography's approach.
pub(super) fn fit(
    kind: ModelKind,
    matches: &[PointMatch],
    start: &[f64; 9],
    steps: usize,
) -> Option<[f64; 9]> {
    if matches.len() < kind.sample_size() {
        return None;
    }
    let from = Frame::around(matches.iter().map(|one| one.from))?;
    let to = Frame::around(matches.iter().map(|one| one.to))?;
    let inner: Vec<PointMatch> = matches
        .iter()
        .map(|one| PointMatch {
            from: from.inward(one.from),
            to: to.inward(one.to),
        })
        .collect();
    let matrix = match kind {
        ModelKind::Similarity => similarity(&inner),
        ModelKind::Affine => affine(&inner),
        ModelKind::Homography => homography(&inner, &from, &to, start, steps),
    }?;
    let matrix = times(&to.outward(), &times(&matrix, &from.inward_matrix()));
    matrix.iter().all(|value| value.is_finite()).then_some(matrix)
}

/// A frame of coordinates around points: their centre as origin, their mean squared distance from it 2.
struct Frame {
    centre: [f64; 2],
    scale: f64,
}

impl Frame {
    fn around(points: impl Iterator<Item = [f64; 2]> + Clone) -> Option<Self> {
        let count = points.clone().count() as f64;
        let sum = points
            .clone()
            .fold([0.0, 0.0], |sum, [x, y]| [sum[0] + x, sum[1] + y]);
        let centre = [sum[0] / count, sum[1] / count];
        let squares: f64 = points
            .map(|[x, y]| (x - centre[0]).powi(2) + (y - centre[1]).powi(2))
            .sum();
        let scale = (2.0 * count / squares).sqrt();
        (scale.is_finite() && scale > 0.0).then_some(Self { centre, scale })
    }

    fn inward(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [
            (x - self.centre[0]) * self.scale,
            (y - self.centre[1]) * self.scale,
        ]
    }

    fn inward_matrix(&self) -> [f64; 9] {
        let ([x, y], s) = (self.centre, self.scale);
        [s, 0.0, -s * x, 0.0, s, -s * y, 0.0, 0.0, 1.0]
    }

    fn outward(&self) -> [f64; 9] {
        let ([x, y], s) = (self.centre, 1.0 / self.scale);
        [s, 0.0, x, 0.0, s, y, 0.0, 0.0, 1.0]
    }
}

/// The product of two 3x3 matrices.
fn times(a: &[f64; 9], b: &[f64; 9]) -> [f64; 9] {
    std::array::from_fn(|entry| {
        let (row, column) = (entry / 3, entry % 3);
        a[3 * row] * b[column] + a[3 * row + 1] * b[3 + column] + a[3 * row + 2] * b[6 + column]
    })
}

/// Around both centres nothing is shifted, so that turn and scale remain.
fn similarity(matches: &[PointMatch]) -> Option<[f64; 9]> {
    let (mut squares, mut along, mut across) = (0.0, 0.0, 0.0);
    for PointMatch {
        from: [x, y],
        to: [u, v],
    } in matches
    {
        squares += x * x + y * y;
        along += u * x + v * y;
        across += v * x - u * y;
    }
    let (a, b) = (along / squares, across / squares);
    (squares > 0.0).then_some([a, -b, 0.0, b, a, 0.0, 0.0, 0.0, 1.0])
}

fn affine(matches: &[PointMatch]) -> Option<[f64; 9]> {
    let mut normal = [[0.0; 2]; 2];
    let (mut right_u, mut right_v) = ([0.0; 2], [0.0; 2]);
    for PointMatch { from, to: [u, v] } in matches {
        for i in 0..2 {
            for j in 0..=i {
                normal[i][j] += from[i] * from[j];
            }
            right_u[i] += from[i] * u;
            right_v[i] += from[i] * v;
        }
    }
    let ([a, b], [c, d]) = (solve(normal, right_u)?, solve(normal, right_v)?);
    Some([a, b, 0.0, c, d, 0.0, 0.0, 0.0, 1.0])
}

fn homography(
    matches: &[PointMatch],
    from: &Frame,
    to: &Frame,
    start: &[f64; 9],
    steps: usize,
) -> Option<[f64; 9]> {
    // The start in these frames; w is positive at the centre of matches where it is positive.
    let mut now = times(&to.inward_matrix(), &times(start, &from.outward()));
    let last = now[8];
    now = now.map(|value| value / last);
    if !now.iter().all(|value| value.is_finite()) {
        return None;
    }
    let mut equations = Equations::of(matches, &now);
    let mut damping = 0.0;
    for _ in 0..steps {
        let step = equations.step(damping)?;
        let mut next = now;
        for (entry, change) in next.iter_mut().zip(step) {
            *entry -= change;
        }
        let there = Equations::of(matches, &next);
        if there.cost < equations.cost {
            let gain = equations.cost - there.cost;
            (now, equations) = (next, there);
            damping *= 0.1;
            if gain <= 1e-12 * equations.cost {
                break;
            }
        } else if damping > 1e3 || there.cost == equations.cost {
            break;
        } else {
            damping = f64::max(10.0 * damping, 1e-3);
        }
    }
    equations.cost.is_finite().then_some(now)
}

/// The normal equations of a small step of the first eight entries.
struct Equations {
    /// Sum of squared errors; infinite where a match lies on or behind the horizon.
    cost: f64,
    /// Lower half.
    normal: [[f64; 8]; 8],
    gradient: [f64; 8],
}

impl Equations {
    /// The derivatives of both errors by the first six entries are (x, y, 1) / w for one and 0 for the other, and by
    /// the last two -(x, y) u / w and -(x, y) v / w. So a block of three rows is summed once for both errors.
    fn of(matches: &[PointMatch], h: &[f64; 9]) -> Self {
        let mut cost = 0.0;
        let mut block = [0.0; 6];
        let (mut mixed_u, mut mixed_v) = ([0.0; 6], [0.0; 6]);
        let mut last = [0.0; 3];
        let mut gradient = [0.0; 8];
        for PointMatch { from: [x, y], to } in matches {
            let w = h[6] * x + h[7] * y + h[8];
            if w <= 0.0 {
                cost = f64::INFINITY;
                break;
            }
            let inverse = 1.0 / w;
            let u = (h[0] * x + h[1] * y + h[2]) * inverse;
            let v = (h[3] * x + h[4] * y + h[5]) * inverse;
            let (error_u, error_v) = (u - to[0], v - to[1]);
            cost += error_u * error_u + error_v * error_v;
            let (x, y) = (x * inverse, y * inverse);
            let products = [x * x, x * y, y * y, x * inverse, y * inverse, inverse * inverse];
            let length = u * u + v * v;
            for i in 0..6 {
                block[i] += products[i];
                mixed_u[i] += products[i] * u;
                mixed_v[i] += products[i] * v;
            }
            for i in 0..3 {
                last[i] += products[i] * length;
            }
            let turned = u * error_u + v * error_v;
            let changes = [
                x * error_u,
                y * error_u,
                inverse * error_u,
                x * error_v,
                y * error_v,
                inverse * error_v,
                -x * turned,
                -y * turned,
            ];
            for (sum, change) in gradient.iter_mut().zip(changes) {
                *sum += change;
            }
        }
        let [xx, xy, yy, x, y, one] = block;
        let mut normal = [[0.0; 8]; 8];
        for first in [0, 3] {
            normal[first][first] = xx;
            normal[first + 1][first] = xy;
            normal[first + 1][first + 1] = yy;
            normal[first + 2][first] = x;
            normal[first + 2][first + 1] = y;
            normal[first + 2][first + 2] = one;
        }
        for (first, [xx, xy, yy, x, y, _]) in [(0, mixed_u), (3, mixed_v)] {
            normal[6][first..first + 3].copy_from_slice(&[-xx, -xy, -x]);
            normal[7][first..first + 3].copy_from_slice(&[-xy, -yy, -y]);
        }
        normal[6][6] = last[0];
        normal[7][6] = last[1];
        normal[7][7] = last[2];
        Self {
            cost,
            normal,
            gradient,
        }
    }

    fn step(&self, damping: f64) -> Option<[f64; 8]> {
        let mut normal = self.normal;
        for (index, row) in normal.iter_mut().enumerate() {
            row[index] *= 1.0 + damping;
        }
        solve(normal, self.gradient)
    }
}
