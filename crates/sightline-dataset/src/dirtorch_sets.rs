//! dirtorch's data sets by name or expression: `ROxford5K`, `ImageList("list.txt", "root")`.
//!
//! Source: naver/deep-image-retrieval, `dirtorch/datasets/generic.py`, `oxford.py`, `paris.py`, `landmarks.py`,
//! `landmarks18.py`; `create.py` evaluates the text, here it is parsed.

use crate::data_roots::{data_roots, db_root};
use crate::did_you_mean::suggestion;
use crate::dirtorch_lists;
use crate::expression::{Argument, Expression};
use crate::open::{labelled, labelled_file, name_of, open_file};
use crate::text_lines::read_text;
use crate::{Dataset, DatasetError, OpenOptions, ground_truth, known_sets};
use std::path::{Path, PathBuf};

/// dirtorch's data set classes.
pub const EXPRESSION_NAMES: &[&str] = &[
    "ImageList",
    "ImageListLabels",
    "ImageListLabelsQ",
    "ImageListRelevants",
    "ImageClusters",
    "NullCluster",
    "Oxford5K",
    "ROxford5K",
    "Paris6K",
    "RParis6K",
    "Landmarks_clean",
    "Landmarks_clean_val",
    "Landmarks_lite",
    "Landmarks18",
    "Landmarks18_train",
    "Landmarks18_lite",
    "Landmarks18_mid",
    "Landmarks18_5K",
    "Landmarks18_val",
    "Landmarks18_valdstr",
    "Landmarks18_index",
    "Landmarks18_new_index",
    "Landmarks18_test",
    "Landmarks18_pca",
    "Landmarks18_missing_index",
];

/// Lists that dirtorch keeps under its root: class, folder, list in it, whether it has labels.
const LISTS: &[(&str, &str, &str, bool)] = &[
    (
        "Landmarks_clean",
        "landmarks",
        "annotations/annotation_clean_train.txt",
        true,
    ),
    (
        "Landmarks_clean_val",
        "landmarks",
        "annotations/annotation_clean_val.txt",
        true,
    ),
    (
        "Landmarks_lite",
        "landmarks",
        "annotations/extra_landmark_images.txt",
        true,
    ),
    ("Landmarks18", "landmarks18", "lists/train_all.txt", true),
    ("Landmarks18_train", "landmarks18", "lists/train.txt", true),
    ("Landmarks18_lite", "landmarks18", "lists/train_lite.txt", true),
    ("Landmarks18_mid", "landmarks18", "lists/train_mid.txt", true),
    ("Landmarks18_5K", "landmarks18", "lists/train_5K.txt", true),
    ("Landmarks18_val", "landmarks18", "lists/val.txt", true),
    (
        "Landmarks18_valdstr",
        "landmarks18",
        "lists/val_distractors.txt",
        true,
    ),
    ("Landmarks18_index", "landmarks18", "lists/index.txt", false),
    (
        "Landmarks18_new_index",
        "landmarks18",
        "lists/index_new.txt",
        false,
    ),
    ("Landmarks18_test", "landmarks18", "lists/test.txt", false),
    ("Landmarks18_pca", "landmarks18", "lists/train_pca.txt", false),
    (
        "Landmarks18_missing_index",
        "landmarks18",
        "lists/missing_index.txt",
        false,
    ),
];

/// Opens what a name or expression means.
///
/// # Errors
/// If it does not parse, names no class of dirtorch's, or a file cannot be read.
pub(crate) fn open(text: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let root = db_root(options);
    let root = root.as_ref().map(|root| root.to_string_lossy());
    let expression = Expression::parse(text, root.as_deref())?;
    let name = expression.name.as_str();
    match name {
        "ImageList" => image_list(&expression),
        "ImageListLabels" => {
            let [list, folder] = expression.bind_texts(["img_list_path", "root"], 1)?;
            let list = list.unwrap_or_default();
            let list = Path::new(&list);
            Ok(labelled(
                labelled_file(list)?,
                None,
                &name_of(list),
                given(folder),
            ))
        }
        "ImageListLabelsQ" => {
            let [list, queries, folder] =
                expression.bind_texts(["img_list_path", "query_list_path", "root"], 2)?;
            let (list, queries) = (list.unwrap_or_default(), queries.unwrap_or_default());
            let list = Path::new(&list);
            let queries = labelled_file(Path::new(&queries))?;
            Ok(labelled(
                labelled_file(list)?,
                Some(queries),
                &name_of(list),
                given(folder),
            ))
        }
        "ImageClusters" | "NullCluster" => clusters(&expression),
        "ImageListRelevants" => {
            let [file, folder, pictures, ext] =
                expression.bind_texts(["gt_file", "root", "img_dir", "ext"], 1)?;
            relevants(
                Path::new(&file.unwrap_or_default()),
                folder.as_deref().unwrap_or(""),
                pictures.as_deref().unwrap_or("jpg"),
                ext.as_deref().unwrap_or(".jpg"),
            )
        }
        "Oxford5K" | "ROxford5K" | "Paris6K" | "RParis6K" => {
            let [] = expression.bind_texts([], 0)?;
            landmarks_of_a_town(name, options)
        }
        _ => match LISTS.iter().find(|(class, ..)| *class == name) {
            Some((_, folder, list, has_labels)) => {
                let [] = expression.bind_texts([], 0)?;
                list_under_root(name, folder, list, *has_labels, options)
            }
            None => Err(expression.wrong(format!(
                "there is no data set class {name}{} (known: {})",
                suggestion(name, EXPRESSION_NAMES.iter().copied()),
                EXPRESSION_NAMES.join(", ")
            ))),
        },
    }
}

