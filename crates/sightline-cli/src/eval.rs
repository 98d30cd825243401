//! `sightline eval`: a ground truth and a model, descriptor sets or rankings; the protocol's numbers.

use crate::args::{EvalArgs, Side};
use crate::extract::printable;
use crate::output::{Outcome, print, print_json, usage, write_whole};
use crate::pictures::Found;
use crate::progress::Screen;
use crate::{model_choice, pictures};
use anyhow::Context as _;
use serde::Serialize;
use sightline::card::{Card, refuse_to_mix, remarks};
use sightline::checkpoint;
use sightline::dataset::{Dataset, PictureIndex};
use sightline::descriptor::DescriptorSet;
use sightline::eval::{self, Evaluation, Options, Protocol, RankedLists};
use sightline::extract::Skipped;
use sightline::report::{Report, sections, thumbnail};
use sightline::{Aligned, Describer, SearchRanking, search};
use std::fmt::Write as _;
use std::path::Path;

/// Answers a query on the report page.
const SHOWN: usize = 10;

#[derive(Serialize)]
struct Output<'a> {
    dataset: &'a str,
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    /// Pictures without descriptor.
    missing: &'a [Skipped],
    card: Option<serde_json::Value>,
}

/// Descriptors of both sides, and what could not be described.
struct Described {
    database: DescriptorSet,
    /// None where the database queries itself.
    queries: Option<DescriptorSet>,
    missing: Vec<Skipped>,
}

pub(crate) fn run(args: &EvalArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    let dataset = pictures::open(&args.dataset, args.data_root.as_deref(), args.images.as_deref())?;
    dataset.validate()?;
    let protocol = match &args.protocol {
        Some(name) => Some(
            name.parse::<Protocol>()
                .map_err(|error| usage(error.to_string()))?,
        ),
        None => Protocol::default_for(&dataset.truth),
    };
    let mut options = Options {
        kappas: (!args.kappas.is_empty()).then(|| args.kappas.clone()),
        ..Options::default()
    };
    options.bootstrap.seed = args.seed;

    if let Some(path) = &args.ranks {
        let lists = ranked_lists(path, &dataset, protocol)?;
        let evaluation = eval::evaluate(&dataset, &lists, protocol, &options)?;
        return finish(args, &dataset, &evaluation, None, &[], None, screen);
    }
    let described = match &args.features {
        Some(path) => from_sets(path, args.query_features.as_deref(), &dataset)?,
        None => from_model(args, threads, &dataset, screen)?,
    };
    let card = described.database.card().cloned();
    if let (Some(left), Some(queries)) = (&card, &described.queries)
        && let Some(right) = queries.card()
    {
        let name = |set: &DescriptorSet| set.source().display().to_string();
        refuse_to_mix(&name(&described.database), left, &name(queries), right)?;
        for difference in remarks(left, right) {
            screen.say(&format!("remark: {difference}"));
        }
    }
    let images: Vec<&str> = dataset.images.iter().map(String::as_str).collect();
    let asked: Vec<&str> = dataset.queries.iter().map(|query| query.name.as_str()).collect();
    let database = Aligned::new(&described.database, &images)?;
    let queries = described
        .queries
        .as_ref()
        .map(|set| Aligned::new(set, &asked))
        .transpose()?;
    let queries = queries.as_ref().unwrap_or(&database);
    let mut missing = described.missing;
    for index in database.missing() {
        if !missing.iter().any(|one| one.name == dataset.images[index]) {
            missing.push(pictures::skipped(
                &dataset.images[index],
                "The set has no row of that name.",
            ));
        }
    }
    let ranking = SearchRanking::new(queries, &database, &dataset)?;
    let evaluation = eval::evaluate(&dataset, &ranking, protocol, &options)?;
    let hits = match &args.report {
        Some(_) => {
            let own: Vec<Option<usize>> = (0..dataset.query_count())
                .map(|query| dataset.gallery_queries_itself().then_some(query))
                .collect();
            let mut hits = search::top_k(queries.rows(), database.rows(), SHOWN, Some(&own))?;
            hits.iter_mut()
                .flatten()
                .for_each(|hit| hit.index = database.name_of(hit.index));
            Some(hits)
        }
        None => None,
    };
    finish(
        args,
        &dataset,
        &evaluation,
        card.as_ref(),
        &missing,
        hits.as_deref(),
        screen,
    )
}

