//! Answers of an ASMK index and the pictures of a data set: names meet, and ranked lists come out.

use crate::Error;
use crate::evaluation::places_by_name;
use sightline_dataset::Dataset;
use std::path::Path;

/// Which image of a data set each picture of an index is.
pub struct LocalAnswers {
    /// By the picture's number in the index.
    image: Vec<Option<u32>>,
    /// By the data set's image.
    number: Vec<Option<usize>>,
    missing: Vec<usize>,
}

impl LocalAnswers {
    /// Pictures that are called `held`, by their numbers. They meet the images of the data set by name, as it stands, else by file
    /// name without its ending. `source` is what messages call the index.
    ///
    /// # Errors
    /// When two pictures fit one name, or none fits any.
    pub fn new(source: &Path, held: &[String], dataset: &Dataset) -> Result<Self, Error> {
        let wanted: Vec<&str> = dataset.images.iter().map(String::as_str).collect();
        let places = places_by_name(source, held, &wanted)?;
        if let (Some(first), true) = (wanted.first(), places.iter().all(Option::is_none)) {
            return Err(Error::NothingMeets {
                set: source.to_owned(),
                wanted: (*first).to_owned(),
            });
        }
        let mut image = vec![None; held.len()];
        for (index, place) in places.iter().enumerate() {
            if let Some(slot) = place.and_then(|place| image.get_mut(place)) {
                *slot = u32::try_from(index).ok();
            }
        }
        let missing = (0..places.len()).filter(|index| places[*index].is_none());
        Ok(Self {
            image,
            missing: missing.collect(),
            number: places,
        })
    }

    /// Indices of the data set's images that the index does not hold.
    #[must_use]
    pub fn missing(&self) -> &[usize] {
        &self.missing
    }

    /// The number of an image of the data set in the index; none for distractors and those it does not hold.
    #[must_use]
    pub fn number(&self, image: u32) -> Option<usize> {
        self.number.get(image as usize).copied().flatten()
    }

    /// The ranked list of one query: images of the data set by their index, distractors behind them. `hits` gives the number of a
    /// picture (negative: a distractor) and its score; pictures that the data set does not list are left out. Of equal scores the
    /// lower index comes first, so distractors come last; what is no number comes at the end.
    #[must_use]
    pub fn list(&self, hits: impl IntoIterator<Item = (i64, f64)>) -> Vec<u32> {
        let index = |number: i64| match usize::try_from(number) {
            Ok(number) => self.image.get(number).copied().flatten(),
            Err(_) => u32::try_from(self.number.len() as i64 - 1 - number).ok(),
        };
        let mut found: Vec<(f64, u32)> = hits
            .into_iter()
            .filter_map(|(number, score)| Some((score, index(number)?)))
            .collect();
        // The sign is that of a score, not of "no number".
        let key = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score };
        found.sort_by(|(a, i), (b, j)| key(*b).total_cmp(&key(*a)).then(i.cmp(j)));
        found.into_iter().map(|(_, index)| index).collect()
    }
}

/// Where each query of a data set lies among pictures called `held`; a data set that queries itself asks with its images.
///
/// # Errors
/// When two pictures fit one name, or none fits a query.
pub fn query_places(source: &Path, held: &[String], dataset: &Dataset) -> Result<Vec<usize>, Error> {
    let asked: Vec<&str> = if dataset.gallery_queries_itself() {
        dataset.images.iter().map(String::as_str).collect()
    } else {
        dataset.queries.iter().map(|query| query.name.as_str()).collect()
    };
    let places = places_by_name(source, held, &asked)?;
    let found = asked.iter().zip(places).map(|(name, place)| {
        place.ok_or_else(|| Error::QueryWithoutDescriptor {
            name: (*name).to_owned(),
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn dataset() -> Dataset {
        let json = r#"{"imlist": ["a", "b", "c"], "qimlist": ["q"], "gnd": [{"ok": [0], "junk": []}]}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gnd.json");
        std::fs::write(&path, json).unwrap();
        sightline_dataset::open(
            &path.to_string_lossy(),
            &sightline_dataset::OpenOptions::default(),
        )
        .unwrap()
    }

    #[test]
    fn names_meet_and_equal_scores_keep_the_order_of_the_data_set() {
        let dataset = dataset();
        let held = ["x/c.jpg", "other.jpg", "a.jpg"].map(str::to_owned);
        let answers = LocalAnswers::new(Path::new("index"), &held, &dataset).unwrap();
        assert_eq!(answers.missing(), [1]);
        let hits = [(1, 0.9), (-1, 0.5), (0, 0.5), (-2, f64::NAN), (2, 0.5)];
        assert_eq!(answers.list(hits), [0, 2, 3, 4]);
        assert!(LocalAnswers::new(Path::new("index"), &held[1..2], &dataset).is_err());
    }

    #[test]
    fn every_query_must_be_there() {
        let dataset = dataset();
        let held = ["p.jpg", "q.jpg"].map(str::to_owned);
        assert_eq!(query_places(Path::new("q"), &held, &dataset).unwrap(), [1]);
        assert!(query_places(Path::new("q"), &held[..1], &dataset).is_err());
    }
}
