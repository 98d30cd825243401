//! Mixing a local score into the order of the first answers.
//!
//! Source: ShihaoShao-GH/SuperGlobal, `test/test_utils.py` `rerank_ranks_revisitop` (of CVNet, Lee et al., CVPR 2022).

use crate::rescore::falling;
use crate::{Compares, Progress, Rankings, RerankError, Reranker, Settings, SettingsError};
use sightline_checkpoint::{Storage, Value, npy};
use sightline_search::Hit;
use std::fs::File;
use std::path::{Path, PathBuf};

const NAME: &str = "mix";

/// A ranking's new order: of its first `topk` places that are kept, those with a higher `global + ratio * local` come first; the others
/// keep their places, as do all that are not `kept` (an image that the protocol passes over). Gives the old places, best first; equal
/// scores keep their order. All slices have an entry for every place.
#[must_use]
pub fn mixed_order(global: &[f64], local: &[f64], kept: &[bool], ratio: f64, topk: usize) -> Vec<usize> {
    let places: Vec<usize> = (0..kept.len()).filter(|place| kept[*place]).take(topk).collect();
    let scores: Vec<f64> = global
        .iter()
        .zip(local)
        .map(|(global, local)| global + ratio * local)
        .collect();
    let moved = falling(&scores, places.clone());
    let mut order: Vec<usize> = (0..kept.len()).collect();
    for (place, moved) in places.into_iter().zip(moved) {
        order[place] = moved;
    }
    order
}

/// Local scores of every query with every image.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalScores {
    /// Where they were read.
    pub source: PathBuf,
    /// How many queries they are for.
    pub queries: usize,
    /// How many images.
    pub images: usize,
    /// `[queries, images]`.
    pub values: Vec<f32>,
}

impl LocalScores {
    /// Reads an npy file `[queries, images]`.
    ///
    /// # Errors
    /// A sentence, when the file cannot be read or is no table of numbers.
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let storage = Storage::map(&file).map_err(|error| error.to_string())?;
        let file = npy::read(&storage).map_err(|error| error.to_string())?;
        let Value::Array(table) = file.value else {
            return Err("it holds texts".to_owned());
        };
        let [queries, images] = *table.shape() else {
            return Err(format!("it has {} axes", table.shape().len()));
        };
        Ok(Self {
            source: path.to_owned(),
            queries,
            images,
            values: table.to_f32().map_err(|error| error.to_string())?,
        })
    }
}

/// Mixes local scores, computed elsewhere, with those of the stage before.
///
/// In the original the protocol's ground truth says which images take part; here those that are excluded from a query's answers do not.
/// Cost: a sort of `topk` answers a query; memory for the scores.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalMix {
    /// Scores by query and image.
    pub scores: LocalScores,
    /// Weight of the local score beside the global one.
    pub ratio: f64,
    /// First answers that are put in a new order.
    pub topk: usize,
}

impl LocalMix {
    /// The keys; `scores` is needed.
    pub const KEYS: &[&str] = &["scores", "ratio", "topk"];

    /// Reads the settings and the file of scores; ratio 0.5 and topk 400 where they are not there, as published.
    ///
    /// # Errors
    /// When one has no such value, or the file holds no scores.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let Some(path) = settings.text("scores") else {
            return Err(settings.missing("scores (an npy file [queries, images])", "scores=FILE.npy"));
        };
        let wrong = |reason| {
            settings.wrong(
                "scores",
                &format!("an npy file of scores [queries, images], and cannot be used: {reason}"),
            )
        };
        let scores = LocalScores::open(Path::new(path)).map_err(wrong)?;
        let ratio = settings.number("ratio", "a number", |ratio: &f64| ratio.is_finite())?;
        let topk = settings.number("topk", "a whole number from 1", |topk: &usize| *topk > 0)?;
        Ok(Self {
            scores,
            ratio: ratio.unwrap_or(0.5),
            topk: topk.unwrap_or(400),
        })
    }
}

impl Reranker for LocalMix {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!({
            "scores": self.scores.source.display().to_string(),
            "ratio": self.ratio,
            "topk": self.topk,
        })
    }

    fn compares(&self) -> Compares {
        Compares::Rankings
    }

    fn reach(&self, images: usize, _queries: usize) -> usize {
        self.topk.min(images)
    }

    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError> {
        let count = rankings.lists.len();
        let (queries, images) = (self.scores.queries, self.scores.images);
        // Distractors behind the database may have no local score.
        let known = rankings.images().map_or(0, |all| all - rankings.distractors());
        if queries != count || images < known {
            return Err(RerankError::Unfit {
                method: NAME,
                reason: format!(
                    "{} holds scores of {queries} queries with {images} images, and there are {count} queries and {known} images. Give \
                     one row for each query and one column for each image.",
                    self.scores.source.display(),
                ),
            });
        }
        progress(NAME, 0, count as u64);
        let mut scored = Vec::with_capacity(count);
        for (list, row) in rankings
            .lists
            .iter_mut()
            .zip(self.scores.values.chunks(images.max(1)))
        {
            let score_of = |hit: &Hit| row.get(hit.index).copied();
            let global: Vec<f64> = list.iter().map(|hit| f64::from(hit.score)).collect();
            let local: Vec<f64> = list
                .iter()
                .map(|hit| score_of(hit).map_or(0.0, f64::from))
                .collect();
            let kept = vec![true; list.len()];
            let order = mixed_order(&global, &local, &kept, self.ratio, self.topk);
            let first = self.topk.min(list.len());
            *list = order
                .iter()
                .map(|place| Hit {
                    index: list[*place].index,
                    score: match *place < first {
                        true => (global[*place] + self.ratio * local[*place]) as f32,
                        false => list[*place].score,
                    },
                })
                .collect();
            scored.push(first);
        }
        rankings.searched = false;
        progress(NAME, count as u64, count as u64);
        Ok(scored)
    }
}
