//! Rankings are made, put in a better order, and judged.

use super::answers::{self, Answers};
use super::source::{Ranked, Sides, Source};
use crate::args::{EvalArgs, JunkChoice};
use crate::progress::Screen;
use crate::rerank_choice;
use sightline::dataset::{Dataset, Truth};
use sightline::descriptor::DescriptorSet;
use sightline::eval::revisited::Setup;
use sightline::eval::{self, Evaluation, Options, Protocol, RankedLists, Ranking};
use sightline::report::Choice;
use sightline::rerank::{Chain, LocalAccess, Rankings, Trace};
use sightline::search::Rows;
use sightline::{Aligned, Reordered, SearchRanking};

/// How rankings are judged.
pub(super) struct Rules<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) protocol: Option<Protocol>,
    pub(super) options: Options,
    pub(super) args: &'a EvalArgs,
    /// Whether what stood before the stages is judged too.
    pub(super) before: bool,
    /// Which queries are shown.
    pub(super) choose: &'a Choose<'a>,
}

/// Which queries a report page shows, by what was found and by what stood before the stages, where that was judged.
pub(super) type Choose<'a> = dyn Fn(&Evaluation, Option<&Evaluation>) -> anyhow::Result<Choice> + 'a;

/// What stood before the stages.
pub(crate) struct Before {
    pub(crate) evaluation: Evaluation,
    /// The best answers of the same queries.
    pub(crate) answers: Answers,
}

/// What came of one chain of stages.
pub(crate) struct Judged {
    pub(crate) evaluation: Evaluation,
    /// The queries that the report page shows.
    pub(crate) choice: Choice,
    /// Their best answers.
    pub(crate) answers: Answers,
    /// None without stages, or where nobody asked.
    pub(crate) before: Option<Before>,
    /// What a card says of it; none without stages.
    pub(crate) rerank: Option<serde_json::Value>,
}

/// Ranks, runs the stages and evaluates.
pub(super) fn judge(
    source: &Source,
    rules: &Rules<'_>,
    chain: &mut Chain,
    screen: &Screen,
) -> anyhow::Result<Judged> {
    let junk = rules.args.rerank_junk;
    if chain.stages.is_empty() {
        return ranked(source, rules, chain, &[], screen);
    }
    match (&rules.dataset.truth, junk) {
        (Truth::Revisited(lists), JunkChoice::Before) => {
            // What is junk depends on the setup, so each has rankings of its own.
            let one = |setup: Setup| {
                let removed = lists
                    .iter()
                    .map(|lists| setup.split(&lists.easy, &lists.hard, &lists.junk).1.concat());
                ranked(source, rules, chain, &removed.collect::<Vec<_>>(), screen)
            };
            let [easy, medium, hard] = {
                let mut one = one;
                [one(Setup::Easy)?, one(Setup::Medium)?, one(Setup::Hard)?]
            };
            let evaluation = Evaluation::of_setups([easy.evaluation, medium.evaluation, hard.evaluation]);
            // Before the stages, junk is stepped over in every setup alike.
            Ok(Judged { evaluation, ..medium })
        }
        (Truth::Classic(lists), JunkChoice::Before) => {
            let removed: Vec<Vec<u32>> = lists.iter().map(|lists| lists.junk.clone()).collect();
            ranked(source, rules, chain, &removed, screen)
        }
        _ => ranked(source, rules, chain, &[], screen),
    }
}

/// `removed`: images that are taken out of each query's answers beforehand; empty for none.
fn ranked(
    source: &Source,
    rules: &Rules<'_>,
    chain: &mut Chain,
    removed: &[Vec<u32>],
    screen: &Screen,
) -> anyhow::Result<Judged> {
    match &source.ranked {
        Ranked::Lists(lists) => given(source, lists, rules, chain, removed, screen),
        Ranked::Descriptors(sides) => searched(source, sides, rules, chain, removed, screen),
    }
}

/// Rankings that are there.
fn given(
    source: &Source,
    lists: &RankedLists,
    rules: &Rules<'_>,
    chain: &mut Chain,
    removed: &[Vec<u32>],
    screen: &Screen,
) -> anyhow::Result<Judged> {
    if chain.stages.is_empty() {
        return finish(
            rules,
            lists,
            lists,
            Heads::None(&|asked, most| Ok(answers::listed(lists, asked, most, rules.dataset))),
        );
    }
    let longest = lists.lists().iter().map(Vec::len).max().unwrap_or(0);
    let length = length(rules, chain, longest, lists.lists().len());
    let kept: Vec<Vec<u32>> = match removed {
        [] => lists.lists().to_vec(),
        removed => {
            let without = lists.lists().iter().zip(removed).map(|(list, removed)| {
                let left = list.iter().copied().filter(|image| !removed.contains(image));
                left.collect()
            });
            without.collect()
        }
    };
    let query = |query: usize| source.verified.as_ref()?.query(query);
    let image = |image: usize| source.verified.as_ref()?.image(image);
    let mut rankings = Rankings::of_lists(&kept, length);
    rankings.local = source.verified.as_ref().map(|_| LocalAccess {
        query: &query,
        image: &image,
    });
    let reranked = rerank_choice::run(chain, rankings, screen)?;
    let reordered = Reordered::new(lists, reranked.rankings.heads());
    finish(
        rules,
        &reordered,
        lists,
        Heads::Some {
            trace: reranked.trace,
            card: rerank_choice::card(chain, length, rules.args.rerank_junk),
            distractors: &[],
        },
    )
}

