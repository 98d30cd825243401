//! Ground truths in the form of revisitop's `gnd_*.pkl`, `gnd_*.mat` and the same as JSON.
//!
//! A dict with `imlist`, `qimlist` (names) and `gnd`: one entry a query with `bbx` and lists of indices into
//! `imlist`: `easy`, `hard`, `junk`, or `ok`, `junk` in classic sets. Pickles and JSON count from 0, Matlab from 1.
//! Source: filipradenovic/revisitop, `python/dataset.py` and `matlab/configdataset.m`.

use crate::plain_values::{field, indices, numbers, texts};
use crate::{ClassicLists, Dataset, Query, RevisitedLists, Truth};
use sightline_checkpoint::Value;

/// Whether a value has the parts of a ground truth.
pub fn is_ground_truth(value: &Value) -> bool {
    ["imlist", "gnd"].iter().all(|key| value.get(key).is_some())
}

/// The data set of a ground truth. `first_index` is what the file calls the first image: 0 in pickles and JSON, 1 in
/// Matlab files.
///
/// # Errors
/// A sentence part that names what is missing or wrong, and in which query. Indices beyond the images are left to
/// [`Dataset::validate`].
pub fn from_value(value: &Value, name: &str, first_index: u32) -> Result<Dataset, String> {
    let part = |key: &str| value.get(key).ok_or_else(|| format!("it has no \"{key}\""));
    let images = texts(part("imlist")?).map_err(|reason| format!("in imlist, {reason}"))?;
    let names = texts(part("qimlist")?).map_err(|reason| format!("in qimlist, {reason}"))?;
    let entries = entries(part("gnd")?)?;
    if entries.len() != names.len() {
        return Err(format!(
            "qimlist names {} queries, but gnd has {} entries",
            names.len(),
            entries.len()
        ));
    }
    // As dirtorch, which looks at the first query only.
    let is_classic = entries.first().is_some_and(|entry| field(entry, "ok").is_some());
    let mut queries = Vec::with_capacity(names.len());
    let (mut classic, mut revisited) = (Vec::new(), Vec::new());
    for (index, (name, entry)) in names.into_iter().zip(&entries).enumerate() {
        let place = |reason: String| format!("in query {index} (\"{name}\"), {reason}");
        let list = |key: &str, may_lack: bool| match field(entry, key) {
            Some(list) => indices(list, first_index).map_err(|reason| place(format!("list {key}: {reason}"))),
            None if may_lack => Ok(Vec::new()),
            None => Err(place(format!("the list {key} is missing"))),
        };
        // A ground truth without junk has none.
        let junk = list("junk", true)?;
        if is_classic {
            let ok = list("ok", false)?;
            classic.push(ClassicLists { ok, junk });
        } else {
            let (easy, hard) = (list("easy", false)?, list("hard", false)?);
            revisited.push(RevisitedLists { easy, hard, junk });
        }
        let bbox = field(entry, "bbx").map_or(Ok(None), bbox).map_err(place)?;
        queries.push(Query { name, bbox });
    }
    Ok(Dataset {
        name: name.to_owned(),
        root: None,
        images,
        queries,
        truth: if is_classic {
            Truth::Classic(classic)
        } else {
            Truth::Revisited(revisited)
        },
        skipped: Vec::new(),
    })
}

/// One value for each query: a list of dicts, or the elements of a Matlab structure array.
fn entries(gnd: &Value) -> Result<Vec<Value>, String> {
    match gnd {
        Value::Struct(all) => Ok(all
            .items
            .iter()
            .map(|values| Value::dict(all.fields.iter().zip(values.iter().cloned())))
            .collect()),
        Value::Cell(cell) => Ok(cell.items.clone()),
        _ => gnd
            .as_list()
            .map(<[Value]>::to_vec)
            .ok_or_else(|| format!("gnd is {}, no list", gnd.kind())),
    }
}

fn bbox(value: &Value) -> Result<Option<[f64; 4]>, String> {
    if matches!(value, Value::None) {
        return Ok(None);
    }
    let sides = numbers(value).map_err(|reason| format!("box bbx: {reason}"))?;
    match sides[..] {
        // Matlab writes "no box" as an empty matrix.
        [] => Ok(None),
        [left, top, right, bottom] if sides.iter().all(|side| side.is_finite()) => {
            Ok(Some([left, top, right, bottom]))
        }
        _ => Err(format!("the box bbx is {sides:?}, not four finite numbers")),
    }
}

