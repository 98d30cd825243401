//! Which files of a folder are pictures, and which of them a name in a list or ground truth means.

use crate::DatasetError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Endings of files that are taken for pictures whatever they hold, so that a broken one is reported and not overlooked.
const ENDINGS: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "tif", "tiff", "bmp", "dib",
];

/// Something in a folder or list that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The file or folder; characters that are no text are replaced.
    pub path: PathBuf,
    /// A sentence.
    pub reason: String,
}

/// The pictures below a folder, found by path or by name.
#[derive(Clone, Debug)]
pub struct PictureIndex {
    root: PathBuf,
    /// Paths below the root, sorted.
    pictures: Vec<PathBuf>,
    by_stem: HashMap<OsString, Vec<usize>>,
    by_path: HashMap<PathBuf, usize>,
    skipped: Vec<Skipped>,
}

impl PictureIndex {
    /// Collects the pictures below `root` (or `root` itself where it is a file). Files count by their ending, those with another ending by their first
    /// bytes. Names that begin with a point are passed over. Links are followed; a folder that is reached twice
    /// counts once, so that links in a circle do no harm.
    ///
    /// # Errors
    /// Only where `root` itself cannot be read. What cannot be read below it is in [`PictureIndex::skipped`].
    pub fn scan(root: &Path) -> Result<Self, DatasetError> {
        let kind = std::fs::metadata(root).map_err(|error| DatasetError::io(root, error))?;
        let mut walk = Walk::default();
        let root = if kind.is_file() {
            let name = root.file_name().map(PathBuf::from).unwrap_or_default();
            walk.pictures.push(name);
            root.parent().unwrap_or(Path::new("")).to_path_buf()
        } else {
            std::fs::read_dir(root).map_err(|error| DatasetError::io(root, error))?;
            walk.run(root);
            root.to_path_buf()
        };
        let Walk {
            mut pictures,
            mut skipped,
            ..
        } = walk;
        pictures.sort();
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        let mut by_stem: HashMap<OsString, Vec<usize>> = HashMap::new();
        let mut by_path = HashMap::with_capacity(pictures.len());
        for (index, path) in pictures.iter().enumerate() {
            if let Some(stem) = path.file_stem() {
                by_stem.entry(stem.to_owned()).or_default().push(index);
            }
            by_path.insert(path.clone(), index);
        }
        Ok(Self {
            root,
            pictures,
            by_stem,
            by_path,
            skipped,
        })
    }

    /// The folder that was scanned.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Whether there is no picture at all.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// The paths below [`PictureIndex::root`], sorted by their parts.
    pub fn relative_paths(&self) -> &[PathBuf] {
        &self.pictures
    }

    /// The paths as they can be opened: the root as it was given and the path below it.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.pictures.iter().map(|path| self.root.join(path))
    }

    /// What could not be read while scanning.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The picture that `name` means: by path as given (below the root, or with it), else by file name without its
    /// ending. Where several pictures have that file name and `name` has folders, those folders decide.
    ///
    /// Returns the path to open, or `None` where nothing fits.
    ///
    /// # Errors
    /// [`DatasetError::Ambiguous`] names two pictures that both fit.
    pub fn locate(&self, name: &str) -> Result<Option<PathBuf>, DatasetError> {
        Ok(self
            .position(name)?
            .map(|index| self.root.join(&self.pictures[index])))
    }

    /// As [`PictureIndex::locate`], but the index into [`PictureIndex::relative_paths`].
    ///
    /// # Errors
    /// As [`PictureIndex::locate`].
    pub fn position(&self, name: &str) -> Result<Option<usize>, DatasetError> {
        let given = plain(Path::new(name));
        if let Some(index) = self.by_path.get(&given) {
            return Ok(Some(*index));
        }
        let below = given.strip_prefix(plain(&self.root)).ok();
        if let Some(index) = below.and_then(|path| self.by_path.get(path)) {
            return Ok(Some(*index));
        }
        // The whole file name first: in `tower.v2` the part after the point may be no ending.
        for stem in [given.file_name(), given.file_stem()].into_iter().flatten() {
            let Some(fitting) = self.by_stem.get(stem) else {
                continue;
            };
            if let [index] = fitting[..] {
                return Ok(Some(index));
            }
            let wanted = given.with_file_name(stem);
            let close: Vec<usize> = fitting
                .iter()
                .copied()
                .filter(|index| self.pictures[*index].with_extension("").ends_with(&wanted))
                .collect();
            let named_by_folder = given.parent().is_some_and(|parent| parent != Path::new(""));
            let left = if named_by_folder && !close.is_empty() {
                close
            } else {
                fitting.clone()
            };
            if let [index] = left[..] {
                return Ok(Some(index));
            }
            return Err(DatasetError::Ambiguous {
                name: name.to_owned(),
                first: self.root.join(&self.pictures[left[0]]),
                second: self.root.join(&self.pictures[left[1]]),
            });
        }
        Ok(None)
    }
}

/// A path without `.` parts, so that `./a.jpg` and `a.jpg` are one.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .collect()
}

#[derive(Default)]
struct Walk {
    pictures: Vec<PathBuf>,
    skipped: Vec<Skipped>,
    /// Real paths of the folders that were entered.
    entered: HashSet<PathBuf>,
    /// Links to folders, entered after all real folders, so that a real folder wins over links to it.
    links: BTreeMap<PathBuf, ()>,
}

impl Walk {
    fn run(&mut self, root: &Path) {
        self.walk_real(root, PathBuf::new());
        while let Some((link, ())) = self.links.pop_first() {
            self.walk_real(root, link);
        }
    }

