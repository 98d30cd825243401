//! Folders as data sets: a folder of pictures, and a folder whose subfolders are classes.

use crate::{Dataset, DatasetError, PictureIndex, Skipped, Truth};
use std::path::Path;

/// All pictures below a folder (or the one picture that `folder` is), sorted, without truth.
///
/// # Errors
/// If the folder cannot be read; what cannot be read below it is in [`Dataset::skipped`].
pub fn pictures(folder: &Path, name: &str) -> Result<Dataset, DatasetError> {
    let index = PictureIndex::scan(folder)?;
    let mut skipped = index.skipped().to_vec();
    let images = named(&index, &mut skipped).map(|(name, _)| name).collect();
    Ok(Dataset {
        name: name.to_owned(),
        root: Some(index.root().to_path_buf()),
        images,
        queries: Vec::new(),
        truth: Truth::None,
        skipped,
    })
}

/// The pictures below a folder, each in the class that the first subfolder on its way names; every picture is a query
/// against all others. Classes are sorted by name; pictures that lie in no subfolder are skipped.
///
/// # Errors
/// If the folder cannot be read, or there is no subfolder with pictures.
pub fn classes(folder: &Path, name: &str) -> Result<Dataset, DatasetError> {
    let index = PictureIndex::scan(folder)?;
    let mut skipped = index.skipped().to_vec();
    let mut outside = Vec::new();
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let mut class_names: Vec<String> = Vec::new();
    for (name, path) in named(&index, &mut skipped) {
        let Some((class, _)) = name.split_once('/') else {
            outside.push(Skipped {
                path: index.root().join(path),
                reason: "The picture lies in no subfolder, so it has no class.".to_owned(),
            });
            continue;
        };
        // Paths are sorted part by part, so the pictures of a class are neighbours.
        if class_names.last().is_none_or(|last| last != class) {
            class_names.push(class.to_owned());
        }
        labels.push(class_names.len() - 1);
        images.push(name);
    }
    if images.is_empty() {
        return Err(DatasetError::malformed(
            folder,
            "a labelled folder",
            "it has no subfolder with pictures",
        ));
    }
    skipped.extend(outside);
    Ok(Dataset {
        name: name.to_owned(),
        root: Some(index.root().to_path_buf()),
        images,
        queries: Vec::new(),
        truth: Truth::Labels {
            images: labels,
            queries: None,
            class_names,
        },
        skipped,
    })
}

/// The names of the pictures, with slashes whatever the system; those that are no text are skipped.
fn named<'a>(
    index: &'a PictureIndex,
    skipped: &'a mut Vec<Skipped>,
) -> impl Iterator<Item = (String, &'a Path)> + 'a {
    index.relative_paths().iter().filter_map(|path| {
        let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
        match parts {
            Some(parts) => Some((parts.join("/"), path.as_path())),
            None => {
                skipped.push(Skipped {
                    path: index.root().join(path),
                    reason: "The name of the file is no UTF-8 text; rename it.".to_owned(),
                });
                None
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::tests::folder;

    #[test]
    fn subfolders_are_classes() {
        let folder = folder(&["b/2.jpg", "a/deep/1.jpg", "a/0.png", "a-b/3.jpg", "loose.jpg"]);
        let set = classes(folder.path(), "x").unwrap();
        assert_eq!(set.images, ["a/0.png", "a/deep/1.jpg", "a-b/3.jpg", "b/2.jpg"]);
        let Truth::Labels {
            images, class_names, ..
        } = &set.truth
        else {
            panic!("no labels")
        };
        assert_eq!(class_names, &["a", "a-b", "b"]);
        assert_eq!(images, &[0, 0, 1, 2]);
        assert!(set.skipped.len() == 1 && set.skipped[0].path.ends_with("loose.jpg"));
        set.validate().unwrap();
        let set = pictures(folder.path(), "x").unwrap();
        assert_eq!((set.images.len(), &set.truth), (5, &Truth::None));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_are_listed() {
        use std::os::unix::ffi::OsStringExt;
        let folder = folder(&["a.jpg"]);
        let bad = std::ffi::OsString::from_vec(b"caf\xe9.jpg".to_vec());
        std::fs::write(folder.path().join(bad), b"").unwrap();
        let set = pictures(folder.path(), "x").unwrap();
        assert_eq!(set.images, ["a.jpg"]);
        assert!(set.skipped[0].reason.contains("UTF-8"));
    }
}
