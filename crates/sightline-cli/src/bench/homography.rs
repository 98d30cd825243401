//! `sightline bench homography`: robust homographies from made-up matches.

use super::lines;
use crate::args::BenchHomographyArgs;
use crate::output::{print, print_json, usage};
use sightline::bench::{HomographySize, time_homography};
use sightline::local::spatial::{ModelKind, RobustSettings};

pub(super) fn run(args: &BenchHomographyArgs) -> anyhow::Result<()> {
    for (name, value) in [("--inliers", args.inliers), ("--confidence", args.confidence)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(usage(format!("{name} is a share from 0 to 1, not {value}")));
        }
    }
    let size = HomographySize {
        matches: args.matches as usize,
        inliers: args.inliers,
        noise: args.noise,
        pairs: args.pairs as usize,
    };
    let settings = RobustSettings {
        threshold: args.threshold,
        confidence: args.confidence,
        max_samples: args.max_samples as usize,
        ..RobustSettings::of(ModelKind::Homography)
    };
    let result = time_homography(size, &settings, args.rounds as usize);
    let Some(result) = result else {
        anyhow::bail!("The matches could not be made up. Use another --pairs.");
    };
    if args.json {
        return print_json(&result);
    }
    let ms = |seconds: f64| format!("{:.3}", 1e3 * seconds / result.pairs as f64);
    let names = [
        "ms",
        "CPU ms",
        "samples",
        "precision",
        "recall",
        "corners px",
        "mean",
        "failed",
    ];
    let row = vec![
        ms(result.times.min_s),
        result.times.cpu_min_s.map_or_else(|| "-".to_owned(), ms),
        format!("{:.0}", result.samples),
        format!("{:.4}", result.precision),
        format!("{:.4}", result.recall),
        format!("{:.3}", result.corner_error_median),
        format!("{:.3}", result.corner_error_mean),
        result.failed.to_string(),
    ];
    print(&lines(&[names.map(str::to_owned).to_vec(), row]))
}
