//! The report page of an evaluation.

use super::Evaluated;
use super::table::head;
use crate::args::EvalArgs;
use crate::progress::Screen;
use crate::thumbnails::Thumbnails;
use sightline::eval::bootstrap::Bootstrap;
use sightline::eval::paired::{self, Judging};
use sightline::eval::sign_flip::SignFlip;
use sightline::eval::{Comparison, Evaluation};
use sightline::report::{self, Group, QuerySection, RankedAnswers, Report};

pub(crate) fn report(args: &EvalArgs, found: &Evaluated, screen: &Screen) -> anyhow::Result<Report> {
    let Evaluated {
        dataset, evaluation, ..
    } = found;
    let pictures = Thumbnails::of(dataset, args.images.as_deref(), args.recipe.max_pixels);
    let label = if found.before.is_some() { "after" } else { "" };
    let after = RankedAnswers {
        label,
        evaluation: Some(evaluation),
        answers: &found.answers,
    };
    let before = found.before.as_ref().map(|before| RankedAnswers {
        label: "before",
        evaluation: Some(&before.evaluation),
        answers: &before.answers,
    });
    let rankings: Vec<RankedAnswers<'_>> = before.into_iter().chain([after]).collect();
    let sections = report::sections(dataset, &rankings, &|name, bbox| pictures.thumbnail(name, bbox));
    pictures.tell(screen);
    let mut notes = vec![head(dataset, found.distractors, evaluation.protocol)];
    let mut changes = Vec::new();
    if let Some(before) = &found.before
        && let Ok(found) = paired::changes(&before.evaluation, evaluation)
    {
        changes = found;
        let both = [("before", &before.evaluation), ("after", evaluation)];
        let comparison = Comparison::new(&both, judging(args, evaluation))?;
        notes.push(report::sentence(&comparison));
    }
    let (columns, lines) = report::lines(evaluation, &changes);
    Ok(Report {
        title: format!("{}: evaluation", dataset.name),
        notes,
        figures: report::figures(evaluation),
        curves: evaluation.curves.clone(),
        columns,
        groups: groups(args, found, sections, lines.len()),
        lines,
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

/// How differences are judged: as the interval of `evaluation`, with the seed of the command.
pub(super) fn judging(args: &EvalArgs, evaluation: &Evaluation) -> Judging {
    let own = evaluation.confidence_interval.as_ref();
    Judging {
        bootstrap: own.map_or(
            Bootstrap {
                seed: args.seed,
                ..Bootstrap::default()
            },
            |confidence| confidence.bootstrap,
        ),
        sign_flip: SignFlip {
            seed: args.seed,
            ..SignFlip::default()
        },
    }
}

/// The queries under their headings: all under one, or those that lost, gained and stayed.
fn groups(args: &EvalArgs, found: &Evaluated, sections: Vec<QuerySection>, all: usize) -> Vec<Group> {
    let rule = report::rule(&found.dataset);
    let shown = sections.len();
    if !args.report_query.is_empty() {
        return vec![Group::answers(
            format!("The queries that were asked for. {rule}"),
            sections,
        )];
    }
    if found.before.is_none() {
        let which = if shown < all {
            let (worst, best) = (shown.div_ceil(2), shown / 2);
            format!("The {worst} worst and the {best} best of {all} queries, worst first.")
        } else {
            "All queries, worst first.".to_owned()
        };
        return vec![Group::answers(format!("{which} {rule}"), sections)];
    }
    let mut left = sections.into_iter();
    let mut group = |heading: &str, which: &str, queries: &[usize]| Group {
        heading: heading.to_owned(),
        note: format!("{} of {all} queries, {which} {rule}", queries.len()),
        queries: left.by_ref().take(queries.len()).collect(),
    };
    let choice = &found.choice;
    vec![
        group("Lost by re-ranking", "the largest loss first.", &choice.lost),
        group("Gained by re-ranking", "the largest gain first.", &choice.gained),
        group("No better and no worse", "worst first.", &choice.others),
    ]
}
