//! dirtorch's lists: pictures, pictures with labels, clusters. Source: naver/deep-image-retrieval,
//! `dirtorch/datasets/generic.py` and `generic_func.py`.

use crate::text_lines::stripped;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::HashMap;

/// A class as a list names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Label {
    /// JSON's whole numbers; a text list has none.
    Whole(i64),
    /// Anything in a text list, however much it looks like a number.
    Text(String),
    /// JSON's null, where the list keeps it.
    Null,
}

impl std::fmt::Display for Label {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(number) => write!(out, "{number}"),
            Self::Text(text) => out.write_str(text),
            Self::Null => out.write_str("null"),
        }
    }
}

/// Pictures and the label of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelledList {
    /// Names, relative to a root.
    pub images: Vec<String>,
    /// As many labels.
    pub labels: Vec<Label>,
}

/// Classes by first appearance, and the class of each label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// The distinct labels, in order of first appearance.
    pub names: Vec<Label>,
    /// For each label its place in `names`.
    pub indices: Vec<usize>,
}

/// `ImageList`: a name a line, stripped. An empty line is an empty name, as in the original.
pub fn image_list(text: &str) -> Vec<String> {
    stripped(text).into_iter().map(str::to_owned).collect()
}

/// `ImageListLabels` of a text: name and label by a single space; more columns are ignored, empty lines too.
///
/// # Errors
/// If a line has no label; it is named.
pub fn labelled_text(text: &str) -> Result<LabelledList, String> {
    let mut list = LabelledList::default();
    for (index, line) in stripped(text).into_iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        let mut columns = line.split(' ');
        let (Some(image), Some(label)) = (columns.next(), columns.next()) else {
            return Err(format!(
                "line {} (\"{line}\") is no name and label by a space",
                index + 1
            ));
        };
        list.images.push(image.to_owned());
        list.labels.push(Label::Text(label.to_owned()));
    }
    Ok(list)
}

/// `ImageListLabels` of a JSON object {image: label}: every entry, in order.
///
/// # Errors
/// If it is no object, or a label is neither text nor a whole number nor null.
pub fn labelled_json(text: &str) -> Result<LabelledList, String> {
    entries(text)?
        .into_iter()
        .map(|(image, class)| match label(&class) {
            Some(label) => Ok((image, label)),
            None => Err(format!(
                "the label of \"{image}\" is {class}, no text and no whole number"
            )),
        })
        .collect::<Result<_, _>>()
}

/// `ImageClusters`: the entries of a JSON object {image: class} whose class is a text or a whole number; null, truth
/// values, floats and everything else are left out.
///
/// # Errors
/// If it is no JSON object.
pub fn clusters(text: &str) -> Result<LabelledList, String> {
    let labelled = |(image, class): (String, Json)| Some((image, label(&class)?));
    let list = entries(text)?.into_iter().filter_map(labelled);
    Ok(list.filter(|(_, label)| *label != Label::Null).collect())
}

/// `NullCluster`: the images of a JSON object {image: class} whose class is null.
///
/// # Errors
/// If it is no JSON object.
pub fn null_cluster(text: &str) -> Result<LabelledList, String> {
    let list = entries(text)?.into_iter();
    Ok(list
        .filter(|(_, class)| class.is_null())
        .map(|(image, _)| (image, Label::Null))
        .collect())
}

impl FromIterator<(String, Label)> for LabelledList {
    fn from_iter<T: IntoIterator<Item = (String, Label)>>(pairs: T) -> Self {
        let (images, labels) = pairs.into_iter().unzip();
        Self { images, labels }
    }
}

fn entries(text: &str) -> Result<Vec<(String, Json)>, String> {
    match serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))? {
        Json::Object(entries) => Ok(entries.into_iter().collect()),
        _ => Err("it is no JSON object {image: class}".to_owned()),
    }
}

fn label(class: &Json) -> Option<Label> {
    match class {
        Json::Null => Some(Label::Null),
        Json::String(text) => Some(Label::Text(text.clone())),
        Json::Number(number) => number.as_i64().map(Label::Whole),
        _ => None,
    }
}

/// Numbers classes by first appearance: of the images' labels, then of the queries'.
pub fn classes<'a>(labels: impl IntoIterator<Item = &'a Label>) -> Classes {
    let mut classes = Classes::default();
    let mut known: HashMap<&Label, usize> = HashMap::new();
    for label in labels {
        let next = classes.names.len();
        let index = *known.entry(label).or_insert(next);
        if index == next {
            classes.names.push(label.clone());
        }
        classes.indices.push(index);
    }
    classes
}

/// Python's `os.path.join`: an absolute name stands alone, an empty one gives the root with a slash.
pub fn join(root: &str, name: &str) -> String {
    if name.starts_with('/') || root.is_empty() {
        name.to_owned()
    } else if root.ends_with('/') {
        format!("{root}{name}")
    } else {
        format!("{root}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_count_by_first_appearance() {
        let list = labelled_text("a.jpg 10 x\n\nb.jpg 9\r\nc.jpg 10").unwrap();
        assert_eq!(list.images, ["a.jpg", "b.jpg", "c.jpg"]);
        let classes = classes(&list.labels);
        assert_eq!(classes.indices, [0, 1, 0]);
        assert_eq!(classes.names[1], Label::Text("9".into()));
        assert!(labelled_text("a.jpg 1\nb.jpg").unwrap_err().contains("line 2"));
    }

    #[test]
    fn text_and_number_are_two_classes() {
        let list = clusters(r#"{"a": "3", "b": 3, "c": 3.0, "d": null, "a": 4}"#).unwrap();
        assert_eq!(list.images, ["a", "b"]);
        assert_eq!(list.labels, [Label::Whole(4), Label::Whole(3)]);
        assert!(clusters("[1]").is_err());
        assert!(labelled_json(r#"{"a": true}"#).is_err());
    }

    #[test]
    fn roots_join_as_in_python() {
        assert_eq!(join("/r", "a"), "/r/a");
        assert_eq!(join("/r/", "a"), "/r/a");
        assert_eq!(join("/r", ""), "/r/");
        assert_eq!(join("/r", "/a"), "/a");
        assert_eq!(join("", "a"), "a");
    }
}
