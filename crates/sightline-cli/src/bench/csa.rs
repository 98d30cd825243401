//! `sightline bench csa`: CSA's network on affinities of noise.

use super::lines;
use crate::args::BenchCsaArgs;
use crate::output::{print, print_json, usage, write_whole};
use sightline::bench::{CsaSize, CsaTimes, time_csa};
use sightline::nn::{Csa, CsaSizes, Weights};
use sightline::plan::{Executor, Plan, RtenExecutor, plan_executor};

/// What can run the network here.
const RUNTIMES: [&str; 2] = ["sightline", "rten"];

pub(super) fn run(args: &BenchCsaArgs, threads: usize) -> anyhow::Result<()> {
    if let Some(unknown) = args.by.iter().find(|name| !RUNTIMES.contains(&name.as_str())) {
        return Err(usage(format!(
            "--by {unknown} is nothing that runs the network: it takes {}",
            RUNTIMES.join(", ")
        )));
    }
    let sizes = CsaSizes {
        anchors: args.anchors as usize,
        width: args.width as usize,
        depth: args.depth as usize,
        heads: args.heads as usize,
        hidden: 4 * args.width as usize,
        qkv_bias: true,
    };
    if !sizes.width.is_multiple_of(sizes.heads) || sizes.parameter_count() > CsaSizes::MOST_PARAMETERS {
        return Err(usage(format!(
            "a network of width {} and {} heads is none: the heads divide the width, and there are at most {} parameters",
            sizes.width,
            sizes.heads,
            CsaSizes::MOST_PARAMETERS
        )));
    }
    let network = Csa::load(&Weights::for_csa(sizes, 1), Some(sizes.heads))?;
    let plan = network.record()?;
    drop(network);
    if let Some(path) = &args.export {
        write_whole(path, &plan.to_onnx())?;
    }
    let size = CsaSize {
        tokens: args.tokens as usize,
        anchors: sizes.anchors,
        queries: args.queries as usize,
        batch: args.batch as usize,
    };
    let times = args
        .by
        .iter()
        .map(|name| {
            Ok(time_csa(
                executor(name, &plan, threads)?.as_mut(),
                size,
                args.rounds as usize,
            )?)
        })
        .collect::<anyhow::Result<Vec<CsaTimes>>>()?;
    if args.json {
        return print_json(&times);
    }
    let ms = |seconds: f64| format!("{:.1}", 1e3 * seconds / size.queries as f64);
    let mut table = vec![
        ["run by", "ms a query", "median", "CPU ms", "largest difference"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for each in &times {
        let pairs = each.scores.iter().zip(&times[0].scores);
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        table.push(vec![
            each.runtime.clone(),
            ms(each.times.min_s),
            ms(each.times.median_s),
            each.times.cpu_min_s.map_or_else(|| "-".to_owned(), ms),
            format!("{difference:.1e}"),
        ]);
    }
    print(&format!(
        "{} tokens x {} anchors, {} queries in batches of {}, {threads} threads\n{}",
        size.tokens,
        size.anchors,
        size.queries,
        size.batch,
        lines(&table)
    ))
}

fn executor(name: &str, plan: &Plan, threads: usize) -> anyhow::Result<Box<dyn Executor>> {
    Ok(match name {
        "rten" => Box::new(RtenExecutor::new(plan, threads)?),
        _ => plan_executor(plan, threads)?,
    })
}
