//! The report page of a comparison: the table, and for each method the queries that it won and lost most.

use super::{Compared, Method};
use crate::args::EvalArgs;
use crate::eval::table::head;
use crate::progress::Screen;
use crate::thumbnails::Thumbnails;
use sightline::dataset::Dataset;
use sightline::report::{self, Found, Group, RankedAnswers, Report};

pub(super) fn report(
    args: &EvalArgs,
    dataset: &Dataset,
    compared: &Compared,
    screen: &Screen,
) -> anyhow::Result<Report> {
    let pictures = Thumbnails::of(dataset, args.images.as_deref(), args.recipe.max_pixels);
    let first = &compared.methods[0];
    let mut groups = Vec::new();
    for method in &compared.methods[1..] {
        groups.push(group(dataset, first, method, &pictures));
    }
    pictures.tell(screen);
    let (columns, lines) = report::lines_of_methods(&compared.evaluations());
    let mut notes = vec![head(
        dataset,
        compared.distractors,
        first.judged.evaluation.protocol,
    )];
    for failed in &compared.failed {
        notes.push(format!("{} failed: {}", failed.name, failed.reason));
    }
    let cards: Vec<_> = compared.methods.iter().map(|method| &method.card).collect();
    Ok(Report {
        title: format!("{}: methods beside each other", dataset.name),
        notes,
        comparison: Some(compared.comparison.clone()),
        columns,
        lines,
        groups,
        missing: compared
            .missing
            .iter()
            .map(|one| (one.name.clone(), one.reason.clone()))
            .collect(),
        card: match cards.iter().all(|card| card.is_none()) {
            true => String::new(),
            false => serde_json::to_string_pretty(&cards)?,
        },
        ..Report::default()
    })
}

/// What a method won and lost against the first.
fn group(dataset: &Dataset, first: &Method, method: &Method, pictures: &Thumbnails) -> Group {
    let choice = &method.judged.choice;
    let of_first = |query: &usize| -> Option<(usize, Vec<Found>)> {
        let answers = first.judged.answers.iter().find(|(asked, _)| asked == query);
        answers.cloned()
    };
    let asked: Vec<usize> = choice.all().collect();
    let before: Vec<(usize, Vec<Found>)> = asked.iter().filter_map(of_first).collect();
    let rankings =
        [(first, &before), (method, &method.judged.answers)].map(|(method, answers)| RankedAnswers {
            label: &method.name,
            evaluation: Some(&method.judged.evaluation),
            answers,
        });
    let which = match (choice.lost.len(), choice.gained.len(), choice.others.len()) {
        (0, 0, 0) => "It wins and loses no query. ".to_owned(),
        (0, 0, _) => "The queries that were asked for. ".to_owned(),
        (lost, gained, _) => format!("The largest losses ({lost}), then the largest gains ({gained}). "),
    };
    Group {
        heading: format!("{} beside {}", method.name, first.name),
        note: which + report::rule(dataset),
        queries: report::sections(dataset, &rankings, &|name, bbox| pictures.thumbnail(name, bbox)),
    }
}
