//! Which queries a report page shows.

use crate::args::EvalArgs;
use crate::output::usage;
use sightline::eval::{Evaluation, paired};
use sightline::report::{Choice, chosen, chosen_by_change};

/// The queries of the page of one evaluation: those that were asked for, else those that re-ranking changed most, else the worst
/// and the best. None without a page.
pub(super) fn choose(
    args: &EvalArgs,
    evaluation: &Evaluation,
    before: Option<&Evaluation>,
) -> anyhow::Result<Choice> {
    if args.report.is_none() {
        return Ok(Choice::default());
    }
    if !args.report_query.is_empty() {
        return asked(args, evaluation);
    }
    // Where no query counts there are no changes either.
    let changes = before.and_then(|before| paired::changes(before, evaluation).ok());
    Ok(match changes {
        Some(changes) => chosen_by_change(evaluation, &changes, args.report_queries),
        None => Choice {
            others: chosen(evaluation, args.report_queries),
            ..Choice::default()
        },
    })
}

/// The queries of `--report-query`.
pub(super) fn asked(args: &EvalArgs, evaluation: &Evaluation) -> anyhow::Result<Choice> {
    let names = || evaluation.queries.iter().map(|query| query.name.as_str());
    let index = |wanted: &String| {
        names().position(|name| name == wanted).ok_or_else(|| {
            let near = sightline::dataset::suggestion(wanted, names());
            usage(format!("there is no query `{wanted}`{near}"))
        })
    };
    Ok(Choice {
        others: args
            .report_query
            .iter()
            .map(index)
            .collect::<anyhow::Result<_>>()?,
        ..Choice::default()
    })
}
