//! From rankings and a ground truth to what a report page shows.

use super::{Answer, Figure, QueryLine, QuerySection, Thumbnail, Verdict};
use sightline_dataset::{Dataset, Truth};
use sightline_eval::{Evaluation, QueryResult};

/// One answer of a ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Index of the data set's image; none for a distractor.
    pub image: Option<usize>,
    /// Its name.
    pub name: String,
    /// Its score; none where the ranking has none.
    pub score: Option<f32>,
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
            score: None,
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

/// How good a query's answers are, for sorting: its AP, else by the place of the first right answer. Queries without
/// right answers come last.
fn goodness(query: &QueryResult) -> f64 {
    if query.positives == 0 {
        return f64::INFINITY;
    }
    let by_place = || query.first_positive_rank.map_or(0.0, |first| 1.0 / first as f64);
    query.ap.unwrap_or_else(by_place)
}

/// Indices of all queries, worst first; equal ones in the data set's order.
fn worst_first(evaluation: &Evaluation) -> Vec<usize> {
    let mut order: Vec<usize> = (0..evaluation.queries.len()).collect();
    order.sort_by(|a, b| goodness(&evaluation.queries[*a]).total_cmp(&goodness(&evaluation.queries[*b])));
    order
}

/// The queries to show, worst first: all, or half of `most` from the worst and half from the best end.
pub fn chosen(evaluation: &Evaluation, most: usize) -> Vec<usize> {
    let order = worst_first(evaluation);
    if order.len() <= most {
        return order;
    }
    let (worst, best) = (most.div_ceil(2), most / 2);
    let mut chosen = order[..worst].to_vec();
    // The very best, not those without right answers behind them.
    let counted = order
        .iter()
        .filter(|query| evaluation.queries[**query].positives > 0)
        .count();
    let end = counted.max(worst + best);
    chosen.extend(&order[end - best..end]);
    chosen
}

/// A line a query, worst first, and the names of its values.
pub fn lines(evaluation: &Evaluation) -> (Vec<String>, Vec<QueryLine>) {
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
        }
    };
    (columns, worst_first(evaluation).into_iter().map(line).collect())
}

/// One section for each of the `answers`: index of a query, and what was found for it.
pub fn sections(
    dataset: &Dataset,
    evaluation: Option<&Evaluation>,
    answers: &[(usize, Vec<Found>)],
    picture: &Pictures<'_>,
) -> Vec<QuerySection> {
    let answer = |query: usize, found: &Found| Answer {
        name: found.name.clone(),
        score: found.score,
        verdict: match found.image {
            Some(image) => verdict(dataset, query, image),
            None => Verdict::Wrong,
        },
        distractor: found.image.is_none(),
        thumbnail: match found.image {
            Some(_) => picture(&found.name, None).jpeg,
            None => Vec::new(),
        },
    };
    answers
        .iter()
        .map(|(query, found)| {
            let (name, bbox) = match dataset.queries.get(*query) {
                Some(query) => (query.name.clone(), query.bbox),
                None => (dataset.images.get(*query).cloned().unwrap_or_default(), None),
            };
            let thumbnail = picture(&name, bbox);
            QuerySection {
                query: *query,
                average_precision: evaluation
                    .and_then(|all| all.queries.get(*query))
                    .and_then(|result| result.ap),
                judged: evaluation.is_some_and(|all| all.queries.iter().any(|query| query.ap.is_some())),
                boxed: thumbnail.boxed,
                thumbnail: thumbnail.jpeg,
                name,
                answers: found.iter().map(|found| answer(*query, found)).collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline_eval::{Metrics, Protocol};

    fn evaluation(aps: &[Option<f64>]) -> Evaluation {
        let query = |(index, ap): (usize, &Option<f64>)| QueryResult {
            name: format!("q{index}"),
            ap: *ap,
            positives: usize::from(ap.is_some()),
            ..QueryResult::default()
        };
        Evaluation {
            protocol: Protocol::Cirtorch,
            metrics: Metrics::default(),
            confidence_interval: None,
            queries: aps.iter().enumerate().map(query).collect(),
            curves: Vec::new(),
        }
    }

    #[test]
    fn the_worst_and_the_best_are_chosen() {
        let found = evaluation(&[Some(0.5), None, Some(0.1), Some(0.9), Some(0.1), Some(1.0)]);
        assert_eq!(chosen(&found, 6), [2, 4, 0, 3, 5, 1]);
        assert_eq!(chosen(&found, 3), [2, 4, 5]);
        assert_eq!(chosen(&found, 4), [2, 4, 3, 5]);
        assert_eq!(chosen(&found, 0), [0_usize; 0]);
        assert_eq!(chosen(&evaluation(&[None, None, None]), 2), [0, 1]);
        let (columns, lines) = lines(&found);
        assert_eq!(columns, ["AP"]);
        assert_eq!(lines[0].name, "q2");
        assert_eq!(lines[5].values, [None]);
    }
}
