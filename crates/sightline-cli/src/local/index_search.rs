//! `sightline local index search`: the pictures of an index that are most similar to queries.

use super::index::fits;
use crate::args::IndexSearchArgs;
use crate::model_choice;
use crate::output::{Outcome, print, print_json, usage};
use crate::progress::Screen;
use crate::search::region;
use serde::Serialize;
use sightline::card::{Card, refuse_to_mix, remarks};
use sightline::local::asmk::{Aggregated, Hit, Index, MatchKernel, aggregate_file, aggregate_images, search};
use sightline::local::{Codebook, FeatureFile};
use sightline::search::Rows;
use sightline::{LocalDescriber, LocalSettings};
use std::fmt::Write as _;
use std::io::Read as _;

/// Queries that are searched together.
const AT_ONCE: usize = 64;

#[derive(Serialize)]
struct Found {
    query: String,
    answers: Vec<Answer>,
}

#[derive(Serialize)]
struct Answer {
    rank: usize,
    name: String,
    /// Place in the database; distractors are negative.
    number: i64,
    /// None where a negative similarity was raised to a fractional power.
    score: Option<f64>,
}

pub(super) fn run(args: &IndexSearchArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    if args.k == 0 {
        return Err(usage("-k 0 asks for no answers"));
    }
    if !args.alpha.is_finite() || args.threshold.is_nan() {
        return Err(usage("--alpha and --threshold take numbers"));
    }
    let kernel = MatchKernel {
        alpha: args.alpha,
        threshold: args.threshold,
    };
    let index = Index::open(&args.index)?;
    let codebook = Codebook::open(&args.codebook)?;
    fits(&index, &codebook)?;
    let (names, queries) = queries(args, &index, &codebook, threads, screen)?;
    let bar = screen.bar(queries.len() as u64, "queries");
    let mut found = Vec::with_capacity(queries.len());
    for (names, queries) in names.chunks(AT_ONCE).zip(queries.chunks(AT_ONCE)) {
        for (name, hits) in names.iter().zip(search(&index, queries, &kernel, Some(args.k))?) {
            found.push(Found {
                query: name.clone(),
                answers: (1..)
                    .zip(hits)
                    .map(|(rank, hit)| answer(&index, rank, hit))
                    .collect(),
            });
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if args.json {
        print_json(&found)?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    for Found { query, answers } in &found {
        if found.len() > 1 {
            let _ = writeln!(text, "{query}");
        }
        for one in answers {
            let score = one.score.unwrap_or(f64::NAN);
            let _ = writeln!(text, "{:>4}  {score:.6}  {}", one.rank, one.name);
        }
    }
    print(&text)?;
    Ok(Outcome::Done)
}

fn answer(index: &Index, rank: usize, hit: Hit) -> Answer {
    Answer {
        rank,
        name: index.name(hit.id).unwrap_or_default().to_owned(),
        number: index.number(hit.id),
        score: Some(hit.score).filter(|score| score.is_finite()),
    }
}

/// Names and vectors of the queries.
fn queries(
    args: &IndexSearchArgs,
    index: &Index,
    codebook: &Codebook,
    threads: usize,
    screen: &Screen,
) -> anyhow::Result<(Vec<String>, Vec<Aggregated>)> {
    let (multiple, binary) = (args.assign as usize, index.card().binary);
    if !is_picture(args) {
        if args.model.model.is_some() || !args.region.is_empty() {
            return Err(usage(
                "--model and --box belong to a query picture, and the queries are local features",
            ));
        }
        let file = FeatureFile::open(&args.queries)?;
        check(index, args, file.card(), screen)?;
        return Ok((
            file.names().to_vec(),
            aggregate_file(&file, codebook, multiple, binary)?,
        ));
    }
    if args.model.model.is_none() {
        return Err(usage(format!(
            "{} is no file of local features; where it is a picture, --model names the network that describes it",
            args.queries.display()
        )));
    }
    let region = region(&args.region)?;
    let model = model_choice::model(&args.model, screen)?;
    let card = index.card().features.as_ref();
    let mut describer = match card {
        // As the index's pictures were described, unless something else is asked for.
        Some(card) if args.recipe.is_default() && args.model.asks_for_no_scales() => {
            let like = LocalSettings::like(card)?;
            let whitening = like
                .whitening
                .map(|(name, how)| (args.model.whiten.clone().unwrap_or(name), how));
            let settings = LocalSettings {
                whitening,
                device: args.model.device.clone(),
                threads,
                max_pixels: args.recipe.max_pixels,
                ..like
            };
            LocalDescriber::new(&model, settings)?
        }
        _ => {
            let features = LocalSettings::default().features;
            model_choice::local_describer(&model, &args.model, &args.recipe, threads, features, false)?
        }
    };
    check(index, args, Some(describer.card()), screen)?;
    let corners = region.map(|[x, y, width, height]| [x, y, x + width, y + height]);
    let features = describer.describe_file(&args.queries, corners)?;
    let rows = Rows::f32(&features.descriptors, features.dim);
    let query = aggregate_images(codebook, &[rows], multiple, binary)?;
    Ok((vec![args.queries.display().to_string()], query))
}

/// Whether the queries are a picture: whatever does not begin as a file of local features does, with its length and
/// its metadata.
fn is_picture(args: &IndexSearchArgs) -> bool {
    let mut first = [0; 9];
    let read = std::fs::File::open(&args.queries).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first[8] != b'{'
}

/// Refuses queries that were described otherwise than the index.
fn check(index: &Index, args: &IndexSearchArgs, card: Option<&Card>, screen: &Screen) -> anyhow::Result<()> {
    if let (Some(left), Some(right)) = (&index.card().features, card) {
        let (left_name, right_name) = (
            args.index.display().to_string(),
            args.queries.display().to_string(),
        );
        refuse_to_mix(&left_name, left, &right_name, right)?;
        for difference in remarks(left, right) {
            screen.say(&format!("remark: {difference}"));
        }
    }
    Ok(())
}
