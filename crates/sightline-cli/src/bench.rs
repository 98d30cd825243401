//! `sightline bench`: how fast the parts are, and how much memory they need.

mod asmk;
mod csa;
mod graph;
mod homography;
mod kmeans;
mod rerank;

use crate::args::{BenchCommand, BenchExtractArgs, BenchPrepareArgs, BenchSearchArgs, ModelArgs, RecipeArgs};
use crate::output::{Outcome, print, print_json, usage};
use crate::progress::Screen;
use crate::{model_choice, pictures, recipe_choice};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sightline::bench::{self, NetworkTimes, PrepareTimes, SearchSize, SearchTimes, Times, WholeWay};
use sightline::descriptor::{DescriptorSet, RowType};
use sightline::nn::Architecture;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Networks where none were asked for.
const ARCHITECTURES: [&str; 3] = ["resnet18/gem", "resnet50/gem", "resnet101/gem"];
/// Sides of the pictures of noise where none were asked for.
const SIZES: [u32; 3] = [224, 512, 1024];

/// A network on a device at a size.
#[derive(Debug, Serialize, Deserialize)]
struct OfNetwork {
    architecture: String,
    device: String,
    threads: usize,
    #[serde(flatten)]
    result: NetworkTimes,
}

/// A network on a device, from picture files on.
#[derive(Serialize)]
struct OfWholeWay {
    architecture: String,
    device: String,
    threads: usize,
    #[serde(flatten)]
    result: WholeWay,
}

/// A recipe at a size.
#[derive(Serialize)]
struct OfRecipe {
    recipe: String,
    size: Option<u32>,
    #[serde(flatten)]
    result: PrepareTimes,
}

pub(crate) fn run(command: &BenchCommand, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    // What runs is the pool that `main` made, so its size is what is reported.
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    match command {
        BenchCommand::Extract(args) if args.here => network_here(args, threads, screen),
        BenchCommand::Extract(args) if args.pictures.is_some() => whole_way(args, threads, screen),
        BenchCommand::Extract(args) => networks(args, threads, screen),
        BenchCommand::Search(args) if args.here => search_here(args),
        BenchCommand::Search(args) => search(args, threads, screen),
        BenchCommand::Prepare(args) => prepare(args, screen),
        BenchCommand::Csa(args) => csa::run(args, threads),
        BenchCommand::Asmk(args) => asmk::run(args, threads, screen),
        BenchCommand::Homography(args) => homography::run(args),
        BenchCommand::Graph(args) => graph::run(args, threads),
        BenchCommand::Rerank(args) => rerank::run(args, threads, screen),
        BenchCommand::Kmeans(args) => kmeans::run(args, threads),
    }?;
    Ok(Outcome::Done)
}

/// The networks that were asked for: architectures of seeded weights, or the one of the model; none: as its file says.
fn architectures(args: &BenchExtractArgs) -> anyhow::Result<Vec<Option<String>>> {
    for name in &args.arch {
        Architecture::parse(name).map_err(|error| usage(error.to_string()))?;
    }
    Ok(match (&args.model, args.arch.len()) {
        (Some(_), 0) => vec![None],
        (Some(_), 2..) => {
            return Err(usage(
                "--model FILE is one network: name at most one --arch with it",
            ));
        }
        (None, 0) => ARCHITECTURES.map(|name| Some(name.to_owned())).to_vec(),
        _ => args.arch.iter().cloned().map(Some).collect(),
    })
}

/// The one network, on the one device, that was asked for.
fn model_args(args: &BenchExtractArgs) -> anyhow::Result<ModelArgs> {
    let (architectures, [device]) = (architectures(args)?, &args.device[..]) else {
        return Err(usage(
            "this measures one network on one device: name one --arch and one --device",
        ));
    };
    let [architecture] = &architectures[..] else {
        return Err(usage(
            "this measures one network: name it with --arch, or give a --model",
        ));
    };
    Ok(ModelArgs {
        model: Some(args.model.clone().unwrap_or_else(|| PathBuf::from("seeded"))),
        arch: architecture.clone(),
        device: device.clone(),
        ..ModelArgs::default()
    })
}

