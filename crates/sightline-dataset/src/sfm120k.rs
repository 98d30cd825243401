//! cirtorch's training sets: `retrieval-SfM-120k.pkl` and its like.
//!
//! Source: filipradenovic/cnnimageretrieval-pytorch, `cirtorch/datasets/traindataset.py` and `datahelpers.py`.

use crate::plain_values::{indices, texts};
use crate::{Dataset, Truth};
use sightline_checkpoint::Value;
use std::collections::HashMap;

/// One part (`train`, `val`) of a training set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sfm120k {
    /// Ids of the pictures.
    pub cids: Vec<String>,
    /// The 3D model of each picture; negatives come from other models. Empty in the sets for whitening.
    pub cluster: Vec<u32>,
    /// Query of each training pair, an index into `cids`.
    pub qidxs: Vec<u32>,
    /// Its positive.
    pub pidxs: Vec<u32>,
}

/// Whether a value is one of these: with parts, or a set for whitening.
pub fn is_sfm120k(value: &Value) -> bool {
    let part = value.get("train").unwrap_or(value);
    ["cids", "qidxs", "pidxs"]
        .iter()
        .all(|key| part.get(key).is_some())
}

impl Sfm120k {
    /// Reads part `part` of a training set, or the whole where the file has no parts (`-whiten.pkl`).
    ///
    /// # Errors
    /// Says what is missing, and which index has no picture.
    pub fn from_value(value: &Value, part: &str) -> Result<Self, String> {
        let value = match value.get(part) {
            Some(value) => value,
            None if value.get("cids").is_some() => value,
            None => return Err(format!("it has no part \"{part}\"")),
        };
        let list = |key: &str| value.get(key).ok_or_else(|| format!("it has no \"{key}\""));
        let cids = texts(list("cids")?).map_err(|reason| format!("in cids, {reason}"))?;
        let numbers = |key: &str| indices(list(key)?, 0).map_err(|reason| format!("in {key}, {reason}"));
        let out = Self {
            cluster: value
                .get("cluster")
                .map_or(Ok(Vec::new()), |_| numbers("cluster"))?,
            qidxs: numbers("qidxs")?,
            pidxs: numbers("pidxs")?,
            cids,
        };
        if out.qidxs.len() != out.pidxs.len() {
            return Err(format!(
                "it has {} queries but {} positives",
                out.qidxs.len(),
                out.pidxs.len()
            ));
        }
        if !out.cluster.is_empty() && out.cluster.len() != out.cids.len() {
            return Err(format!(
                "it has {} pictures but {} clusters",
                out.cids.len(),
                out.cluster.len()
            ));
        }
        let known = |index: &&u32| (**index as usize) >= out.cids.len();
        if let Some(index) = out.qidxs.iter().chain(&out.pidxs).find(known) {
            return Err(format!(
                "a pair names picture {index}, but there are {}",
                out.cids.len()
            ));
        }
        Ok(out)
    }

    /// The pictures as a data set, by their paths below the folder `ims`. The 3D models are their classes; a set for
    /// whitening has none.
    pub fn dataset(&self, name: &str) -> Dataset {
        let mut known = HashMap::new();
        let mut class_names = Vec::new();
        let mut labels = Vec::with_capacity(self.cluster.len());
        for cluster in &self.cluster {
            let class = *known.entry(*cluster).or_insert_with(|| {
                class_names.push(cluster.to_string());
                class_names.len() - 1
            });
            labels.push(class);
        }
        let truth = Truth::Labels {
            images: labels,
            queries: None,
            class_names,
        };
        Dataset {
            name: name.to_owned(),
            images: self.cids.iter().map(|cid| picture_path("", cid)).collect(),
            truth: if self.cluster.is_empty() {
                Truth::None
            } else {
                truth
            },
            ..Dataset::default()
        }
    }
}

/// Where the picture of a cid lies: `FOLDER/ last two characters / the two before / the two before / cid`.
pub fn picture_path(folder: &str, cid: &str) -> String {
    let characters: Vec<char> = cid.chars().collect();
    // As Python's slices, which are empty where the text is too short.
    let two = |from_end: usize| -> String {
        let end = characters.len().saturating_sub(from_end);
        characters[end.saturating_sub(2)..end].iter().collect()
    };
    let parts = [two(0), two(2), two(4), cid.to_owned()];
    parts.iter().fold(folder.to_owned(), |path, part| {
        crate::dirtorch_lists::join(&path, part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plain_values::from_json;

    #[test]
    fn pairs_must_name_pictures() {
        let read = |json| Sfm120k::from_value(&from_json(&json), "train");
        let set =
            serde_json::json!({"train": {"cids": ["a", "b"], "cluster": [0, 1], "qidxs": [0], "pidxs": [1]}});
        assert_eq!(read(set).unwrap().pidxs, [1]);
        let whiten = serde_json::json!({"cids": ["a"], "qidxs": [0], "pidxs": [0]});
        assert!(read(whiten).unwrap().cluster.is_empty());
        let outside = serde_json::json!({"cids": ["a"], "qidxs": [0], "pidxs": [1]});
        assert!(read(outside).unwrap_err().contains("picture 1"));
        assert!(read(serde_json::json!({"val": {}})).is_err());
    }

    #[test]
    fn pictures_lie_by_their_last_characters() {
        assert_eq!(picture_path("ims", "0123456789ab"), "ims/ab/89/67/0123456789ab");
    }
}
