//! HOW's parameter files: YAML 1.1 with `__template__: FILE`, whose values are the defaults of what stands beside it.
//!
//! Source: gtolias/how, `how/utils/io_helpers.py`, `load_params`; PyYAML's resolver for what a plain word means.

use crate::yaml11;
use serde_json::{Map, Value as Json};
use std::io;
use std::path::{Path, PathBuf};

/// How many files may stand in one another's templates; more are a circle.
const MAX_DEPTH: usize = 32;

/// Loads a parameter file and the templates that it names.
///
/// # Errors
/// Names the file that cannot be read, is no YAML, or is its own template.
pub fn load(path: &Path) -> Result<Json, String> {
    load_with(path, &|path| std::fs::read_to_string(path))
}

/// As [`load`], with another way to read a file.
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, read: &dyn Fn(&Path) -> io::Result<String>) -> Result<Json, String> {
    load_file(path, read, 0)
}

fn load_file(path: &Path, read: &dyn Fn(&Path) -> io::Result<String>, depth: usize) -> Result<Json, String> {
    if depth > MAX_DEPTH {
        return Err(format!(
            "the templates of parameter files go {MAX_DEPTH} deep at {}; they stand in a circle",
            path.display()
        ));
    }
    let text =
        read(path).map_err(|error| format!("cannot read the parameter file {}: {error}", path.display()))?;
    let content =
        yaml11::parse(&text).map_err(|reason| format!("the parameter file {}: {reason}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    resolve(content, &folder, read, depth)
}

/// Replaces the templates in dictionaries (not in lists, as in the original), inner ones first.
fn resolve(
    params: Json,
    folder: &Path,
    read: &dyn Fn(&Path) -> io::Result<String>,
    depth: usize,
) -> Result<Json, String> {
    let Json::Object(entries) = params else {
        return Ok(params);
    };
    let mut own = Map::new();
    let mut template = None;
    for (key, value) in entries {
        if key == "__template__" {
            let name = value.as_str().ok_or("a __template__ is no text")?;
            template = Some(plain(&folder.join(name)));
        } else {
            own.insert(key, resolve(value, folder, read, depth)?);
        }
    }
    match template {
        Some(path) => Ok(overlay(load_file(&path, read, depth + 1)?, Json::Object(own))),
        None => Ok(Json::Object(own)),
    }
}

/// Dictionaries merge; anything else of `params` replaces the default.
fn overlay(defaults: Json, params: Json) -> Json {
    match (defaults, params) {
        (Json::Object(mut defaults), Json::Object(params)) => {
            for (key, value) in params {
                let default = defaults.get_mut(&key).map_or(Json::Null, Json::take);
                defaults.insert(key, overlay(default, value));
            }
            Json::Object(defaults)
        }
        (_, params) => params,
    }
}

/// A path without `.` and, where a folder stands before it, `..`.
fn plain(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            _ => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_from(files: &[(&str, &str)]) -> Result<Json, String> {
        load_with(Path::new("main.yml"), &|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found
                .map(|(_, text)| (*text).to_owned())
                .ok_or(io::ErrorKind::NotFound.into())
        })
    }

    #[test]
    fn templates_are_defaults_relative_to_their_file() {
        let params = load_from(&[
            ("main.yml", "__template__: a/base.yml\nx: {y: 2}\nl: [3]\n"),
            ("a/base.yml", "x: {__template__: ../in.yml, z: 1}\nl: [1, 2]\n"),
            ("in.yml", "y: 1\nw: 5.e-6\n"),
        ]);
        assert_eq!(
            params.unwrap(),
            serde_json::json!({"x": {"y": 2, "w": 5e-6, "z": 1}, "l": [3]})
        );
    }

    #[test]
    fn circles_and_missing_files_are_named() {
        assert!(
            load_from(&[("main.yml", "__template__: main.yml")])
                .unwrap_err()
                .contains("circle")
        );
        assert!(
            load_from(&[("main.yml", "a: {__template__: gone.yml}")])
                .unwrap_err()
                .contains("gone.yml")
        );
        assert!(load_from(&[("main.yml", "__template__: [1]")]).is_err());
    }
}
