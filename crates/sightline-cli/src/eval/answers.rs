//! The best answers of the queries that a report page shows.

use sightline::SearchRanking;
use sightline::dataset::Dataset;
use sightline::descriptor::DescriptorSet;
use sightline::eval::RankedLists;
use sightline::report::Found;
use sightline::rerank::{Trace, explain};
use sightline::search::Hit;

/// What a query found, by its index.
pub(crate) type Answers = Vec<(usize, Vec<Found>)>;

/// The `most` best answers by search; an index beyond the images is a distractor of `sets`, in their order.
pub(super) fn searched(
    ranking: &SearchRanking<'_>,
    asked: &[usize],
    most: usize,
    dataset: &Dataset,
    sets: &[DescriptorSet],
) -> anyhow::Result<Answers> {
    let hits = ranking.best(asked, most, dataset.gallery_queries_itself())?;
    Ok(asked
        .iter()
        .zip(&hits)
        .map(|(query, hits)| (*query, hits.iter().map(|hit| found(hit, dataset, sets)).collect()))
        .collect())
}

/// The `most` first answers after the last of `stages`, with their way through them; where the images query themselves, a query
/// is no answer of its own.
pub(super) fn traced(
    stages: &[Trace],
    asked: &[usize],
    most: usize,
    dataset: &Dataset,
    sets: &[DescriptorSet],
) -> Answers {
    let lists = stages.last().map_or(&[][..], |stage| &stage.lists);
    let own = |query: usize, index: usize| dataset.gallery_queries_itself() && index == query;
    asked
        .iter()
        .filter_map(|query| Some((*query, lists.get(*query)?)))
        .map(|(query, list)| {
            let others = list.iter().filter(|hit| !own(query, hit.index));
            let explained = others.take(most).map(|hit| Found {
                steps: explain(stages, query, hit.index),
                ..found(hit, dataset, sets)
            });
            (query, explained.collect())
        })
        .collect()
}

/// An answer by the index of its image; one beyond the images is a distractor of `sets`, in their order.
fn found(hit: &Hit, dataset: &Dataset, sets: &[DescriptorSet]) -> Found {
    let image = dataset.images.get(hit.index);
    Found {
        image: image.map(|_| hit.index),
        name: match image {
            Some(name) => name.clone(),
            None if sets.is_empty() => format!("image {}", hit.index),
            None => distractor_name(hit.index - dataset.images.len(), sets),
        },
        score: Some(hit.score),
        steps: Vec::new(),
    }
}

fn distractor_name(mut index: usize, sets: &[DescriptorSet]) -> String {
    for set in sets {
        match set.names().get(index) {
            Some(name) => return name.clone(),
            None => index -= set.len(),
        }
    }
    String::new()
}

/// The `most` first answers of given rankings; where the images query themselves, a query is no answer of its own.
pub(super) fn listed(lists: &RankedLists, asked: &[usize], most: usize, dataset: &Dataset) -> Answers {
    let found = |index: u32| {
        let image = dataset.images.get(index as usize);
        Found {
            image: image.map(|_| index as usize),
            name: image.cloned().unwrap_or_else(|| format!("image {index}")),
            ..Found::default()
        }
    };
    let own = |query: usize, index: u32| dataset.gallery_queries_itself() && index as usize == query;
    asked
        .iter()
        .filter_map(|query| Some((*query, lists.lists().get(*query)?)))
        .map(|(query, list)| {
            let others = list.iter().copied().filter(|index| !own(query, *index));
            (query, others.take(most).map(found).collect())
        })
        .collect()
}
