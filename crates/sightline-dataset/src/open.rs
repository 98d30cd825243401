//! From what a user types to a data set: a file, a folder, a known name, or a dirtorch expression.

use crate::did_you_mean::suggestion;
use crate::dirtorch_lists::{self, Label, LabelledList, classes};
use crate::dirtorch_sets::{self, EXPRESSION_NAMES};
use crate::known_sets::{self, KNOWN_NAMES};
use crate::pictures::is_picture;
use crate::plain_values::from_json;
use crate::text_lines::read_text;
use crate::{Dataset, DatasetError, PictureIndex, Query, Truth};
use crate::{cars, expression, folder, ground_truth, netvlad_dbstruct, oxford_text, sfm120k, token_split};
use sightline_checkpoint::{FileKind, Value};
use std::path::{Path, PathBuf};

/// What a folder is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Folders {
    /// All pictures below it, without truth.
    #[default]
    Pictures,
    /// Its subfolders are classes; a folder NAME that holds `gnd_NAME.pkl` (or .mat, .json) is that ground truth.
    Classes,
}

/// How to open a data set.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// Where known names are looked for. Without it: in `$SIGHTLINE_DATA`, then in dirtorch's `$DB_ROOT`.
    pub data_root: Option<PathBuf>,
    /// The folder of the pictures, where it is known. Becomes [`Dataset::root`], and tells the classic text ground truth
    /// which images there are.
    pub pictures: Option<PathBuf>,
    /// What a folder is taken for.
    pub folders: Folders,
    /// Accept indices beyond the images and the like, so that [`crate::check()`] can report them all.
    pub unchecked: bool,
}

/// Opens a data set: a file or folder that exists, `@list.txt`, a known name, or an expression such as
/// `ImageList("list.txt", "root")`.
///
/// Files: ground truths (`gnd_*.pkl`, `.mat`, `.json`), Cars' and NetVLAD's annotations (`.mat`), Token's splits and cirtorch's
/// training sets (`.pkl`; of these the part `train`),
/// JSON {image: label}, lists (one name a line, `.txt` or `.lst`; where classes are wanted also `name label`), a single picture.
///
/// # Errors
/// If nothing fits (naming what was perhaps meant), something cannot be read, or a ground truth contradicts itself.
pub fn open(spec: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let mut dataset = find(spec, options)?;
    if let Some(pictures) = &options.pictures {
        dataset.root = Some(pictures.clone());
    }
    if !options.unchecked {
        dataset.validate()?;
    }
    Ok(dataset)
}

fn find(spec: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    if let Some(list) = spec.strip_prefix('@') {
        return open_list(Path::new(list));
    }
    let path = Path::new(spec);
    if path.is_dir() {
        return open_folder(path, options);
    }
    if path.exists() {
        // Where classes are wanted, `picture label` on every line is a labelled list, not names with blanks.
        let is_text = path.extension().is_some_and(|ending| ending == "txt");
        if is_text
            && options.folders == Folders::Classes
            && let Ok(list) = labelled_file(path)
        {
            let folder = root_of(&list.images, path);
            return Ok(labelled(list, None, &name_of(path), folder));
        }
        return open_file(path);
    }
    let trimmed = spec.trim();
    if expression::looks_like_one(spec) || EXPRESSION_NAMES.contains(&trimmed) {
        return dirtorch_sets::open(spec, options);
    }
    if let Some(dataset) = known_sets::open(trimmed, options) {
        return dataset;
    }
    let names = KNOWN_NAMES.iter().chain(EXPRESSION_NAMES).copied();
    Err(DatasetError::Unknown {
        spec: spec.to_owned(),
        reason: format!(
            "there is no such file or folder, and it is neither a known name ({}) nor one of dirtorch's ({}){}",
            KNOWN_NAMES.join(", "),
            EXPRESSION_NAMES.join(", "),
            suggestion(spec, names)
        ),
    })
}

fn open_folder(path: &Path, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let name = name_of(path);
    if oxford_text::is_classic_folder(path) {
        return open_classic(path, &name, options);
    }
    if options.folders == Folders::Pictures {
        return folder::pictures(path, &name);
    }
    let inside = ["pkl", "mat", "json"].map(|ending| path.join(format!("gnd_{name}.{ending}")));
    match inside.iter().find(|file| file.is_file()) {
        Some(file) => open_file(file),
        None => folder::classes(path, &name),
    }
}

pub(crate) fn open_classic(path: &Path, name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let pictures = options
        .pictures
        .clone()
        .or_else(|| oxford_text::picture_folder(path));
    let pictures = pictures.map(|folder| PictureIndex::scan(&folder)).transpose()?;
    oxford_text::read(path, name, pictures.as_ref())
}

pub(crate) fn open_file(path: &Path) -> Result<Dataset, DatasetError> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("txt" | "lst" | "list") => open_list(path),
        Some("json") => open_json(path),
        Some("pkl" | "pickle" | "mat") => open_value(path),
        // Perhaps a single picture; the scan knows pictures by ending and content.
        _ => match folder::pictures(path, &name_of(path)) {
            Ok(dataset) if is_picture(path) => Ok(dataset),
            _ => Err(DatasetError::Unknown {
                spec: path.display().to_string(),
                reason: "the file is no ground truth (.pkl, .mat, .json), no list (.txt) and no picture"
                    .to_owned(),
            }),
        },
    }
}

