//! `sightline bench asmk`: an ASMK index of features that are drawn.

use super::{lines, megabytes};
use crate::args::BenchAsmkArgs;
use crate::output::{print, print_json, usage};
use crate::progress::Screen;
use anyhow::Context as _;
use sightline::bench::{AsmkSize, Step, time_asmk};
use sightline::local::asmk::AsmkSettings;
use sightline::local::codebook_size;

pub(super) fn run(args: &BenchAsmkArgs, threads: usize, screen: &Screen) -> anyhow::Result<()> {
    let words = codebook_size(&args.words)
        .filter(|words| *words <= 1 << 24)
        .ok_or_else(|| {
            usage(format!(
                "--words {} is no size of a codebook: try 64k",
                args.words
            ))
        })?;
    if !args.zipf.is_finite() {
        return Err(usage("--zipf takes a finite number"));
    }
    let size = AsmkSize {
        images: args.images as usize,
        features: args.features as usize,
        dim: args.dim as usize,
        words,
        zipf: (!args.quantise).then_some(args.zipf),
        queries: args.queries as usize,
        k: args.k as usize,
        memory: (args.memory as usize) << 20,
    };
    let how = AsmkSettings {
        binary: !args.float,
        idf: args.idf,
        query_assignment: args.assign as usize,
        ..AsmkSettings::default()
    };
    let scratch = tempfile::tempdir().context("a folder for the index could not be made")?;
    let path = args
        .keep
        .clone()
        .unwrap_or_else(|| scratch.path().join("index.sasmk"));
    let bar = screen.bar(size.images as u64, "images");
    let times = time_asmk(&path, size, &how, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    if args.json {
        return print_json(&times);
    }
    let row = |what: &str, step: &Step, unit: f64| {
        let cpu = step
            .cpu_s
            .map_or_else(|| "-".to_owned(), |cpu| format!("{:.2}", cpu * unit));
        vec![what.to_owned(), format!("{:.2}", step.s * unit), cpu]
    };
    let mut table = vec![["building", "s", "CPU s"].map(str::to_owned).to_vec()];
    table.extend(times.quantise.as_ref().map(|step| row("words", step, 1.0)));
    table.push(row("aggregation", &times.aggregate, 1.0));
    table.push(row("adding and merging", &times.add, 1.0));
    let mut asked = vec![["a query", "ms", "CPU ms"].map(str::to_owned).to_vec()];
    asked.push(row("one after another, mean", &times.query, 1e3));
    for (what, seconds) in [
        ("median", times.query_p50_s),
        ("99 of 100 within", times.query_p99_s),
    ] {
        asked.push(vec![
            what.to_owned(),
            format!("{:.2}", seconds * 1e3),
            String::new(),
        ]);
    }
    asked.push(row(
        "all at once, without words and aggregation",
        &times.query_together,
        1e3,
    ));
    print(&format!(
        "{} images, {} entries ({} bytes each), imbalance {:.2}: {} MB, {:.0} bytes an image; {threads} threads\n{}\
         memory beyond mapped files: {} MB building, {} MB asking\n\n{}\
         {:.0} words and {:.0} entries a query; {} of {} found first what they should",
        times.images,
        times.entries,
        times.bytes_per_entry,
        times.imbalance,
        times.file_bytes / 1_000_000,
        times.bytes_per_image,
        lines(&table),
        megabytes(times.build_memory),
        megabytes(times.search_memory),
        lines(&asked),
        times.query_words,
        times.query_entries,
        times.found,
        args.queries,
    ))
}
