//! The best answers of the queries that a report page shows.

use sightline::SearchRanking;
use sightline::dataset::Dataset;
use sightline::descriptor::DescriptorSet;
use sightline::eval::{RankedLists, Ranking as _};
use sightline::report::Found;

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
    let found = |hit: &sightline::search::Hit| Found {
        image: (hit.index < dataset.images.len()).then_some(hit.index),
        name: match hit.index.checked_sub(dataset.images.len()) {
            Some(distractor) => distractor_name(distractor, sets),
            None => dataset.images[hit.index].clone(),
        },
        score: Some(hit.score),
    };
    Ok(asked
        .iter()
        .zip(&hits)
        .map(|(query, hits)| (*query, hits.iter().map(found).collect()))
        .collect())
}

/// The whole ranking of every query, for what puts it in another order.
pub(super) fn whole_lists(ranking: &SearchRanking<'_>, dataset: &Dataset) -> anyhow::Result<RankedLists> {
    let asked: Vec<usize> = (0..ranking.queries()).collect();
    let all = dataset.images.len() + ranking.distractors();
    let hits = ranking.best(&asked, all, dataset.gallery_queries_itself())?;
    let list = |hits: Vec<sightline::search::Hit>| hits.iter().map(|hit| hit.index as u32).collect();
    Ok(RankedLists::new(hits.into_iter().map(list).collect(), false)?)
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
            score: None,
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
