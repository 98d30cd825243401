//! Re-ranking among descriptors that are drawn.

use super::asmk::Step;
use super::clusters::Clusters;
use super::machine::MemoryWatch;
use serde::{Deserialize, Serialize};
use sightline_rerank::{Chain, Progress, Rankings, RerankError};
use sightline_search::{Hit, Rows, knn_graph};

/// What is re-ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RerankSize {
    /// Images.
    pub images: usize,
    /// Queries.
    pub queries: usize,
    /// Neighbours of each image that are known beforehand, as from a stored graph; 0: none.
    pub graph: usize,
}

/// How long it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RerankTimes {
    /// Names of the stages.
    pub stages: Vec<String>,
    /// Images.
    pub images: usize,
    /// Values of a descriptor.
    pub dim: usize,
    /// Centres that they lie around.
    pub centres: usize,
    /// Queries.
    pub queries: usize,
    /// First answers that were asked for.
    pub reach: usize,
    /// Making the graph that is known beforehand; none without.
    pub graph: Option<Step>,
    /// The search before.
    pub search: Step,
    /// The stages.
    pub rerank: Step,
    /// Most bytes in memory, descriptors and graph included.
    pub memory: Option<u64>,
    /// Share of the query's centre among the first ten answers: before and after.
    pub right: [f64; 2],
    /// The first answers of the first query and their scores, to compare with.
    pub first: Vec<(usize, f32)>,
}

/// Answers that [`RerankTimes::right`] looks at.
const ANSWERS: usize = 10;

/// Searches and re-ranks once.
///
/// # Errors
/// What the stages refuse.
pub fn time_rerank(
    chain: &mut Chain,
    data: Clusters,
    size: RerankSize,
    progress: Progress<'_>,
) -> Result<RerankTimes, RerankError> {
    let watch = MemoryWatch::begin();
    let (images, queries) = (data.images(size.images), data.queries(size.queries));
    let (images, queries) = (Rows::f32(&images, data.dim), Rows::f32(&queries, data.dim));
    let [mut of_graph, mut search, mut rerank] = [Step::default(); 3];
    let graph = match size.graph {
        0 => None,
        k => Some(of_graph.of(|| knn_graph(&[images], k))?),
    };
    let reach = chain.reach(size.images, size.queries).max(ANSWERS);
    let mut rankings = search.of(|| Rankings::search(queries, images, Vec::new(), reach, Vec::new()))?;
    rankings.neighbours = graph.as_ref();
    let before = right(data, &rankings.lists);
    let reranked = rerank.of(|| chain.run(rankings, progress))?;
    let lists = &reranked.rankings.lists;
    let first = lists.iter().take(1).flatten().take(ANSWERS);
    Ok(RerankTimes {
        stages: chain.stages.iter().map(|stage| stage.name().to_owned()).collect(),
        images: size.images,
        dim: data.dim,
        centres: data.centres,
        queries: size.queries,
        reach,
        graph: graph.as_ref().map(|_| of_graph),
        search,
        rerank,
        right: [before, right(data, lists)],
        first: first.map(|hit| (hit.index, hit.score)).collect(),
        memory: watch.end(),
    })
}

/// The share of the queries' own centres among the first answers.
fn right(data: Clusters, lists: &[Vec<Hit>]) -> f64 {
    let first = |list: &Vec<Hit>| list.len().min(ANSWERS);
    let all: usize = lists.iter().map(first).sum();
    let lists = lists.iter().enumerate();
    let right = lists.map(|(query, list)| {
        let first = list.iter().take(ANSWERS);
        first.filter(|hit| data.belong(query, hit.index)).count()
    });
    right.sum::<usize>() as f64 / all.max(1) as f64
}
