//! The report page of an evaluation.

use super::Evaluated;
use super::table::among;
use crate::args::EvalArgs;
use crate::pictures::Finder;
use crate::progress::Screen;
use sightline::dataset::Truth;
use sightline::report::{self, Report, Thumbnail, thumbnail};
use std::cell::{Cell, RefCell};
use std::path::Path;

pub(super) fn report(args: &EvalArgs, found: &Evaluated, screen: &Screen) -> anyhow::Result<Report> {
    let Evaluated {
        dataset, evaluation, ..
    } = found;
    let root = match (args.images.as_deref().or(dataset.root.as_deref()), &dataset.truth) {
        // A list without a root names its pictures from where the program runs.
        (None, Truth::Labels { .. }) => Some(Path::new("")),
        (root, _) => root,
    };
    let finder = RefCell::new(root.map(Finder::new));
    let lost = Cell::new(0_usize);
    let picture = |name: &str, bbox: Option<[f64; 4]>| -> Thumbnail {
        let path = finder
            .borrow_mut()
            .as_mut()
            .and_then(|finder| finder.find(name).ok().flatten());
        let file = path.and_then(|path| std::fs::read(path).ok());
        let small = file.map(|file| thumbnail(&file, args.recipe.max_pixels, bbox));
        let small = small.unwrap_or_default();
        lost.set(lost.get() + usize::from(small.jpeg.is_empty()));
        small
    };
    let queries = report::sections(dataset, Some(evaluation), &found.answers, &picture);
    if root.is_none() {
        screen.say(
            "remark: the report shows names instead of pictures; name their folder with --images FOLDER",
        );
    } else if lost.get() > 0 {
        let remark = "pictures of the report could not be read; their names are shown instead";
        screen.say(&format!("remark: {} {remark}", lost.get()));
    }
    let (columns, lines) = report::lines(evaluation);
    let (shown, all) = (queries.len(), lines.len());
    let which = if shown < all {
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
        queries_note: which + report::rule(dataset),
        queries,
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
    })
}
