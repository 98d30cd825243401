//! The classic Oxford5k and Paris6k ground truth as its makers published it: text files beside one another.
//!
//! For each query NAME: `NAME_query.txt` (picture and box), `NAME_good.txt`, `NAME_ok.txt`, `NAME_junk.txt`
//! (picture names without ending, one a line). Source: Philbin et al. 2007, the data set's `README`.

use crate::text_lines::{read_text, stripped};
use crate::{ClassicLists, Dataset, DatasetError, PictureIndex, Query, Truth};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

const WHAT: &str = "a classic ground truth";

/// Whether a folder holds such files: at least one `NAME_query.txt` with its `NAME_good.txt`.
pub fn is_classic_folder(folder: &Path) -> bool {
    query_names(folder).is_ok_and(|names| {
        names
            .first()
            .is_some_and(|name| folder.join(format!("{name}_good.txt")).is_file())
    })
}

/// Reads the text files in `folder`. The texts do not say which other images there are; `pictures` does. Without it
/// the images are those that some list names. Images that a list names and `pictures` lacks are appended, so that the
/// number of positives stays the published one.
///
/// # Errors
/// If a file is missing or not in the form, or a name fits two pictures.
pub fn read(folder: &Path, name: &str, pictures: Option<&PictureIndex>) -> Result<Dataset, DatasetError> {
    let names = query_names(folder)?;
    if names.is_empty() {
        return Err(DatasetError::malformed(
            folder,
            WHAT,
            "it has no file NAME_query.txt",
        ));
    }
    let mut queries = Vec::with_capacity(names.len());
    let mut listed = Vec::with_capacity(names.len());
    for query in &names {
        queries.push(read_query(&folder.join(format!("{query}_query.txt")))?);
        let list = |kind: &str| read_list(&folder.join(format!("{query}_{kind}.txt")));
        let mut ok = list("good")?;
        ok.extend(list("ok")?);
        listed.push((ok, list("junk")?));
    }
    let all: BTreeSet<&String> = listed
        .iter()
        .flat_map(|(ok, junk)| ok.iter().chain(junk))
        .collect();
    let mut images: Vec<String> = Vec::new();
    let mut places: HashMap<&String, u32> = HashMap::new();
    if let Some(pictures) = pictures {
        let texts = pictures
            .relative_paths()
            .iter()
            .map(|path| path.to_string_lossy().into_owned());
        images.extend(texts);
    }
    for name in all {
        let known = pictures.map_or(Ok(None), |pictures| pictures.position(name))?;
        let place = known.unwrap_or_else(|| {
            images.push(name.clone());
            images.len() - 1
        });
        let place = u32::try_from(place)
            .map_err(|_| DatasetError::malformed(folder, WHAT, "it has more than 2^32 images"))?;
        places.insert(name, place);
    }
    let indices = |names: &[String]| names.iter().map(|name| places[name]).collect();
    let lists = listed.iter().map(|(ok, junk)| ClassicLists {
        ok: indices(ok),
        junk: indices(junk),
    });
    Ok(Dataset {
        name: name.to_owned(),
        root: pictures.map(|pictures| pictures.root().to_path_buf()),
        truth: Truth::Classic(lists.collect()),
        images,
        queries,
        skipped: Vec::new(),
    })
}

/// The names of the queries, sorted.
fn query_names(folder: &Path) -> Result<Vec<String>, DatasetError> {
    let entries = std::fs::read_dir(folder).map_err(|error| DatasetError::io(folder, error))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix("_query.txt")?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// One line: the picture's name and the box. Oxford's names carry a prefix that is not part of the file name.
fn read_query(path: &Path) -> Result<Query, DatasetError> {
    let text = read_text(path)?;
    let wrong = || {
        DatasetError::malformed(
            path,
            WHAT,
            format!("\"{}\" is no picture name and four numbers", text.trim()),
        )
    };
    let mut columns = text.split_whitespace();
    let name = columns.next().ok_or_else(wrong)?;
    let sides: Vec<f64> = columns
        .map(|column| column.parse().ok().filter(|side: &f64| side.is_finite()))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    let bbox = <[f64; 4]>::try_from(sides).map_err(|_| wrong())?;
    Ok(Query {
        name: name.strip_prefix("oxc1_").unwrap_or(name).to_owned(),
        bbox: Some(bbox),
    })
}

fn read_list(path: &Path) -> Result<Vec<String>, DatasetError> {
    let text = read_text(path)?;
    let names = stripped(&text).into_iter().filter(|line| !line.is_empty());
    Ok(names.map(str::to_owned).collect())
}

/// Where the pictures of a ground truth are commonly kept: `jpg`, `images` or `oxbuild_images` in its folder or beside
/// it.
pub(crate) fn picture_folder(folder: &Path) -> Option<PathBuf> {
    let beside = folder.parent().filter(|parent| *parent != Path::new(""));
    let around = [Some(folder), beside].into_iter().flatten();
    around
        .flat_map(|around| ["jpg", "images", "oxbuild_images", "paris"].map(|name| around.join(name)))
        .find(|path| path.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn good_and_ok_are_positive_and_missing_pictures_stay_in_the_lists() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(
            root,
            &[
                ("gt/all_1_query.txt", "oxc1_all_000013 136.5 34.1 648.5 955.7\n"),
                ("gt/all_1_good.txt", "b\na\n"),
                ("gt/all_1_ok.txt", "gone\n"),
                ("gt/all_1_junk.txt", "\n"),
                ("jpg/a.jpg", ""),
                ("jpg/b.jpg", ""),
                ("jpg/c.jpg", ""),
            ],
        );
        let gt = root.join("gt");
        assert!(is_classic_folder(&gt) && !is_classic_folder(root));
        let pictures = PictureIndex::scan(&picture_folder(&gt).unwrap()).unwrap();
        let set = read(&gt, "oxford5k", Some(&pictures)).unwrap();
        assert_eq!(set.images, ["a.jpg", "b.jpg", "c.jpg", "gone"]);
        assert_eq!(set.queries[0].name, "all_000013");
        assert_eq!(set.queries[0].bbox, Some([136.5, 34.1, 648.5, 955.7]));
        let lists = ClassicLists {
            ok: vec![1, 0, 3],
            junk: vec![],
        };
        assert_eq!(set.truth, Truth::Classic(vec![lists]));
        let set = read(&gt, "oxford5k", None).unwrap();
        assert_eq!(set.images, ["a", "b", "gone"]);

        write(root, &[("gt/all_1_query.txt", "oxc1_all_000013 1 2 x 4\n")]);
        assert!(
            read(&gt, "x", None)
                .unwrap_err()
                .to_string()
                .contains("four numbers")
        );
        std::fs::remove_file(gt.join("all_1_ok.txt")).unwrap();
        write(root, &[("gt/all_1_query.txt", "q 1 2 3 4")]);
        assert!(
            read(&gt, "x", None)
                .unwrap_err()
                .to_string()
                .contains("all_1_ok.txt")
        );
    }
}
