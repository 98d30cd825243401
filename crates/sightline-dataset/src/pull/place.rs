//! Paths that stay below a folder: of tables, and of the entries of archives.

use super::PullError;
use std::path::{Path, PathBuf};

/// The longest path of an archive's entry, and its longest part, as Linux has them.
const LONGEST: usize = 4096;
const LONGEST_PART: usize = 255;

/// `text` (with `/` between its parts) as a path that stays below the folder it is joined to. `.` and empty parts are left
/// out; nothing may remain.
///
/// # Errors
/// Says why not: `..`, an absolute path, a drive, a backslash, control characters, too long.
pub(super) fn relative(text: &str) -> Result<PathBuf, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    if text.starts_with('/') {
        return Err("it is absolute".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("it holds control characters".to_owned());
    }
    if text.contains('\\') {
        return Err("it holds a backslash".to_owned());
    }
    let mut path = PathBuf::new();
    for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err("it leads out of its folder (..)".to_owned());
        }
        if part.len() > LONGEST_PART {
            return Err(format!("a part of it is longer than {LONGEST_PART} bytes"));
        }
        // On Windows `C:x` would be a drive.
        if cfg!(windows) && part.contains(':') {
            return Err("it holds a colon".to_owned());
        }
        path.push(part);
    }
    Ok(path)
}

/// A table's path below the data root.
pub(super) fn below(root: &Path, text: &str) -> Result<PathBuf, PullError> {
    match relative(text) {
        Ok(path) => Ok(root.join(path)),
        Err(reason) => Err(PullError::Path {
            path: text.to_owned(),
            reason,
        }),
    }
}

/// `path` with something appended to its name: `a.tgz` and `.part` give `a.tgz.part`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out() {
        for text in [
            "../a",
            "a/../../b",
            "a/..",
            "/etc/passwd",
            "a\\..\\b",
            "a\nb",
            "a\0",
        ] {
            assert!(relative(text).is_err(), "{text:?}");
        }
        assert!(relative(&"a".repeat(256)).is_err());
        assert!(relative(&"a/".repeat(3000)).is_err());
        assert_eq!(relative("./a//b/./c.jpg").unwrap(), Path::new("a/b/c.jpg"));
        assert_eq!(relative("./").unwrap(), Path::new(""));
        assert_eq!(relative("a..b").unwrap(), Path::new("a..b"));
    }
}