/// A search, by descriptors.
fn searched(
    source: &Source,
    sides: &Sides,
    rules: &Rules<'_>,
    chain: &mut Chain,
    removed: &[Vec<u32>],
    screen: &Screen,
) -> anyhow::Result<Judged> {
    let dataset = rules.dataset;
    let images: Vec<&str> = dataset.images.iter().map(String::as_str).collect();
    let asked: Vec<&str> = dataset.queries.iter().map(|query| query.name.as_str()).collect();
    let database = Aligned::new(&sides.database, &images)?;
    let distractors = sides.distractors.as_slice();
    let queries = sides
        .queries
        .as_ref()
        .map(|set| Aligned::new(set, &asked))
        .transpose()?;
    let queries = queries.as_ref().unwrap_or(&database);
    let ranking = SearchRanking::new(queries, &database, dataset)?.with_distractors(distractors)?;
    if chain.stages.is_empty() {
        return finish(
            rules,
            &ranking,
            &ranking,
            Heads::None(&|asked, most| answers::searched(&ranking, asked, most, dataset, distractors)),
        );
    }
    let behind: Vec<Rows<'_>> = distractors.iter().map(DescriptorSet::rows).collect();
    let all = database.rows().count() + ranking.distractors();
    let length = length(rules, chain, all, ranking.queries());
    let rows_of = |images: &Vec<u32>| {
        let mut rows: Vec<u32> = images
            .iter()
            .filter_map(|image| Some(ranking.row(*image as usize)? as u32))
            .collect();
        rows.sort_unstable();
        rows
    };
    let excluded = removed.iter().map(rows_of).collect();
    let query = |query: usize| source.verified.as_ref()?.query(query);
    let image = |row: usize| source.verified.as_ref()?.image(ranking.image(row));
    let mut rankings = Rankings::search(queries.rows(), database.rows(), behind, length, excluded)
        .map_err(sightline::Error::from)?;
    rankings.neighbours = sides.graph.as_ref();
    rankings.local = source.verified.as_ref().map(|_| LocalAccess {
        query: &query,
        image: &image,
    });
    let mut reranked = rerank_choice::run(chain, rankings, screen)?;
    for hit in reranked
        .trace
        .iter_mut()
        .flat_map(|trace| trace.lists.iter_mut().flatten())
        .chain(reranked.rankings.lists.iter_mut().flatten())
    {
        hit.index = ranking.image(hit.index);
    }
    // What is behind the first answers stands as a search by the queries and images as they are now puts it.
    let rankings = reranked.rankings;
    let heads: Vec<Vec<u32>> = match rankings.searched {
        // All stands so, equal scores included.
        true => vec![Vec::new(); rankings.lists.len()],
        false => rankings.heads().collect(),
    };
    let queries = queries.with_rows(rankings.queries);
    let augmented = rankings.augmented.map(|rows| database.with_rows(rows));
    let database = augmented.as_ref().unwrap_or(&database);
    let beneath = SearchRanking::new(&queries, database, dataset)?.with_distractors(distractors)?;
    let reordered = Reordered::new(&beneath, heads.into_iter());
    let judged: &dyn Ranking = if rankings.searched { &beneath } else { &reordered };
    finish(
        rules,
        judged,
        &ranking,
        Heads::Some {
            trace: reranked.trace,
            card: rerank_choice::card(chain, length, rules.args.rerank_junk),
            distractors,
        },
    )
}

/// How many first answers of each query are kept.
fn length(rules: &Rules<'_>, chain: &Chain, images: usize, queries: usize) -> usize {
    let args = rules.args;
    let wanted = match args.rerank.shortlist {
        Some(length) => length as usize,
        None => chain.reach(images, queries),
    };
    let shown = if args.report.is_some() {
        args.report_answers.into()
    } else {
        1
    };
    wanted.max(shown).min(images)
}

/// The first answers of every query, or how to find those that are shown.
enum Heads<'a> {
    None(&'a dyn Fn(&[usize], usize) -> anyhow::Result<Answers>),
    Some {
        trace: Vec<Trace>,
        card: serde_json::Value,
        distractors: &'a [DescriptorSet],
    },
}

/// `before`: the ranking as it was before the stages.
fn finish(
    rules: &Rules<'_>,
    ranking: &dyn Ranking,
    before: &dyn Ranking,
    heads: Heads<'_>,
) -> anyhow::Result<Judged> {
    let evaluated = |ranking| eval::evaluate(rules.dataset, ranking, rules.protocol, &rules.options);
    let evaluation = evaluated(ranking)?;
    let most = rules.args.report_answers.into();
    match heads {
        Heads::None(find) => {
            let choice = (rules.choose)(&evaluation, None)?;
            Ok(Judged {
                answers: find(&choice.all().collect::<Vec<_>>(), most)?,
                evaluation,
                choice,
                before: None,
                rerank: None,
            })
        }
        Heads::Some {
            trace,
            card,
            distractors,
        } => {
            let before = rules.before.then(|| evaluated(before)).transpose()?;
            let choice = (rules.choose)(&evaluation, before.as_ref())?;
            let asked: Vec<usize> = choice.all().collect();
            let answers =
                |stages: &[Trace]| answers::traced(stages, &asked, most, rules.dataset, distractors);
            Ok(Judged {
                answers: answers(&trace),
                before: before.map(|evaluation| Before {
                    evaluation,
                    answers: answers(&trace[..trace.len().min(1)]),
                }),
                evaluation,
                choice,
                rerank: Some(card),
            })
        }
    }
}
