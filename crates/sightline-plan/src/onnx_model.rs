//! An ONNX file with the files beside it that hold its weights.

use crate::{LoadError, OnnxHeader};
use std::path::{Component, Path, PathBuf};

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
}

impl OnnxModel {
    /// Reads an ONNX file, and the files in its folder that hold its weights.
    ///
    /// # Errors
    /// When a file cannot be read, is no ONNX file, or names weights outside its folder.
    pub fn read(path: &Path) -> Result<Self, OnnxFileError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| OnnxFileError::Io {
                path: path.to_owned(),
                source,
            })
        };
        let bytes = read(path)?;
        let header = OnnxHeader::read(&bytes).map_err(|source| OnnxFileError::Load {
            path: path.to_owned(),
            source,
        })?;
        let mut external = Vec::new();
        for name in header.external {
            let inside = Path::new(&name)
                .components()
                .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            if !inside {
                return Err(OnnxFileError::Outside {
                    path: path.to_owned(),
                    external: name,
                });
            }
            let content = read(&path.with_file_name(&name))?;
            external.push((name, content));
        }
        Ok(Self {
            bytes,
            external,
            path: Some(path.to_owned()),
            output: None,
        })
    }
}

impl From<Vec<u8>> for OnnxModel {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }
}
