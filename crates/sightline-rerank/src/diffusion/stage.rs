//! Diffusion as a stage of re-ranking.

use super::{Diffusion, FORMS, Form, NAME, online, paper, together};
use crate::whole::{MOST_IMAGES, TOP, first_answers, places};
use crate::{Gallery, Progress, Rankings, RerankError, Reranker, neighbours_remark};
use serde_json::{Value, json};
use sightline_search::{Hit, KnnGraph, Rows};
use std::collections::HashSet;

/// First answers that take part in large galleries: the early truncation of ahmetius/diffusion-retrieval (`run_test.m`).
const ONLINE_TOP: usize = 10_000;

impl Reranker for Diffusion {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> Value {
        let form = FORMS.iter().find(|(_, form)| *form == self.form);
        let top = match self.top {
            Some(top) => json!(top),
            None => json!(format!(
                "all up to {MOST_IMAGES} images, {} above",
                self.default_top()
            )),
        };
        json!({
            "n_trunc": self.n_trunc,
            "kd": self.kd,
            "kq": self.kq,
            "gamma": self.gamma,
            "alpha": self.alpha,
            "form": form.map(|(name, _)| *name),
            "top": top,
        })
    }

    fn reach(&self, images: usize, queries: usize) -> usize {
        match self.top(images) {
            Some(top) => top,
            None => places(images, queries),
        }
    }

    fn remarks(&self, images: usize) -> Vec<String> {
        let (published, images) = (Self::default(), self.top(images).unwrap_or(images));
        let kd = neighbours_remark("kd", self.kd, images, published.kd);
        let kq = match self.form {
            Form::Offline => None,
            Form::Paper | Form::Online => neighbours_remark("kq", self.kq, images, published.kq),
        };
        kd.into_iter().chain(kq).collect()
    }

    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError> {
        let gallery = rankings.gallery(NAME)?;
        let queries = rankings.query_rows(NAME)?;
        let found = match self.top(gallery.count()) {
            None => {
                let stored = rankings.neighbours.filter(|_| rankings.augmented.is_none());
                let (length, excluded) = (rankings.length, &rankings.excluded);
                self.search(queries, &gallery, stored, length, excluded, progress)?
            }
            Some(top) => {
                let mut found = Vec::with_capacity(queries.count());
                for (query, list) in rankings.lists.iter().enumerate() {
                    let first = &list[..top.min(list.len())];
                    found.push(self.among(queries.slice(query..query + 1), &gallery, first)?);
                    progress(NAME, found.len() as u64, rankings.lists.len() as u64);
                }
                found
            }
        };
        let mut scored = Vec::with_capacity(found.len());
        for (list, found) in rankings.lists.iter_mut().zip(found) {
            scored.push(put_first(list, found, rankings.length));
        }
        rankings.searched = false;
        Ok(scored)
    }
}

impl Diffusion {
    fn default_top(&self) -> usize {
        match self.form {
            Form::Offline | Form::Paper => TOP,
            Form::Online => ONLINE_TOP,
        }
    }

    /// First answers that take part; none where the whole gallery does.
    fn top(&self, images: usize) -> Option<usize> {
        first_answers(self.top, images, self.default_top())
    }

    fn search(
        &self,
        queries: Rows<'_>,
        gallery: &Gallery<'_>,
        stored: Option<&KnnGraph>,
        length: usize,
        excluded: &[Vec<u32>],
        progress: Progress<'_>,
    ) -> Result<Vec<Vec<Hit>>, RerankError> {
        let search = match self.form {
            Form::Offline => together::search,
            Form::Paper => paper::search,
            Form::Online => online::search,
        };
        search(queries, gallery, self, stored, length, excluded, progress)
    }

    /// The answers among the first ones of one query.
    fn among(&self, query: Rows<'_>, gallery: &Gallery<'_>, first: &[Hit]) -> Result<Vec<Hit>, RerankError> {
        let values = gallery.gather(first.iter().map(|hit| hit.index));
        let images = Gallery::new(Rows::f32(&values, gallery.dim()), &[])?;
        let found = match self.search(query, &images, None, first.len(), &[], &|_, _, _| {}) {
            // Nothing to diffuse over among these: they stay as they are.
            Err(RerankError::Unfit { .. }) => Vec::new(),
            found => found?.pop().unwrap_or_default(),
        };
        let of_gallery = found.into_iter().map(|hit| Hit {
            index: first[hit.index].index,
            score: hit.score,
        });
        Ok(of_gallery.collect())
    }
}

/// Puts the images that something came to before the others, which stay in their order. Gives how many there are.
fn put_first(list: &mut Vec<Hit>, mut found: Vec<Hit>, length: usize) -> usize {
    found.truncate(found.partition_point(|hit| hit.score > 0.0));
    let scored = found.len().min(length);
    let named: HashSet<usize> = found.iter().map(|hit| hit.index).collect();
    found.extend(list.iter().filter(|hit| !named.contains(&hit.index)));
    found.truncate(length);
    *list = found;
    scored
}
