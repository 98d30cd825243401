//! `sightline bench kmeans`: k-means on vectors that are drawn.

use super::{lines, megabytes};
use crate::args::BenchKMeansArgs;
use crate::output::{print, print_json, usage};
use sightline::bench::{KMeansSize, time_k_means};
use sightline::local::codebook_size;

pub(super) fn run(args: &BenchKMeansArgs, threads: usize) -> anyhow::Result<()> {
    let words = codebook_size(&args.words)
        .filter(|words| *words <= args.rows as usize)
        .ok_or_else(|| {
            usage(format!(
                "--words {} is no size of a codebook of {} vectors: try 4096 or 4k",
                args.words, args.rows
            ))
        })?;
    let size = KMeansSize {
        rows: args.rows as usize,
        dim: args.dim as usize,
        centres: args.centres as usize,
        words,
        iterations: args.iterations as usize,
    };
    let result = time_k_means(size, args.rounds as usize)?;
    if args.json {
        return print_json(&result);
    }
    let times = &result.times;
    let cpu = times
        .cpu_min_s
        .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.2}"));
    let table = [
        ["a training", "s", "median s", "CPU s"]
            .map(str::to_owned)
            .to_vec(),
        vec![
            format!("{} iterations", result.iterations),
            format!("{:.2}", times.min_s),
            format!("{:.2}", times.median_s),
            cpu,
        ],
    ];
    print(&format!(
        "{} vectors x {} values into {} words, {threads} threads\n{}objective: {:.6e}\nmemory: {} MB",
        result.rows,
        result.dim,
        result.words,
        lines(&table),
        result.objective,
        megabytes(result.memory),
    ))
}