/// A root that was given and is not empty.
fn given(root: Option<String>) -> Option<PathBuf> {
    root.filter(|root| !root.is_empty()).map(PathBuf::from)
}

fn image_list(expression: &Expression) -> Result<Dataset, DatasetError> {
    let [list, folder, images] = expression.bind(["img_list_path", "root", "imgs"], 0)?;
    let list = expression.text("img_list_path", list)?;
    let root = given(expression.text("root", folder)?);
    let (name, images) = match (images, list) {
        (Argument::List(images), _) => ("images".to_owned(), images),
        (Argument::None, Some(list)) => {
            let list = Path::new(&list);
            (name_of(list), dirtorch_lists::image_list(&read_text(list)?))
        }
        (Argument::None, None) => {
            return Err(expression.wrong("ImageList needs the argument img_list_path".to_owned()));
        }
        (other, _) => {
            return Err(expression.wrong(format!("the argument imgs is {other}, no list of texts")));
        }
    };
    Ok(Dataset {
        name,
        root,
        images,
        ..Dataset::default()
    })
}

fn clusters(expression: &Expression) -> Result<Dataset, DatasetError> {
    let is_null = expression.name == "NullCluster";
    let [json, folder, filter] = if is_null {
        let [json, folder] = expression.bind(["json_path", "root"], 1)?;
        [json, folder, Argument::None]
    } else {
        expression.bind(["json_path", "root", "filter"], 1)?
    };
    // The only filter that can be named; None would be called and fail.
    if !matches!(&filter, Argument::None) && filter != Argument::Name("not_none".to_owned()) {
        return Err(expression.wrong(format!("the filter {filter} is no other than not_none")));
    }
    let json = expression.text("json_path", json)?.unwrap_or_default();
    let path = Path::new(&json);
    let text = read_text(path)?;
    let read = if is_null {
        dirtorch_lists::null_cluster(&text)
    } else {
        dirtorch_lists::clusters(&text)
    };
    let list = read.map_err(|reason| DatasetError::malformed(path, "clusters", reason))?;
    let root = given(expression.text("root", folder)?);
    Ok(labelled(list, None, &name_of(path), root))
}

/// `Oxford5K` and its like: both ground truths lie in the classic set's folder. Where they do not, another project's tree may
/// hold them.
fn landmarks_of_a_town(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let lower = name.to_lowercase();
    for root in data_roots(name, options)? {
        let folder = root.join(lower.trim_start_matches('r'));
        let file = folder.join(format!("gnd_{lower}.pkl"));
        if file.is_file() && folder.join("jpg").is_dir() {
            let mut dataset = relevants(&file, &folder.to_string_lossy(), "jpg", ".jpg")?;
            dataset.name = lower;
            return Ok(dataset);
        }
    }
    known_sets::ground_truth(&lower, options)
}

fn list_under_root(
    name: &str,
    folder: &str,
    list: &str,
    has_labels: bool,
    options: &OpenOptions,
) -> Result<Dataset, DatasetError> {
    let roots = data_roots(name, options)?;
    let places: Vec<PathBuf> = roots.iter().map(|root| root.join(folder)).collect();
    // The first is named in the error where the list is in none.
    let found = places.iter().find(|place| place.join(list).is_file());
    let place = found.unwrap_or(&places[0]);
    let path = place.join(list);
    if has_labels {
        return Ok(labelled(labelled_file(&path)?, None, name, Some(place.clone())));
    }
    Ok(Dataset {
        name: name.to_owned(),
        root: Some(place.clone()),
        images: dirtorch_lists::image_list(&read_text(&path)?),
        ..Dataset::default()
    })
}

/// `ImageListRelevants`: names get an ending, pictures lie in ROOT/IMG_DIR.
fn relevants(file: &Path, root: &str, pictures: &str, ext: &str) -> Result<Dataset, DatasetError> {
    let mut dataset = open_file(file)?;
    let named = |name: &str| ground_truth::with_ending(name, ext);
    dataset.images.iter_mut().for_each(|name| *name = named(name));
    dataset
        .queries
        .iter_mut()
        .for_each(|query| query.name = named(&query.name));
    dataset.root = Some(PathBuf::from(dirtorch_lists::join(root, pictures)));
    Ok(dataset)
}