fn open_json(path: &Path) -> Result<Dataset, DatasetError> {
    let text = read_text(path)?;
    let malformed = |what, reason: String| DatasetError::malformed(path, what, reason);
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| malformed("a data set", error.to_string()))?;
    let name = name_of(path);
    if json.get("imlist").is_some() || json.get("gnd").is_some() {
        let read = ground_truth::from_value(&from_json(&json), &name, 0);
        let dataset = read.map_err(|reason| malformed("a ground truth", reason))?;
        return Ok(with_pictures_beside(dataset, path));
    }
    let list =
        dirtorch_lists::labelled_json(&text).map_err(|reason| malformed("a ground truth or list", reason))?;
    Ok(labelled(list, None, &name, beside(path)))
}

fn open_value(path: &Path) -> Result<Dataset, DatasetError> {
    let file = sightline_checkpoint::read(path)?;
    let malformed = |what: &'static str| move |reason: String| DatasetError::malformed(path, what, reason);
    let value: &Value = &file.value;
    let name = name_of(path);
    let dataset = if ground_truth::is_ground_truth(value) {
        let first = u32::from(file.kind == FileKind::Mat);
        ground_truth::from_value(value, &name, first).map_err(malformed("a ground truth"))?
    } else if cars::is_cars(value) {
        let cars = cars::Cars::from_value(value).map_err(malformed("the annotations of Cars 196"))?;
        let mut dataset = cars.test_set("cars196");
        dataset.root = beside(path);
        dataset
    } else if netvlad_dbstruct::is_dbstruct(value) {
        let places = netvlad_dbstruct::DbStruct::from_value(value).map_err(malformed("a dbStruct"))?;
        places.dataset(&name)
    } else if token_split::is_token_split(value) {
        token_split::from_value(value, &name).map_err(malformed("a Token split"))?
    } else if sfm120k::is_sfm120k(value) {
        let read = sfm120k::Sfm120k::from_value(value, "train");
        let mut dataset = read
            .map_err(malformed("a training set of cirtorch"))?
            .dataset(&name);
        dataset.root = beside(path)
            .map(|folder| folder.join("ims"))
            .filter(|folder| folder.is_dir());
        dataset
    } else {
        return Err(malformed("a data set")(
            "it is none of the known kinds: a ground truth (imlist, qimlist, gnd), Cars 196's annotations, a dbStruct, a Token split, a training set of cirtorch (cids, qidxs, pidxs)"
                .to_owned(),
        ));
    };
    Ok(with_pictures_beside(dataset, path))
}

/// A list of names, one a line. They count from the current folder, or, where the first is not there, from the list's.
fn open_list(path: &Path) -> Result<Dataset, DatasetError> {
    let mut images = dirtorch_lists::image_list(&read_text(path)?);
    images.retain(|name| !name.is_empty());
    Ok(Dataset {
        name: name_of(path),
        root: root_of(&images, path),
        images,
        ..Dataset::default()
    })
}

/// Where the pictures of a list lie: beside the list, unless they are found from where the program runs.
fn root_of(images: &[String], list: &Path) -> Option<PathBuf> {
    images
        .first()
        .filter(|first| !Path::new(first.as_str()).exists())
        .and_then(|first| beside(list).filter(|folder| folder.join(first).exists()))
}

pub(crate) fn labelled_file(path: &Path) -> Result<LabelledList, DatasetError> {
    let text = read_text(path)?;
    let is_json = path.extension().is_some_and(|ending| ending == "json");
    let read = if is_json {
        dirtorch_lists::labelled_json(&text)
    } else {
        dirtorch_lists::labelled_text(&text)
    };
    read.map_err(|reason| DatasetError::malformed(path, "a labelled list", reason))
}

pub(crate) fn labelled(
    list: LabelledList,
    queries: Option<LabelledList>,
    name: &str,
    root: Option<PathBuf>,
) -> Dataset {
    let query_labels: &[Label] = queries.as_ref().map_or(&[], |queries| &queries.labels);
    let classes = classes(list.labels.iter().chain(query_labels));
    let (images, of_queries) = classes.indices.split_at(list.images.len());
    Dataset {
        name: name.to_owned(),
        root,
        images: list.images,
        truth: Truth::Labels {
            images: images.to_vec(),
            queries: queries.is_some().then(|| of_queries.to_vec()),
            class_names: classes.names.iter().map(Label::to_string).collect(),
        },
        queries: queries
            .map(|queries| queries.images)
            .unwrap_or_default()
            .into_iter()
            .map(|name| Query { name, bbox: None })
            .collect(),
        skipped: Vec::new(),
    }
}

/// The file's name without ending, and without the `gnd_` of ground truths.
pub(crate) fn name_of(path: &Path) -> String {
    let full = path.canonicalize();
    let stem = path
        .file_stem()
        .or_else(|| full.as_deref().ok().and_then(Path::file_name));
    let stem = stem
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    match stem.strip_prefix("gnd_") {
        Some(rest) => rest.to_owned(),
        None => stem,
    }
}

fn beside(path: &Path) -> Option<PathBuf> {
    path.parent().map(|folder| {
        if folder == Path::new("") {
            PathBuf::from(".")
        } else {
            folder.to_path_buf()
        }
    })
}

/// A ground truth without a root of its own takes the folder `jpg` beside it, if there is one.
fn with_pictures_beside(mut dataset: Dataset, path: &Path) -> Dataset {
    if dataset.root.is_none() {
        dataset.root = beside(path)
            .map(|folder| folder.join("jpg"))
            .filter(|folder| folder.is_dir());
    }
    dataset
}
