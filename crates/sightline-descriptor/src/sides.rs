//! Database and queries that projects keep together: in one file, or in two whose names tell.

use std::fs::File;
use std::path::{Path, PathBuf};

use sightline_checkpoint::Storage;

use crate::error::SetError;
use crate::pickle_form;
use crate::set::DescriptorSet;

/// What dirtorch adds to the name of the database's file: `extract_features.py`, `test_dir.py`.
const DATABASE: [&str; 2] = ["dbdescs", "bdescs"];
/// What it adds to the name of the queries' file.
const QUERIES: &str = "qdescs";

/// Where the two sides go that are written as `path`: `out.npy` becomes `out.dbdescs.npy` and `out.qdescs.npy`, as dirtorch's
/// `extract_features.py` names them.
#[must_use]
pub fn side_files(path: &Path) -> (PathBuf, PathBuf) {
    (with_side(path, DATABASE[0]), with_side(path, QUERIES))
}

/// Opens a database's descriptors and, where they are kept with them, those of the queries:
///
/// - a pickle of CSA's, `{"db": [n, d], "query": [q, d]}`;
/// - `NAME.dbdescs.npy` or `NAME.bdescs.npy` with `NAME.qdescs.npy` beside it (or another ending), also called by `NAME.npy`;
/// - a folder with dirtorch's `feats.bdescs.npy` and `feats.qdescs.npy`.
///
/// Anything else is opened as [`DescriptorSet::open`] does.
///
/// # Errors
/// As [`DescriptorSet::open`].
pub fn open_sides(path: &Path) -> Result<(DescriptorSet, Option<DescriptorSet>), SetError> {
    let path = if path.is_dir() {
        path.join("feats.npy")
    } else {
        path.to_path_buf()
    };
    let mut written = DATABASE.map(|side| with_side(&path, side)).into_iter();
    let file = match written.find(|file| file.is_file()) {
        Some(file) if !path.exists() => file,
        _ => path,
    };
    let database = DescriptorSet::open(&file)?;
    let queries = match queries_beside(&file) {
        Some(queries) => Some(DescriptorSet::open(queries)?),
        None if holds_pickle(&file) => match DescriptorSet::open_tensor(&file, Some(pickle_form::QUERIES)) {
            Err(SetError::NoSuchTensor { .. }) => None,
            queries => Some(queries?),
        },
        None => None,
    };
    Ok((database, queries))
}

/// `NAME.qdescs.npy` beside `NAME.bdescs.npy`, where it is there.
fn queries_beside(file: &Path) -> Option<PathBuf> {
    let stem = file.file_stem()?.to_str()?;
    let ending = file.extension()?.to_str()?;
    let name = DATABASE
        .iter()
        .find_map(|side| stem.strip_suffix(side)?.strip_suffix('.'))?;
    let queries = file.with_file_name(format!("{name}.{QUERIES}.{ending}"));
    queries.is_file().then_some(queries)
}

fn holds_pickle(file: &Path) -> bool {
    let storage = File::open(file).and_then(|file| Storage::map(&file));
    storage.is_ok_and(|storage| pickle_form::is_pickle(&storage))
}

/// `NAME.SIDE.ENDING` for `NAME.ENDING`.
fn with_side(path: &Path, side: &str) -> PathBuf {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().into_owned());
    path.with_extension(match ending {
        Some(ending) => format!("{side}.{ending}"),
        None => side.to_owned(),
    })
}
