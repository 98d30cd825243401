//! The report page of an evaluation.

use super::Evaluated;
use super::table::among;
use crate::args::EvalArgs;
use crate::progress::Screen;
use crate::thumbnails::Thumbnails;
use sightline::report::{self, Group, RankedAnswers, Report};

pub(crate) fn report(args: &EvalArgs, found: &Evaluated, screen: &Screen) -> anyhow::Result<Report> {
    let Evaluated {
        dataset, evaluation, ..
    } = found;
    let pictures = Thumbnails::of(dataset, args.images.as_deref(), args.recipe.max_pixels);
    let ranked = RankedAnswers {
        label: "",
        evaluation: Some(evaluation),
        answers: &found.answers,
    };
    let queries = report::sections(dataset, &[ranked], &|name, bbox| pictures.thumbnail(name, bbox));
    pictures.tell(screen);
    let (columns, lines) = report::lines(evaluation, &[]);
    let (shown, all) = (queries.len(), lines.len());
    let which = if !args.report_query.is_empty() {
        "The queries that were asked for. ".to_owned()
    } else if shown < all {
        let (worst, best) = (shown.div_ceil(2), shown / 2);
        format!("The {worst} worst and the {best} best of {all} queries, worst first. ")
    } else {
        "All queries, worst first. ".to_owned()
    };
    Ok(Report {
        title: format!("{}: evaluation", dataset.name),
        notes: vec![format!(
            "{} queries against {} images{}, protocol {}.",
            dataset.query_count(),
            dataset.images.len(),
            among(found.distractors),
            evaluation.protocol.name()
        )],
        figures: report::figures(evaluation),
        curves: evaluation.curves.clone(),
        columns,
        lines,
        groups: vec![Group::answers(which + report::rule(dataset), queries)],
        missing: found
            .missing
            .iter()
            .map(|one| (one.name.clone(), one.reason.clone()))
            .collect(),
        card: found
            .evaluated_card()
            .map(|card| serde_json::to_string_pretty(&card))
            .transpose()?
            .unwrap_or_default(),
        ..Report::default()
    })
}
