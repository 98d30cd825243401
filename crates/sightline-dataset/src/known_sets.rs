//! Data sets by name, in the folder trees of the projects that are used with them.
//!
//! | project | ground truth of `roxford5k` | its pictures |
//! |---|---|---|
//! | dirtorch (`$DB_ROOT`) | `oxford5k/gnd_roxford5k.pkl` | `oxford5k/jpg` |
//! | cirtorch (`data`) | `test/roxford5k/gnd_roxford5k.pkl` | `test/roxford5k/jpg`, a link to `test/oxford5k/jpg` |
//! | revisitop (`data`) | `datasets/roxford5k/gnd_roxford5k.mat`, `.pkl` | `datasets/roxford5k/jpg` |
//! | Token (`data`) | `Roxf-Rparis/roxford5k/gnd_roxford5k.pkl` or under `test` | `jpg` beside it |
//! | CSA (`data`) | `annotations/roxford5k/gnd_roxford5k.pkl` | none: it keeps descriptors |
//!
//! Sources: cirtorch `utils/download.py`, `datasets/testdataset.py`, `datasets/traindataset.py`; revisitop
//! `python/dataset.py`; Token `test.py`, `train.py` and README; CSA `test.py`, `Dataset/ImageFromList.py` and README.

use crate::data_roots::data_roots;
use crate::dirtorch_lists::Label;
use crate::open::{labelled, open_classic, open_file};
use crate::sfm120k::Sfm120k;
use crate::text_lines::read_text;
use crate::{Dataset, DatasetError, OpenOptions, cub, dirtorch_lists, gldv2, oxford_text, revisitop1m, sop};
use std::path::{Path, PathBuf};

/// Names that are looked for under the data root, whatever their case.
pub const KNOWN_NAMES: &[&str] = &[
    "oxford5k",
    "paris6k",
    "roxford5k",
    "rparis6k",
    "revisitop1m",
    "cars196",
    "cub200",
    "sop",
    "gldv2-train",
    "gldv2-clean",
    "gldv2-clean-train",
    "gldv2-clean-val",
    "retrieval-SfM-120k",
    "retrieval-SfM-120k-val",
    "retrieval-SfM-120k-whiten",
    "retrieval-SfM-30k-whiten",
];

/// Where below a data root the projects keep their sets. The root may also be the project's own folder.
const PLACES: &[&str] = &[
    "",
    "test",
    "train",
    "datasets",
    "Roxf-Rparis",
    "annotations",
    "groundtruth",
    "data",
    "data/test",
    "data/train",
    "data/datasets",
    "data/Roxf-Rparis",
    "data/annotations",
];

/// Opens a known name; `None` where `name` is none.
pub(crate) fn open(name: &str, options: &OpenOptions) -> Option<Result<Dataset, DatasetError>> {
    let name = KNOWN_NAMES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))?;
    Some(match *name {
        "cars196" => cars(name, options),
        "cub200" => birds(name, options),
        "sop" => products(name, options),
        "revisitop1m" => distractors(name, options),
        "gldv2-train" | "gldv2-clean" => landmarks(name, options),
        "gldv2-clean-train" | "gldv2-clean-val" => landmarks_split(name, options),
        "retrieval-SfM-120k" => training_pairs(name, name, "train", options),
        "retrieval-SfM-120k-val" => training_pairs(name, "retrieval-SfM-120k", "val", options),
        "retrieval-SfM-120k-whiten" | "retrieval-SfM-30k-whiten" => {
            training_pairs(name, name, "train", options)
        }
        _ => ground_truth(name, options),
    })
}

/// The folders `PLACE/FOLDER` below all data roots, in the order in which they are looked into.
fn folders(name: &str, inside: &[&str], options: &OpenOptions) -> Result<Vec<PathBuf>, DatasetError> {
    let mut all = Vec::new();
    for root in data_roots(name, options)? {
        for place in PLACES {
            all.extend(inside.iter().map(|folder| root.join(place).join(folder)));
        }
    }
    Ok(all)
}

