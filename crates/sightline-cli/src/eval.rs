//! `sightline eval`: a ground truth and a model, descriptor sets or rankings; the protocol's numbers.

mod answers;
mod described;
mod distractors;
mod local;
mod page;
mod rankings;
mod spatial;
mod table;

pub(crate) use described::describe_side;
pub(crate) use page::report;
pub(crate) use table::table;

use crate::args::{EvalArgs, LocalMethod};
use crate::extract::printable;
use crate::output::{Outcome, print, print_json, usage, write_whole};
use crate::progress::Screen;
use crate::{expansion_choice, model_choice, pictures, spatial_choice};
use serde::Serialize;
use sightline::card::Card;
use sightline::dataset::Dataset;
use sightline::eval::{self, Evaluation, Options, Protocol, RankedLists};
use sightline::extract::Skipped;
use sightline::local::spatial::SpatialReranking;
use sightline::{Aligned, SearchRanking};
use spatial::Spatial;
use std::collections::HashSet;

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
    /// How rankings were verified.
    spatial: Option<SpatialReranking>,
    /// How many images that answer no query were added.
    pub(crate) distractors: usize,
    /// The best answers of the queries that the report page shows.
    answers: answers::Answers,
}

impl Evaluated {
    /// Says that pictures have no descriptor.
    pub(crate) fn warn(&self, screen: &Screen) {
        if let Some(first) = self.missing.first() {
            screen.warn(&format!(
                "{} pictures have no descriptor and are never found, the first is {}",
                self.missing.len(),
                printable(&first.name)
            ));
        }
    }

    /// The card of the descriptors, with the protocol that made a score of them.
    pub(crate) fn evaluated_card(&self) -> Option<serde_json::Value> {
        let mut value = self.card.as_ref()?.to_value();
        value["protocol"] = self.evaluation.protocol.name().into();
        if let Some(local) = &self.local {
            value["local"] = serde_json::to_value(local).ok()?;
        }
        if let Some(spatial) = &self.spatial {
            value["rerank"] = spatial_choice::card(spatial);
        }
        Some(value)
    }
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
    let found = evaluate(args, threads, screen)?;
    finish(args, &found, screen)
}

/// Evaluates; prints nothing but remarks.
pub(crate) fn evaluate(args: &EvalArgs, threads: usize, screen: &Screen) -> anyhow::Result<Evaluated> {
    model_choice::check(&args.model, &args.recipe)?;
    let expansion = expansion_choice::chosen(&args.expansion)?;
    if expansion.augments() && !args.distractors.is_empty() {
        return Err(usage(
            "--dba with --distractors would compare every distractor with every other: augment without distractors",
        ));
    }
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
    let judged = |lists: &RankedLists| -> anyhow::Result<(Evaluation, answers::Answers)> {
        let evaluation = eval::evaluate(&dataset, lists, protocol, &options)?;
        let asked = shown(args, &evaluation)?;
        let answers = answers::listed(lists, &asked, args.report_answers.into(), &dataset);
        Ok((evaluation, answers))
    };

    if let Some(path) = &args.ranks {
        if expansion.changes_something() || args.model.whiten.is_some() {
            return Err(usage(
                "--ranks are rankings, and only descriptors can be whitened or expanded: give --features or --model",
            ));
        }
        let lists = rankings::ranked_lists(path, &dataset, protocol)?;
        let lists = match expansion.spatial {
            Some(how) => Spatial::new(how, args, None, &dataset)?.rerank(&lists, screen)?,
            None => lists,
        };
        let (evaluation, answers) = judged(&lists)?;
        return Ok(Evaluated {
            dataset,
            evaluation,
            card: None,
            local: None,
            spatial: expansion.spatial,
            missing: Vec::new(),
            distractors: 0,
            answers,
        });
    }
    if matches!(args.local.local, Some(LocalMethod::Asmk | LocalMethod::AsmkStar)) {
        if expansion.changes_something() {
            return Err(usage(
                "ASMK's answers are ranked by what their local features share, and only descriptors can be expanded by their neighbours",
            ));
        }
        let ranked = local::ranked(args, threads, &dataset, screen)?;
        let lists = match expansion.spatial {
            Some(how) => {
                Spatial::new(how, args, Some(ranked.sides), &dataset)?.rerank(&ranked.lists, screen)?
            }
            None => ranked.lists,
        };
        let (evaluation, answers) = judged(&lists)?;
        return Ok(Evaluated {
            dataset,
            evaluation,
            card: ranked.card,
            local: Some(ranked.made),
            spatial: expansion.spatial,
            missing: ranked.missing,
            distractors: ranked.distractors,
            answers,
        });
    }
    // Before anything is described: a wrong file is found at once.
    let distractors = distractors::open(&args.distractors)?;
    let (described, compared) = match args.local.local {
        Some(_) => {
            let (described, sides) = local::vlads(args, threads, &dataset, screen)?;
            (described, Some(sides))
        }
        None => (described::described(args, threads, &dataset, screen)?, None),
    };
    distractors::check(&described.database, &distractors, screen)?;
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
    let mut listed: HashSet<String> = missing.iter().map(|one| one.name.clone()).collect();
    for index in database.missing() {
        let name = &dataset.images[index];
        if listed.insert(name.clone()) {
            missing.push(pictures::skipped(name, "The set has no row of that name."));
        }
    }
    let expanded = expansion.apply(queries, &database, &distractors)?;
    let queries = expanded.queries.as_ref().unwrap_or(queries);
    let database = expanded.database.as_ref().unwrap_or(&database);
    let ranking = SearchRanking::new(queries, database, &dataset)?.with_distractors(&distractors)?;
    let (evaluation, answers) = match expansion.spatial {
        Some(how) => {
            let spatial = Spatial::new(how, args, compared, &dataset)?;
            let lists = spatial.rerank(&answers::whole_lists(&ranking, &dataset)?, screen)?;
            judged(&lists)?
        }
        None => {
            let evaluation = eval::evaluate(&dataset, &ranking, protocol, &options)?;
            let answers = answers::searched(
                &ranking,
                &shown(args, &evaluation)?,
                args.report_answers.into(),
                &dataset,
                &distractors,
            )?;
            (evaluation, answers)
        }
    };
    let distractors = ranking.distractors();
    Ok(Evaluated {
        dataset,
        evaluation,
        card: described
            .database
            .card()
            .cloned()
            .map(|card| expansion.card(card)),
        local: None,
        spatial: expansion.spatial,
        missing,
        distractors,
        answers,
    })
}

/// The queries that the report page shows; none without a page.
fn shown(args: &EvalArgs, evaluation: &Evaluation) -> anyhow::Result<Vec<usize>> {
    if args.report.is_none() {
        return Ok(Vec::new());
    }
    if args.report_query.is_empty() {
        return Ok(sightline::report::chosen(evaluation, args.report_queries));
    }
    let names = || evaluation.queries.iter().map(|query| query.name.as_str());
    let index = |wanted: &String| {
        names().position(|name| name == wanted).ok_or_else(|| {
            let near = sightline::dataset::suggestion(wanted, names());
            usage(format!("there is no query `{wanted}`{near}"))
        })
    };
    args.report_query.iter().map(index).collect()
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
