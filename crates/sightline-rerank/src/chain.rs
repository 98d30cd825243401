//! Stages one behind the other.

use crate::{Rankings, RerankError};
use sightline_search::Hit;

/// Called with the number of queries that a stage is done with, of all.
pub type Progress<'a> = &'a (dyn Fn(&'static str, u64, u64) + Sync);

/// What a method compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compares {
    /// Descriptors of queries and images.
    Descriptors,
    /// Local features of both.
    LocalFeatures,
    /// Nothing but the rankings, or what it brings along.
    Rankings,
}

/// A method that puts the first answers of rankings in a new order.
pub trait Reranker: Send {
    /// The method's name, as in `--rerank NAME:...`.
    fn name(&self) -> &'static str;

    /// Every setting by its name, for the card.
    fn settings(&self) -> serde_json::Value;

    /// What the rankings must bring.
    fn compares(&self) -> Compares {
        Compares::Descriptors
    }

    /// How many first answers of each query it wants to see, among so many images and queries.
    fn reach(&self, images: usize, queries: usize) -> usize;

    /// What one should know before the numbers are believed: settings that do not fit a collection of so many images. Full sentences.
    fn remarks(&self, _images: usize) -> Vec<String> {
        Vec::new()
    }

    /// Puts the lists of `rankings` in a new order, or replaces them. Gives the number of first answers of each query that it has
    /// scored; the scores of the others are those of the stage before.
    ///
    /// The result does not depend on the number of threads.
    ///
    /// # Errors
    /// When `rankings` lack what the method compares, or its settings do not fit them.
    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError>;
}

/// What one stage made of the rankings.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Name of the method.
    pub method: &'static str,
    /// The answers of each query after it, best first, with its scores.
    pub lists: Vec<Vec<Hit>>,
    /// How many first answers of each query it scored.
    pub scored: Vec<usize>,
}

/// Stages in order.
#[derive(Default)]
pub struct Chain {
    /// The stages.
    pub stages: Vec<Box<dyn Reranker>>,
}

/// What came of it.
pub struct Reranked<'a> {
    /// The rankings after the last stage.
    pub rankings: Rankings<'a>,
    /// Each stage's scores; the first entry, `search`, is what came in.
    pub trace: Vec<Trace>,
}

impl Chain {
    /// How many first answers of each query the stages want to see: the longest reach of all.
    #[must_use]
    pub fn reach(&self, images: usize, queries: usize) -> usize {
        let reaches = self.stages.iter().map(|stage| stage.reach(images, queries));
        reaches.max().unwrap_or(0).min(images)
    }

    /// Runs every stage.
    ///
    /// # Errors
    /// When a stage fails.
    pub fn run<'a>(
        &mut self,
        mut rankings: Rankings<'a>,
        progress: Progress<'_>,
    ) -> Result<Reranked<'a>, RerankError> {
        let mut trace = vec![Trace {
            method: "search",
            lists: rankings.lists.clone(),
            scored: match rankings.searched {
                true => rankings.lists.iter().map(Vec::len).collect(),
                // Given rankings have an order, and no scores.
                false => vec![0; rankings.lists.len()],
            },
        }];
        for stage in &mut self.stages {
            let scored = stage.rerank(&mut rankings, progress)?;
            trace.push(Trace {
                method: stage.name(),
                lists: rankings.lists.clone(),
                scored,
            });
        }
        Ok(Reranked { rankings, trace })
    }
}