/// dirtorch's name of a picture: with `ext` where it has no ending of its own. Source: dirtorch
/// `datasets/generic.py`, `ImageListRelevants`.
pub fn with_ending(name: &str, ext: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    // As Python's splitext: points at the beginning of a name begin no ending.
    let has_ending = file.trim_start_matches('.').contains('.');
    if has_ending {
        name.to_owned()
    } else {
        format!("{name}{ext}")
    }
}

/// How a query's images are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// ok | junk.
    Classic,
    /// easy | junk, hard ignored.
    Easy,
    /// easy, hard | junk.
    Medium,
    /// hard | junk, easy ignored.
    Hard,
}

/// dirtorch's truth vector of a query: 1 for positives, 0 for ignored, -1 for all other images; an image that is
/// both positive and ignored is ignored. Shape: as many as there are images. `None` where the set has no lists of that
/// setup.
///
/// Source: dirtorch `datasets/generic.py`, `get_query_groundtruth`.
pub fn truth_vector(dataset: &Dataset, query: usize, setup: Setup) -> Option<Vec<i8>> {
    let (positive, ignored): (Vec<&[u32]>, Vec<&[u32]>) = match (&dataset.truth, setup) {
        (Truth::Classic(all), Setup::Classic) => {
            let lists = all.get(query)?;
            (vec![&lists.ok], vec![&lists.junk])
        }
        (Truth::Revisited(all), setup) => {
            let lists = all.get(query)?;
            match setup {
                Setup::Easy => (vec![&lists.easy], vec![&lists.junk, &lists.hard]),
                Setup::Medium => (vec![&lists.easy, &lists.hard], vec![&lists.junk]),
                Setup::Hard => (vec![&lists.hard], vec![&lists.junk, &lists.easy]),
                Setup::Classic => return None,
            }
        }
        _ => return None,
    };
    let mut truth = vec![-1; dataset.images.len()];
    for (lists, mark) in [(positive, 1), (ignored, 0)] {
        for index in lists.into_iter().flatten() {
            if let Some(slot) = truth.get_mut(*index as usize) {
                *slot = mark;
            }
        }
    }
    Some(truth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plain_values::from_json;

    fn read(json: serde_json::Value) -> Result<Dataset, String> {
        from_value(&from_json(&json), "test", 0)
    }

    #[test]
    fn lists_and_boxes_of_both_kinds() {
        let set = read(serde_json::json!({"imlist": ["a", "b"], "qimlist": ["q"],
            "gnd": [{"bbx": [1, 2.5, 3, 4], "easy": [[0], [1]], "hard": [], "junk": []}]}))
        .unwrap();
        assert_eq!(set.queries[0].bbox, Some([1.0, 2.5, 3.0, 4.0]));
        let Truth::Revisited(lists) = &set.truth else {
            panic!("not revisited")
        };
        assert_eq!(lists[0].easy, [0, 1]);
        let set = read(serde_json::json!({"imlist": ["a"], "qimlist": ["q"], "gnd": [{"ok": [0]}]})).unwrap();
        assert_eq!(
            set.truth,
            Truth::Classic(vec![ClassicLists {
                ok: vec![0],
                junk: vec![]
            }])
        );
        assert_eq!(set.queries[0].bbox, None);
    }

    #[test]
    fn errors_name_the_query() {
        let reason = |gnd: serde_json::Value| {
            read(serde_json::json!({"imlist": ["a"], "qimlist": ["q1"], "gnd": [gnd]})).unwrap_err()
        };
        let negative = reason(serde_json::json!({"easy": [-1], "hard": []}));
        assert!(negative.contains("q1") && negative.contains("easy"), "{negative}");
        assert!(reason(serde_json::json!({"easy": [0]})).contains("hard"));
        assert!(reason(serde_json::json!({"ok": [], "bbx": [1, 2, 3]})).contains("bbx"));
        assert!(reason(serde_json::json!({"ok": [0.5]})).contains("0.5"));
        assert!(read(serde_json::json!({"imlist": [], "qimlist": ["q"], "gnd": []})).is_err());
    }

    #[test]
    fn endings_are_appended_where_there_is_none() {
        assert_eq!(with_ending("a/b", ".jpg"), "a/b.jpg");
        assert_eq!(with_ending("a.d/b", ".jpg"), "a.d/b.jpg");
        assert_eq!(with_ending("b.png", ".jpg"), "b.png");
        assert_eq!(with_ending(".b", ".jpg"), ".b.jpg");
    }
}
