//! Database augmentation as a stage: each image becomes the weighted sum of itself and its nearest others.
//!
//! Source: dirtorch `test_dir.py` `expand_descriptors` (`--adba`). The computation is [`Expansion`]'s.

use crate::neighbour_settings::expansion;
use crate::rescore::{product, rescore};
use crate::whole::MOST_IMAGES;
use crate::{Gallery, Progress, Rankings, RerankError, Reranker, Settings, SettingsError, neighbours_remark};
use rayon::prelude::*;
use sightline_descriptor::Expansion;
use sightline_search::Rows;

const NAME: &str = "dba";
/// First answers of each query that are augmented otherwise.
const TOP: usize = 100;
/// Images that are augmented at once.
const IMAGES_AT_ONCE: usize = 4096;

/// Database augmentation.
///
/// Up to 120,000 images and without distractors the whole database is augmented, and searched again: one search of the database by itself,
/// memory for a copy of it. Otherwise, or where `top` says so, only the first answers of each query are augmented by their nearest of the whole
/// gallery and compared with the query again, which is exact for these: one search of the gallery by at most `top` images for each query, memory for
/// 4096 descriptors and 12 bytes for each query and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dba {
    /// How many neighbours, and how their weights fall off; no neighbours change nothing.
    pub how: Expansion,
    /// First answers of each query that are augmented, in place of the whole database.
    pub top: Option<usize>,
}

impl Dba {
    /// The keys; `k` and `alpha` are needed, since there are no published defaults.
    pub const KEYS: &[&str] = &["k", "alpha", "top"];

    /// Reads the settings.
    ///
    /// # Errors
    /// When one is missing or has no such value.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            how: expansion(settings)?,
            top: settings.number("top", "a whole number from 1", |top: &usize| *top > 0)?,
        })
    }

    /// The first answers of each query that are augmented; none where the whole database is.
    fn first_answers(&self, images: usize, distractors: usize) -> Option<usize> {
        let whole = images <= MOST_IMAGES && distractors == 0;
        self.top.or((!whole).then_some(TOP))
    }
}

impl Reranker for Dba {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!({ "k": self.how.k, "alpha": self.how.alpha, "top": self.top })
    }

    fn reach(&self, images: usize, _queries: usize) -> usize {
        // Whether some of the images are distractors is not known here.
        self.top.unwrap_or(TOP).min(images)
    }

    fn remarks(&self, images: usize) -> Vec<String> {
        let remark = neighbours_remark("k", self.how.k, images, self.how.k);
        remark.into_iter().collect()
    }

    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError> {
        let gallery = rankings.gallery(NAME)?;
        let all = || rankings.lists.iter().map(Vec::len).collect();
        if self.how.k == 0 {
            return Ok(all());
        }
        let top = self.first_answers(gallery.count(), rankings.distractors());
        match (top, gallery.sets().first()) {
            (Some(top), _) => {
                let scored: Vec<usize> = rankings.lists.iter().map(|list| list.len().min(top)).collect();
                let scores = self.augmented_scores(&gallery, rankings, &scored, progress)?;
                for (list, scores) in rankings.lists.iter_mut().zip(&scores) {
                    rescore(list, scores);
                }
                rankings.searched = false;
                Ok(scored)
            }
            (None, Some(database)) => {
                progress(NAME, 0, 1);
                rankings.augmented = Some(self.how.augment(*database)?);
                rankings.search_again(NAME)?;
                progress(NAME, 1, 1);
                Ok(rankings.lists.iter().map(Vec::len).collect())
            }
            (None, None) => Ok(all()),
        }
    }
}

impl Dba {
    /// Each query's inner products with its first `scored` answers after these were augmented.
    fn augmented_scores(
        &self,
        gallery: &Gallery<'_>,
        rankings: &Rankings<'_>,
        scored: &[usize],
        progress: Progress<'_>,
    ) -> Result<Vec<Vec<f32>>, RerankError> {
        let dim = gallery.dim();
        // An image may answer several queries and is augmented once: (image, query, place) by image.
        let mut wanted = Vec::with_capacity(scored.iter().sum());
        for ((query, list), scored) in (0_u32..).zip(&rankings.lists).zip(scored) {
            let places = list[..*scored].iter().zip(0_u32..);
            wanted.extend(places.map(|(hit, place)| (hit.index as u32, query, place)));
        }
        wanted.par_sort_unstable();
        let mut images: Vec<usize> = wanted.iter().map(|(image, ..)| *image as usize).collect();
        images.dedup();
        let mut scores: Vec<Vec<f32>> = scored.iter().map(|scored| vec![0.0; *scored]).collect();
        let mut rest = wanted.as_slice();
        for (block, own) in images.chunks(IMAGES_AT_ONCE).enumerate() {
            progress(NAME, (block * IMAGES_AT_ONCE) as u64, images.len() as u64);
            let given = gallery.gather(own.iter().copied());
            let augmented = self
                .how
                .augment_some(Rows::f32(&given, dim), own, gallery.sets())?;
            let last = own.last().copied().unwrap_or_default();
            let (these, later) = rest.split_at(rest.partition_point(|(image, ..)| *image as usize <= last));
            rest = later;
            let score = |(image, query, _): &(u32, u32, u32)| {
                let row = own.partition_point(|own| *own < *image as usize);
                let query = *query as usize * dim;
                product(
                    &rankings.queries[query..query + dim],
                    &augmented[row * dim..(row + 1) * dim],
                ) as f32
            };
            let found: Vec<f32> = these.par_iter().map(score).collect();
            for ((_, query, place), score) in these.iter().zip(found) {
                scores[*query as usize][*place as usize] = score;
            }
        }
        progress(NAME, images.len() as u64, images.len() as u64);
        Ok(scores)
    }
}
