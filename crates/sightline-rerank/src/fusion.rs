//! Weighted fusion of the rankings of several models.
//!
//! Source of reciprocal-rank fusion: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
//! Methods" (SIGIR 2009), with its constant 60 and ranks counted from 1.

use crate::rescore::by_score;
use crate::{Gallery, Progress, Rankings, RerankError, Reranker, Settings, SettingsError};
use rayon::prelude::*;
use sightline_descriptor::DescriptorSet;
use sightline_search::{Hit, Rows, SearchError, inner_products};
use std::collections::BTreeMap;
use std::path::PathBuf;

const NAME: &str = "fusion";

/// How rankings become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FusionForm {
    /// The weighted sum of all models' scores of an image.
    #[default]
    Score,
    /// The weighted sum of 1 / (k + rank) over the models that have the image among their first answers.
    Rank,
}

/// What is done to a model's scores of a query's candidates before they are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalise {
    /// Nothing.
    #[default]
    None,
    /// The lowest becomes 0, the highest 1; where all are equal, all become 0.
    MinMax,
}

/// Another model's descriptors of the same queries and images, in the order of the rankings' own.
#[derive(Debug)]
pub struct FusedModel {
    /// Queries `[Q, dim]`.
    pub queries: DescriptorSet,
    /// Images `[database, dim]`.
    pub database: DescriptorSet,
    /// Distractors behind them.
    pub distractors: Vec<DescriptorSet>,
}

/// The files of another model, as the settings name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FusedFiles {
    /// The database, and perhaps the queries beside it.
    pub features: PathBuf,
    /// The queries, where they are elsewhere.
    pub query_features: Option<PathBuf>,
    /// Distractors, where there are any.
    pub distractors: Option<PathBuf>,
}

/// Fusion of the ranking that comes in with those of other models.
///
/// Candidates of a query are the first `top` answers that come in and the first `top` of every other model. Scores compare descriptors, so that every
/// candidate has one with every model; ranks are places among the first `top`, those of the stage before for the ranking that comes
/// in. Answers behind the candidates keep their order.
///
/// Cost: a search a model; by scores also the product of each query with its candidates' descriptors, with each model. Memory: `top` answers a
/// model and query.
#[derive(Debug)]
pub struct Fusion {
    /// The other models.
    pub models: Vec<FusedModel>,
    /// Weight of the ranking that comes in, then of each other model.
    pub weights: Vec<f64>,
    /// How rankings become one.
    pub form: FusionForm,
    /// The constant of reciprocal-rank fusion.
    pub k: f64,
    /// What is done to scores.
    pub normalise: Normalise,
    /// First answers of each model that are candidates.
    pub top: usize,
}

impl Fusion {
    /// The keys: `features`, and `query-features` and `distractors` where needed, one file for each other model, separated by commas; `weights`, one
    /// for the ranking that comes in and one for each model.
    pub const KEYS: &[&str] = &[
        "features",
        "query-features",
        "distractors",
        "weights",
        "form",
        "k",
        "normalise",
        "top",
    ];

    /// The files that the settings name, one entry a model.
    ///
    /// # Errors
    /// When there are none, or not as many of one kind as of the other.
    pub fn files(settings: &Settings) -> Result<Vec<FusedFiles>, SettingsError> {
        let Some(features) = settings.text("features") else {
            return Err(settings.missing(
                "features (the other models' descriptors)",
                "features=b.safetensors,query-features=bq.safetensors",
            ));
        };
        let features: Vec<&str> = features.split(',').map(str::trim).collect();
        let beside = |key| match settings.text(key) {
            None => Ok(vec![None; features.len()]),
            Some(text) => {
                let files: Vec<Option<PathBuf>> =
                    text.split(',').map(|file| Some(file.trim().into())).collect();
                match files.len() == features.len() {
                    true => Ok(files),
                    false => Err(settings.wrong(key, "one file for each of features")),
                }
            }
        };
        let (queries, distractors) = (beside("query-features")?, beside("distractors")?);
        let files = features.iter().zip(queries).zip(distractors);
        Ok(files
            .map(|((features, query_features), distractors)| FusedFiles {
                features: features.into(),
                query_features,
                distractors,
            })
            .collect())
    }

