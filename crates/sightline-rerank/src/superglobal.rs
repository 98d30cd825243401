//! SuperGlobal's re-ranking: the first answers' descriptors are refined by each other, the query's by the best of them.
//!
//! Source: Shao et al., "Global Features are All You Need for Image Retrieval and Reranking" (ICCV 2023); ShihaoShao-GH/SuperGlobal,
//! `modules/reranking/MDescAug.py` and `RerankwMDA.py`.

use crate::rescore::{by_score, falling, product};
use crate::{Progress, Rankings, RerankError, Reranker, Settings, SettingsError, neighbours_remark};
use rayon::prelude::*;
use sightline_search::{Hit, Rows, SearchError, inner_products};
use std::sync::atomic::{AtomicU64, Ordering};

const NAME: &str = "superglobal";

/// SuperGlobal's re-ranking of the first `m` answers of each query.
///
/// Cost: m^2 + m * (k + 3) products of descriptors a query; memory for 2 * m descriptors and m^2 numbers a thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuperGlobal {
    /// First answers that are looked at (M), at least 1.
    pub m: usize,
    /// Neighbours that refine a descriptor beside itself (K).
    pub k: usize,
    /// Weight of a neighbour for each unit of similarity.
    pub beta: f64,
}

impl Default for SuperGlobal {
    /// As published: 400, 9, 0.15.
    fn default() -> Self {
        Self {
            m: 400,
            k: 9,
            beta: 0.15,
        }
    }
}

/// What became of a query's first answers; all but `descriptors` and `augmented_scores` by falling augmented score.
#[derive(Clone, Debug, PartialEq)]
pub struct Refined {
    /// Refined descriptors `[M, dim]`, in the order that came in; not of unit length.
    pub descriptors: Vec<f32>,
    /// Their inner products with the query `[M]`, in the order that came in.
    pub augmented_scores: Vec<f32>,
    /// Places by falling augmented score `[M]`.
    pub augmented_order: Vec<usize>,
    /// The mean of the products with the query and with the refined query, in that order `[M]`.
    pub final_scores: Vec<f32>,
    /// Places by falling final score `[M]`.
    pub order: Vec<usize>,
}

impl SuperGlobal {
    /// The keys.
    pub const KEYS: &[&str] = &["m", "k", "beta"];

