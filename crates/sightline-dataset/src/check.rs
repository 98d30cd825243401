//! What is in a data set, what is missing and what is broken: the report of `dataset check`.

use crate::{Dataset, DatasetError, PictureIndex, Skipped, Truth};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Reads the header of a picture: width and height in pixels, or a sentence why it cannot be read.
pub type Probe<'a> = &'a dyn Fn(&Path) -> Result<(u32, u32), String>;

/// The report. `totals` says how much there is; the lists are empty where all is well.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CheckReport {
    /// The data set's name.
    pub name: String,
    /// `revisited`, `classic`, `labels` or `none`.
    pub kind: String,
    /// Counts and first names.
    pub totals: Totals,
    /// Names that no picture fits. Empty where the pictures were not looked at.
    pub missing: Vec<String>,
    /// Names that fit two pictures, as sentences that name both.
    pub ambiguous: Vec<String>,
    /// What contradicts itself, as sentences.
    pub broken: Vec<String>,
    /// Pictures and folders that cannot be read, and entries that were passed over.
    pub unreadable: Vec<Skipped>,
}

/// Counts and first names of a data set. Keys that its kind of truth has no use for are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Number of images.
    pub images: usize,
    /// Number of queries (the images, where they query themselves).
    pub queries: usize,
    /// For each list (`easy`, `hard`, `junk`, `ok`) the sum of its lengths over all queries, and under
    /// `queries_without_NAME` the number of queries where it is empty.
    #[serde(flatten)]
    pub lists: BTreeMap<String, usize>,
    /// Number of classes of a labelled set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Number of classes that have one image only, so that it cannot be found by its like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes_of_one: Option<usize>,
    /// Name of the first image.
    pub first_image: Option<String>,
    /// Name of the first query.
    pub first_query: Option<String>,
    /// Box of the first query, under the name that ground truths give it.
    #[serde(rename = "first_bbx")]
    pub first_bbox: Option<[f64; 4]>,
    /// Number of pictures that were found; absent where they were not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<usize>,
}

impl CheckReport {
    /// Whether nothing is missing, ambiguous, broken or unreadable.
    pub fn is_sound(&self) -> bool {
        self.missing.is_empty()
            && self.ambiguous.is_empty()
            && self.broken.is_empty()
            && self.unreadable.is_empty()
    }
}

/// Checks a data set, best opened with [`crate::OpenOptions::unchecked`], so that everything wrong is listed. With `pictures`
/// every name is looked for; each picture found is given to `probe`, which reads its header and returns width and height
/// in pixels, or why it cannot.
pub fn check(dataset: &Dataset, pictures: Option<&PictureIndex>, probe: Probe<'_>) -> CheckReport {
    let mut report = CheckReport {
        name: dataset.name.clone(),
        kind: dataset.truth.kind().to_owned(),
        totals: totals(dataset),
        unreadable: dataset.skipped.clone(),
        ..CheckReport::default()
    };
    names_twice(dataset, &mut report);
    lists(dataset, &mut report);
    labels(dataset, &mut report);
    boxes(dataset, &mut report);
    if let Some(pictures) = pictures {
        find_pictures(dataset, pictures, probe, &mut report);
    }
    report
}

fn totals(dataset: &Dataset) -> Totals {
    let mut totals = Totals {
        images: dataset.images.len(),
        queries: dataset.query_count(),
        first_image: dataset.images.first().cloned(),
        first_query: dataset.queries.first().map(|query| query.name.clone()),
        first_bbox: dataset.queries.first().and_then(|query| query.bbox),
        ..Totals::default()
    };
    for index in 0..dataset.queries.len() {
        for (name, ids) in dataset.truth.lists(index) {
            *totals.lists.entry(name.to_owned()).or_default() += ids.len();
            *totals.lists.entry(format!("queries_without_{name}")).or_default() +=
                usize::from(ids.is_empty());
        }
    }
    if let Truth::Labels {
        images, class_names, ..
    } = &dataset.truth
    {
        let mut sizes: HashMap<usize, usize> = HashMap::new();
        for class in images {
            *sizes.entry(*class).or_default() += 1;
        }
        totals.classes = Some(class_names.len());
        totals.classes_of_one = Some(sizes.values().filter(|size| **size == 1).count());
    }
    totals
}

