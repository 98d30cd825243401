//! CSA's network alone.

use super::noise::values;
use super::rounds::{Times, timed};
use serde::{Deserialize, Serialize};
use sightline_plan::{Executor, RunError, Tensor};

/// What CSA's network is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsaSize {
    /// Tokens of a query: itself and its candidates.
    pub tokens: usize,
    /// Values of a token's affinity feature.
    pub anchors: usize,
    /// Queries of a round.
    pub queries: usize,
    /// Queries that are run together; the last ones may be fewer.
    pub batch: usize,
}

/// How long it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CsaTimes {
    /// What ran it, with its version.
    pub runtime: String,
    /// What it ran on.
    #[serde(flatten)]
    pub size: CsaSize,
    /// Times of a round.
    pub times: Times,
    /// Milliseconds a query in the quickest round.
    pub ms_per_query: f64,
    /// Scores of the first query.
    pub scores: Vec<f32>,
}

/// Runs queries whose affinities are noise (all from one stream, `[L, T]` after another), once to warm up, then `rounds` times.
///
/// # Errors
/// When the network does not take such affinities.
pub fn time_csa(executor: &mut dyn Executor, size: CsaSize, rounds: usize) -> Result<CsaTimes, RunError> {
    let CsaSize { tokens, anchors, .. } = size;
    let of_query = anchors * tokens;
    let batches = (0..size.queries).step_by(size.batch.max(1)).map(|first| {
        let count = size.batch.min(size.queries - first);
        Tensor {
            shape: vec![count, anchors, tokens, 1],
            data: values((first * of_query) as u64, count * of_query, 1),
        }
    });
    let batches: Vec<Tensor> = batches.collect();
    let mut scores = Vec::new();
    let times = timed(rounds, || {
        for (index, batch) in batches.iter().enumerate() {
            let outputs = executor.run(batch)?;
            if let (0, Some((_, tensor))) = (index, outputs.into_iter().next()) {
                scores = tensor.data;
            }
        }
        Ok::<(), RunError>(())
    })?;
    scores.truncate(tokens.saturating_sub(1));
    let runtime = executor.describe();
    Ok(CsaTimes {
        runtime: format!("{} {}", runtime.name, runtime.version),
        ms_per_query: 1e3 * times.min_s / size.queries.max(1) as f64,
        size,
        times,
        scores,
    })
}
