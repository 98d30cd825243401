//! Google Landmarks v2: `train.csv` and `train_clean.csv` as Token reads them.
//!
//! Source: MCC-WH/Token, `Dataset/configdataset.py`; the data set's own README for the columns.

use crate::dirtorch_lists::join;
use std::collections::{BTreeSet, HashMap};

/// Pictures of the cleaned training set with renumbered labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanTrain {
    /// Ids of the pictures, in the order of the file.
    pub ids: Vec<String>,
    /// Label of each, counted from 0.
    pub labels: Vec<usize>,
    /// Landmark ids by label. They are sorted as **text** ("104169" < "142820" < "7").
    pub landmarks: Vec<String>,
}

/// Reads `train_clean.csv`: columns `landmark_id` and `images` (ids by blanks). An id that stands twice keeps its
/// place and takes the later landmark.
///
/// # Errors
/// If a column is missing or a row is broken.
pub fn clean_train(text: &str) -> Result<CleanTrain, String> {
    let mut ids: Vec<String> = Vec::new();
    let mut landmarks_of: Vec<String> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for [landmark, images] in columns(text, ["landmark_id", "images"])? {
        for id in images.split(' ').filter(|id| !id.is_empty()) {
            match places.get(id) {
                Some(place) => landmarks_of[*place].clone_from(&landmark),
                None => {
                    places.insert(id.to_owned(), ids.len());
                    ids.push(id.to_owned());
                    landmarks_of.push(landmark.clone());
                }
            }
        }
    }
    let landmarks: Vec<String> = landmarks_of
        .iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .cloned()
        .collect();
    let label = |landmark: &String| landmarks.partition_point(|other| other < landmark);
    Ok(CleanTrain {
        labels: landmarks_of.iter().map(label).collect(),
        ids,
        landmarks,
    })
}

/// Reads `train.csv` (columns `id`, `url`, `landmark_id`): ids, sorted, and the landmark of each.
///
/// # Errors
/// If a column is missing, a row is broken, or a landmark is no whole number.
pub fn train(text: &str) -> Result<Vec<(String, i64)>, String> {
    let mut all = Vec::new();
    for [id, landmark] in columns(text, ["id", "landmark_id"])? {
        let number = landmark.trim().parse();
        all.push((
            id,
            number.map_err(|_| format!("the landmark \"{landmark}\" is no whole number"))?,
        ));
    }
    all.sort();
    Ok(all)
}

/// Where the picture of an id lies: `FOLDER/a/b/c/abc....jpg` by its first three characters.
pub fn picture_path(folder: &str, id: &str) -> String {
    let mut path = folder.to_owned();
    for letter in id.chars().take(3) {
        path = join(&path, &letter.to_string());
    }
    join(&path, &format!("{id}.jpg"))
}

/// The named columns of each row.
fn columns<const N: usize>(text: &str, names: [&str; N]) -> Result<Vec<[String; N]>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut places = [0; N];
    for (place, name) in places.iter_mut().zip(names) {
        *place = headers
            .iter()
            .position(|header| header == name)
            .ok_or_else(|| format!("it has no column \"{name}\""))?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        rows.push(places.map(|place| record.get(place).unwrap_or_default().to_owned()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_are_sorted_as_text() {
        let clean = clean_train("landmark_id,images\n7,a b\n104169,c\n7,c\n").unwrap();
        assert_eq!(clean.ids, ["a", "b", "c"]);
        assert_eq!(clean.landmarks, ["7"]);
        let clean = clean_train("landmark_id,images\n7,a b\n104169,c\n").unwrap();
        assert_eq!(clean.labels, [1, 1, 0]);
        assert!(
            clean_train("landmark,images\n")
                .unwrap_err()
                .contains("landmark_id")
        );
    }

    #[test]
    fn quoted_addresses_may_hold_commas() {
        let all = train("id,url,landmark_id\nb,\"http://x/a,b\",3\na,u,10\n").unwrap();
        assert_eq!(all, [("a".to_owned(), 10), ("b".to_owned(), 3)]);
        assert!(train("id,url,landmark_id\nb,u,x\n").unwrap_err().contains('x'));
        assert!(train("id,url,landmark_id\nb,u\n").is_err());
        assert_eq!(picture_path("train", "abcd"), "train/a/b/c/abcd.jpg");
    }
}
