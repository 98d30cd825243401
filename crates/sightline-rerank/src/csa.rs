//! CSA: a transformer looks at the first answers of a query, each described by its similarities to the very first ones.
//!
//! Source: Ouyang, Wu, Wang, Zhou and Li, *Contextual Similarity Aggregation with Self-attention for Visual Re-ranking*, NeurIPS 2021
//! (MCC-WH/CSA, `test.py`). The network is `sightline-nn`'s; here it is something that runs.

use crate::{Gallery, Progress, Rankings, RerankError, Reranker, Settings, SettingsError, neighbours_remark};
use sightline_plan::{Executor, RunError, Tensor};
use sightline_search::{Hit, Rows, SearchError, inner_products};
use std::path::PathBuf;

const NAME: &str = "csa";
/// Anchors of the published weights.
const PUBLISHED_ANCHORS: usize = 512;

/// What is typed behind `csa:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsaSettings {
    /// The checkpoint.
    pub weights: PathBuf,
    /// Number of first answers that get new scores (K); published: 1024.
    pub k: usize,
    /// Number of anchors (L). The weights decide it; where it is given it must be theirs.
    pub l: Option<usize>,
    /// Heads of the attention, which no checkpoint says; by default one for each 64 channels.
    pub heads: Option<usize>,
}

impl CsaSettings {
    /// The keys; weights must be given.
    pub const KEYS: &[&str] = &["weights", "k", "l", "heads"];
    /// The most first answers. Where a device holds whole attention maps, its memory grows with their square: 3 GB at 8192 and twelve
    /// heads.
    pub const MOST_K: usize = 8192;

    /// Published settings for these weights.
    #[must_use]
    pub fn new(weights: impl Into<PathBuf>) -> Self {
        Self {
            weights: weights.into(),
            k: 1024,
            l: None,
            heads: None,
        }
    }

    /// Reads the settings.
    ///
    /// # Errors
    /// When weights are missing or a value does not fit.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let weights = settings.text("weights").filter(|text| !text.is_empty());
        let weights = weights.ok_or(SettingsError::Missing {
            method: NAME,
            key: "weights",
            example: "weights=checkpoint-epoch100.pth",
        })?;
        let mut read = Self::new(weights);
        let most = format!("a whole number from 1 to {}", Self::MOST_K);
        if let Some(k) = settings.number("k", &most, |k| (1..=Self::MOST_K).contains(k))? {
            read.k = k;
        }
        let wanted = "a whole number from 1";
        read.l = settings.number("l", wanted, |l| *l > 0)?;
        read.heads = settings.number("heads", wanted, |heads| *heads > 0)?;
        Ok(read)
    }
}

/// Re-ranking by CSA's network.
///
/// The query and its first k answers are the tokens, the query and its first L - 1 answers the anchors. Each token's inner products
/// with all anchors go into the network, which scores the answers; ranks from k on stay. A list that is shorter than k is re-ranked
/// whole.
///
/// Cost of a query: reads of max(k, L - 1) descriptors, (k + 1) L products of them, and one run of the network (36 GFLOP at the
/// published k 1024, L 512, width 768 and depth 2). Memory: `batch` times (k + 1) L numbers, the descriptors of one query's answers, and
/// what the network takes; nothing grows with the collection.
pub struct Csa {
    /// Runs the network: affinities `[N, L, T, 1]`, of T tokens, to scores `[N, T - 1]`, its first output.
    pub network: Box<dyn Executor>,
    /// Number of first answers that get new scores (K).
    pub k: usize,
    /// Number of anchors (L), which the network decides.
    pub l: usize,
    /// Queries that are given to the network at once.
    pub batch: usize,
    /// What the card says of the weights.
    pub weights: serde_json::Value,
}

impl Csa {
    /// Queries that are given to the network at once, unless told otherwise.
    pub const BATCH: usize = 16;

    /// Affinities `[L, T]`: the inner products of the anchors (the query and the first L - 1 of `list`) with the tokens (the query and the
    /// first T - 1), by the kernels of the search.
    ///
    /// # Errors
    /// When `list` has fewer than L - 1 answers, or the query is no descriptor of the gallery's length.
    pub fn affinity(
        &self,
        query: &[f32],
        gallery: &Gallery<'_>,
        list: &[Hit],
    ) -> Result<Vec<f32>, RerankError> {
        let answers = self.l.saturating_sub(1);
        if list.len() < answers {
            return Err(RerankError::Unfit {
                method: NAME,
                reason: format!(
                    "its weights have l={} anchors, the query and its first {answers} answers, but a query has {} answers here. \
                     Search a larger collection, or use weights that were trained with fewer anchors.",
                    self.l,
                    list.len()
                ),
            });
        }
        let tokens = self.k.min(list.len());
        let rows = gallery.gather(list[..tokens.max(answers)].iter().map(|hit| hit.index));
        let rows = [query, &rows].concat();
        let rows = Rows::f32(&rows, gallery.dim());
        let products = inner_products(rows.slice(0..self.l), rows.slice(0..tokens + 1))?;
        Ok(products)
    }

