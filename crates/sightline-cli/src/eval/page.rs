//! The report page of an evaluation.

use super::evaluated_card;
use crate::args::EvalArgs;
use sightline::card::Card;
use sightline::dataset::{Dataset, PictureIndex};
use sightline::eval::Evaluation;
use sightline::report::{Report, sections, thumbnail};
use sightline::search;
use std::path::Path;

pub(super) fn report(
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
