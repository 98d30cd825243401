//! From rankings and a ground truth to what a report page shows.

use super::{Answer, Figure, QueryLine, QuerySection, Strip, Thumbnail, Verdict, worst_first};
use sightline_dataset::{Dataset, Truth};
use sightline_eval::Evaluation;
use sightline_eval::paired::measured;
use sightline_rerank::Step;
use std::cell::RefCell;
use std::collections::HashMap;

/// One answer of a ranking.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Index of the data set's image; none for a distractor.
    pub image: Option<usize>,
    /// Its name.
    pub name: String,
    /// Its score; none where the ranking has none.
    pub score: Option<f32>,
    /// Its way through the stages of a re-ranking; empty where there were none.
    pub steps: Vec<Step>,
}

/// Gives the thumbnail of a picture by its name, with the box drawn where there is one (see [`thumbnail`]).
///
/// [`thumbnail`]: super::thumbnail()
pub type Pictures<'a> = dyn Fn(&str, Option<[f64; 4]>) -> Thumbnail + 'a;

/// What the ground truth says of `image` as an answer to `query`.
pub fn verdict(dataset: &Dataset, query: usize, image: usize) -> Verdict {
    let listed = |list: &[u32]| list.iter().any(|index| *index as usize == image);
    match &dataset.truth {
        Truth::Revisited(lists) => match lists.get(query) {
            Some(lists) if listed(&lists.easy) || listed(&lists.hard) => Verdict::Right,
            Some(lists) if listed(&lists.junk) => Verdict::Junk,
            _ => Verdict::Wrong,
        },
        Truth::Classic(lists) => match lists.get(query) {
            Some(lists) if listed(&lists.ok) => Verdict::Right,
            Some(lists) if listed(&lists.junk) => Verdict::Junk,
            _ => Verdict::Wrong,
        },
        Truth::Labels { images, queries, .. } => {
            let asked = queries.as_ref().unwrap_or(images).get(query);
            if asked.is_some() && asked == images.get(image) {
                Verdict::Right
            } else {
                Verdict::Wrong
            }
        }
        Truth::None => Verdict::Unjudged,
    }
}

/// The images that the ground truth lists for a query, at most so many of them: right ones first, easy before hard, then
/// junk. Labels list the images of the query's class but itself.
pub fn listed(dataset: &Dataset, query: usize, most: usize) -> Vec<Found> {
    let indices: Vec<usize> = match &dataset.truth {
        Truth::Revisited(lists) => {
            let lists = lists.get(query).into_iter();
            let listed = lists.flat_map(|lists| [&lists.easy, &lists.hard, &lists.junk]);
            listed.flatten().map(|index| *index as usize).collect()
        }
        Truth::Classic(lists) => {
            let lists = lists.get(query).into_iter();
            let listed = lists.flat_map(|lists| [&lists.ok, &lists.junk]);
            listed.flatten().map(|index| *index as usize).collect()
        }
        Truth::Labels { .. } => (0..dataset.images.len())
            .filter(|image| *image != query || !dataset.gallery_queries_itself())
            .filter(|image| verdict(dataset, query, *image) == Verdict::Right)
            .collect(),
        Truth::None => Vec::new(),
    };
    let found = |image: usize| {
        Some(Found {
            image: Some(image),
            name: dataset.images.get(image)?.clone(),
            ..Found::default()
        })
    };
    indices.into_iter().filter_map(found).take(most).collect()
}

/// What counts as right, as a sentence.
pub fn rule(dataset: &Dataset) -> &'static str {
    match &dataset.truth {
        Truth::Revisited(_) => {
            "Answers are judged as in the medium setup: easy and hard pictures are right, junk does not count."
        }
        Truth::Classic(_) => "Answers that the ground truth calls good or ok are right, junk does not count.",
        Truth::Labels { .. } => "Answers of the query's class are right.",
        Truth::None => "There is no ground truth.",
    }
}

/// The numbers of an evaluation.
pub fn figures(evaluation: &Evaluation) -> Vec<Figure> {
    let figure = |(name, value): (&str, Option<f64>)| Figure {
        name: name.to_owned(),
        value: value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}")),
        remark: evaluation
            .confidence_interval
            .as_ref()
            .filter(|one| one.metric == name)
            .map(|one| {
                format!(
                    "{:.4} to {:.4} ({:.0} % interval over queries)",
                    one.interval.low,
                    one.interval.high,
                    100.0 * one.bootstrap.level
                )
            })
            .unwrap_or_default(),
    };
    evaluation.metrics.iter().map(figure).collect()
}