    /// Reads the settings; what is not there is as published.
    ///
    /// # Errors
    /// When one has no such value.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let default = Self::default();
        let count = |key| settings.number(key, "a whole number from 1", |number: &usize| *number > 0);
        let beta = settings.number("beta", "a number from 0", |beta: &f64| {
            *beta >= 0.0 && beta.is_finite()
        })?;
        Ok(Self {
            m: count("m")?.unwrap_or(default.m),
            k: count("k")?.unwrap_or(default.k),
            beta: beta.unwrap_or(default.beta),
        })
    }

    /// Refines the descriptors `first` `[M, dim]` of a query's `[dim]` first answers, best first, and orders them anew. Equal scores keep
    /// their order. M is the number of rows, whatever [`SuperGlobal::m`] says.
    ///
    /// # Errors
    /// When rows are not whole.
    pub fn refine(&self, query: &[f32], first: &[f32]) -> Result<Refined, SearchError> {
        let dim = query.len();
        let rows = Rows::f32(first, dim);
        let count = rows.count();
        let near = inner_products(rows, rows)?;
        let mut descriptors = vec![0.0; first.len()];
        let filled = descriptors
            .par_chunks_mut(dim.max(1))
            .zip(near.par_chunks(count.max(1)));
        filled.for_each(|(out, near)| self.refine_one(first, near, out));
        let products = |query: &[f32]| -> Vec<f64> {
            let rows = descriptors.chunks_exact(dim.max(1));
            rows.map(|row| product(query, row)).collect()
        };
        let augmented = products(query);
        let augmented_order = falling(&augmented, (0..count).collect());
        // The query itself is not among those whose largest values it gets.
        let mut expanded = vec![f32::NEG_INFINITY; dim];
        for place in augmented_order.iter().take(self.k.saturating_add(1)) {
            let row = &descriptors[place * dim..(place + 1) * dim];
            expanded
                .iter_mut()
                .zip(row)
                .for_each(|(most, x)| *most = most.max(*x));
        }
        let with_expanded = products(&expanded);
        let score = |place: usize| (augmented[place] + with_expanded[place]) / 2.0;
        let scores: Vec<f64> = (0..count).map(score).collect();
        Ok(Refined {
            augmented_scores: augmented.iter().map(|score| *score as f32).collect(),
            final_scores: augmented_order
                .iter()
                .map(|place| scores[*place] as f32)
                .collect(),
            order: falling(&scores, augmented_order.clone()),
            augmented_order,
            descriptors,
        })
    }

    /// The weighted mean of the k + 1 rows that are nearest to one of them, whose products with all are `near`. The nearest, which is the row
    /// itself where rows are of unit length, weighs 1, the others beta times their product, below 0 too.
    fn refine_one(&self, rows: &[f32], near: &[f32], out: &mut [f32]) {
        let dim = out.len();
        let mut order: Vec<Hit> = near
            .iter()
            .enumerate()
            .map(|(index, score)| Hit { index, score: *score })
            .collect();
        let kept = self.k.saturating_add(1).min(order.len());
        if kept < order.len() {
            order.select_nth_unstable_by(kept, by_score);
            order.truncate(kept);
        }
        order.sort_unstable_by(by_score);
        let mut sum = vec![0.0; dim];
        let mut weights = 0.0;
        for (place, hit) in order.iter().enumerate() {
            let weight = match place {
                0 => 1.0,
                _ => f64::from(hit.score) * self.beta,
            };
            weights += weight;
            let row = &rows[hit.index * dim..(hit.index + 1) * dim];
            sum.iter_mut()
                .zip(row)
                .for_each(|(sum, x)| *sum += weight * f64::from(*x));
        }
        for (out, sum) in out.iter_mut().zip(&sum) {
            *out = (sum / weights) as f32;
        }
    }
}

impl Reranker for SuperGlobal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!({ "m": self.m, "k": self.k, "beta": self.beta })
    }

    fn reach(&self, images: usize, _queries: usize) -> usize {
        self.m.min(images)
    }

    fn remarks(&self, images: usize) -> Vec<String> {
        let remark = neighbours_remark("k", self.k, images, Self::default().k);
        remark.into_iter().collect()
    }

    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError> {
        let gallery = rankings.gallery(NAME)?;
        let dim = gallery.dim();
        let (done, count) = (AtomicU64::new(0), rankings.lists.len() as u64);
        progress(NAME, 0, count);
        let of_query = |(query, list): (usize, &Vec<Hit>)| -> Result<Vec<Hit>, RerankError> {
            let first = &list[..self.m.min(list.len())];
            let rows = gallery.gather(first.iter().map(|hit| hit.index));
            let refined = self.refine(&rankings.queries[query * dim..(query + 1) * dim], &rows)?;
            let mut scores = vec![0.0; first.len()];
            for (place, score) in refined.augmented_order.iter().zip(&refined.final_scores) {
                scores[*place] = *score;
            }
            let moved = refined.order.iter().map(|place| Hit {
                index: first[*place].index,
                score: scores[*place],
            });
            let list = moved.chain(list[first.len()..].iter().copied()).collect();
            progress(NAME, done.fetch_add(1, Ordering::Relaxed) + 1, count);
            Ok(list)
        };
        let lists: Result<Vec<Vec<Hit>>, RerankError> =
            rankings.lists.par_iter().enumerate().map(of_query).collect();
        rankings.lists = lists?;
        rankings.searched = false;
        Ok(rankings.lists.iter().map(|list| list.len().min(self.m)).collect())
    }
}
