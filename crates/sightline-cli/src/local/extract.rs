//! `sightline local extract`: pictures to a file of local features.

use crate::args::{LocalExtractArgs, LocalExtractCommand};
use crate::extract::{list_skipped, merge_skipped, options, shard};
use crate::output::{Outcome, keep_inputs, print_json, usage};
use crate::pictures::{self, Found};
use crate::progress::Screen;
use crate::{model_choice, whitening_choice};
use serde::Serialize;
use sightline::descriptor::RowType;
use sightline::extract::{Extraction, Skipped, write_skipped};
use sightline::local::{extract_local, merge_features};
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Summary {
    output: String,
    described: usize,
    resumed: usize,
    features: usize,
    dim: usize,
    skipped: Vec<Skipped>,
    card: serde_json::Value,
}

pub(crate) fn run(args: &LocalExtractArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    if let Some(LocalExtractCommand::Merge { files, output }) = &args.merge {
        return merge(files, output, screen);
    }
    let (Some(images), Some(output)) = (&args.images, &args.output) else {
        return Err(usage("local extract takes IMAGES and -o FILE"));
    };
    if output.is_dir() {
        return Err(usage(format!(
            "{} is a folder, and -o takes a file",
            output.display()
        )));
    }
    let shard = shard(&args.work)?;
    model_choice::check(&args.model, &args.recipe)?;
    let model = model_choice::model(&args.model, screen)?;
    let found = found(args, images)?;
    let mut describer = model_choice::local_describer(
        &model,
        &args.model,
        &args.recipe,
        threads,
        (args.features > 0).then_some(args.features),
        args.whiten_l2,
    )?;
    whitening_choice::list(&describer.whitening_remarks(), screen);

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
    let report = extract_local(&job, prepare, &mut network, &mut |now| {
        bar.set_position((now.done + now.failed) as u64);
    });
    bar.finish_and_clear();
    let report = report?;

    if report.pictures.resumed > 0 {
        screen.say(&format!(
            "{} pictures were already described by an earlier run",
            report.pictures.resumed
        ));
    }
    let mut skipped = report.pictures.skipped;
    skipped.extend(found.missing);
    write_skipped(output, &skipped)?;
    list_skipped(&skipped, output, screen);
    screen.say(&format!(
        "{} features of {} pictures, {} values each: {}",
        report.features,
        report.pictures.done,
        card.identity.dim,
        output.display()
    ));
    let outcome = if skipped.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    };
    if args.work.json {
        print_json(&Summary {
            output: output.display().to_string(),
            described: report.pictures.done,
            resumed: report.pictures.resumed,
            features: report.features,
            dim: card.identity.dim,
            skipped,
            card: card.to_value(),
        })?;
    }
    Ok(outcome)
}

/// The pictures that were asked for.
fn found(args: &LocalExtractArgs, images: &str) -> anyhow::Result<Found> {
    let folder = args.work.pictures.as_deref();
    if Path::new(images).is_dir() && folder.is_none() {
        return pictures::of_folder(Path::new(images));
    }
    let dataset = pictures::open_images(images, args.work.data_root.as_deref(), folder)?;
    pictures::of_dataset(&dataset, folder, args.side)
}

/// Puts the files of all shards together.
fn merge(files: &[PathBuf], output: &Path, screen: &Screen) -> anyhow::Result<Outcome> {
    keep_inputs(output, files)?;
    merge_features(files, output)?;
    merge_skipped(files, output, screen)
}
