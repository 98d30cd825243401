//! k-reciprocal encoding: images are near each other where they have the same neighbours of whom they are neighbours too.
//!
//! Source: Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding" (CVPR 2017); zhunzhong07/person-re-ranking,
//! `python-version/re_ranking_ranklist.py`. All images and queries are one set of N rows, queries first.

mod encoding;
mod joint;
mod lists;

use crate::rescore::{by_score, rescore};
use crate::whole::{TOP, first_answers, places};
use crate::{Gallery, Progress, Rankings, RerankError, Reranker, Settings, SettingsError, neighbours_remark};
use joint::Joint;
use rayon::prelude::*;
use sightline_search::{Hit, Rows, SearchError};

const NAME: &str = "k-reciprocal";
/// Queries whose distances to all images are held at once.
const QUERIES_AT_ONCE: usize = 64;

/// Which of the authors' two programs is followed where they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReciprocalForm {
    /// `python-version`: lists of candidates have k1/2 entries, rounded half to even, beside the image itself.
    #[default]
    Python,
    /// `evaluation/utils/re_ranking.m`: (k1+1)/2 entries, rounded half away from zero, the image itself among them. That is one less for k1 = 3, 7, 11, ...
    /// and the same otherwise.
    Matlab,
}

/// k-reciprocal encoding. Scores are minus the final distance, which lies between 0 and 1.
///
/// Up to 120,000 images queries and gallery are encoded together as published, and every image is ranked anew: the neighbours of N rows (N^2 / 2
/// products of descriptors), then some N * k1^2 steps and, for each query, one pass over the images that share a neighbour; memory
/// N * (k1 + k2 * expanded neighbours) numbers, some kilobytes an image, never N^2. Beyond that, or where `top` says so, each query is
/// encoded with its first `top` answers alone: top^2 products a query and the memory of these rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KReciprocal {
    /// Neighbours in a list beside the image itself, at least 1.
    pub k1: usize,
    /// Nearest rows, itself among them, whose encodings are averaged; 1 for none.
    pub k2: usize,
    /// Share of the original distance in the final one, 0 to 1.
    pub lambda: f64,
    /// First answers of each query that are encoded, in place of the whole collection.
    pub top: Option<usize>,
    /// Whose rule for lists of candidates.
    pub form: ReciprocalForm,
}

impl Default for KReciprocal {
    /// As published: 20, 6, 0.3.
    fn default() -> Self {
        Self {
            k1: 20,
            k2: 6,
            lambda: 0.3,
            top: None,
            form: ReciprocalForm::Python,
        }
    }
}

impl KReciprocal {
    /// The keys.
    pub const KEYS: &[&str] = &["k1", "k2", "lambda", "top", "form"];

    /// Reads the settings; what is not there is as published.
    ///
    /// # Errors
    /// When one has no such value.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let default = Self::default();
        let count = |key| settings.number(key, "a whole number from 1", |number: &usize| *number > 0);
        let lambda = settings.number("lambda", "a number from 0 to 1", |lambda: &f64| {
            (0.0..=1.0).contains(lambda)
        })?;
        let forms = [
            ("python", ReciprocalForm::Python),
            ("matlab", ReciprocalForm::Matlab),
        ];
        Ok(Self {
            k1: count("k1")?.unwrap_or(default.k1),
            k2: count("k2")?.unwrap_or(default.k2),
            lambda: lambda.unwrap_or(default.lambda),
            top: count("top")?,
            form: settings.choice("form", &forms)?.unwrap_or_default(),
        })
    }

    /// The final distances `[Q, G]` of `queries` `[Q, dim]` to all images, encoded together. Descriptors need not be of unit length. A set with
    /// fewer than k1 + 1 rows just has shorter lists.
    ///
    /// Distances between descriptors are Euclidean: in 64 bits for neighbours, from 32-bit inner products otherwise. The result is the same
    /// for any number of threads.
    ///
    /// # Errors
    /// When descriptors do not fit each other.
    pub fn distances(&self, queries: Rows<'_>, gallery: &Gallery<'_>) -> Result<Vec<f32>, SearchError> {
        Joint::new(self, queries, gallery, None)?.distances(0..queries.count())
    }

    /// Entries of a candidate's list, itself among them.
    fn half_list(&self) -> usize {
        let half = self.k1 / 2;
        let python = self.form == ReciprocalForm::Python;
        // Half of an odd number is rounded to the even one.
        half + 1 + usize::from(python && self.k1 % 2 == 1 && half % 2 == 1)
    }

    /// First answers of each query that are encoded; none where the whole collection is.
    fn first_answers(&self, images: usize) -> Option<usize> {
        first_answers(self.top, images, TOP)
    }
}