    /// Reads the other settings, for models that were opened. Weights 1, scores as they are, k = 60 and the first 1000 answers where nothing else is
    /// said.
    ///
    /// # Errors
    /// When one has no such value.
    pub fn from_settings(settings: &Settings, models: Vec<FusedModel>) -> Result<Self, SettingsError> {
        let count = models.len() + 1;
        let weights = match settings.text("weights") {
            None => vec![1.0; count],
            Some(text) => {
                let weight = |part: &str| part.trim().parse().ok().filter(|weight: &f64| weight.is_finite());
                let weights: Option<Vec<f64>> = text.split(',').map(weight).collect();
                let fitting = weights.filter(|weights| weights.len() == count);
                fitting.ok_or_else(|| {
                    let wanted = format!(
                        "{count} numbers, for the ranking that comes in and for each of features, such as {}",
                        vec!["1"; count].join(",")
                    );
                    settings.wrong("weights", &wanted)
                })?
            }
        };
        let forms = [("score", FusionForm::Score), ("rank", FusionForm::Rank)];
        let normalise = [("none", Normalise::None), ("minmax", Normalise::MinMax)];
        let k = settings.number("k", "a number from 0", |k: &f64| *k >= 0.0 && k.is_finite())?;
        let top = settings.number("top", "a whole number from 1", |top: &usize| *top > 0)?;
        Ok(Self {
            models,
            weights,
            form: settings.choice("form", &forms)?.unwrap_or_default(),
            k: k.unwrap_or(60.0),
            normalise: settings.choice("normalise", &normalise)?.unwrap_or_default(),
            top: top.unwrap_or(1000),
        })
    }
}

/// The images of several lists (first answers, best first), by index, each with the sum over the lists of weight / (k + rank), ranks from 1; a list that
/// lacks an image adds nothing.
#[must_use]
pub fn reciprocal_ranks(lists: &[&[Hit]], weights: &[f64], k: f64) -> Vec<(usize, f64)> {
    let mut sums = BTreeMap::new();
    for (list, weight) in lists.iter().zip(weights) {
        for (place, hit) in list.iter().enumerate() {
            *sums.entry(hit.index).or_insert(0.0) += weight / (k + place as f64 + 1.0);
        }
    }
    sums.into_iter().collect()
}

/// The weighted sum of several models' scores of the same images.
#[must_use]
pub fn summed_scores(scores: &[Vec<f32>], weights: &[f64], normalise: Normalise) -> Vec<f64> {
    let mut sums = vec![0.0; scores.first().map_or(0, Vec::len)];
    for (scores, weight) in scores.iter().zip(weights) {
        let finite = || {
            scores
                .iter()
                .copied()
                .map(f64::from)
                .filter(|score| score.is_finite())
        };
        let (low, width) = match normalise {
            Normalise::None => (0.0, 1.0),
            Normalise::MinMax => {
                let low = finite().fold(f64::INFINITY, f64::min);
                (low, finite().fold(f64::NEG_INFINITY, f64::max) - low)
            }
        };
        for (sum, score) in sums.iter_mut().zip(scores) {
            *sum += match width > 0.0 {
                true => weight * (f64::from(*score) - low) / width,
                false => 0.0,
            };
        }
    }
    sums
}

impl Reranker for Fusion {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> serde_json::Value {
        let source = |set: &DescriptorSet| set.source().display().to_string();
        let features: Vec<String> = self.models.iter().map(|model| source(&model.database)).collect();
        serde_json::json!({
            "features": features,
            "weights": self.weights,
            "form": match self.form {
                FusionForm::Score => "score",
                FusionForm::Rank => "rank",
            },
            "k": self.k,
            "normalise": match self.normalise {
                Normalise::None => "none",
                Normalise::MinMax => "minmax",
            },
            "top": self.top,
        })
    }

