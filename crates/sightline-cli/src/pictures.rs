//! What IMAGES and a data set's names mean on this disk.

use crate::args::Side;
use crate::output::usage;
use anyhow::Context as _;
use sightline::dataset::{self, Dataset, Folders, OpenOptions, PictureIndex, Truth};
use sightline::extract::{Picture, Skipped};
use std::path::{Path, PathBuf};

/// The pictures that were asked for, and those of a data set that could not be found.
pub(crate) struct Found {
    pub(crate) pictures: Vec<Picture>,
    pub(crate) missing: Vec<Skipped>,
}

/// Opens a data set, known names below `data_root`; `folder` holds its pictures, where that is known.
pub(crate) fn open(spec: &str, data_root: Option<&Path>, folder: Option<&Path>) -> anyhow::Result<Dataset> {
    Ok(dataset::open(spec, &options(data_root, folder))?)
}

/// As [`open`], but what contradicts itself is left for the check to report.
pub(crate) fn open_unchecked(
    spec: &str,
    data_root: Option<&Path>,
    folder: Option<&Path>,
) -> anyhow::Result<Dataset> {
    let options = OpenOptions {
        unchecked: true,
        ..options(data_root, folder)
    };
    Ok(dataset::open(spec, &options)?)
}

fn options(data_root: Option<&Path>, folder: Option<&Path>) -> OpenOptions {
    OpenOptions {
        data_root: data_root.map(Path::to_owned),
        pictures: folder.map(Path::to_owned),
        folders: Folders::Classes,
        ..OpenOptions::default()
    }
}

/// What IMAGES means: a picture, a folder, a list, a ground truth or a known or dirtorch data set.
pub(crate) fn open_images(
    spec: &str,
    data_root: Option<&Path>,
    folder: Option<&Path>,
) -> anyhow::Result<Dataset> {
    let options = OpenOptions {
        folders: Folders::Pictures,
        ..options(data_root, folder)
    };
    Ok(dataset::open(spec, &options)?)
}

/// What there is no picture of.
pub(crate) fn skipped(name: &str, reason: &str) -> Skipped {
    Skipped {
        name: name.to_owned(),
        path: name.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The pictures of a folder and of the folders in it, and what could not be read there.
pub(crate) fn of_folder(folder: &Path) -> anyhow::Result<Found> {
    let index = PictureIndex::scan(folder)?;
    if index.is_empty() {
        anyhow::bail!("The folder {} holds no pictures.", folder.display());
    }
    let picture = |relative: &PathBuf| Picture::new(relative.to_string_lossy(), index.root().join(relative));
    Ok(Found {
        pictures: index.relative_paths().iter().map(picture).collect(),
        missing: index
            .skipped()
            .iter()
            .map(|one| skipped(&one.path.to_string_lossy(), &one.reason))
            .collect(),
    })
}

/// The pictures of one side of a data set, in its order. Queries that are database pictures themselves are that side.
pub(crate) fn of_dataset(dataset: &Dataset, folder: Option<&Path>, side: Side) -> anyhow::Result<Found> {
    // A list without a root names its pictures from where the program runs.
    let root = match (folder.or(dataset.root.as_deref()), &dataset.truth) {
        (Some(root), _) => root,
        (None, Truth::None | Truth::Labels { .. }) => Path::new(""),
        (None, _) => {
            let message = "does not say where its pictures lie: name their folder with --images FOLDER";
            return Err(usage(format!("{} {message}", dataset.name)));
        }
    };
    let named: Vec<(&str, Option<[f64; 4]>)> = match side {
        Side::Queries if !dataset.gallery_queries_itself() => dataset
            .queries
            .iter()
            .map(|query| (query.name.as_str(), query.bbox))
            .collect(),
        _ => dataset.images.iter().map(|name| (name.as_str(), None)).collect(),
    };
    let mut found = Found {
        pictures: Vec::new(),
        missing: Vec::new(),
    };
    let mut finder = Finder::new(root);
    for (name, bbox) in named {
        let looking = || format!("the pictures of {} were looked for", dataset.name);
        match finder.find(name).with_context(looking)? {
            Some(path) => found.pictures.push(Picture {
                name: name.to_owned(),
                path,
                bbox,
            }),
            None => {
                let reason = format!("There is no picture of that name under {}.", shown(root));
                found.missing.push(skipped(name, &reason));
            }
        }
    }
    if found.pictures.is_empty() {
        anyhow::bail!(
            "None of the {} pictures of {} lies under {}.",
            found.missing.len(),
            dataset.name,
            shown(root)
        );
    }
    Ok(found)
}

/// Finds the pictures of a data set by their names below a folder.
pub(crate) struct Finder {
    root: PathBuf,
    index: Option<PictureIndex>,
}

impl Finder {
    /// An empty `root` is where the program runs; names are then paths.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            index: None,
        }
    }

    /// By path as it stands; only where that fails is the folder searched for the name.
    pub(crate) fn find(&mut self, name: &str) -> anyhow::Result<Option<PathBuf>> {
        let given = self.root.join(name);
        if given.is_file() {
            return Ok(Some(given));
        }
        if self.root.as_os_str().is_empty() {
            return Ok(None);
        }
        let index = match &mut self.index {
            Some(index) => index,
            none => none.insert(PictureIndex::scan(&self.root)?),
        };
        Ok(index.locate(name)?)
    }
}

/// A folder in a message; the empty path is where the program runs.
fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() {
        "the current folder".to_owned()
    } else {
        folder.display().to_string()
    }
}
