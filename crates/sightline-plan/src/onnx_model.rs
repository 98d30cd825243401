//! An ONNX file with the files beside it that hold its weights.

use crate::{LoadError, OnnxHeader};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// More weights than this in files beside a model are not read into memory.
const MOST_BYTES: u64 = 64 << 30;

/// An ONNX file in memory, with the files beside it that hold its weights.
#[derive(Clone, Debug, Default)]
pub struct OnnxModel {
    /// The file.
    pub bytes: Vec<u8>,
    /// Files beside it, by the names it gives them.
    pub external: Vec<(String, Vec<u8>)>,
    /// Where it was read.
    pub path: Option<PathBuf>,
    /// The one output to compute; none: all.
    pub output: Option<String>,
}

/// A file that cannot be read as a model.
#[derive(Debug, thiserror::Error)]
pub enum OnnxFileError {
    /// The file, or one that it names, cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no ONNX file.
    #[error("{}: {source}", .path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: LoadError,
    },
    /// Weights in a file that lies elsewhere.
    #[error(
        "{} wants to read its weights from `{external}`. Only files in the model's own folder are read: put it there, and \
         export the model again so that it names it without a path.", .path.display()
    )]
    Outside {
        /// The file.
        path: PathBuf,
        /// The file that it names.
        external: String,
    },
    /// A file of weights that is named in two ways, or is the model itself.
    #[error(
        "{} names the file `{external}` beside it in two ways, or means itself. Export the model again with its weights in one file.",
        .path.display()
    )]
    Twice {
        /// The file.
        path: PathBuf,
        /// The file as it is named.
        external: String,
    },
    /// Weights that no machine holds.
    #[error("The weights beside {} are more than {} GiB, which is not read into memory. Use a smaller model.", .path.display(), MOST_BYTES >> 30)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

impl OnnxModel {
    /// Reads an ONNX file, and the files in its folder that hold its weights.
    ///
    /// # Errors
    /// When a file cannot be read, is no ONNX file, names weights outside its folder, the same file in two ways or itself, or
    /// more than 64 GiB.
    pub fn read(path: &Path) -> Result<Self, OnnxFileError> {
        let failed = |path: &Path, source| OnnxFileError::Io {
            path: path.to_owned(),
            source,
        };
        let read = |path: &Path| std::fs::read(path).map_err(|source| failed(path, source));
        let bytes = read(path)?;
        let header = OnnxHeader::read(&bytes).map_err(|source| OnnxFileError::Load {
            path: path.to_owned(),
            source,
        })?;
        let mut external = Vec::new();
        let mut known: BTreeSet<PathBuf> = path.file_name().map(PathBuf::from).into_iter().collect();
        let mut total = 0_u64;
        for name in header.external {
            let path = path.to_owned();
            let Some(file) = inside(&name) else {
                return Err(OnnxFileError::Outside { path, external: name });
            };
            if !known.insert(file.clone()) {
                return Err(OnnxFileError::Twice { path, external: name });
            }
            let beside = path.with_file_name(file);
            let facts = std::fs::metadata(&beside).map_err(|source| failed(&beside, source))?;
            if !facts.is_file() {
                // A device or a pipe may have no end.
                let source = std::io::Error::other("it is no regular file");
                return Err(failed(&beside, source));
            }
            total = total.saturating_add(facts.len());
            if total > MOST_BYTES {
                return Err(OnnxFileError::TooLarge { path });
            }
            external.push((name, read(&beside)?));
        }
        Ok(Self {
            bytes,
            external,
            path: Some(path.to_owned()),
            output: None,
        })
    }
}

/// The path below the model's folder, without detours; none where it leaves the folder.
fn inside(name: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!path.as_os_str().is_empty()).then_some(path)
}

impl From<Vec<u8>> for OnnxModel {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::Message;

    #[test]
    fn each_file_is_read_once_and_only_below_the_folder() {
        let folder = std::env::temp_dir().join(format!("sightline-onnx-model-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("s")).unwrap();
        std::fs::write(folder.join("w"), b"1").unwrap();
        std::fs::write(folder.join("s/w"), b"2").unwrap();
        let read = |names: &[&str]| {
            let graph = names.iter().fold(Message::new(), |graph, name| {
                let entry = Message::new().text(1, "location").text(2, name);
                graph.message(5, &Message::new().message(13, &entry))
            });
            let path = folder.join("m.onnx");
            std::fs::write(&path, Message::new().message(7, &graph).bytes).unwrap();
            OnnxModel::read(&path)
        };
        let model = read(&["./w", "s//w", "./w"]).unwrap();
        let want = [("./w", b"1"), ("s//w", b"2")].map(|(name, content)| (name.to_owned(), content.to_vec()));
        assert_eq!(model.external, want);
        for twice in [&["w", "./w"][..], &["s/w", "s/./w"], &["./m.onnx"]] {
            assert!(
                matches!(read(twice), Err(OnnxFileError::Twice { .. })),
                "{twice:?}"
            );
        }
        for outside in ["../w", "/w", "", "s/../w"] {
            assert!(
                matches!(read(&[outside]), Err(OnnxFileError::Outside { .. })),
                "{outside}"
            );
        }
        for other in ["s", "none"] {
            assert!(matches!(read(&[other]), Err(OnnxFileError::Io { .. })), "{other}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
