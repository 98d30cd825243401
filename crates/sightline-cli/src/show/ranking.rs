//! `sightline show ranking`: queries and their answers as strips.

use super::Form;
use crate::args::{EvalArgs, MarkChoice, ShowRankingArgs};
use crate::eval;
use crate::output::{Outcome, usage, write_whole};
use crate::progress::Screen;
use sightline::report::Report;
use sightline::show::{Mark, Strips};

pub(crate) fn run(args: &ShowRankingArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    let form = Form::of(&args.output)?;
    if !args.eval.compare.is_empty() {
        return Err(usage(
            "--compare belongs to `eval`, whose --report shows what each method won and lost",
        ));
    }
    if args.eval.report.is_some() || args.eval.json.is_some() {
        return Err(usage(
            "--report and --json belong to `eval`; `show ranking` writes the drawing only",
        ));
    }
    let asked = EvalArgs {
        report: Some(args.output.clone()),
        report_queries: args.queries.into(),
        report_query: args.query.clone(),
        report_answers: args.answers,
        ..args.eval.clone()
    };
    let found = eval::evaluate(&asked, threads, screen)?;
    found.warn(screen);
    let page = eval::report(&asked, &found, screen)?;
    let bytes = match form {
        Form::Html => Report {
            title: format!("{}: answers", found.dataset.name),
            notes: page.notes,
            groups: page.groups,
            ..Report::default()
        }
        .to_html()
        .into_bytes(),
        Form::Png => Strips {
            queries: page.groups.into_iter().flat_map(|group| group.queries).collect(),
            mark: match args.mark {
                MarkChoice::Frame => Mark::Frame,
                MarkChoice::Dot => Mark::Dot,
            },
        }
        .to_png()?,
    };
    write_whole(&args.output, &bytes)?;
    Ok(if found.missing.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}
