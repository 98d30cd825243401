//! Where data sets that have a name are kept: `--data-root`, `$SIGHTLINE_DATA`, dirtorch's `$DB_ROOT`.

use crate::{DatasetError, OpenOptions};
use std::path::PathBuf;

/// The folders to look in, in that order: the one that was given, else those of the variables.
///
/// # Errors
/// If there is none; `spec` is what was asked for.
pub(crate) fn data_roots(spec: &str, options: &OpenOptions) -> Result<Vec<PathBuf>, DatasetError> {
    if let Some(root) = &options.data_root {
        return Ok(vec![root.clone()]);
    }
    let roots: Vec<PathBuf> = ["SIGHTLINE_DATA", "DB_ROOT"]
        .into_iter()
        .filter_map(variable)
        .collect();
    if roots.is_empty() {
        return Err(DatasetError::Unknown {
            spec: spec.to_owned(),
            reason: "it lies under the data root, which is not known; give --data-root or set SIGHTLINE_DATA (dirtorch's DB_ROOT does, too)".to_owned(),
        });
    }
    Ok(roots)
}

/// What `DB_ROOT` stands for in a dirtorch expression: the folder that was given, else the variable of that name, else
/// `$SIGHTLINE_DATA`.
pub(crate) fn db_root(options: &OpenOptions) -> Option<PathBuf> {
    let given = options.data_root.clone();
    given
        .or_else(|| variable("DB_ROOT"))
        .or_else(|| variable("SIGHTLINE_DATA"))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