    /// The scores of the answers of several queries, from their affinities `[N, L, T]` behind each other.
    fn scores(&mut self, affinities: Vec<f32>, count: usize) -> Result<Vec<f32>, RerankError> {
        let tokens = affinities.len() / (count * self.l).max(1);
        let input = Tensor {
            shape: vec![count, self.l, tokens, 1],
            data: affinities,
        };
        let outputs = self.network.run(&input)?;
        let (name, scores) = outputs.into_iter().next().ok_or_else(|| RunError::Output {
            name: "scores".to_owned(),
            reason: "there is none".to_owned(),
        })?;
        if scores.data.len() != count * (tokens - 1) {
            let reason = format!(
                "its shape is {:?} for {count} times {tokens} tokens",
                scores.shape
            );
            return Err(RunError::Output { name, reason }.into());
        }
        // One NaN reaches every token, so that the order of such a query would mean nothing.
        if scores
            .data
            .chunks_exact((tokens - 1).max(1))
            .any(|scores| scores.iter().all(|score| score.is_nan()))
        {
            let reason = "it is NaN for every answer of a query. The weights hold NaN, or a descriptor does"
                .to_owned();
            return Err(RunError::Output { name, reason }.into());
        }
        Ok(scores.data)
    }

    /// New scores for the first answers of those lists, which have equally many; the order changes with them.
    fn rerank_batch(&mut self, lists: &mut [Vec<Hit>], affinities: Vec<f32>) -> Result<(), RerankError> {
        let k = self.k.min(lists.first().map_or(0, Vec::len));
        let scores = self.scores(affinities, lists.len())?;
        for (list, scores) in lists.iter_mut().zip(scores.chunks_exact(k.max(1))) {
            let first = &mut list[..k];
            for (hit, score) in first.iter_mut().zip(scores) {
                hit.score = *score;
            }
            // Stable: among equal scores the first stage decides. What is no number comes last.
            let key = |hit: &Hit| match hit.score.is_nan() {
                true => f32::NEG_INFINITY,
                false => hit.score + 0.0,
            };
            first.sort_by(|a, b| key(b).total_cmp(&key(a)));
        }
        Ok(())
    }
}