    fn walk_real(&mut self, root: &Path, start: PathBuf) {
        let mut waiting = vec![start];
        while let Some(folder) = waiting.pop() {
            let here = root.join(&folder);
            match std::fs::canonicalize(&here) {
                Ok(real) => {
                    if !self.entered.insert(real) {
                        continue;
                    }
                }
                Err(error) => {
                    self.skip(here, format!("The folder cannot be read: {error}."));
                    continue;
                }
            }
            let entries = match std::fs::read_dir(&here) {
                Ok(entries) => entries,
                Err(error) => {
                    self.skip(here, format!("The folder cannot be read: {error}."));
                    continue;
                }
            };
            for entry in entries {
                match entry {
                    Ok(entry) => self.visit(&folder, &entry, &mut waiting),
                    Err(error) => self.skip(here.clone(), format!("The folder cannot be read: {error}.")),
                }
            }
        }
    }

    fn visit(&mut self, folder: &Path, entry: &std::fs::DirEntry, waiting: &mut Vec<PathBuf>) {
        let name = entry.file_name();
        if name.as_encoded_bytes().first() == Some(&b'.') {
            return;
        }
        let relative = folder.join(&name);
        let path = entry.path();
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        match std::fs::metadata(&path) {
            Ok(kind) if kind.is_dir() && is_link => {
                self.links.insert(relative, ());
            }
            Ok(kind) if kind.is_dir() => waiting.push(relative),
            Ok(kind) if kind.is_file() && is_picture(&path) => self.pictures.push(relative),
            // Opening a pipe would wait for somebody to write into it.
            Ok(kind) if !kind.is_file() && has_picture_ending(&path) => {
                self.skip(path, "It is called like a picture, but it is no file.".to_owned());
            }
            Ok(_) => {}
            Err(error) => self.skip(path, format!("The file cannot be read: {error}.")),
        }
    }

    fn skip(&mut self, path: PathBuf, reason: String) {
        self.skipped.push(Skipped { path, reason });
    }
}

fn has_picture_ending(path: &Path) -> bool {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

pub(crate) fn is_picture(path: &Path) -> bool {
    if has_picture_ending(path) {
        return true;
    }
    let mut start = [0; 12];
    let mut read = 0;
    let Ok(mut file) = std::fs::File::open(path) else {
        return false;
    };
    while let Ok(count) = file.read(&mut start[read..]) {
        read += count;
        if count == 0 || read == start.len() {
            break;
        }
    }
    let start = &start[..read];
    // TIFF and BMP are left to their endings: raw camera files begin like the one, any text may like the other.
    start.starts_with(&[0xff, 0xd8, 0xff])
        || start.starts_with(b"\x89PNG\r\n\x1a\n")
        || start.starts_with(b"GIF87a")
        || start.starts_with(b"GIF89a")
        || (start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder with empty files.
    pub(crate) fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        folder
    }

    #[test]
    fn pictures_are_sorted_and_hidden_or_other_files_left_out() {
        let folder = folder(&[
            "b.JPG",
            "a/2.png",
            "a/1.tiff",
            ".hidden.jpg",
            ".git/x.jpg",
            "notes.txt",
        ]);
        std::fs::write(folder.path().join("nameless"), b"\xff\xd8\xff\xe0....").unwrap();
        let index = PictureIndex::scan(folder.path()).unwrap();
        let names: Vec<_> = index
            .relative_paths()
            .iter()
            .map(|path| path.to_str().unwrap())
            .collect();
        assert_eq!(names, ["a/1.tiff", "a/2.png", "b.JPG", "nameless"]);
        assert!(index.skipped().is_empty());
    }

    #[test]
    fn names_meet_by_path_then_by_name_without_ending() {
        let folder = folder(&["x/a.jpg", "y/a.jpg", "x/b.jpg", "tower.v2.jpg"]);
        let index = PictureIndex::scan(folder.path()).unwrap();
        let found = |name: &str| {
            index
                .locate(name)
                .unwrap()
                .map(|path| path.strip_prefix(folder.path()).unwrap().to_path_buf())
        };
        assert_eq!(found("x/a.jpg"), Some("x/a.jpg".into()));
        assert_eq!(found("./y/a.jpg"), Some("y/a.jpg".into()));
        assert_eq!(found("b"), Some("x/b.jpg".into()));
        assert_eq!(found("other/b.png"), Some("x/b.jpg".into()));
        assert_eq!(found("y/a"), Some("y/a.jpg".into()));
        assert_eq!(found("tower.v2"), Some("tower.v2.jpg".into()));
        assert_eq!(found("tower"), None);
        assert_eq!(
            found(folder.path().join("x/b.jpg").to_str().unwrap()),
            Some("x/b.jpg".into())
        );
        let message = index.locate("a").unwrap_err().to_string();
        assert!(
            message.contains("x/a.jpg") && message.contains("y/a.jpg"),
            "{message}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_and_unreadable_entries_do_no_harm() {
        use std::os::unix::ffi::OsStringExt;
        let folder = folder(&["real/a.jpg"]);
        let root = folder.path();
        std::os::unix::fs::symlink(root, root.join("real/up")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("again")).unwrap();
        std::os::unix::fs::symlink(root.join("nowhere"), root.join("broken.jpg")).unwrap();
        std::fs::write(root.join(OsString::from_vec(b"caf\xe9.jpg".to_vec())), b"").unwrap();
        let index = PictureIndex::scan(root).unwrap();
        assert_eq!(index.len(), 2);
        assert!(index.relative_paths().contains(&PathBuf::from("real/a.jpg")));
        assert_eq!(index.skipped().len(), 1);
        assert!(index.skipped()[0].path.ends_with("broken.jpg"));
    }
}
