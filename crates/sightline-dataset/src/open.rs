//! From what a user types to a data set: a file, a folder, a known name, or a dirtorch expression.

use crate::dirtorch_lists::{self, Label, LabelledList, classes};
use crate::expression::{self, Expression};
use crate::oxford_text;
use crate::pictures::is_picture;
use crate::plain_values::from_json;
use crate::text_lines::read_text;
use crate::{Dataset, DatasetError, PictureIndex, Query, Truth, cars, folder, ground_truth};
use crate::{did_you_mean::suggestion, netvlad_dbstruct, token_split};
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
    /// Where known names are looked for. Without it: `$SIGHTLINE_DATA`, else dirtorch's `$DB_ROOT`.
    pub data_root: Option<PathBuf>,
    /// The folder of the pictures, where it is known. Becomes [`Dataset::root`], and tells the classic text ground truth
    /// which images there are.
    pub pictures: Option<PathBuf>,
    /// What a folder is taken for.
    pub folders: Folders,
    /// Accept indices beyond the images and the like, so that [`crate::check()`] can report them all.
    pub unchecked: bool,
}

/// Names that are looked for under the data root.
pub const KNOWN_NAMES: &[&str] = &["cars196", "oxford5k", "paris6k", "roxford5k", "rparis6k"];

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
];