/// Reads rankings: npy [list length, queries], else text.
fn ranked_lists(path: &Path, dataset: &Dataset, protocol: Option<Protocol>) -> anyhow::Result<RankedLists> {
    let repeats = protocol == Some(Protocol::Gldv2);
    let reading = || format!("the rankings {} were read", path.display());
    if path.extension().is_some_and(|ending| ending == "npy") {
        let file = checkpoint::read(path).with_context(reading)?;
        let tensor = file
            .value
            .as_tensor()
            .with_context(|| format!("{} holds no array", path.display()))?;
        let &[_, queries] = tensor.shape() else {
            anyhow::bail!(
                "{} has shape {:?}; rankings are [list length, queries]",
                path.display(),
                tensor.shape()
            );
        };
        return Ok(RankedLists::from_columns(
            &tensor.to_i64().with_context(reading)?,
            queries,
            repeats,
        )?);
    }
    let text = std::fs::read_to_string(path).with_context(reading)?;
    Ok(RankedLists::from_text(&text, &dataset.images, repeats)?)
}

fn from_sets(features: &Path, query_features: Option<&Path>, dataset: &Dataset) -> anyhow::Result<Described> {
    let database = DescriptorSet::open(features)?;
    let queries = match (query_features, dataset.gallery_queries_itself()) {
        (Some(path), false) => Some(DescriptorSet::open(path)?),
        (None, true) => None,
        (None, false) => {
            return Err(usage(format!(
                "{} has queries of its own: name their descriptors with --query-features",
                dataset.name
            )));
        }
        (Some(_), true) => {
            return Err(usage(format!(
                "in {} the images query themselves: leave --query-features out",
                dataset.name
            )));
        }
    };
    Ok(Described {
        database,
        queries,
        missing: Vec::new(),
    })
}

fn from_model(
    args: &EvalArgs,
    threads: usize,
    dataset: &Dataset,
    screen: &Screen,
) -> anyhow::Result<Described> {
    let model = model_choice::model(&args.model, screen)?;
    let mut describer = model_choice::describer(
        &model,
        &args.model,
        &args.recipe,
        threads,
        model_choice::EVALUATING,
    )?;
    let mut missing = Vec::new();
    let mut describe = |side: Side, what: &'static str| -> anyhow::Result<DescriptorSet> {
        let found = pictures::of_dataset(dataset, args.images.as_deref(), side)?;
        describe_side(found, &mut describer, what, &mut missing, screen)
    };
    let database = describe(Side::Database, "database")?;
    let queries = if dataset.gallery_queries_itself() {
        None
    } else {
        Some(describe(Side::Queries, "queries")?)
    };
    Ok(Described {
        database,
        queries,
        missing,
    })
}

/// Describes one side in memory, some pictures at a time so that progress shows.
pub(crate) fn describe_side(
    found: Found,
    describer: &mut Describer,
    what: &'static str,
    missing: &mut Vec<Skipped>,
    screen: &Screen,
) -> anyhow::Result<DescriptorSet> {
    missing.extend(found.missing);
    let bar = screen.bar(found.pictures.len() as u64, what);
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for pictures in found.pictures.chunks(64) {
        for (picture, described) in pictures.iter().zip(describer.describe(pictures)?) {
            match described {
                Ok(row) => {
                    names.push(picture.name.clone());
                    rows.extend(row);
                }
                Err(reason) => {
                    screen.warn(&format!(
                        "{}: {reason}",
                        printable(&picture.path.display().to_string())
                    ));
                    let path = picture.path.display().to_string();
                    missing.push(Skipped {
                        name: picture.name.clone(),
                        path,
                        reason,
                    });
                }
            }
        }
        bar.inc(pictures.len() as u64);
    }
    bar.finish_and_clear();
    let card = describer.card();
    Ok(DescriptorSet::from_rows(
        names,
        card.identity.dim,
        rows,
        Some(card.clone()),
    )?)
}