    fn reach(&self, images: usize, _queries: usize) -> usize {
        self.top.min(images)
    }

    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError> {
        let count = rankings.lists.len();
        let own = rankings.gallery(NAME)?;
        let mut sides = vec![(rankings.query_rows(NAME)?, own)];
        let mut answers: Vec<Vec<Vec<Hit>>> = Vec::new();
        for model in &self.models {
            let side = model.side(rankings, count)?;
            answers.push(side.1.best(side.0, self.top, &rankings.excluded)?);
            sides.push(side);
            progress(NAME, 0, count as u64);
        }
        let of_query = |(query, list): (usize, &Vec<Hit>)| -> Result<(Vec<Hit>, usize), RerankError> {
            let mut lists = vec![&list[..self.top.min(list.len())]];
            lists.extend(answers.iter().map(|of_model| of_model[query].as_slice()));
            let mut candidates = reciprocal_ranks(&lists, &self.weights, self.k);
            if self.form == FusionForm::Score {
                let scores: Result<Vec<Vec<f32>>, SearchError> = sides
                    .iter()
                    .map(|(queries, gallery)| {
                        let rows = gallery.gather(candidates.iter().map(|(index, _)| *index));
                        inner_products(queries.slice(query..query + 1), Rows::f32(&rows, gallery.dim()))
                    })
                    .collect();
                let sums = summed_scores(&scores?, &self.weights, self.normalise);
                for (candidate, sum) in candidates.iter_mut().zip(sums) {
                    candidate.1 = sum;
                }
            }
            let behind = list.iter().filter(|hit| {
                candidates
                    .binary_search_by_key(&hit.index, |(index, _)| *index)
                    .is_err()
            });
            let hit = |(index, score): &(usize, f64)| Hit {
                index: *index,
                score: *score as f32,
            };
            let mut fused: Vec<Hit> = candidates.iter().map(hit).collect();
            fused.sort_by(by_score);
            let scored = fused.len().min(rankings.length);
            fused.extend(behind);
            fused.truncate(rankings.length);
            Ok((fused, scored))
        };
        let fused: Result<Vec<(Vec<Hit>, usize)>, RerankError> =
            rankings.lists.par_iter().enumerate().map(of_query).collect();
        let (lists, scored) = fused?.into_iter().unzip();
        rankings.lists = lists;
        rankings.searched = false;
        progress(NAME, count as u64, count as u64);
        Ok(scored)
    }
}

impl FusedModel {
    /// Its rows, which must be as many as the rankings'.
    fn side(&self, rankings: &Rankings<'_>, queries: usize) -> Result<(Rows<'_>, Gallery<'_>), RerankError> {
        let distractors: Vec<Rows<'_>> = self.distractors.iter().map(DescriptorSet::rows).collect();
        let gallery = Gallery::new(self.database.rows(), &distractors)?;
        let images = rankings.images().unwrap_or_default();
        let database = images - rankings.distractors();
        let (own_queries, own_database) = (self.queries.len(), self.database.len());
        if (own_queries, own_database, gallery.count()) != (queries, database, images) {
            return Err(RerankError::Unfit {
                method: NAME,
                reason: format!(
                    "{} and what belongs to it hold {own_queries} queries, {own_database} images and {} distractors, and there are {queries}, \
                     {database} and {}. Give another model's descriptors of the same pictures.",
                    self.database.source().display(),
                    gallery.count() - own_database,
                    rankings.distractors(),
                ),
            });
        }
        Ok((self.queries.rows(), gallery))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn list(images: &[usize]) -> Vec<Hit> {
        let hit = |index: &usize| Hit {
            index: *index,
            score: 0.0,
        };
        images.iter().map(hit).collect()
    }

    #[test]
    fn an_absent_image_adds_nothing() {
        let (a, b) = (list(&[4, 2]), list(&[2, 7]));
        let sums = reciprocal_ranks(&[&a, &b], &[1.0, 2.0], 60.0);
        assert_eq!(
            sums,
            [(2, 1.0 / 62.0 + 2.0 / 61.0), (4, 1.0 / 61.0), (7, 2.0 / 62.0)]
        );
    }

    #[test]
    fn scores_are_added_as_they_are_or_between_0_and_1() {
        let scores = [vec![0.5, 1.0, 0.0], vec![10.0, 20.0, 30.0], vec![3.0; 3]];
        let weights = [1.0, 0.5, 2.0];
        assert_eq!(
            summed_scores(&scores, &weights, Normalise::None),
            [11.5, 17.0, 21.0]
        );
        assert_eq!(
            summed_scores(&scores, &weights, Normalise::MinMax),
            [0.5, 1.25, 0.5]
        );
    }

    #[test]
    fn settings_name_a_file_for_each_model() {
        let read = |text| Settings::read(NAME, text, Fusion::KEYS).unwrap();
        let files = Fusion::files(&read("features=a.npy,b.npy,query-features=c.npy,d.npy")).unwrap();
        assert_eq!(files[1].features, PathBuf::from("b.npy"));
        assert_eq!(files[1].query_features, Some(PathBuf::from("d.npy")));
        assert!(Fusion::files(&read("features=a,b,distractors=c")).is_err());
        assert!(Fusion::files(&read("k=3")).is_err());
        let how = Fusion::from_settings(&read("features=a,weights=0.5,form=rank"), Vec::new()).unwrap();
        assert_eq!(
            (how.weights, how.form, how.k),
            (vec![0.5], FusionForm::Rank, 60.0)
        );
        let wrong = Fusion::from_settings(&read("weights=1,2"), Vec::new()).unwrap_err();
        assert!(wrong.to_string().contains("1 numbers"), "{wrong}");
    }
}
