//! The pictures of a folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::ExtractError;
use crate::picture::Picture;

/// Endings of files that are meant to be pictures: what has one of them and cannot be read is a failure.
const ENDINGS: [&str; 15] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "tif", "tiff", "bmp", "dib", "ppm", "pgm", "pbm",
    "pnm",
];
/// Folders inside folders are followed to this depth.
const DEEPEST: usize = 64;

/// What lies in a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// The pictures, by name in byte order. Names are paths relative to the folder, with `/` between their parts.
    pub pictures: Vec<Picture>,
    /// Files that neither are called nor begin like a picture; nobody expects a descriptor of them.
    pub ignored: Vec<PathBuf>,
    /// Folders that could not be read, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Lists the pictures of a folder and of the folders in it.
///
/// A file is taken for a picture if its ending says so, whatever its content, or if it begins like one, whatever its ending.
/// Hidden files and folders (beginning with a dot) are passed over; links are followed, each folder once.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn list_folder(folder: &Path) -> Result<Listing, ExtractError> {
    fs::read_dir(folder).map_err(ExtractError::io(folder, "read"))?;
    let mut listing = Listing::default();
    let mut seen = HashSet::new();
    walk(folder, "", 0, &mut seen, &mut listing);
    listing.pictures.sort_by(|a, b| a.name.cmp(&b.name));
    listing.ignored.sort();
    listing.unreadable.sort();
    Ok(listing)
}

fn walk(folder: &Path, prefix: &str, depth: usize, seen: &mut HashSet<PathBuf>, listing: &mut Listing) {
    if depth > DEEPEST || !fs::canonicalize(folder).is_ok_and(|real| seen.insert(real)) {
        return;
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return listing.unreadable.push((folder.to_path_buf(), error.to_string())),
    };
    // In order, so that which of two links to one folder is followed does not depend on the file system.
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let Some(file_name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            continue;
        };
        if file_name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{file_name}");
        if path.is_dir() {
            walk(&path, &format!("{name}/"), depth + 1, seen, listing);
        } else if called_a_picture(&path) || begins_like_a_picture(&path) {
            listing.pictures.push(Picture::new(name, path));
        } else {
            listing.ignored.push(path);
        }
    }
}

fn called_a_picture(path: &Path) -> bool {
    path.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| {
            let ending = ending.to_ascii_lowercase();
            ENDINGS.contains(&ending.as_str())
        })
}

fn begins_like_a_picture(path: &Path) -> bool {
    // A named pipe must not be opened: that waits for someone to write into it.
    if !path.is_file() {
        return false;
    }
    let mut begin = [0; 12];
    let Ok(file) = File::open(path) else { return false };
    let mut filled = Vec::with_capacity(12);
    if file.take(12).read_to_end(&mut filled).is_err() {
        return false;
    }
    begin[..filled.len()].copy_from_slice(&filled);
    begin.starts_with(b"\xff\xd8\xff")
        || begin.starts_with(b"\x89PNG\r\n\x1a\n")
        || begin.starts_with(b"GIF87a")
        || begin.starts_with(b"GIF89a")
        || begin.starts_with(b"II*\0")
        || begin.starts_with(b"MM\0*")
        || (begin.starts_with(b"RIFF") && &begin[8..] == b"WEBP")
        // Two letters alone begin many texts; a bitmap's reserved bytes are zero.
        || (begin.starts_with(b"BM") && begin[6..10] == [0; 4] && filled.len() == 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_found_by_name_and_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/c")).unwrap();
        fs::create_dir_all(at(".hidden")).unwrap();
        for (name, content) in [
            ("z.JPG", &b"no picture at all"[..]),
            ("b/c/photo", b"\xff\xd8\xff\xe0"),
            ("b/a.png", b""),
            ("notes.txt", b"BMs are text"),
            ("bitmap.dat", b"BM\x10\0\0\0\0\0\0\0\x36\0\0\0"),
            (".hidden/a.jpg", b""),
            (".thumb.jpg", b""),
            ("w.bin", b"RIFF....WEBPVP8 "),
        ] {
            fs::write(at(name), content).unwrap();
        }
        let listing = list_folder(folder.path()).unwrap();
        let names: Vec<&str> = listing
            .pictures
            .iter()
            .map(|picture| picture.name.as_str())
            .collect();
        assert_eq!(names, ["b/a.png", "b/c/photo", "bitmap.dat", "w.bin", "z.JPG"]);
        assert_eq!(listing.pictures[1].path, at("b/c/photo"));
        assert_eq!(listing.ignored, [at("notes.txt")]);
        assert!(list_folder(&at("missing")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_end() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/x.jpg"), b"").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).unwrap();
        let listing = list_folder(folder.path()).unwrap();
        assert_eq!(listing.pictures.len(), 1);
    }
}
