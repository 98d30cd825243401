//! `sightline eval --compare`: several ways to put rankings in a better order, each compared with the first query by query.

mod page;
mod table;

use super::judge::{Judged, judge};
use super::source::source;
use super::table::title;
use super::{choice, page::judging, rules, stage_options};
use crate::args::EvalArgs;
use crate::output::{Outcome, Usage, print, print_json, write_whole};
use crate::progress::Screen;
use crate::{model_choice, pictures, rerank_choice};
use serde::Serialize;
use sightline::eval::{Comparison, Evaluation, paired};
use sightline::extract::Skipped;
use sightline::report::{Choice, chosen_by_change};
use sightline::rerank::Chain;

/// One method and what it found.
struct Method {
    name: String,
    judged: Judged,
    card: Option<serde_json::Value>,
}

/// A method that could not be evaluated.
#[derive(Serialize)]
struct Failed {
    name: String,
    reason: String,
}

/// All methods beside each other.
struct Compared {
    comparison: Comparison,
    /// At least one; the others are compared with the first.
    methods: Vec<Method>,
    failed: Vec<Failed>,
    missing: Vec<Skipped>,
    distractors: usize,
}

impl Compared {
    fn evaluations(&self) -> Vec<(&str, &Evaluation)> {
        let methods = self.methods.iter();
        methods
            .map(|method| (method.name.as_str(), &method.judged.evaluation))
            .collect()
    }
}

#[derive(Serialize)]
struct Output<'a> {
    dataset: &'a str,
    comparison: &'a Comparison,
    methods: Vec<OfMethod<'a>>,
    failed: &'a [Failed],
    distractors: usize,
    missing: &'a [Skipped],
}

#[derive(Serialize)]
struct OfMethod<'a> {
    name: &'a str,
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    card: Option<&'a serde_json::Value>,
}

pub(super) fn run(args: &EvalArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    model_choice::check(&args.model, &args.recipe)?;
    let dataset = pictures::open(&args.dataset, args.data_root.as_deref(), args.images.as_deref())?;
    dataset.validate()?;
    let options = stage_options(args, threads, &dataset);
    let mut failed = Vec::new();
    let mut chains: Vec<(&String, Chain)> = Vec::new();
    for (place, entry) in args.compare.iter().enumerate() {
        match rerank_choice::chain("--compare", &rerank_choice::joined(entry), &options) {
            Ok(chain) => chains.push((entry, chain)),
            // With nothing left to go on with, what is wrong with the last one ends the command.
            Err(error) if chains.is_empty() && place + 1 == args.compare.len() => return Err(error),
            Err(error) => fail(entry, &error, &mut failed, screen),
        }
    }
    let all: Vec<&Chain> = chains.iter().map(|(_, chain)| chain).collect();
    let nothing = |_: &Evaluation, _: Option<&Evaluation>| Ok(Choice::default());
    let protocol = rules(args, &dataset, &nothing)?.protocol;
    let source = source(args, threads, &dataset, protocol, &all, screen)?;
    let mut methods: Vec<Method> = Vec::new();
    for (name, mut chain) in chains {
        let first = methods.first().map(|first| &first.judged.evaluation);
        let each = args.report_queries / args.compare.len().saturating_sub(1).max(1);
        let choose =
            |evaluation: &Evaluation, _: Option<&Evaluation>| choose(args, evaluation, first, each.max(1));
        let rules = rules(args, &dataset, &choose)?;
        match judge(&source, &rules, &mut chain, screen) {
            Ok(judged) => methods.push(Method {
                name: name.clone(),
                card: super::evaluated_card(
                    source.card.as_ref(),
                    &judged.evaluation,
                    source.local.as_ref(),
                    judged.rerank.as_ref(),
                ),
                judged,
            }),
            // A query of --report-query that is not there.
            Err(error) if error.is::<Usage>() => return Err(error),
            Err(error) => fail(name, &error, &mut failed, screen),
        }
    }
    let Some(first) = methods.first() else {
        anyhow::bail!("None of the methods could be evaluated; the reasons stand above.");
    };
    if first.name != args.compare[0] {
        screen.warn(&format!("the others are compared with {}", first.name));
    }
    let named: Vec<(&str, &Evaluation)> = methods
        .iter()
        .map(|method| (method.name.as_str(), &method.judged.evaluation))
        .collect();
    let compared = Compared {
        comparison: Comparison::new(&named, judging(args, &first.judged.evaluation))?,
        methods,
        failed,
        missing: source.missing,
        distractors: source.distractors,
    };
    finish(args, &dataset, &compared, screen)
}

/// Lists a method that could not be evaluated; the others go on.
fn fail(name: &str, error: &anyhow::Error, failed: &mut Vec<Failed>, screen: &Screen) {
    let reason = error.to_string();
    screen.warn(&format!("{name} could not be evaluated: {reason}"));
    failed.push(Failed {
        name: name.to_owned(),
        reason,
    });
}

/// The queries whose answers are kept for the page: of the first method all, since any may be chosen later; of the others `most`
/// that changed most against the `first`.
fn choose(
    args: &EvalArgs,
    evaluation: &Evaluation,
    first: Option<&Evaluation>,
    most: usize,
) -> anyhow::Result<Choice> {
    match first {
        _ if args.report.is_none() => Ok(Choice::default()),
        _ if !args.report_query.is_empty() => choice::asked(args, evaluation),
        None => Ok(Choice {
            others: (0..evaluation.queries.len()).collect(),
            ..Choice::default()
        }),
        Some(first) => Ok(Choice {
            others: Vec::new(),
            ..chosen_by_change(evaluation, &paired::changes(first, evaluation)?, most)
        }),
    }
}

/// Prints, writes JSON and the report page.
fn finish(
    args: &EvalArgs,
    dataset: &sightline::dataset::Dataset,
    compared: &Compared,
    screen: &Screen,
) -> anyhow::Result<Outcome> {
    super::warn_of(&compared.missing, screen);
    if let Some(path) = &args.report {
        let page = page::report(args, dataset, compared, screen)?;
        write_whole(path, page.to_html().as_bytes())?;
        screen.say(&format!("report: {}", path.display()));
    }
    let output = Output {
        dataset: &dataset.name,
        comparison: &compared.comparison,
        methods: compared
            .methods
            .iter()
            .map(|method| OfMethod {
                name: &method.name,
                evaluation: &method.judged.evaluation,
                card: method.card.as_ref(),
            })
            .collect(),
        failed: &compared.failed,
        distractors: compared.distractors,
        missing: &compared.missing,
    };
    let text = || {
        title(dataset, compared.distractors, compared.comparison.protocol)
            + &table::tables(&compared.comparison)
    };
    match &args.json {
        Some(path) if path.as_os_str() == "-" => print_json(&output)?,
        Some(path) => {
            write_whole(path, (serde_json::to_string_pretty(&output)? + "\n").as_bytes())?;
            print(&text())?;
        }
        None => print(&text())?,
    }
    Ok(if compared.missing.is_empty() && compared.failed.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}