impl Reranker for Csa {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!({ "weights": self.weights, "k": self.k, "l": self.l })
    }

    fn reach(&self, images: usize, _queries: usize) -> usize {
        self.k.max(self.l.saturating_sub(1)).min(images)
    }

    fn remarks(&self, images: usize) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(remark) = neighbours_remark("l", self.l, images, PUBLISHED_ANCHORS) {
            remarks.push(format!(
                "{remark} The weights fix l, so that takes other weights."
            ));
        }
        if self.k > images && images > 0 {
            remarks.push(format!(
                "k={} is more than the {images} images, so all of them are re-ranked.",
                self.k
            ));
        }
        remarks
    }

    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError> {
        let mut lists = rankings.lists.clone();
        let gallery = rankings.gallery(NAME)?;
        let dim = gallery.dim();
        let queries = &rankings.queries;
        if queries.len() != lists.len() * dim {
            let (dim, values) = (dim, queries.len());
            let what = "queries";
            return Err(SearchError::Shape { what, values, dim }.into());
        }
        let (count, mut done) = (lists.len(), 0);
        let mut scored = Vec::with_capacity(count);
        while done < count {
            progress(NAME, done as u64, count as u64);
            let k = self.k.min(lists[done].len());
            let alike = lists[done..]
                .iter()
                .take_while(|list| self.k.min(list.len()) == k);
            let end = done + alike.take(self.batch.max(1)).count();
            if k > 0 {
                let mut affinities = Vec::with_capacity((end - done) * self.l * (k + 1));
                for query in done..end {
                    let own = &queries[query * dim..(query + 1) * dim];
                    affinities.extend(self.affinity(own, &gallery, &lists[query])?);
                }
                self.rerank_batch(&mut lists[done..end], affinities)?;
            }
            scored.extend(std::iter::repeat_n(k, end - done));
            done = end;
        }
        progress(NAME, count as u64, count as u64);
        rankings.lists = lists;
        rankings.searched = false;
        Ok(scored)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sightline_plan::Runtime;

    /// Scores each token by its product with the last anchor, after checking what it is given.
    struct LastAnchor;

    impl Executor for LastAnchor {
        fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
            let [batch, anchors, tokens, 1] = input.shape[..] else {
                panic!("{:?}", input.shape);
            };
            assert!(batch <= 2);
            let last = |query: usize| {
                let from = (query * anchors + anchors - 1) * tokens;
                input.data[from + 1..from + tokens].to_vec()
            };
            let scores = Tensor {
                shape: vec![batch, tokens - 1],
                data: (0..batch).flat_map(last).collect(),
            };
            Ok(vec![("scores".to_owned(), scores)])
        }

        fn describe(&self) -> Runtime {
            Runtime {
                name: "test".to_owned(),
                version: "1".to_owned(),
                precision: "f32".to_owned(),
                device: "cpu".to_owned(),
            }
        }
    }

    fn stage(k: usize, l: usize) -> Csa {
        Csa {
            network: Box::new(LastAnchor),
            k,
            l,
            batch: 2,
            weights: serde_json::json!("none"),
        }
    }

    const QUERIES: [f32; 6] = [1.0, 0.0, 0.0, 1.0, 0.6, 0.8];
    const IMAGES: [f32; 10] = [0.8, 0.6, 1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.8, 0.6];

    fn rankings(excluded: Vec<Vec<u32>>) -> Rankings<'static> {
        let (database, more) = (Rows::f32(&IMAGES[..6], 2), Rows::f32(&IMAGES[6..], 2));
        Rankings::search(Rows::f32(&QUERIES, 2), database, vec![more], 5, excluded).unwrap()
    }

    #[test]
    fn first_answers_are_ordered_by_the_networks_scores() {
        let mut rankings = rankings(Vec::new());
        let first: Vec<usize> = rankings.lists[0].iter().map(|hit| hit.index).collect();
        assert_eq!(first, [1, 0, 4, 2, 3]);
        // The anchors are the query and images 1 and 0, so each of the first four is compared with image 0.
        let scored = stage(4, 3).rerank(&mut rankings, &|_, _, _| {}).unwrap();
        assert_eq!(scored, [4, 4, 4]);
        let list = &rankings.lists[0];
        let order: Vec<usize> = list.iter().map(|hit| hit.index).collect();
        assert_eq!(
            order,
            [0, 4, 1, 2, 3],
            "equal scores keep the first stage's order"
        );
        let scores: Vec<f32> = list.iter().map(|hit| hit.score).collect();
        for (score, want) in scores.iter().zip([1.0, 1.0, 0.8, 0.6, -1.0]) {
            assert!((score - want).abs() < 1e-6, "{scores:?}");
        }
        assert!(!rankings.searched);
    }

    #[test]
    fn lists_may_be_shorter_than_k_and_differ() {
        let mut rankings = rankings(vec![Vec::new(), vec![0, 4], Vec::new()]);
        let scored = stage(1000, 2).rerank(&mut rankings, &|_, _, _| {}).unwrap();
        assert_eq!(scored, [5, 3, 5]);
        assert_eq!(rankings.lists[1].len(), 3);
    }

    #[test]
    fn too_few_answers_for_the_anchors_are_refused() {
        let mut rankings = rankings(Vec::new());
        let error = stage(3, 7).rerank(&mut rankings, &|_, _, _| {}).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("l=7") && message.contains("first 6 answers") && message.contains("has 5"),
            "{message}"
        );
        let mut known = Rankings::of_lists(&[vec![0, 1]], 2);
        let refused = stage(1, 1).rerank(&mut known, &|_, _, _| {});
        assert!(matches!(refused, Err(RerankError::NeedsDescriptors { .. })));
    }

    /// A network whose weights hold NaN.
    struct NoNumber;

    impl Executor for NoNumber {
        fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
            let (batch, answers) = (input.shape[0], input.shape[2] - 1);
            let scores = Tensor {
                shape: vec![batch, answers],
                data: vec![f32::NAN; batch * answers],
            };
            Ok(vec![("scores".to_owned(), scores)])
        }

        fn describe(&self) -> Runtime {
            LastAnchor.describe()
        }
    }

    #[test]
    fn an_order_that_means_nothing_is_refused() {
        let mut stage = Csa {
            network: Box::new(NoNumber),
            ..stage(4, 3)
        };
        let refused = stage.rerank(&mut rankings(Vec::new()), &|_, _, _| {});
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("NaN for every answer"), "{message}");
    }

    #[test]
    fn settings_are_read_and_small_collections_named() {
        let read = |text| CsaSettings::from_settings(&Settings::read(NAME, text, CsaSettings::KEYS)?);
        let read_all = read("weights=a,b.pth,k=50,l=16,heads=2").unwrap();
        assert_eq!(read_all.weights, PathBuf::from("a,b.pth"));
        assert_eq!((read_all.k, read_all.l, read_all.heads), (50, Some(16), Some(2)));
        assert_eq!(read("weights=w").unwrap(), CsaSettings::new("w"));
        assert_eq!(CsaSettings::new("w").k, 1024);
        for wrong in [
            "",
            "k=3",
            "weights=",
            "weights=w,k=0",
            "weights=w,k=8193",
            "weights=w,l=0",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let csa = stage(1024, 64);
        assert_eq!(
            (csa.reach(149, 1), csa.reach(5000, 1), stage(3, 64).reach(149, 1)),
            (149, 1024, 63)
        );
        let remarks = csa.remarks(149).join(" ");
        assert!(
            remarks.contains("l=64") && remarks.contains("k=1024 is more than the 149 images"),
            "{remarks}"
        );
        assert_eq!(csa.remarks(1_000_000), Vec::<String>::new());
    }
}
