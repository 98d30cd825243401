//! `sightline model`: what is in a checkpoint, the same as safetensors, its network as ONNX, and published weights.

mod csa;
mod export;
mod heads;
mod onnx_summary;

use crate::args::{ExportFormat, ModelArgs, ModelCommand, TableArgs};
use crate::extract::printable;
use crate::output::{Outcome, print, print_json, usage};
use crate::progress::Screen;
use crate::pull;
use serde::Serialize;
use sightline::checkpoint::recognise::{WHITENINGS, recognise_file, store_whitenings};
use sightline::checkpoint::{self, Summary, safetensors};
use sightline::dataset::pull::Kind;
use sightline::is_onnx_path;
use std::fmt::Write as _;
use std::path::Path;

pub(crate) fn run(command: &ModelCommand, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        ModelCommand::Inspect { file, json } if is_onnx_path(file) => onnx_summary::inspect(file, *json),
        ModelCommand::Inspect { file, json } => inspect(file, *json),
        ModelCommand::Convert { file, output } => convert(file, output),
        ModelCommand::Export {
            file,
            format: ExportFormat::Onnx,
            output,
            arch,
            input_size,
            k,
            json,
        } => {
            if csa::is_asked_for(file, arch.as_deref()) {
                if input_size.is_some() {
                    return Err(usage(
                        "CSA's network takes no pictures: leave --input-size out; --k says for how many candidates.",
                    ));
                }
                let wanted = csa::Wanted {
                    file,
                    arch: arch.as_deref(),
                    k: *k,
                    output,
                    json: *json,
                };
                return csa::export(&wanted, worker_threads(threads));
            }
            if k.is_some() {
                return Err(usage(
                    "--k belongs to CSA's re-ranking network, and this is none; add --arch csa if it is.",
                ));
            }
            let network = ModelArgs {
                model: Some(file.clone()),
                arch: arch.clone(),
                ..ModelArgs::default()
            };
            export::onnx(
                &network,
                output,
                *input_size,
                *json,
                worker_threads(threads),
                screen,
            )
        }
        ModelCommand::List { word, table } => list(word.as_deref(), table),
        ModelCommand::Pull(args) => pull::run(Kind::Models, args, screen),
    }
}

/// Threads of a network: as many as asked for, or (0) one a core.
fn worker_threads(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    }
}

/// What `model list --json` prints.
#[derive(Serialize)]
struct Lists<'a> {
    networks: heads::Networks,
    weights: Vec<pull::Listed<'a>>,
}

fn list(word: Option<&str>, args: &TableArgs) -> anyhow::Result<Outcome> {
    let table = pull::table(Kind::Models, args)?;
    let networks = heads::Networks::list(word, &table)?;
    let (weights_text, weights) = pull::listed(&table, args, word.unwrap_or_default())?;
    if let Some(word) = word
        && networks.is_empty()
        && weights.is_empty()
    {
        return Err(usage(format!(
            "No network and no published weights have a name with `{word}` in it; `sightline model list` prints all."
        )));
    }
    if args.json {
        print_json(&Lists { networks, weights })?;
    } else {
        print(&format!(
            "{}\nPublished weights:\n{weights_text}",
            networks.text(word.is_some())
        ))?;
    }
    Ok(Outcome::Done)
}

fn inspect(path: &Path, json: bool) -> anyhow::Result<Outcome> {
    let summary = Summary::of(&checkpoint::read(path)?);
    if json {
        print_json(&summary)?;
    } else {
        print(&table(&summary))?;
    }
    Ok(Outcome::Done)
}

/// The summary as lines of text.
fn table(summary: &Summary) -> String {
    let mut text = format!(
        "file          {}\nproject       {}\n",
        summary.kind.describe(),
        summary.project.name()
    );
    if let Some(name) = &summary.architecture {
        let _ = writeln!(text, "architecture  {name}");
    }
    if let Some(trunk) = &summary.trunk {
        let _ = writeln!(text, "trunk         {trunk}");
    }
    if let Some(preprocess) = &summary.preprocess {
        let _ = writeln!(text, "mean, std     {:?}, {:?}", preprocess.mean, preprocess.std);
    }
    for (heading, values) in [
        ("options", &summary.options),
        ("counters", &summary.counters),
        ("metadata", &summary.metadata),
    ] {
        if !values.is_empty() {
            let _ = writeln!(text, "{heading}:");
        }
        for (name, value) in values {
            let _ = writeln!(
                text,
                "  {:<24} {}",
                printable(name),
                printable(&value.to_string())
            );
        }
    }
    if !summary.whitenings.is_empty() {
        let _ = writeln!(text, "whitenings:");
    }
    for whitening in &summary.whitenings {
        let _ = writeln!(
            text,
            "  {:<24} {} -> {}",
            printable(&whitening.name),
            whitening.input_dim,
            whitening.output_dim
        );
    }
    if summary.tensors.is_empty() {
        let _ = writeln!(text, "entries:");
        for (name, value) in &summary.entries {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(text, "  {:<24} {}", printable(name), printable(&value));
        }
        return text;
    }
    let _ = writeln!(
        text,
        "{} tensors, {} values, {} bytes:",
        summary.tensors.len(),
        summary.elements,
        summary.bytes
    );
    for tensor in &summary.tensors {
        let _ = writeln!(
            text,
            "  {:<48} {:<9} {:?}",
            printable(&tensor.name),
            tensor.dtype,
            tensor.shape
        );
    }
    text
}

fn convert(path: &Path, output: &Path) -> anyhow::Result<Outcome> {
    let file = checkpoint::read(path)?;
    let found = recognise_file(&file);
    if found.state_dict.is_empty() {
        anyhow::bail!(
            "{} holds no tensors by name that could be written. `sightline model inspect` prints what is inside.",
            path.display()
        );
    }
    let mut tensors = found.state_dict.clone();
    let mut metadata = metadata(&found);
    if let Some((stored, listed)) = store_whitenings(&found.whitenings) {
        tensors.extend(stored);
        metadata.push((WHITENINGS.to_owned(), listed));
    }
    safetensors::write_safetensors(output, &tensors, &metadata)?;
    let whitenings = match found.whitenings.len() {
        0 => String::new(),
        1 => ", 1 whitening".to_owned(),
        count => format!(", {count} whitenings"),
    };
    print(&format!(
        "{} tensors{whitenings}: {}",
        found.state_dict.len(),
        output.display()
    ))?;
    Ok(Outcome::Done)
}

/// What is known of the checkpoint beside its tensors.
fn metadata(found: &sightline::checkpoint::Recognised) -> Vec<(String, String)> {
    let mut metadata = vec![("project".to_owned(), found.project.name().to_owned())];
    let mut add =
        |name: &str, value: Option<String>| metadata.extend(value.map(|value| (name.to_owned(), value)));
    add("architecture", found.architecture.clone());
    add(
        "preprocess",
        found
            .preprocess
            .as_ref()
            .and_then(|preprocess| serde_json::to_string(preprocess).ok()),
    );
    metadata
}
