//! Query expansion as a stage: each query becomes the weighted sum of itself and its nearest images, and searches again.
//!
//! Source: dirtorch `test_dir.py` `expand_descriptors`; the published alpha-QE (Radenovic et al., TPAMI 2018) is the same formula. The computation
//! is [`Expansion`]'s.

use crate::neighbour_settings::expansion;
use crate::{Progress, Rankings, RerankError, Reranker, Settings, SettingsError, neighbours_remark};
use rayon::prelude::*;
use sightline_descriptor::Expansion;
use sightline_search::Rows;

const NAME: &str = "aqe";

/// Query expansion.
///
/// Where the lists are a search's, the neighbours of a query are the `k` nearest of the gallery, excluded images among them, as dirtorch has it: a query
/// that is itself in the gallery is its own neighbour. Behind a stage that made another order they are the first `k` answers of that
/// order (query expansion after verification), weighted by the similarity of their descriptors.
///
/// Cost: one more search of the gallery; the expansion itself takes one too where the lists are a search's, else k reads a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aqe {
    /// How many neighbours, and how their weights fall off; no neighbours change nothing.
    pub how: Expansion,
}

impl Aqe {
    /// The keys, both needed: there are no published defaults.
    pub const KEYS: &[&str] = &["k", "alpha"];

    /// Reads the settings.
    ///
    /// # Errors
    /// When one is missing or has no such value.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let how = expansion(settings)?;
        Ok(Self { how })
    }
}

impl Reranker for Aqe {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!({ "k": self.how.k, "alpha": self.how.alpha })
    }

    fn reach(&self, images: usize, _queries: usize) -> usize {
        self.how.k.min(images)
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
        let queries = rankings.query_rows(NAME)?;
        let count = queries.count();
        progress(NAME, 0, count as u64);
        if self.how.k > 0 {
            let expanded = if rankings.searched {
                self.how.expand_among(queries, gallery.sets())?
            } else {
                let one = |query: usize| -> Result<Vec<f32>, RerankError> {
                    let list = rankings.lists.get(query).map_or(&[][..], Vec::as_slice);
                    let first = &list[..self.how.k.min(list.len())];
                    let near = gallery.gather(first.iter().map(|hit| hit.index));
                    // All of these rows are neighbours.
                    let how = Expansion {
                        k: first.len(),
                        ..self.how
                    };
                    Ok(how.expand(queries.slice(query..query + 1), Rows::f32(&near, gallery.dim()))?)
                };
                let expanded: Result<Vec<Vec<f32>>, RerankError> =
                    (0..count).into_par_iter().map(one).collect();
                expanded?.concat()
            };
            rankings.queries = expanded;
            rankings.search_again(NAME)?;
        }
        progress(NAME, count as u64, count as u64);
        Ok(rankings.lists.iter().map(Vec::len).collect())
    }
}