/// The first of the files `FOLDER/FILE` that exists; the error names one that was expected.
fn first_file(name: &str, folders: &[PathBuf], files: &[String]) -> Result<PathBuf, DatasetError> {
    let mut candidates = folders
        .iter()
        .flat_map(|folder| files.iter().map(move |file| folder.join(file)));
    candidates
        .find(|file| file.is_file())
        .ok_or_else(|| missing(name, folders, files))
}

fn missing(name: &str, folders: &[PathBuf], files: &[String]) -> DatasetError {
    let expected = folders
        .first()
        .zip(files.first())
        .map(|(folder, file)| folder.join(file).display().to_string());
    DatasetError::Unknown {
        spec: name.to_owned(),
        reason: format!(
            "under the data root there is neither {} nor another of its usual places (below {}); `sightline dataset list` says what can be downloaded",
            expected.unwrap_or_default(),
            PLACES[1..].join(", ")
        ),
    }
}

/// Oxford and Paris, classic and revisited: `name` in lower case.
pub(crate) fn ground_truth(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let plain = name.trim_start_matches('r');
    // A revisited set shares its pictures with the classic one, and dirtorch keeps both ground truths there.
    let folders = folders(name, &[name, plain, ""], options)?;
    let files = ["pkl", "mat", "json"].map(|ending| format!("gnd_{name}.{ending}"));
    let error = match first_file(name, &folders, &files) {
        Ok(file) => {
            let mut dataset = open_file(&file)?;
            name.clone_into(&mut dataset.name);
            let named = folders.iter().filter(|folder| folder.ends_with(name));
            let shared = folders.iter().filter(|folder| folder.ends_with(plain));
            dataset.root = dataset.root.or_else(|| {
                let pictures = named.chain(shared).map(|folder| folder.join("jpg"));
                pictures.into_iter().find(|folder| folder.is_dir())
            });
            return Ok(dataset);
        }
        Err(error) => error,
    };
    if plain != name {
        return Err(error);
    }
    // The makers' own text files, unpacked anywhere usual.
    let texts = ["", "gt_files", "gt", "groundtruth", "txt", "lab"];
    let found = folders
        .iter()
        .flat_map(|folder| texts.map(|inner| folder.join(inner)))
        .find(|folder| oxford_text::is_classic_folder(folder));
    match found {
        Some(folder) => open_classic(&folder, name, options),
        None => Err(error),
    }
}

fn cars(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let inside = ["cars196", "Cars196", "CARS_196", "car", "cars", ""];
    let folders = folders(name, &inside, options)?;
    let mut dataset = open_file(&first_file(name, &folders, &["cars_annos.mat".to_owned()])?)?;
    name.clone_into(&mut dataset.name);
    Ok(dataset)
}

/// The test classes of CUB-200-2011; pictures are named without their folders, as leftthomas/CGD names them.
fn birds(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let folders = folders(name, &["CUB_200_2011", "cub200", ""], options)?;
    let lists = ["images.txt", "image_class_labels.txt", "bounding_boxes.txt"];
    let path = first_file(name, &folders, &[lists[1].to_owned()])?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let [images, labels, boxes] = lists.map(|list| read_text(&folder.join(list)));
    let cub = cub::read(&images?, &labels?, &boxes?)
        .map_err(|reason| DatasetError::malformed(&path, "the lists of CUB-200-2011", reason))?;
    let list = cub.test.labelled();
    Ok(labelled(list, None, name, Some(folder.join("images"))))
}

/// The test classes of Stanford Online Products, likewise.
fn products(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let folders = folders(name, &["Stanford_Online_Products", "sop", ""], options)?;
    let path = first_file(name, &folders, &["Ebay_test.txt".to_owned()])?;
    let lists = sop::read(&read_text(&path)?)
        .map_err(|reason| DatasetError::malformed(&path, "a list of Stanford Online Products", reason))?;
    let root = path.parent().map(Path::to_path_buf);
    Ok(labelled(lists.labelled(), None, name, root))
}

