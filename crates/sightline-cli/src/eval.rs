//! `sightline eval`: a ground truth and a model, descriptor sets or rankings; the protocol's numbers.

mod answers;
mod choice;
mod compare;
mod described;
pub(crate) mod distractors;
mod judge;
mod local;
mod page;
mod rankings;
mod source;
mod spatial;
mod table;

pub(crate) use described::describe_side;
pub(crate) use page::report;
pub(crate) use table::table;

use crate::args::EvalArgs;
use crate::extract::printable;
use crate::output::{Outcome, print, print_json, usage, write_whole};
use crate::progress::Screen;
use crate::{model_choice, pictures, rerank_choice};
use judge::{Before, Choose, Rules, judge};
use serde::Serialize;
use sightline::StageOptions;
use sightline::card::Card;
use sightline::dataset::Dataset;
use sightline::eval::{Evaluation, Options, Protocol};
use sightline::extract::Skipped;
use sightline::report::Choice;
use source::source;

/// What an evaluation found, and how.
pub(crate) struct Evaluated {
    pub(crate) dataset: Dataset,
    pub(crate) evaluation: Evaluation,
    /// The card of the descriptors.
    pub(crate) card: Option<Card>,
    /// Pictures without descriptor.
    pub(crate) missing: Vec<Skipped>,
    /// What was made of local features, where these were compared.
    local: Option<local::LocalCard>,
    /// How rankings were put in a better order.
    rerank: Option<serde_json::Value>,
    /// How many images that answer no query were added.
    pub(crate) distractors: usize,
    /// The queries that the report page shows.
    choice: Choice,
    /// Their best answers.
    answers: answers::Answers,
    /// What stood before re-ranking; none without a page.
    before: Option<Before>,
}

impl Evaluated {
    /// Says that pictures have no descriptor.
    pub(crate) fn warn(&self, screen: &Screen) {
        warn_of(&self.missing, screen);
    }

    /// The card of the descriptors, with the protocol that made a score of them.
    pub(crate) fn evaluated_card(&self) -> Option<serde_json::Value> {
        evaluated_card(
            self.card.as_ref(),
            &self.evaluation,
            self.local.as_ref(),
            self.rerank.as_ref(),
        )
    }
}

/// Says that pictures have no descriptor.
fn warn_of(missing: &[Skipped], screen: &Screen) {
    if let Some(first) = missing.first() {
        screen.warn(&format!(
            "{} pictures have no descriptor and are never found, the first is {}",
            missing.len(),
            printable(&first.name)
        ));
    }
}

/// The card of descriptors, with what made a score of them.
fn evaluated_card(
    card: Option<&Card>,
    evaluation: &Evaluation,
    local: Option<&local::LocalCard>,
    rerank: Option<&serde_json::Value>,
) -> Option<serde_json::Value> {
    let mut value = card?.to_value();
    value["protocol"] = evaluation.protocol.name().into();
    if let Some(local) = local {
        value["local"] = serde_json::to_value(local).ok()?;
    }
    if let Some(rerank) = rerank {
        value["rerank"] = rerank.clone();
    }
    Some(value)
}

#[derive(Serialize)]
struct Output<'a> {
    dataset: &'a str,
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    distractors: usize,
    missing: &'a [Skipped],
    card: Option<serde_json::Value>,
}

pub(crate) fn run(args: &EvalArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    if !args.compare.is_empty() {
        return compare::run(args, threads, screen);
    }
    let found = evaluate(args, threads, screen)?;
    finish(args, &found, screen)
}

/// Evaluates; prints nothing but remarks.
pub(crate) fn evaluate(args: &EvalArgs, threads: usize, screen: &Screen) -> anyhow::Result<Evaluated> {
    model_choice::check(&args.model, &args.recipe)?;
    let dataset = pictures::open(&args.dataset, args.data_root.as_deref(), args.images.as_deref())?;
    dataset.validate()?;
    let options = stage_options(args, threads, &dataset);
    let mut chain = rerank_choice::chain("--rerank", &rerank_choice::typed(&args.rerank), &options)?;
    let choose = |after: &Evaluation, before: Option<&Evaluation>| choice::choose(args, after, before);
    let rules = Rules {
        before: args.report.is_some(),
        ..rules(args, &dataset, &choose)?
    };
    let source = source(args, threads, &dataset, rules.protocol, &[&chain], screen)?;
    let judged = judge(&source, &rules, &mut chain, screen)?;
    Ok(Evaluated {
        evaluation: judged.evaluation,
        card: source.card,
        local: source.local,
        rerank: judged.rerank,
        missing: source.missing,
        distractors: source.distractors,
        choice: judged.choice,
        answers: judged.answers,
        before: judged.before,
        dataset,
    })
}

/// What opening a stage may need.
fn stage_options(args: &EvalArgs, threads: usize, dataset: &Dataset) -> StageOptions {
    StageOptions {
        device: args.model.device.clone(),
        threads,
        images: dataset.images.clone(),
        queries: match dataset.gallery_queries_itself() {
            true => dataset.images.clone(),
            false => dataset.queries.iter().map(|query| query.name.clone()).collect(),
        },
    }
}

fn rules<'a>(args: &'a EvalArgs, dataset: &'a Dataset, choose: &'a Choose<'a>) -> anyhow::Result<Rules<'a>> {
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
    Ok(Rules {
        dataset,
        protocol,
        options,
        args,
        before: false,
        choose,
    })
}

/// Prints, writes JSON and the report page.
fn finish(args: &EvalArgs, found: &Evaluated, screen: &Screen) -> anyhow::Result<Outcome> {
    found.warn(screen);
    let output = Output {
        dataset: &found.dataset.name,
        evaluation: &found.evaluation,
        distractors: found.distractors,
        missing: &found.missing,
        card: found.evaluated_card(),
    };
    if let Some(path) = &args.report {
        let page = report(args, found, screen)?;
        write_whole(path, page.to_html().as_bytes())?;
        screen.say(&format!("report: {}", path.display()));
    }
    let text = || table(&found.dataset, found.distractors, &found.evaluation);
    match &args.json {
        Some(path) if path.as_os_str() == "-" => print_json(&output)?,
        Some(path) => {
            write_whole(path, (serde_json::to_string_pretty(&output)? + "\n").as_bytes())?;
            print(&text())?;
        }
        None => print(&text())?,
    }
    Ok(if found.missing.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}
