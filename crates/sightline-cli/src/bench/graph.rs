//! `sightline bench graph`: the graph of neighbours of descriptors that are drawn.

use super::{lines, megabytes};
use crate::args::BenchGraphArgs;
use crate::output::{print, print_json};
use sightline::bench::{Clusters, time_graph};

pub(super) fn run(args: &BenchGraphArgs, threads: usize) -> anyhow::Result<()> {
    let rows = args.rows as usize;
    let data = Clusters {
        dim: args.dim as usize,
        centres: args.centres.map_or(rows / 10, |centres| centres as usize),
    };
    let result = time_graph(data, rows, args.k as usize, args.rounds as usize)?;
    if args.json {
        return print_json(&result);
    }
    let times = &result.times;
    let cpu = times
        .cpu_min_s
        .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.2}"));
    let table = [
        ["a graph", "s", "median s", "CPU s"].map(str::to_owned).to_vec(),
        vec![
            format!("{} neighbours", result.k),
            format!("{:.2}", times.min_s),
            format!("{:.2}", times.median_s),
            cpu,
        ],
    ];
    print(&format!(
        "{} descriptors x {} values around {} centres, {threads} threads\n{}memory: {} MB",
        result.rows,
        result.dim,
        result.centres,
        lines(&table),
        megabytes(result.memory),
    ))
}