/// Prints, writes JSON and the report page.
fn finish(
    args: &EvalArgs,
    dataset: &Dataset,
    evaluation: &Evaluation,
    card: Option<&Card>,
    missing: &[Skipped],
    hits: Option<&[Vec<search::Hit>]>,
    screen: &Screen,
) -> anyhow::Result<Outcome> {
    if !missing.is_empty() {
        screen.warn(&format!(
            "{} pictures have no descriptor and are never found, the first is {}",
            missing.len(),
            printable(&missing[0].name)
        ));
    }
    let output = Output {
        dataset: &dataset.name,
        evaluation,
        missing,
        card: card.map(|card| evaluated_card(card, evaluation)),
    };
    if let (Some(path), Some(hits)) = (&args.report, hits) {
        let page = report(args, dataset, evaluation, card, hits)?;
        write_whole(path, page.to_html().as_bytes())?;
        screen.say(&format!("report: {}", path.display()));
    }
    match &args.json {
        Some(path) if path.as_os_str() == "-" => print_json(&output)?,
        Some(path) => {
            write_whole(path, (serde_json::to_string_pretty(&output)? + "\n").as_bytes())?;
            print(&table(dataset, evaluation))?;
        }
        None => print(&table(dataset, evaluation))?,
    }
    Ok(if missing.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// The card of the descriptors, with the protocol that made a score of them.
fn evaluated_card(card: &Card, evaluation: &Evaluation) -> serde_json::Value {
    let mut value = card.to_value();
    value["protocol"] = evaluation.protocol.name().into();
    value
}

/// The numbers as lines of text.
pub(crate) fn table(dataset: &Dataset, evaluation: &Evaluation) -> String {
    let mut text = format!(
        "{}: {} queries, {} images, protocol {}\n",
        dataset.name,
        dataset.query_count(),
        dataset.images.len(),
        evaluation.protocol.name()
    );
    for (name, value) in evaluation.metrics.iter() {
        let _ = match value {
            Some(value) => write!(text, "{name:<14} {value:.4}"),
            None => write!(text, "{name:<14} undefined"),
        };
        if let Some(confidence) = evaluation
            .confidence_interval
            .as_ref()
            .filter(|one| one.metric == name)
        {
            let (interval, level) = (&confidence.interval, 100.0 * confidence.bootstrap.level);
            let _ = write!(
                text,
                "  ({level:.0} % interval over queries {:.4} to {:.4})",
                interval.low, interval.high
            );
        }
        text.push('\n');
    }
    text
}

fn report(
    args: &EvalArgs,
    dataset: &Dataset,
    evaluation: &Evaluation,
    card: Option<&Card>,
    hits: &[Vec<search::Hit>],
) -> anyhow::Result<Report> {
    let root = args
        .images
        .as_deref()
        .or(dataset.root.as_deref())
        .unwrap_or(Path::new("."));
    let index = PictureIndex::scan(root)?;
    let max_pixels = args.recipe.max_pixels;
    let picture = |name: &str| {
        let path = index.locate(name).ok().flatten();
        path.and_then(|path| std::fs::read(path).ok())
            .map(|file| thumbnail(&file, max_pixels))
            .unwrap_or_default()
    };
    let query_picture = |query: usize| match dataset.queries.get(query) {
        Some(query) => picture(&query.name),
        None => picture(&dataset.images[query]),
    };
    Ok(Report {
        title: format!("{}: evaluation", dataset.name),
        notes: vec![format!(
            "{} queries against {} images, protocol {}.",
            dataset.query_count(),
            dataset.images.len(),
            evaluation.protocol.name()
        )],
        figures: figures(evaluation),
        queries: sections(dataset, Some(evaluation), hits, &query_picture, &|image| {
            picture(&dataset.images[image])
        }),
        card: card
            .map(|card| serde_json::to_string_pretty(&evaluated_card(card, evaluation)))
            .transpose()?
            .unwrap_or_default(),
    })
}

/// The numbers for a report page.
pub(crate) fn figures(evaluation: &Evaluation) -> Vec<(String, String)> {
    let printed =
        |value: Option<f64>| value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
    evaluation
        .metrics
        .iter()
        .map(|(name, value)| (name.to_owned(), printed(value)))
        .collect()
}