fn names_twice(dataset: &Dataset, report: &mut CheckReport) {
    let queries: Vec<&str> = dataset.queries.iter().map(|query| query.name.as_str()).collect();
    let images: Vec<&str> = dataset.images.iter().map(String::as_str).collect();
    // One picture may be several queries, with several boxes: only the same picture with the same box is a repeat.
    let mut seen = HashMap::new();
    for (index, name) in images.iter().enumerate() {
        if let Some(first) = seen.insert(*name, index) {
            report
                .broken
                .push(format!("Image {index} has the name \"{name}\" of image {first}."));
        }
        if name.is_empty() {
            report.broken.push(format!("Image {index} has an empty name."));
        }
    }
    let mut seen = HashMap::new();
    for (index, name) in queries.iter().enumerate() {
        let bbox = dataset.queries[index].bbox.map(|sides| sides.map(f64::to_bits));
        if let Some(first) = seen.insert((*name, bbox), index) {
            report
                .broken
                .push(format!("Query {index} (\"{name}\") repeats query {first}."));
        }
        if name.is_empty() {
            report.broken.push(format!("Query {index} has an empty name."));
        }
    }
}

fn lists(dataset: &Dataset, report: &mut CheckReport) {
    let count = match &dataset.truth {
        Truth::Revisited(all) => all.len(),
        Truth::Classic(all) => all.len(),
        Truth::Labels { .. } | Truth::None => return,
    };
    if count != dataset.queries.len() {
        let queries = dataset.queries.len();
        report
            .broken
            .push(format!("There are {queries} queries but {count} ground truths."));
    }
    for (index, query) in dataset.queries.iter().enumerate() {
        let whose = format!("query {index} (\"{}\")", query.name);
        let mut places: HashMap<u32, &str> = HashMap::new();
        for (list, ids) in dataset.truth.lists(index) {
            for id in ids {
                let Some(name) = dataset.images.get(*id as usize) else {
                    report.broken.push(format!(
                        "The {list} list of {whose} names image {id}, but there are only {}.",
                        dataset.images.len()
                    ));
                    continue;
                };
                match places.insert(*id, list) {
                    Some(other) if other == list => report.broken.push(format!(
                        "The {list} list of {whose} names image {id} (\"{name}\") twice."
                    )),
                    Some(other) => report.broken.push(format!(
                        "Image {id} (\"{name}\") is both in the {other} and in the {list} list of {whose}."
                    )),
                    None => {}
                }
            }
        }
        let positives = dataset.truth.lists(index);
        let has_positive = positives
            .iter()
            .any(|(list, ids)| *list != "junk" && !ids.is_empty());
        if !positives.is_empty() && !has_positive {
            report
                .broken
                .push(format!("There is no image that answers {whose}."));
        }
    }
}

fn labels(dataset: &Dataset, report: &mut CheckReport) {
    let Truth::Labels {
        images,
        queries,
        class_names,
    } = &dataset.truth
    else {
        return;
    };
    if images.len() != dataset.images.len() {
        let (images, labels) = (dataset.images.len(), images.len());
        report
            .broken
            .push(format!("There are {images} images but {labels} labels."));
    }
    let mut answered = vec![false; class_names.len()];
    for (index, class) in images.iter().enumerate() {
        match answered.get_mut(*class) {
            Some(slot) => *slot = true,
            None => report.broken.push(format!(
                "Image {index} is of class {class}, which does not exist."
            )),
        }
    }
    for (query, class) in dataset.queries.iter().zip(queries.iter().flatten()) {
        if answered.get(*class) != Some(&true) {
            let name = class_names.get(*class).map_or("?", String::as_str);
            report.broken.push(format!(
                "There is no image of class \"{name}\" for query \"{}\".",
                query.name
            ));
        }
    }
}

fn boxes(dataset: &Dataset, report: &mut CheckReport) {
    for (index, query) in dataset.queries.iter().enumerate() {
        let Some([left, top, right, bottom]) = query.bbox else {
            continue;
        };
        let whose = format!(
            "The box {left}, {top}, {right}, {bottom} of query {index} (\"{}\")",
            query.name
        );
        if ![left, top, right, bottom].iter().all(|side| side.is_finite()) {
            report.broken.push(format!("{whose} is not finite."));
        } else if right <= left || bottom <= top {
            report.broken.push(format!("{whose} is empty."));
        }
    }
}

