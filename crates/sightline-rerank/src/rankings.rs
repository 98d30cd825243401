//! The rankings of all queries on their way through the stages.

use crate::{Gallery, RerankError};
use sightline_local::spatial::Placed;
use sightline_search::{Hit, KnnGraph, Rows, SearchError};

/// The local features of both sides.
#[derive(Clone, Copy)]
pub struct LocalAccess<'a> {
    /// Those of a query.
    pub query: &'a (dyn Fn(usize) -> Option<Placed<'a>> + Sync),
    /// Those of an image; none where they are not known (a distractor).
    pub image: &'a (dyn Fn(usize) -> Option<Placed<'a>> + Sync),
}

/// The rankings of all queries, and what a stage may look at.
///
/// An image is known by its index in the gallery: those of the database first, distractors behind them.
pub struct Rankings<'a> {
    /// The first answers of each query, best first, at most [`Rankings::length`] of them. Scores are those of the last stage; of answers
    /// beyond its reach those of the stage before.
    pub lists: Vec<Vec<Hit>>,
    /// How many answers a list holds at most.
    pub length: usize,
    /// Whether the lists are what a search of the gallery by the queries gives, so that a longer search would go on as they do.
    pub searched: bool,
    /// Images that are no answers of a query (itself; junk that is dropped beforehand), ascending; empty where there are none.
    pub excluded: Vec<Vec<u32>>,
    /// Descriptors of the queries `[Q, dim]`; query expansion changes them. Empty where only rankings are known.
    pub queries: Vec<f32>,
    /// The database with new descriptors `[database, dim]`, where augmentation made them.
    pub augmented: Option<Vec<f32>>,
    /// The nearest neighbours of every descriptor of the gallery as given (not of augmented ones), where they were stored.
    pub neighbours: Option<&'a KnnGraph>,
    /// Local features of both sides.
    pub local: Option<LocalAccess<'a>>,
    given: Option<(Rows<'a>, Vec<Rows<'a>>)>,
}

impl<'a> Rankings<'a> {
    /// Searches the gallery for the `length` best answers of each query.
    ///
    /// # Errors
    /// When descriptors do not fit each other.
    pub fn search(
        queries: Rows<'_>,
        database: Rows<'a>,
        distractors: Vec<Rows<'a>>,
        length: usize,
        excluded: Vec<Vec<u32>>,
    ) -> Result<Self, SearchError> {
        let gallery = Gallery::new(database, &distractors)?;
        let lists = gallery.best(queries, length, &excluded)?;
        let own = Gallery::new(queries, &[])?;
        Ok(Self {
            lists,
            length,
            searched: true,
            excluded,
            queries: own.gather(0..own.count()),
            augmented: None,
            neighbours: None,
            local: None,
            given: Some((database, distractors)),
        })
    }

    /// Rankings of which only the order is known; scores fall by one from place to place.
    #[must_use]
    pub fn of_lists(lists: &[Vec<u32>], length: usize) -> Self {
        let list = |list: &Vec<u32>| {
            let places = list.iter().take(length).enumerate();
            let hit = |(place, index): (usize, &u32)| Hit {
                index: *index as usize,
                score: -(place as f32),
            };
            places.map(hit).collect()
        };
        Self {
            lists: lists.iter().map(list).collect(),
            length,
            searched: false,
            excluded: Vec::new(),
            queries: Vec::new(),
            augmented: None,
            neighbours: None,
            local: None,
            given: None,
        }
    }

    /// The descriptors that are searched.
    ///
    /// # Errors
    /// When there are none; `method` is what the message calls the stage.
    pub fn gallery(&self, method: &'static str) -> Result<Gallery<'_>, RerankError> {
        let (database, distractors) = self
            .given
            .as_ref()
            .ok_or(RerankError::NeedsDescriptors { method })?;
        let rows = match &self.augmented {
            Some(rows) => Rows::f32(rows, database.dim),
            None => *database,
        };
        Ok(Gallery::new(rows, distractors)?)
    }

    /// The queries' descriptors `[Q, dim]`.
    ///
    /// # Errors
    /// As [`Rankings::gallery`].
    pub fn query_rows(&self, method: &'static str) -> Result<Rows<'_>, RerankError> {
        let dim = self.gallery(method)?.dim();
        Ok(Rows::f32(&self.queries, dim))
    }

    /// How many images are searched; none where only rankings are known.
    pub fn images(&self) -> Option<usize> {
        let (database, distractors) = self.given.as_ref()?;
        Some(database.count() + distractors.iter().map(Rows::count).sum::<usize>())
    }

    /// How many of them are distractors.
    pub fn distractors(&self) -> usize {
        let distractors = self.given.as_ref().map(|(_, distractors)| distractors);
        distractors.map_or(0, |sets| sets.iter().map(Rows::count).sum())
    }

    /// The images of the first answers of each query, best first.
    pub fn heads(&self) -> impl Iterator<Item = Vec<u32>> {
        let image = |hit: &Hit| hit.index as u32;
        self.lists
            .iter()
            .map(move |list| list.iter().map(image).collect())
    }

    /// Searches again with the queries as they are now.
    ///
    /// # Errors
    /// When only rankings are known.
    pub fn search_again(&mut self, method: &'static str) -> Result<(), RerankError> {
        let gallery = self.gallery(method)?;
        let lists = gallery.best(self.query_rows(method)?, self.length, &self.excluded)?;
        self.lists = lists;
        self.searched = true;
        Ok(())
    }
}