/// A line a query, worst first, and the names of its values. `changes`: how the main measure of each query changed by
/// re-ranking; empty where nothing was re-ranked.
pub fn lines(evaluation: &Evaluation, changes: &[Option<f64>]) -> (Vec<String>, Vec<QueryLine>) {
    let setups: Vec<String> = evaluation
        .queries
        .first()
        .map(|query| query.setups.iter().map(|(name, _)| name.to_owned()).collect())
        .unwrap_or_default();
    let with_ap = evaluation.queries.iter().any(|query| query.ap.is_some());
    // A setup in which no query has right answers needs no column.
    let setups: Vec<String> = setups
        .into_iter()
        .filter(|name| {
            evaluation
                .queries
                .iter()
                .any(|query| query.setups.get(name).is_some())
        })
        .collect();
    let columns = match setups.as_slice() {
        [] if with_ap => vec!["AP".to_owned()],
        setups => setups.iter().map(|name| name.replace("ap-", "AP ")).collect(),
    };
    let line = |query: usize| {
        let result = &evaluation.queries[query];
        let values = match setups.as_slice() {
            [] if with_ap => vec![result.ap],
            setups => setups.iter().map(|name| result.setups.get(name)).collect(),
        };
        QueryLine {
            query,
            name: result.name.clone(),
            values,
            first: result.first_positive_rank,
            positives: result.positives,
            change: changes.get(query).copied().flatten(),
        }
    };
    (columns, worst_first(evaluation).into_iter().map(line).collect())
}

/// A line a query with the main measure of each of several named evaluations, the worst of the first one first.
pub fn lines_of_methods(evaluations: &[(&str, &Evaluation)]) -> (Vec<String>, Vec<QueryLine>) {
    let columns = evaluations.iter().map(|(name, _)| (*name).to_owned()).collect();
    let Some((_, first)) = evaluations.first() else {
        return (columns, Vec::new());
    };
    let measures: Vec<Vec<Option<f64>>> = evaluations
        .iter()
        .map(|(_, evaluation)| measured(evaluation).map_or_else(|_| Vec::new(), |measured| measured.values))
        .collect();
    let (_, mut lines) = lines(first, &[]);
    for line in &mut lines {
        let value = |values: &Vec<Option<f64>>| values.get(line.query).copied().flatten();
        line.values = measures.iter().map(value).collect();
    }
    (columns, lines)
}

/// What one ranking gives to the queries that are shown.
#[derive(Clone, Copy, Debug)]
pub struct RankedAnswers<'a> {
    /// Which ranking, such as `before`; empty where there is one only.
    pub label: &'a str,
    /// How good it is; none for collections without ground truth.
    pub evaluation: Option<&'a Evaluation>,
    /// Index of a query, and what was found for it.
    pub answers: &'a [(usize, Vec<Found>)],
}

/// One section for each query of the first of `rankings`, with the answers of all of them one above the other.
pub fn sections(
    dataset: &Dataset,
    rankings: &[RankedAnswers<'_>],
    picture: &Pictures<'_>,
) -> Vec<QuerySection> {
    // A picture that answers several times is made small once.
    let made: RefCell<HashMap<usize, Vec<u8>>> = RefCell::default();
    let small = |image: usize, name: &str| {
        let known = made.borrow().get(&image).cloned();
        known.unwrap_or_else(|| {
            let jpeg = picture(name, None).jpeg;
            made.borrow_mut().insert(image, jpeg.clone());
            jpeg
        })
    };
    let answer = |query: usize, found: &Found| Answer {
        name: found.name.clone(),
        score: found.score,
        steps: found.steps.clone(),
        verdict: match found.image {
            Some(image) => verdict(dataset, query, image),
            None => Verdict::Wrong,
        },
        distractor: found.image.is_none(),
        thumbnail: found
            .image
            .map(|image| small(image, &found.name))
            .unwrap_or_default(),
    };
    let strip = |query: usize, ranking: &RankedAnswers<'_>| {
        let found = ranking.answers.iter().find(|(asked, _)| *asked == query);
        let result = ranking.evaluation.and_then(|all| all.queries.get(query));
        Strip {
            label: ranking.label.to_owned(),
            average_precision: result.and_then(|result| result.ap),
            answers: found
                .into_iter()
                .flat_map(|(_, found)| found)
                .map(|found| answer(query, found))
                .collect(),
        }
    };
    let judged = rankings
        .iter()
        .filter_map(|ranking| ranking.evaluation)
        .any(|all| all.queries.iter().any(|query| query.ap.is_some()));
    let shown = rankings.first().map_or(&[][..], |first| first.answers);
    shown
        .iter()
        .map(|(query, _)| {
            let (name, bbox) = match dataset.queries.get(*query) {
                Some(query) => (query.name.clone(), query.bbox),
                None => (dataset.images.get(*query).cloned().unwrap_or_default(), None),
            };
            let thumbnail = picture(&name, bbox);
            QuerySection {
                query: *query,
                judged,
                boxed: thumbnail.boxed,
                thumbnail: thumbnail.jpeg,
                name,
                strips: rankings.iter().map(|ranking| strip(*query, ranking)).collect(),
            }
        })
        .collect()
}