/// Opens a data set: a file or folder that exists, `@list.txt`, a known name, or an expression such as
/// `ImageList("list.txt", "root")`.
///
/// Files: ground truths (`gnd_*.pkl`, `.mat`, `.json`), Cars' and NetVLAD's annotations (`.mat`), Token's splits (`.pkl`),
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
    if KNOWN_NAMES.contains(&trimmed.to_lowercase().as_str()) && !EXPRESSION_NAMES.contains(&trimmed) {
        return open_known(&trimmed.to_lowercase(), options);
    }
    if expression::looks_like_one(spec) || EXPRESSION_NAMES.contains(&trimmed) {
        return evaluate(&Expression::parse(spec)?, options);
    }
    let names = KNOWN_NAMES.iter().chain(EXPRESSION_NAMES).copied();
    Err(DatasetError::Unknown {
        spec: spec.to_owned(),
        reason: format!(
            "there is no such file or folder, and it is none of the known names ({}){}",
            KNOWN_NAMES.join(", "),
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

fn open_classic(path: &Path, name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let pictures = options
        .pictures
        .clone()
        .or_else(|| oxford_text::picture_folder(path));
    let pictures = pictures.map(|folder| PictureIndex::scan(&folder)).transpose()?;
    oxford_text::read(path, name, pictures.as_ref())
}

fn open_file(path: &Path) -> Result<Dataset, DatasetError> {
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
    } else {
        return Err(malformed("a data set")(
            "it is none of the known kinds: a ground truth (imlist, qimlist, gnd), Cars 196's annotations, a dbStruct, a Token split"
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

fn evaluate(expression: &Expression, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let name = expression.name.as_str();
    let text = |path: &str| read_text(Path::new(path));
    let root = |root: Option<String>| root.filter(|root| !root.is_empty()).map(PathBuf::from);
    let labels = |path: &str| labelled_file(Path::new(path));
    match name {
        "ImageList" => {
            let [list, folder] = expression.bind(["img_list_path", "root"], 1)?;
            let list = list.unwrap_or_default();
            Ok(Dataset {
                name: name_of(Path::new(&list)),
                root: root(folder),
                images: dirtorch_lists::image_list(&text(&list)?),
                ..Dataset::default()
            })
        }
        "ImageListLabels" => {
            let [list, folder] = expression.bind(["img_list_path", "root"], 1)?;
            let list = list.unwrap_or_default();
            Ok(labelled(
                labels(&list)?,
                None,
                &name_of(Path::new(&list)),
                root(folder),
            ))
        }
        "ImageListLabelsQ" => {
            let [list, queries, folder] = expression.bind(["img_list_path", "query_list_path", "root"], 2)?;
            let (list, queries) = (list.unwrap_or_default(), queries.unwrap_or_default());
            let queries = labels(&queries)?;
            Ok(labelled(
                labels(&list)?,
                Some(queries),
                &name_of(Path::new(&list)),
                root(folder),
            ))
        }
        "ImageClusters" | "NullCluster" => {
            let [json, folder] = expression.bind(["json_path", "root"], 1)?;
            let json = json.unwrap_or_default();
            let read = if name == "NullCluster" {
                dirtorch_lists::null_cluster(&text(&json)?)
            } else {
                dirtorch_lists::clusters(&text(&json)?)
            };
            let list = read.map_err(|reason| DatasetError::malformed(&json, "clusters", reason))?;
            Ok(labelled(list, None, &name_of(Path::new(&json)), root(folder)))
        }
        "ImageListRelevants" => {
            let [file, folder, pictures, ext] = expression.bind(["gt_file", "root", "img_dir", "ext"], 1)?;
            relevants(
                Path::new(&file.unwrap_or_default()),
                folder.as_deref().unwrap_or(""),
                pictures.as_deref().unwrap_or("jpg"),
                ext.as_deref().unwrap_or(".jpg"),
            )
        }
        "Oxford5K" | "ROxford5K" | "Paris6K" | "RParis6K" => {
            let [] = expression.bind([], 0)?;
            let lower = name.to_lowercase();
            let folder = data_root(name, options)?.join(lower.trim_start_matches('r'));
            let file = folder.join(format!("gnd_{lower}.pkl"));
            relevants(&file, &folder.to_string_lossy(), "jpg", ".jpg")
        }
        "Landmarks_clean" | "Landmarks_clean_val" | "Landmarks_lite" => {
            let [] = expression.bind([], 0)?;
            let folder = data_root(name, options)?.join("landmarks");
            let list = folder.join("annotations").join(match name {
                "Landmarks_clean" => "annotation_clean_train.txt",
                "Landmarks_clean_val" => "annotation_clean_val.txt",
                _ => "extra_landmark_images.txt",
            });
            Ok(labelled(labelled_file(&list)?, None, name, Some(folder)))
        }
        _ => Err(DatasetError::Expression {
            expression: expression.to_string(),
            reason: format!(
                "there is no data set class {name}{} (known: {})",
                suggestion(name, EXPRESSION_NAMES.iter().copied()),
                EXPRESSION_NAMES.join(", ")
            ),
        }),
    }
}

/// dirtorch's `ImageListRelevants`: names get an ending, pictures lie in ROOT/IMG_DIR.
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

fn labelled_file(path: &Path) -> Result<LabelledList, DatasetError> {
    let text = read_text(path)?;
    let is_json = path.extension().is_some_and(|ending| ending == "json");
    let read = if is_json {
        dirtorch_lists::labelled_json(&text)
    } else {
        dirtorch_lists::labelled_text(&text)
    };
    read.map_err(|reason| DatasetError::malformed(path, "a labelled list", reason))
}

fn labelled(list: LabelledList, queries: Option<LabelledList>, name: &str, root: Option<PathBuf>) -> Dataset {
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

fn open_known(name: &str, options: &OpenOptions) -> Result<Dataset, DatasetError> {
    let root = data_root(name, options)?;
    let candidates: Vec<PathBuf> = if name == "cars196" {
        let folders = ["cars196", "Cars196", "CARS_196", "car", "cars", "."];
        folders
            .iter()
            .map(|folder| root.join(folder).join("cars_annos.mat"))
            .collect()
    } else {
        // revisitop and Token keep a folder for each; dirtorch keeps both ground truths of Oxford in oxford5k; cirtorch
        // keeps all under test.
        let plain = name.trim_start_matches('r');
        let folders = [name, plain, "groundtruth", "."].map(PathBuf::from);
        let under_test = [name, plain].map(|folder| Path::new("test").join(folder));
        let folders = folders.into_iter().chain(under_test);
        folders
            .flat_map(|folder| {
                ["pkl", "mat", "json"].map(|ending| folder.join(format!("gnd_{name}.{ending}")))
            })
            .map(|file| root.join(file))
            .collect()
    };
    if let Some(file) = candidates.iter().find(|file| file.is_file()) {
        let mut dataset = open_file(file)?;
        name.clone_into(&mut dataset.name);
        return Ok(dataset);
    }
    // The makers' own text files, unpacked anywhere usual.
    let texts = [name, "."].into_iter().flat_map(|folder| {
        ["", "gt_files", "gt", "groundtruth", "txt"].map(|inner| root.join(folder).join(inner))
    });
    for folder in texts.filter(|_| !name.starts_with('r')) {
        if oxford_text::is_classic_folder(&folder) {
            return open_classic(&folder, name, options);
        }
    }
    Err(DatasetError::Unknown {
        spec: name.to_owned(),
        reason: format!(
            "under the data root {} there is neither {} nor another of its usual places",
            root.display(),
            candidates[0].display()
        ),
    })
}

fn data_root(spec: &str, options: &OpenOptions) -> Result<PathBuf, DatasetError> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    options
        .data_root
        .clone()
        .or_else(|| variable("SIGHTLINE_DATA"))
        .or_else(|| variable("DB_ROOT"))
        .ok_or_else(|| DatasetError::Unknown {
            spec: spec.to_owned(),
            reason: "it lies under the data root, which is not known; give --data-root or set SIGHTLINE_DATA (dirtorch's DB_ROOT does, too)".to_owned(),
        })
}

/// The file's name without ending, and without the `gnd_` of ground truths.
fn name_of(path: &Path) -> String {
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