/// Every combination in a process of its own.
fn networks(args: &BenchExtractArgs, threads: usize, screen: &Screen) -> anyhow::Result<()> {
    let sizes = if args.size.is_empty() {
        &SIZES[..]
    } else {
        &args.size[..]
    };
    let architectures = architectures(args)?;
    let bar = screen.bar(
        (architectures.len() * args.device.len() * sizes.len()) as u64,
        "networks",
    );
    let mut results: Vec<OfNetwork> = Vec::new();
    for architecture in &architectures {
        for size in sizes {
            for device in &args.device {
                let mut child = child("extract", threads)?;
                child.args(["--device", device, "--size", &size.to_string()]);
                child.args([
                    "--batch",
                    &args.batch.to_string(),
                    "--rounds",
                    &args.rounds.to_string(),
                ]);
                if let Some(name) = architecture {
                    child.args(["--arch", name]);
                }
                if let Some(path) = &args.model {
                    child.arg("--model").arg(path);
                }
                results.push(answer(child)?);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    if args.json {
        return print_json(&results);
    }
    let mut table = vec![
        [
            "network",
            "device",
            "size",
            "images/s",
            "ms",
            "median",
            "CPU ms",
            "peak MB",
            "running MB",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for OfNetwork {
        architecture,
        device,
        result,
        ..
    } in &results
    {
        let [height, width] = result.size;
        let mut row = vec![
            architecture.clone(),
            device.clone(),
            format!("{width}x{height}"),
            format!("{:.2}", result.images_per_s),
        ];
        row.extend(of_times(&result.times));
        row.extend([megabytes(result.peak_memory), megabytes(result.running_memory)]);
        table.push(row);
    }
    print(&lines(&table))
}

/// One combination in this process.
fn network_here(args: &BenchExtractArgs, threads: usize, screen: &Screen) -> anyhow::Result<()> {
    let options = model_args(args)?;
    let [side] = args.size[..] else {
        return Err(usage("this measures one size: name one --size"));
    };
    let model = model_choice::model(&options, screen)?;
    let architecture = model.architecture();
    let mut executor = model.executor(&options.device, threads)?;
    // As in an extraction of many pictures, only what runs is kept.
    drop(model);
    let size = [side as usize, side as usize];
    let result = bench::time_network(executor.as_mut(), args.batch as usize, size, args.rounds as usize)?;
    print_json(&OfNetwork {
        architecture,
        device: options.device,
        threads,
        result,
    })
}

fn whole_way(args: &BenchExtractArgs, threads: usize, screen: &Screen) -> anyhow::Result<()> {
    let Some(folder) = &args.pictures else {
        return Err(usage("bench extract takes --in FOLDER"));
    };
    let options = model_args(args)?;
    if args.size.len() > 1 {
        return Err(usage("--in FOLDER is measured at one --size"));
    }
    let recipe = RecipeArgs {
        recipe: args.recipe.clone(),
        size: args.size.first().copied(),
        max_pixels: sightline::image::decode::DecodeOptions::default().max_pixels,
        ..RecipeArgs::default()
    };
    let model = model_choice::model(&options, screen)?;
    let found = pictures::of_folder(folder)?;
    let mut describer =
        model_choice::describer(&model, &options, &recipe, threads, model_choice::EXTRACTING)?;
    let scratch = tempfile::tempdir().context("a folder for the set could not be made")?;
    let result = bench::time_whole_way(
        &mut describer,
        &found.pictures,
        scratch.path(),
        args.rounds as usize,
    )?;
    let architecture = model.architecture();
    if args.json {
        return print_json(&OfWholeWay {
            architecture,
            device: options.device,
            threads,
            result,
        });
    }
    let mut table = vec![["", "s", "median s", "CPU s"].map(str::to_owned).to_vec()];
    for (name, times) in [
        ("the whole way", &result.whole),
        ("the network alone", &result.network),
    ] {
        let cpu = times
            .cpu_min_s
            .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.2}"));
        table.push(vec![
            name.to_owned(),
            format!("{:.2}", times.min_s),
            format!("{:.2}", times.median_s),
            cpu,
        ]);
    }
    let cpu = result.cpu_share_not_network.map_or_else(String::new, |share| {
        format!(", {:.1} % of the processor's", share * 100.0)
    });
    print(&format!(
        "{} pictures, {architecture}, {:.1} images/s\n{}not the network: {:.1} % of the time{cpu}",
        result.pictures,
        result.images_per_s,
        lines(&table),
        result.share_not_network * 100.0,
    ))
}

fn search(args: &BenchSearchArgs, threads: usize, screen: &Screen) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir().context("a folder for the set could not be made")?;
    let path = args
        .keep
        .clone()
        .unwrap_or_else(|| scratch.path().join("noise.safetensors"));
    let (rows, dim) = (args.rows as usize, args.dim as usize);
    let row_type = if args.half { RowType::F16 } else { RowType::F32 };
    if path.exists() {
        let set = DescriptorSet::open(&path)?;
        if (set.len(), set.dim(), set.row_type()) != (rows, dim, row_type) {
            return Err(usage(format!(
                "{} holds {} rows of {} values of {} bytes, which is not what --rows, --dim and --half ask for; name another file",
                path.display(),
                set.len(),
                set.dim(),
                set.row_type().size()
            )));
        }
    } else {
        let bar = screen.bar(rows as u64, "rows written");
        bench::write_noise(&path, rows, dim, row_type, args.seed.into(), &mut |done| {
            if done % 1024 == 0 {
                bar.set_position(done as u64);
            }
        })?;
        bar.finish_and_clear();
    }
    let mut child = child("search", threads)?;
    child.arg("--keep").arg(&path).args(["-k", &args.k.to_string()]);
    child.args([
        "--queries",
        &args.queries.to_string(),
        "--wanted",
        &args.wanted.to_string(),
    ]);
    child.args(["--rounds", &args.rounds.to_string()]);
    let result: SearchTimes = answer(child)?;
    if args.json {
        return print_json(&result);
    }
    let mut table = vec![["asked", "ms", "median", "CPU ms"].map(str::to_owned).to_vec()];
    for (asked, times) in [
        (format!("the best {} rows", result.k), &result.top_k),
        (format!("the ranks of {} rows", result.wanted), &result.ranks),
    ] {
        table.push([vec![asked], of_times(times)].concat());
    }
    print(&format!(
        "{} queries x {} rows x {} values of {} bytes, {threads} threads\n{}memory beyond the mapped file: {} MB",
        result.queries,
        result.rows,
        result.dim,
        result.value_bytes,
        lines(&table),
        megabytes(result.memory_beyond_mapping),
    ))
}

fn search_here(args: &BenchSearchArgs) -> anyhow::Result<()> {
    let Some(path) = &args.keep else {
        return Err(usage("bench search --here takes --keep SET"));
    };
    let size = SearchSize {
        queries: args.queries as usize,
        k: args.k as usize,
        wanted: args.wanted as usize,
    };
    print_json(&bench::time_search(path, size, args.rounds as usize)?)
}

fn prepare(args: &BenchPrepareArgs, screen: &Screen) -> anyhow::Result<()> {
    let files = files(&args.pictures, args.at_most as usize)?;
    let sizes: Vec<Option<u32>> = match &args.size[..] {
        [] => vec![None],
        sizes => sizes.iter().copied().map(Some).collect(),
    };
    let bar = screen.bar((args.recipe.len() * sizes.len()) as u64, "recipes");
    let mut results = Vec::new();
    for name in &args.recipe {
        for size in &sizes {
            let options = RecipeArgs {
                recipe: Some(name.clone()),
                size: *size,
                ..RecipeArgs::default()
            };
            let recipe = recipe_choice::recipe(&options, name, None)?;
            let result = bench::time_prepare(&files, &recipe, args.rounds as usize)?;
            results.push(OfRecipe {
                recipe: name.clone(),
                size: *size,
                result,
            });
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if args.json {
        return print_json(&results);
    }
    let mut table = vec![
        ["recipe", "size", "pictures", "ms a picture", "of it decoding"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for OfRecipe { recipe, size, result } in &results {
        let size = size.map_or_else(|| "its own".to_owned(), |size| size.to_string());
        let numbers = [
            result.pictures.to_string(),
            format!("{:.3}", result.ms),
            format!("{:.3}", result.decode_ms),
        ];
        table.push([vec![recipe.clone(), size], numbers.to_vec()].concat());
    }
    print(&lines(&table))
}

/// The bytes of the first pictures of a folder.
fn files(folder: &Path, at_most: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let found = pictures::of_folder(folder)?;
    let read = |picture: &sightline::extract::Picture| {
        std::fs::read(&picture.path).with_context(|| format!("{} could not be read", picture.path.display()))
    };
    found.pictures.iter().take(at_most).map(read).collect()
}

/// This program again, to measure one configuration.
fn child(what: &str, threads: usize) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("this program could not find itself")?;
    let mut command = Command::new(program);
    command.args([
        "--quiet",
        "--threads",
        &threads.to_string(),
        "bench",
        what,
        "--here",
    ]);
    Ok(command)
}

/// Runs a child; what it printed. Its errors go where ours go.
fn answer<T: serde::de::DeserializeOwned>(mut child: Command) -> anyhow::Result<T> {
    let output = child
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("a process to measure in could not be started")?;
    if !output.status.success() {
        anyhow::bail!(
            "The measurement failed: its process ended with {}.",
            output.status
        );
    }
    serde_json::from_slice(&output.stdout).context("a measuring process printed no result")
}

/// Milliseconds: the quickest, the median, processor time.
fn of_times(times: &Times) -> Vec<String> {
    let ms = |seconds: f64| format!("{:.1}", seconds * 1e3);
    vec![
        ms(times.min_s),
        ms(times.median_s),
        times.cpu_min_s.map_or_else(|| "-".to_owned(), ms),
    ]
}

fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{:.0}", bytes as f64 / 1e6))
}

/// Lines with their columns under one another; the first column leans left, the others right.
fn lines(table: &[Vec<String>]) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}
