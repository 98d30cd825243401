//! The whole of CSA's re-ranking: search, anchors, affinities, scores, final order. By Burn and through the recorded plan.

use super::network::{network, sizes};
use crate::case::{Case, Outputs};
use crate::heads::given::{both, text, whole};
use sightline::nn::CsaExecutor;
use sightline::nn::burn::tensor::Device;
use sightline::plan::{Executor, RtenExecutor, plan_executor};
use sightline::rerank::{Csa, Rankings, Reranker};
use sightline::search::{Hit, Rows};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let sizes = sizes(case, "embed_dim", "anchor_len", whole(&case.params, "depth")?)?;
    let network = network(case, sizes)?;
    let plan = network.record().map_err(text)?;
    let by_burn = CsaExecutor::new(network, &Device::flex());
    let by_burn = reranked(case, sizes.anchors, Box::new(by_burn))?;
    let by_rten = RtenExecutor::new(&plan, 2).map_err(text)?;
    let by_rten = both(case, &by_burn, reranked(case, sizes.anchors, Box::new(by_rten))?)?;
    case.compare(&by_rten)
        .map_err(|difference| format!("computed by rten: {difference}"))?;
    reranked(case, sizes.anchors, plan_executor(&plan, 2).map_err(text)?)
}

fn reranked(case: &Case, anchors: usize, network: Box<dyn Executor>) -> Result<Outputs, String> {
    let queries = case.array("in.queries")?;
    let [count, dim] = queries.shape[..] else {
        return Err("in.queries does not have two axes".into());
    };
    let queries = queries.to_f32();
    let gallery = case.array("in.gallery")?.to_f32();
    // Distractors follow the gallery.
    let extra = match case.has("in.extra") {
        true => case.array("in.extra")?.to_f32(),
        false => Vec::new(),
    };
    let distractors = (!extra.is_empty()).then(|| Rows::f32(&extra, dim));
    let images = (gallery.len() + extra.len()) / dim;
    let mut csa = Csa {
        network,
        k: whole(&case.params, "K")?,
        l: anchors,
        // Not a divisor of the number of queries, so that batches differ.
        batch: 4,
        weights: serde_json::Value::Null,
    };
    let mut rankings = Rankings::search(
        Rows::f32(&queries, dim),
        Rows::f32(&gallery, dim),
        distractors.into_iter().collect(),
        images,
        Vec::new(),
    )
    .map_err(text)?;
    let first = rankings.lists.clone();
    let mut outputs = Outputs::new();
    let order =
        |lists: &[Vec<Hit>]| -> Vec<i32> { lists.iter().flatten().map(|hit| hit.index as i32).collect() };
    outputs.ints("first_ranks", &[count, images], &order(&first));

    let gallery = rankings.gallery("csa").map_err(text)?;
    let affinity = csa.affinity(&queries[..dim], &gallery, &first[0]).map_err(text)?;
    let tokens = affinity.len() / anchors;
    let by_token = (0..affinity.len()).map(|index| affinity[index % anchors * tokens + index / anchors]);
    outputs.f32("affinity0", &[tokens, anchors], by_token.collect());

    let scored = csa.rerank(&mut rankings, &|_, _, _| {}).map_err(text)?;
    outputs.ints("ranks", &[count, images], &order(&rankings.lists));
    let mut scores = Vec::new();
    for (query, (before, after)) in first.iter().zip(&rankings.lists).enumerate() {
        for hit in &before[..scored[query]] {
            let now = after.iter().find(|other| other.index == hit.index);
            scores.push(now.ok_or("an answer was lost")?.score);
        }
    }
    outputs.f32("scores", &[count, scores.len() / count], scores);
    Ok(outputs)
}