fn find_pictures(dataset: &Dataset, pictures: &PictureIndex, probe: Probe<'_>, report: &mut CheckReport) {
    for skipped in pictures.skipped() {
        if !report.unreadable.contains(skipped) {
            report.unreadable.push(skipped.clone());
        }
    }
    let mut sizes: HashMap<usize, Option<(u32, u32)>> = HashMap::new();
    let mut names: HashMap<usize, &str> = HashMap::new();
    let mut found = 0;
    let queries = dataset
        .queries
        .iter()
        .map(|query| (query.name.as_str(), query.bbox, true));
    let images = dataset.images.iter().map(|name| (name.as_str(), None, false));
    for (name, bbox, is_query) in images.chain(queries) {
        let index = match pictures.position(name) {
            Ok(Some(index)) => index,
            Ok(None) => {
                report.missing.push(name.to_owned());
                continue;
            }
            Err(error @ DatasetError::Ambiguous { .. }) => {
                report.ambiguous.push(error.to_string());
                continue;
            }
            Err(error) => {
                report.broken.push(error.to_string());
                continue;
            }
        };
        found += 1;
        if !is_query && let Some(other) = names.insert(index, name).filter(|other| *other != name) {
            let path = &pictures.relative_paths()[index];
            report.ambiguous.push(format!(
                "The names \"{other}\" and \"{name}\" both fit the one picture {}.",
                path.display()
            ));
        }
        let path = pictures.root().join(&pictures.relative_paths()[index]);
        let size = *sizes.entry(index).or_insert_with(|| match probe(&path) {
            Ok(size) => Some(size),
            Err(reason) => {
                report.unreadable.push(Skipped { path, reason });
                None
            }
        });
        if let (Some((width, height)), Some([left, top, right, bottom])) = (size, bbox) {
            let outside =
                left >= f64::from(width) || top >= f64::from(height) || right <= 0.0 || bottom <= 0.0;
            if outside {
                report.broken.push(format!(
                    "The box {left}, {top}, {right}, {bottom} of query \"{name}\" lies outside its picture of {width} x {height} pixels."
                ));
            }
        }
    }
    report.totals.found = Some(found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Query, RevisitedLists};
    use std::cell::Cell;

    fn query(name: &str, bbox: [f64; 4]) -> Query {
        Query {
            name: name.to_owned(),
            bbox: Some(bbox),
        }
    }

    #[test]
    fn everything_broken_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.jpg", "b.jpg", "q.jpg", "x/c.jpg", "y/c.jpg"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        let lists = |easy: &[u32], junk: &[u32]| RevisitedLists {
            easy: easy.to_vec(),
            hard: vec![],
            junk: junk.to_vec(),
        };
        let set = Dataset {
            name: "test".into(),
            images: ["a", "b", "a", "c", "gone"].map(str::to_owned).to_vec(),
            queries: vec![
                query("q", [0., 0., 10., 10.]),
                query("q", [5., 5., 5., 9.]),
                query("q", [90., 0., 99., 9.]),
            ],
            truth: Truth::Revisited(vec![
                lists(&[0, 9, 1, 1], &[0]),
                lists(&[], &[2]),
                lists(&[1], &[]),
            ]),
            ..Dataset::default()
        };
        assert!(set.validate().is_err());
        let index = PictureIndex::scan(folder.path()).unwrap();
        let probed = Cell::new(0);
        let report = check(&set, Some(&index), &|path| {
            probed.set(probed.get() + 1);
            if path.ends_with("b.jpg") {
                Err("It is empty.".to_owned())
            } else {
                Ok((50, 50))
            }
        });
        assert_eq!(report.missing, ["gone"]);
        assert_eq!(report.ambiguous.len(), 1);
        assert_eq!(probed.get(), 3, "each picture once");
        assert!(report.unreadable.len() == 1 && report.unreadable[0].path.ends_with("b.jpg"));
        for part in [
            "Image 2 has the name \"a\"",
            "names image 9",
            "(\"b\") twice",
            "both in the easy and in the junk",
            "no image that answers query 1",
            "is empty",
            "lies outside",
        ] {
            assert_eq!(
                report.broken.iter().filter(|line| line.contains(part)).count(),
                1,
                "{part}"
            );
        }
        assert_eq!(report.broken.len(), 7, "{:?}", report.broken);
        assert_eq!(
            (
                report.totals.lists["easy"],
                report.totals.lists["queries_without_easy"]
            ),
            (5, 1)
        );
        assert!(!report.is_sound());
    }
}
