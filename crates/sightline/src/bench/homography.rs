//! Robust homographies from made-up matches, some right and some wrong.

use super::rounds::{Times, timed};
use serde::{Deserialize, Serialize};
use sightline_checkpoint::formula::uniform;
use sightline_local::spatial::{ModelKind, PointMatch, RobustFit, RobustSettings, SpatialModel, robust_fit};

/// Width and height of either picture.
const SIZE: [f64; 2] = [640.0, 480.0];

/// How far the corners of the first picture are moved at most, in pixels along each axis.
const MOVED: f64 = 80.0;

/// What is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HomographySize {
    /// Matches of a pair.
    pub matches: usize,
    /// Share of them that is right.
    pub inliers: f64,
    /// Standard deviation of right matches along each axis, in pixels.
    pub noise: f64,
    /// Pairs, each with its own homography.
    pub pairs: usize,
}

/// How long fitting takes, and how good it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HomographyTimes {
    /// Pairs of pictures.
    pub pairs: usize,
    /// Matches of each.
    pub matches: usize,
    /// Times of all pairs.
    pub times: Times,
    /// Mean over the pairs of the samples that were tried.
    pub samples: f64,
    /// Pairs without a map, or with one whose corners are more than 10 pixels off on average.
    pub failed: usize,
    /// Share of found inliers that are right, over all pairs.
    pub precision: f64,
    /// Share of right matches that are found, over all pairs.
    pub recall: f64,
    /// Mean distance of the four corners from where they belong: its median over the pairs, in pixels.
    pub corner_error_median: f64,
    /// Its mean over the pairs that did not fail.
    pub corner_error_mean: f64,
}

/// A pair of made-up pictures.
struct Pair {
    truth: SpatialModel,
    matches: Vec<PointMatch>,
    right: Vec<bool>,
}

/// The corners of a picture.
fn corners() -> [[f64; 2]; 4] {
    let [width, height] = SIZE;
    [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]]
}

/// Pair number `seed`. With u(name) the formula's uniform numbers in [-1, 1) of that name and seed: corner c moves by 80 u(`corners`)
/// along each axis; the points of the first picture are uniform, by u(`from`); match i is right where the whole part of
/// (i + 1) times the share is larger than that of i times the share. Right matches go where the homography says, plus
/// noise times half the sum of 12 of u(`noise`), which has a standard deviation of 1; wrong ones anywhere, by u(`to`).
fn pair(size: &HomographySize, seed: u64) -> Option<Pair> {
    let draw = |name: &str, count: usize| uniform(&format!("bench.homography.{name}"), seed, count);
    let moved = draw("corners", 8);
    let sample: Vec<PointMatch> = corners()
        .into_iter()
        .zip(moved.chunks_exact(2))
        .map(|(from, by)| PointMatch {
            from,
            to: [from[0] + MOVED * by[0], from[1] + MOVED * by[1]],
        })
        .collect();
    let truth = SpatialModel::through(ModelKind::Homography, &sample)?;
    let anywhere = |u: &[f64]| [SIZE[0] * (u[0] + 1.0) / 2.0, SIZE[1] * (u[1] + 1.0) / 2.0];
    let (from, to) = (draw("from", 2 * size.matches), draw("to", 2 * size.matches));
    let noise = draw("noise", 24 * size.matches);
    let whole = |count: usize| (count as f64 * size.inliers).floor();
    let mut pair = Pair {
        truth,
        matches: Vec::new(),
        right: Vec::new(),
    };
    for index in 0..size.matches {
        let from = anywhere(&from[2 * index..]);
        let right = whole(index + 1) > whole(index);
        let to = match truth.apply(from) {
            Some(place) if right => {
                let bell = |axis: usize| noise[24 * index + 12 * axis..][..12].iter().sum::<f64>() / 2.0;
                [place[0] + size.noise * bell(0), place[1] + size.noise * bell(1)]
            }
            _ => anywhere(&to[2 * index..]),
        };
        pair.matches.push(PointMatch { from, to });
        pair.right.push(right);
    }
    Some(pair)
}

/// Mean distance of the corners under the fit from where they belong; infinite without a fit.
fn corner_error(fit: Option<&RobustFit>, truth: &SpatialModel) -> f64 {
    let distance = |corner| {
        let (got, want) = (fit?.model.apply(corner)?, truth.apply(corner)?);
        Some(((got[0] - want[0]).powi(2) + (got[1] - want[1]).powi(2)).sqrt())
    };
    corners()
        .into_iter()
        .map(|corner| distance(corner).unwrap_or(f64::INFINITY) / 4.0)
        .sum()
}

/// Fits a homography to every pair on one thread, once to warm up, then `rounds` times.
pub fn time_homography(
    size: HomographySize,
    settings: &RobustSettings,
    rounds: usize,
) -> Option<HomographyTimes> {
    const FAILED: f64 = 10.0;
    let pairs: Option<Vec<Pair>> = (0..size.pairs as u64).map(|seed| pair(&size, seed)).collect();
    let pairs = pairs?;
    let fits = || pairs.iter().map(|pair| robust_fit(&pair.matches, &[], settings));
    let times = timed(rounds, || {
        fits().for_each(|fit| {
            std::hint::black_box(fit);
        });
        Ok::<(), std::convert::Infallible>(())
    });
    let (mut samples, mut found, mut agreed, mut errors) = (0, 0, 0, Vec::new());
    for (fit, pair) in fits().zip(&pairs) {
        if let Some(fit) = &fit {
            samples += fit.samples;
            found += fit.inliers.len();
            agreed += fit
                .inliers
                .iter()
                .filter(|&&index| pair.right[index as usize])
                .count();
        }
        errors.push(corner_error(fit.as_ref(), &pair.truth));
    }
    let right: usize = pairs
        .iter()
        .map(|pair| pair.right.iter().filter(|right| **right).count())
        .sum();
    errors.sort_by(f64::total_cmp);
    let good: Vec<f64> = errors.iter().copied().filter(|error| *error <= FAILED).collect();
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let Ok(times) = times;
    Some(HomographyTimes {
        pairs: pairs.len(),
        matches: size.matches,
        times,
        samples: share(samples, pairs.len()),
        failed: errors.len() - good.len(),
        precision: share(agreed, found),
        recall: share(agreed, right),
        corner_error_median: errors.get(errors.len() / 2).copied()?,
        corner_error_mean: good.iter().sum::<f64>() / good.len().max(1) as f64,
    })
}
