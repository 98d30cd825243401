//! What must hold for any matches: a planted map is found, units and origins do not matter, nothing is ever no number.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sightline_checkpoint::formula::uniform;
use sightline_local::spatial::{ModelKind, PointMatch, RobustFit, RobustSettings, SpatialModel, robust_fit};

const SIZE: f64 = 600.0;

fn kinds() -> impl Strategy<Value = ModelKind> {
    prop::sample::select(ModelKind::NAMES.map(|(_, kind)| kind).to_vec())
}

/// A map that a camera could make.
fn truth(kind: ModelKind, seed: u64) -> SpatialModel {
    let corners = [[0.0, 0.0], [SIZE, 0.0], [SIZE, SIZE], [0.0, SIZE]];
    let moved = uniform("truth", seed, 8);
    let turn = uniform("turn", seed, 1)[0];
    let sample: Vec<PointMatch> = corners
        .iter()
        .zip(moved.chunks_exact(2))
        .take(kind.sample_size())
        .map(|(&from, by)| {
            let (x, y) = (from[0] + 70.0 * by[0], from[1] + 70.0 * by[1]);
            let to = [x - turn * y, turn * x + y];
            PointMatch { from, to }
        })
        .collect();
    SpatialModel::through(kind, &sample).unwrap()
}

/// Matches, some right to half a pixel, and which; the wrong ones are far off.
fn planted(kind: ModelKind, seed: u64, right: usize, wrong: usize) -> (Vec<PointMatch>, Vec<u32>) {
    let truth = truth(kind, seed);
    let count = right + wrong;
    let from = uniform("from", seed, 2 * count);
    let (noise, far) = (uniform("noise", seed, 2 * count), uniform("far", seed, 2 * count));
    let (mut matches, mut inliers) = (Vec::new(), Vec::new());
    for index in 0..count {
        let axes = [2 * index, 2 * index + 1];
        let from = axes.map(|axis| SIZE * (from[axis] + 1.0) / 2.0);
        let place = truth.apply(from).unwrap();
        let is_right = (index + 1) * right / count > index * right / count;
        let by = if is_right {
            inliers.push(index as u32);
            axes.map(|axis| 0.35 * noise[axis])
        } else {
            axes.map(|axis| (40.0 + 300.0 * far[axis].abs()) * far[axis].signum())
        };
        let to = [place[0] + by[0], place[1] + by[1]];
        matches.push(PointMatch { from, to });
    }
    (matches, inliers)
}

