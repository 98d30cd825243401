//! `sightline extract`: pictures to a descriptor set.

use crate::args::{ExtractArgs, ExtractCommand, Side, Sides, WorkArgs};
use crate::output::{Outcome, keep_inputs, print_json, usage};
use crate::pictures::Found;
use crate::progress::Screen;
use crate::{model_choice, pictures, whitening_choice};
use serde::Serialize;
use sightline::Describer;
use sightline::descriptor::{self, RowType, Shard};
use sightline::extract::{Extraction, Options, Skipped, read_skipped, skipped_path, write_skipped};
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Summary {
    output: String,
    described: usize,
    resumed: usize,
    dim: usize,
    skipped: Vec<Skipped>,
    card: serde_json::Value,
}

pub(crate) fn run(args: &ExtractArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    if let Some(ExtractCommand::Merge { sets, output }) = &args.merge {
        return merge(sets, output, screen);
    }
    let (Some(images), Some(output)) = (&args.images, &args.output) else {
        return Err(usage("extract takes IMAGES and -o SET"));
    };
    let shard = shard(&args.work)?;
    model_choice::check(&args.model, &args.recipe)?;
    let model = model_choice::model(&args.model, screen)?;
    let jobs = jobs(args, images, output)?;
    let mut describer = model_choice::describer(
        &model,
        &args.model,
        &args.recipe,
        threads,
        model_choice::EXTRACTING,
    )?;
    whitening_choice::list(&describer.whitening_remarks(), screen);
    let mut summaries = Vec::new();
    for (output, found) in jobs {
        summaries.push(describe(args, &output, found, shard, &mut describer, screen)?);
    }
    if args.work.json {
        match &summaries[..] {
            [only] => print_json(only)?,
            [database, queries, ..] => {
                print_json(&serde_json::json!({ "database": database, "queries": queries }))?;
            }
            [] => {}
        }
    }
    let all_well = summaries.iter().all(|summary| summary.skipped.is_empty());
    Ok(if all_well {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// The part of the list that was asked for.
pub(crate) fn shard(work: &WorkArgs) -> anyhow::Result<Option<Shard>> {
    let Some(text) = &work.shard else {
        return Ok(None);
    };
    let parsed = Shard::parse(text);
    parsed.map(Some).ok_or_else(|| {
        usage(format!(
            "--shard {text}: it reads i/n with 1 <= i <= n, such as 1/4"
        ))
    })
}

/// How the machine is used: what was asked for, the rest as in `options`.
pub(crate) fn options(work: &WorkArgs, options: Options) -> Options {
    Options {
        batch: work.batch.max(1),
        memory: (work.memory as u64).saturating_mul(1 << 20),
        ..options
    }
}

/// What is described, and the files it goes into.
fn jobs(args: &ExtractArgs, images: &str, output: &Path) -> anyhow::Result<Vec<(PathBuf, Found)>> {
    let folder = args.work.pictures.as_deref();
    if Path::new(images).is_dir() && folder.is_none() {
        return Ok(vec![(output.to_owned(), pictures::of_folder(Path::new(images))?)]);
    }
    let dataset = pictures::open_images(images, args.work.data_root.as_deref(), folder)?;
    let side = |side, output: &Path| -> anyhow::Result<(PathBuf, Found)> {
        Ok((output.to_owned(), pictures::of_dataset(&dataset, folder, side)?))
    };
    Ok(match args.side {
        // As dirtorch's extract_features.py: one file where there are no queries apart.
        Sides::Both if !dataset.queries.is_empty() => {
            let (database, queries) = descriptor::side_files(output);
            vec![side(Side::Database, &database)?, side(Side::Queries, &queries)?]
        }
        Sides::Database | Sides::Both => vec![side(Side::Database, output)?],
        Sides::Queries => vec![side(Side::Queries, output)?],
    })
}

/// Describes the pictures of one side into its set.
fn describe(
    args: &ExtractArgs,
    output: &Path,
    found: Found,
    shard: Option<Shard>,
    describer: &mut Describer,
    screen: &Screen,
) -> anyhow::Result<Summary> {
    let card = describer.card().clone();
    let job = Extraction {
        pictures: &found.pictures,
        output,
        card: &card,
        row_type: if args.work.half {
            RowType::F16
        } else {
            RowType::F32
        },
        shard,
        restart: args.work.restart,
        options: options(&args.work, describer.options()),
    };
    let total = shard.map_or(found.pictures.len(), |shard| {
        shard.range(found.pictures.len()).len()
    });
    let bar = screen.bar(total as u64, "pictures");
    let (prepare, mut network) = describer.parts();
    let report = job.run(prepare, &mut network, &mut |now| {
        bar.set_position((now.done + now.failed) as u64);
    });
    bar.finish_and_clear();
    let report = report?;

    if report.resumed > 0 {
        screen.say(&format!(
            "{} pictures were already described by an earlier run",
            report.resumed
        ));
    }
    let mut skipped = report.skipped;
    skipped.extend(found.missing);
    write_skipped(output, &skipped)?;
    list_skipped(&skipped, output, screen);
    screen.say(&format!(
        "{} pictures described, {} values each: {}",
        report.done,
        card.identity.dim,
        output.display()
    ));
    Ok(Summary {
        output: output.display().to_string(),
        described: report.done,
        resumed: report.resumed,
        dim: card.identity.dim,
        skipped,
        card: card.to_value(),
    })
}

/// Puts the sets of all shards together.
fn merge(sets: &[PathBuf], output: &Path, screen: &Screen) -> anyhow::Result<Outcome> {
    keep_inputs(output, sets)?;
    descriptor::merge(sets, output)?;
    merge_skipped(sets, output, screen)
}

/// Puts the lists of what was skipped in the shards together.
pub(crate) fn merge_skipped(sets: &[PathBuf], output: &Path, screen: &Screen) -> anyhow::Result<Outcome> {
    let mut skipped: Vec<Skipped> = Vec::new();
    for set in sets {
        for picture in read_skipped(set)? {
            // A name that no picture fits is in the list of every shard.
            if !skipped.contains(&picture) {
                skipped.push(picture);
            }
        }
    }
    write_skipped(output, &skipped)?;
    list_skipped(&skipped, output, screen);
    screen.say(&format!(
        "{} sets were merged into {}",
        sets.len(),
        output.display()
    ));
    Ok(if skipped.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// Lists on stderr what has no descriptor.
pub(crate) fn list_skipped(skipped: &[Skipped], set: &Path, screen: &Screen) {
    if skipped.is_empty() {
        return;
    }
    for picture in skipped {
        screen.warn(&format!("{}: {}", printable(&picture.path), picture.reason));
    }
    screen.warn(&format!(
        "{} pictures were skipped; they are listed in {}",
        skipped.len(),
        skipped_path(set).display()
    ));
}

/// A path on one line: names may hold line breaks and control characters.
pub(crate) fn printable(path: &str) -> String {
    path.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}