impl Reranker for KReciprocal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!({
            "k1": self.k1,
            "k2": self.k2,
            "lambda": self.lambda,
            "top": self.top,
            "form": match self.form {
                ReciprocalForm::Python => "python",
                ReciprocalForm::Matlab => "matlab",
            },
        })
    }

    fn reach(&self, images: usize, queries: usize) -> usize {
        match self.first_answers(images) {
            Some(top) => top,
            None => places(images, queries),
        }
    }

    fn remarks(&self, images: usize) -> Vec<String> {
        let (published, images) = (
            Self::default(),
            self.first_answers(images).unwrap_or(images).min(images),
        );
        let remarks = [
            neighbours_remark("k1", self.k1, images, published.k1),
            neighbours_remark("k2", self.k2, images, published.k2),
        ];
        remarks.into_iter().flatten().collect()
    }

    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError> {
        let gallery = rankings.gallery(NAME)?;
        let queries = rankings.query_rows(NAME)?;
        let count = queries.count();
        progress(NAME, 0, count as u64);
        let mut lists = Vec::with_capacity(count);
        let mut scored = Vec::with_capacity(count);
        if let Some(top) = self.first_answers(gallery.count()) {
            for (query, list) in rankings.lists.iter().enumerate() {
                let mut list = list.clone();
                let first = top.min(list.len());
                let rows = gallery.gather(list[..first].iter().map(|hit| hit.index));
                let rows = Gallery::new(Rows::f32(&rows, gallery.dim()), &[])?;
                let distances = self.distances(queries.slice(query..query + 1), &rows)?;
                let scores: Vec<f32> = distances.iter().map(|distance| -distance).collect();
                rescore(&mut list, &scores);
                lists.push(list);
                scored.push(first);
                progress(NAME, query as u64 + 1, count as u64);
            }
        } else {
            let stored = rankings.neighbours.filter(|_| rankings.augmented.is_none());
            let joint = Joint::new(self, queries, &gallery, stored)?;
            for first in (0..count).step_by(QUERIES_AT_ONCE) {
                let some = first..count.min(first + QUERIES_AT_ONCE);
                let distances = joint.distances(some.clone())?;
                let of_query = |(query, distances): (usize, &[f32])| {
                    let excluded = rankings.excluded.get(query).map_or(&[][..], Vec::as_slice);
                    nearest_images(distances, excluded, rankings.length)
                };
                let rows = distances.par_chunks(gallery.count().max(1));
                lists.par_extend(some.clone().into_par_iter().zip(rows).map(of_query));
                progress(NAME, some.end as u64, count as u64);
            }
            scored.extend(lists.iter().map(Vec::len));
        }
        rankings.lists = lists;
        rankings.searched = false;
        Ok(scored)
    }
}

/// The `length` nearest images but the `excluded` ones (ascending), nearest first.
fn nearest_images(distances: &[f32], excluded: &[u32], length: usize) -> Vec<Hit> {
    let images = distances.iter().enumerate();
    let mut list: Vec<Hit> = images
        .filter(|(index, _)| excluded.binary_search(&(*index as u32)).is_err())
        .map(|(index, distance)| Hit {
            index,
            score: -distance,
        })
        .collect();
    if length < list.len() {
        list.select_nth_unstable_by(length, by_score);
        list.truncate(length);
    }
    list.sort_unstable_by(by_score);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_candidates_are_as_long_as_in_the_originals() {
        let half = |k1, form| {
            KReciprocal {
                k1,
                form,
                ..KReciprocal::default()
            }
            .half_list()
        };
        let of = |form| [1, 2, 3, 4, 5, 7, 9, 11, 20].map(|k1| half(k1, form));
        assert_eq!(of(ReciprocalForm::Python), [1, 2, 3, 3, 3, 5, 5, 7, 11]);
        assert_eq!(of(ReciprocalForm::Matlab), [1, 2, 2, 3, 3, 4, 5, 6, 11]);
    }
}