fn fit(matches: &[PointMatch], kind: ModelKind, threshold: f64) -> Option<RobustFit> {
    let settings = RobustSettings {
        threshold,
        ..RobustSettings::of(kind)
    };
    robust_fit(matches, &[], &settings)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_planted_map_is_found(kind in kinds(), seed in 0_u64..1000, share in 25_usize..100, count in 60_usize..300) {
        let right = count * share / 100;
        let (matches, inliers) = planted(kind, seed, right, count - right);
        let found = fit(&matches, kind, 3.0).unwrap();
        for index in &inliers {
            prop_assert!(found.inliers.contains(index));
        }
        // A wrong match may agree by chance.
        prop_assert!(found.inliers.len() <= inliers.len() + 1 + count / 50);
        for corner in [[0.0, 0.0], [SIZE, 0.0], [SIZE, SIZE], [0.0, SIZE]] {
            let (got, want) = (found.model.apply(corner).unwrap(), truth(kind, seed).apply(corner).unwrap());
            let distance = ((got[0] - want[0]).powi(2) + (got[1] - want[1]).powi(2)).sqrt();
            prop_assert!(distance < 3.0, "{} off", distance);
        }
    }

    #[test]
    fn the_best_first_find_it_with_fewer_samples(kind in kinds(), seed in 0_u64..1000) {
        let (matches, inliers) = planted(kind, seed, 80, 120);
        let wrong = (0..200).filter(|index| !inliers.contains(index));
        let order: Vec<u32> = inliers.iter().copied().chain(wrong).collect();
        let settings = RobustSettings::of(kind);
        let plain = robust_fit(&matches, &[], &settings).unwrap();
        let ordered = robust_fit(&matches, &order, &settings).unwrap();
        prop_assert!(ordered.samples <= plain.samples);
        prop_assert!(inliers.iter().all(|index| ordered.inliers.contains(index)));
    }

    #[test]
    fn units_and_origins_do_not_matter(
        kind in kinds(), seed in 0_u64..1000, power in -3_i32..6, shift in prop::array::uniform4(-30_000_i32..30_000),
    ) {
        let (matches, _) = planted(kind, seed, 60, 60);
        // Exact in binary, so that the very same samples are drawn and judged.
        let scale = 2.0_f64.powi(power);
        let moved: Vec<PointMatch> = matches
            .iter()
            .map(|one| PointMatch {
                from: [one.from[0] + f64::from(shift[0]), one.from[1] + f64::from(shift[1])],
                to: [scale * one.to[0] + f64::from(shift[2]), scale * one.to[1] + f64::from(shift[3])],
            })
            .collect();
        let (found, again) = (fit(&matches, kind, 3.0).unwrap(), fit(&moved, kind, 3.0 * scale).unwrap());
        prop_assert_eq!(found.inliers, again.inliers);
    }

    #[test]
    fn the_same_seed_gives_the_same_answer(kind in kinds(), seed in 0_u64..1000, draw: u64) {
        let (matches, _) = planted(kind, seed, 40, 80);
        let settings = RobustSettings { seed: draw, ..RobustSettings::of(kind) };
        let found = robust_fit(&matches, &[], &settings);
        prop_assert!(found.is_some());
        prop_assert_eq!(&found, &robust_fit(&matches, &[], &settings));
    }

    #[test]
    fn any_coordinates_end_with_numbers(
        kind in kinds(),
        points in prop::collection::vec(prop::array::uniform4(prop_oneof![
            4 => -100.0..100.0_f64,
            2 => (0..4_i32).prop_map(f64::from),
            1 => any::<f64>(),
        ]), 0..60),
        mirrored: bool,
    ) {
        let matches: Vec<PointMatch> = points
            .iter()
            .map(|&[x, y, u, v]| PointMatch { from: [x, y], to: [u, v] })
            .collect();
        let settings = RobustSettings { mirrored, max_samples: 500, ..RobustSettings::of(kind) };
        if let Some(found) = robust_fit(&matches, &[], &settings) {
            prop_assert!(found.model.matrix.iter().all(|value| value.is_finite()));
            prop_assert!(found.inliers.len() > kind.sample_size());
            prop_assert!(found.inliers.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(mirrored || !found.model.mirrors());
            for &index in &found.inliers {
                let one = matches[index as usize];
                let place = found.model.apply(one.from).unwrap();
                prop_assert!((place[0] - one.to[0]).hypot(place[1] - one.to[1]) <= 3.0 + 1e-6);
            }
        }
    }
}

#[test]
fn matches_on_a_line_or_in_one_place_have_no_map() {
    let noise = uniform("line", 1, 400);
    let line = |wobble: f64| -> Vec<PointMatch> {
        (0..100)
            .map(|i| {
                let along = f64::from(i) * 6.0;
                let by = |axis: usize| wobble * noise[4 * i as usize + axis];
                PointMatch {
                    from: [along + by(0), 0.5 * along + by(1)],
                    to: [2.0 * along + by(2), 3.0 * along + by(3)],
                }
            })
            .collect()
    };
    let place = vec![
        PointMatch {
            from: [50.0, 50.0],
            to: [70.0, 70.0]
        };
        9
    ];
    for kind in [ModelKind::Affine, ModelKind::Homography] {
        for wobble in [0.0, 1e-4, 0.5] {
            assert_eq!(fit(&line(wobble), kind, 3.0), None, "{kind:?} {wobble}");
        }
        assert_eq!(fit(&place, kind, 3.0), None);
    }
    assert_eq!(fit(&place, ModelKind::Similarity, 3.0), None);
}

#[test]
fn a_mirrored_picture_agrees_only_where_it_may() {
    let mirrored: Vec<PointMatch> = uniform("mirror", 1, 80)
        .chunks_exact(2)
        .map(|at| PointMatch {
            from: [300.0 * at[0], 300.0 * at[1]],
            to: [-300.0 * at[0], 300.0 * at[1]],
        })
        .collect();
    for kind in [ModelKind::Affine, ModelKind::Homography] {
        let settings = RobustSettings::of(kind);
        let straight = robust_fit(&mirrored, &[], &settings).map_or(0, |fit| fit.inliers.len());
        assert!(straight < 8, "{straight}");
        let settings = RobustSettings {
            mirrored: true,
            ..settings
        };
        let found = robust_fit(&mirrored, &[], &settings).unwrap();
        assert!(found.model.mirrors());
        assert_eq!(found.inliers.len(), 40);
    }
}

#[test]
fn settings_without_sense_find_nothing() {
    let (matches, _) = planted(ModelKind::Affine, 1, 20, 0);
    for threshold in [0.0, -1.0, f64::NAN] {
        assert_eq!(fit(&matches, ModelKind::Affine, threshold), None);
    }
    let settings = RobustSettings {
        max_samples: 0,
        ..RobustSettings::of(ModelKind::Affine)
    };
    assert_eq!(robust_fit(&matches, &[], &settings), None);
    let settings = RobustSettings {
        min_inliers: 21,
        ..RobustSettings::of(ModelKind::Affine)
    };
    assert_eq!(robust_fit(&matches, &[], &settings), None);
}
