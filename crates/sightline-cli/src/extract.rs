//! `sightline extract`: pictures to a descriptor set.

use crate::args::{ExtractArgs, ExtractCommand};
use crate::output::{Outcome, print_json, usage};
use crate::progress::Screen;
use crate::{model_choice, pictures, whitening_choice};
use serde::Serialize;
use sightline::descriptor::{self, RowType, Shard};
use sightline::extract::{Extraction, Skipped, read_skipped, skipped_path, write_skipped};
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Summary<'a> {
    output: String,
    described: usize,
    resumed: usize,
    dim: usize,
    skipped: &'a [Skipped],
    card: serde_json::Value,
}

pub(crate) fn run(args: &ExtractArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    if let Some(ExtractCommand::Merge { sets, output }) = &args.merge {
        return merge(sets, output, screen);
    }
    let (Some(images), Some(output)) = (&args.images, &args.output) else {
        return Err(usage("extract takes IMAGES and -o SET"));
    };
    let shard = match &args.shard {
        Some(text) => Some(Shard::parse(text).ok_or_else(|| {
            usage(format!(
                "--shard {text}: it reads i/n with 1 <= i <= n, such as 1/4"
            ))
        })?),
        None => None,
    };
    let model = model_choice::model(&args.model, screen)?;
    let found = pictures::of_images(images, args.pictures.as_deref(), args.side)?;
    let mut describer = model_choice::describer(
        &model,
        &args.model,
        &args.recipe,
        threads,
        model_choice::EXTRACTING,
    )?;
    whitening_choice::list(&describer.whitening_remarks(), screen);
    let card = describer.card().clone();
    let mut options = describer.options();
    options.batch = args.batch.max(1);
    options.memory = (args.memory as u64).saturating_mul(1 << 20);
    let job = Extraction {
        pictures: &found.pictures,
        output,
        card: &card,
        row_type: if args.half { RowType::F16 } else { RowType::F32 },
        shard,
        restart: args.restart,
        options,
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
    if args.json {
        print_json(&Summary {
            output: output.display().to_string(),
            described: report.done,
            resumed: report.resumed,
            dim: card.identity.dim,
            skipped: &skipped,
            card: card.to_value(),
        })?;
    }
    Ok(if skipped.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// Puts the sets of all shards together, and their lists of what was skipped.
fn merge(sets: &[PathBuf], output: &Path, screen: &Screen) -> anyhow::Result<Outcome> {
    descriptor::merge(sets, output)?;
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
