//! Pictures by class, classes in order of first appearance: the form of leftthomas/CGD's data dicts.

use crate::dirtorch_lists::{Label, LabelledList};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Classes in order of first appearance, each with its pictures in the order of the file. Labels stay text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassLists {
    /// Label and pictures.
    pub classes: Vec<(String, Vec<String>)>,
    #[serde(skip)]
    places: HashMap<String, usize>,
}

impl ClassLists {
    /// Appends a picture to its class.
    pub fn push(&mut self, label: &str, picture: String) {
        if let Some(place) = self.places.get(label) {
            self.classes[*place].1.push(picture);
            return;
        }
        self.places.insert(label.to_owned(), self.classes.len());
        self.classes.push((label.to_owned(), vec![picture]));
    }

    /// The pictures class by class, and the label of each.
    pub(crate) fn labelled(&self) -> LabelledList {
        let pairs = self.classes.iter().flat_map(|(label, pictures)| {
            let label = Label::Text(label.clone());
            pictures
                .iter()
                .map(move |picture| (picture.clone(), label.clone()))
        });
        pairs.collect()
    }
}

/// The part behind the last slash, as Python's `basename`.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
