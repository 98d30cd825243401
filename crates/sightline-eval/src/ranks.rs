//! Rankings as lists: rank files of other projects, lists shorter than the gallery.

use crate::EvalError;
use crate::ranking::{Rank, Ranking};
use std::collections::HashMap;

/// A list of image indices for each query, best first. Indices beyond the data set are distractors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankedLists {
    lists: Vec<Vec<u32>>,
}

impl RankedLists {
    /// One list a query. An error where a list names an image twice, unless `repeats` says that this is allowed (Google
    /// Landmarks v2, where a repeated answer takes a place and is wrong).
    pub fn new(lists: Vec<Vec<u32>>, repeats: bool) -> Result<Self, EvalError> {
        if !repeats {
            for (query, list) in lists.iter().enumerate() {
                let mut sorted = list.clone();
                sorted.sort_unstable();
                if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                    return Err(EvalError::Repeated {
                        query,
                        image: twice[0],
                    });
                }
            }
        }
        Ok(Self { lists })
    }

    /// From the array of a rank file as cirtorch and revisitop keep it: shape [list length, queries], row-major, so one
    /// **column** a query. An entry of -1 (how FAISS writes "no answer") ends nothing and takes no place; other negative
    /// entries are errors.
    ///
    /// ```
    /// use sightline_eval::ranks::RankedLists;
    /// let ranks = RankedLists::from_columns(&[4, 0, 2, 1], 2, false)?;
    /// assert_eq!(ranks.lists(), [[4, 2], [0, 1]]);
    /// # Ok::<(), sightline_eval::EvalError>(())
    /// ```
    pub fn from_columns(values: &[i64], queries: usize, repeats: bool) -> Result<Self, EvalError> {
        if queries == 0 || !values.len().is_multiple_of(queries) {
            return Err(EvalError::Shape {
                what: "ranks",
                values: values.len(),
                dim: queries,
            });
        }
        let mut lists = vec![Vec::with_capacity(values.len() / queries); queries];
        for row in values.chunks_exact(queries) {
            for (query, (value, list)) in row.iter().zip(&mut lists).enumerate() {
                if *value == -1 {
                    continue;
                }
                list.push(u32::try_from(*value).map_err(|_| EvalError::NotAnImage {
                    query,
                    answer: value.to_string(),
                })?);
            }
        }
        Self::new(lists, repeats)
    }

    /// From text: one line a query in the data set's order, its answers best first, separated by spaces, tabs, commas or
    /// semicolons; each is an index counted from 0 or the name of an image as the data set writes it (a whole number is
    /// always an index). A line without answers is a query without answers.
    ///
    /// ```
    /// use sightline_eval::ranks::RankedLists;
    /// let images = ["tower".to_owned(), "bridge".to_owned()];
    /// let ranks = RankedLists::from_text("1 0\nbridge, tower\n", &images, false)?;
    /// assert_eq!(ranks.lists(), [[1, 0], [1, 0]]);
    /// # Ok::<(), sightline_eval::EvalError>(())
    /// ```
    pub fn from_text(text: &str, images: &[String], repeats: bool) -> Result<Self, EvalError> {
        let by_name: HashMap<&str, u32> = images.iter().map(String::as_str).zip(0..).collect();
        let lists = text
            .lines()
            .enumerate()
            .map(|(query, line)| {
                line.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
                    .filter(|answer| !answer.is_empty())
                    .map(|answer| {
                        let index = answer.parse().ok();
                        index
                            .or_else(|| by_name.get(answer).copied())
                            .ok_or_else(|| EvalError::NotAnImage {
                                query,
                                answer: answer.chars().take(80).collect(),
                            })
                    })
                    .collect()
            })
            .collect::<Result<_, _>>()?;
        Self::new(lists, repeats)
    }

    /// The lists, one a query.
    pub fn lists(&self) -> &[Vec<u32>] {
        &self.lists
    }
}

impl Ranking for RankedLists {
    fn queries(&self) -> usize {
        self.lists.len()
    }

    fn images(&self) -> Option<usize> {
        None
    }

    fn ranks(&self, first_query: usize, wanted: &[Vec<u32>]) -> Vec<Vec<Option<Rank>>> {
        self.lists
            .iter()
            .skip(first_query)
            .zip(wanted)
            .map(|(list, wanted)| ranks_in_list(list, wanted))
            .collect()
    }
}

/// Each wanted image at its first place in the list.
fn ranks_in_list(list: &[u32], wanted: &[u32]) -> Vec<Option<Rank>> {
    let mut sorted: Vec<(u32, usize)> = wanted.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    let mut ranks = vec![None; wanted.len()];
    for (place, image) in list.iter().enumerate() {
        let from = sorted.partition_point(|(wanted, _)| wanted < image);
        for (_, slot) in sorted[from..].iter().take_while(|(wanted, _)| wanted == image) {
            ranks[*slot].get_or_insert(Rank {
                above: place,
                equal_before: 0,
                equal: 1,
            });
        }
    }
    ranks
}
