//! The one form that every list, folder and ground truth is brought into.

use crate::{DatasetError, Skipped};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Images, queries and which image answers which query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// A short name for messages and cards: the known name, or the file's name without its ending.
    pub name: String,
    /// Where the pictures lie, where the data set itself says so (dirtorch's root, a folder of pictures).
    pub root: Option<PathBuf>,
    /// Names of the images as written in the data set: with or without folder and ending. Ranked ids count in it.
    pub images: Vec<String>,
    /// The queries. Empty where the images query themselves ([`Truth::Labels`] with `queries: None`, [`Truth::None`]).
    pub queries: Vec<Query>,
    /// Which image answers which query.
    pub truth: Truth,
    /// What was passed over while the data set was opened, and why.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
}

/// One query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// Name of the picture, as written in the data set.
    pub name: String,
    /// The part of the picture that is searched for: left, top, right, bottom in pixels of the original picture.
    pub bbox: Option<[f64; 4]>,
}

/// Which image answers which query. All lists hold indices into [`Dataset::images`], counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Truth {
    /// As in the revisited Oxford and Paris: one entry a query.
    Revisited(Vec<RevisitedLists>),
    /// As in the classic Oxford5k and Paris6k: one entry a query.
    Classic(Vec<ClassicLists>),
    /// Classes: an image answers a query of its class.
    Labels {
        /// Class of each image, an index into `class_names`.
        images: Vec<usize>,
        /// Class of each query; `None` where the gallery queries itself.
        queries: Option<Vec<usize>>,
        /// Names of the classes, in order of first appearance unless the format says otherwise.
        class_names: Vec<String>,
    },
    /// Nothing is known: a list or folder of pictures.
    #[default]
    None,
}

/// Easy, hard and junk images of one query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisitedLists {
    /// Images that show the object clearly.
    pub easy: Vec<u32>,
    /// Images that show it, but hard to recognise.
    pub hard: Vec<u32>,
    /// Images that count neither way.
    pub junk: Vec<u32>,
}

/// Positive (good and ok) and junk images of one query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassicLists {
    /// Images that show the object: the original's good and ok lists.
    pub ok: Vec<u32>,
    /// Images that count neither way.
    pub junk: Vec<u32>,
}

impl Dataset {
    /// Number of queries; the number of images where these query themselves.
    pub fn query_count(&self) -> usize {
        if self.gallery_queries_itself() {
            self.images.len()
        } else {
            self.queries.len()
        }
    }

    /// Whether every image is a query against all the others.
    pub fn gallery_queries_itself(&self) -> bool {
        matches!(self.truth, Truth::Labels { queries: None, .. })
    }

    /// Checks what every user relies on: as many truths as queries (or labels as images), and every index and class
    /// within range.
    ///
    /// # Errors
    /// [`DatasetError::Broken`] names the first query or image that does not fit.
    pub fn validate(&self) -> Result<(), DatasetError> {
        let broken = |reason: String| {
            Err(DatasetError::Broken {
                name: self.name.clone(),
                reason,
            })
        };
        let count_of_truths = match &self.truth {
            Truth::Revisited(lists) => lists.len(),
            Truth::Classic(lists) => lists.len(),
            Truth::Labels {
                images,
                queries,
                class_names,
            } => {
                if images.len() != self.images.len() {
                    return broken(format!(
                        "it has {} images but {} labels",
                        self.images.len(),
                        images.len()
                    ));
                }
                let all = images.iter().chain(queries.iter().flatten());
                if let Some(class) = all.copied().find(|class| *class >= class_names.len()) {
                    return broken(format!(
                        "a label is class {class}, but there are {} classes",
                        class_names.len()
                    ));
                }
                queries.as_ref().map_or(self.queries.len(), Vec::len)
            }
            Truth::None => self.queries.len(),
        };
        if count_of_truths != self.queries.len() {
            return broken(format!(
                "it has {} queries but {count_of_truths} truths",
                self.queries.len()
            ));
        }
        for (index, query) in self.queries.iter().enumerate() {
            for (list, ids) in self.truth.lists(index) {
                if let Some(id) = ids.iter().find(|id| **id as usize >= self.images.len()) {
                    return broken(format!(
                        "the {list} list of query {index} (\"{}\") names image {id}, but there are only {} images",
                        query.name,
                        self.images.len()
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Truth {
    /// The named index lists of query `index`; none for labelled sets and sets without truth.
    pub fn lists(&self, index: usize) -> Vec<(&'static str, &[u32])> {
        match self {
            Self::Revisited(all) => all.get(index).map_or_else(Vec::new, |lists| {
                vec![
                    ("easy", &lists.easy[..]),
                    ("hard", &lists.hard[..]),
                    ("junk", &lists.junk[..]),
                ]
            }),
            Self::Classic(all) => all.get(index).map_or_else(Vec::new, |lists| {
                vec![("ok", &lists.ok[..]), ("junk", &lists.junk[..])]
            }),
            Self::Labels { .. } | Self::None => Vec::new(),
        }
    }

    /// What kind of truth this is, for messages and reports: `revisited`, `classic`, `labels` or `none`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Revisited(_) => "revisited",
            Self::Classic(_) => "classic",
            Self::Labels { .. } => "labels",
            Self::None => "none",
        }
    }
}