/// The million distractors: a list and the folder `jpg` beside it.
fn distractors(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let folders = folders(name, &["revisitop1m", ""], options)?;
    let list = first_file(name, &folders, &["revisitop1m.txt".to_owned()])?;
    Ok(Dataset {
        name: name.to_owned(),
        root: list.parent().map(|folder| folder.join("jpg")),
        images: revisitop1m::read(&read_text(&list)?),
        ..Dataset::default()
    })
}

/// cirtorch's training sets; the 3D models are their classes. CSA keeps the file without its pictures.
fn training_pairs(
    name: &str,
    file: &str,
    part: &str,
    options: &OpenOptions,
) -> Result<Dataset, DatasetError> {
    let own = file.trim_end_matches("-whiten");
    let folders = folders(name, &[own, "retrieval-SfM-120k", ""], options)?;
    let path = first_file(name, &folders, &[format!("{file}.pkl")])?;
    let read = sightline_checkpoint::read(&path)?;
    let set = Sfm120k::from_value(&read.value, part)
        .map_err(|reason| DatasetError::malformed(&path, "a training set of cirtorch", reason))?;
    let mut dataset = set.dataset(name);
    let pictures = folders.iter().map(|folder| folder.join("ims"));
    dataset.root = pictures.into_iter().find(|folder| folder.is_dir());
    Ok(dataset)
}

/// Folders that Google Landmarks v2 is unpacked into.
const LANDMARKS: [&str; 4] = ["Google-landmark-v2", "google-landmark", "gldv2", ""];

/// The training set of Google Landmarks v2 by its tables, all of it or the cleaned part.
fn landmarks(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let folders = folders(name, &LANDMARKS, options)?;
    let is_clean = name == "gldv2-clean";
    let file = if is_clean { "train_clean.csv" } else { "train.csv" };
    let path = first_file(name, &folders, &[file.to_owned()])?;
    let malformed = |reason| DatasetError::malformed(&path, "a table of Google Landmarks v2", reason);
    let text = read_text(&path)?;
    let (ids, labels): (Vec<String>, Vec<Label>) = if is_clean {
        let clean = gldv2::clean_train(&text).map_err(malformed)?;
        let label = |label: &usize| Label::Text(clean.landmarks[*label].clone());
        (clean.ids, clean.labels.iter().map(label).collect())
    } else {
        let all = gldv2::train(&text).map_err(malformed)?;
        all.into_iter()
            .map(|(id, label)| (id, Label::Whole(label)))
            .unzip()
    };
    let list = dirtorch_lists::LabelledList {
        images: ids.iter().map(|id| gldv2::picture_path("", id)).collect(),
        labels,
    };
    Ok(labelled(list, None, name, landmark_pictures(&path, &folders)))
}

/// Token's splits of the cleaned training set. They name pictures by where they lay on the machine that made them.
fn landmarks_split(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let folders = folders(name, &LANDMARKS, options)?;
    let part = name.trim_start_matches("gldv2-clean-");
    let path = first_file(name, &folders, &[format!("GLDv2-clean-{part}-split.pkl")])?;
    let mut dataset = open_file(&path)?;
    name.clone_into(&mut dataset.name);
    let there = dataset
        .images
        .first()
        .is_some_and(|first| Path::new(first).is_file());
    if let Some(pictures) = landmark_pictures(&path, &folders).filter(|_| !there) {
        for image in &mut dataset.images {
            let file = image.rsplit('/').next().unwrap_or(image);
            *image = gldv2::picture_path("", file.trim_end_matches(".jpg"));
        }
        dataset.root = Some(pictures);
    }
    Ok(dataset)
}

/// The folder `train` beside a file, else in another of the usual places.
fn landmark_pictures(file: &Path, folders: &[PathBuf]) -> Option<PathBuf> {
    let beside = file.parent().map(Path::to_path_buf);
    let named = folders
        .iter()
        .filter(|folder| LANDMARKS[..3].iter().any(|name| folder.ends_with(name)));
    beside
        .into_iter()
        .chain(named.cloned())
        .map(|folder| folder.join("train"))
        .find(|folder| folder.is_dir())
}
