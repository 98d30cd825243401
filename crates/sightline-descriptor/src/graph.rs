//! The graph of neighbours of a descriptor set, on disk.
//!
//! It is a safetensors file, so that any program may read it:
//!
//! | tensor | type | shape | what |
//! |---|---|---|---|
//! | `indices` | U32 | `[n, k]` | the k nearest rows of each row, best first, itself included |
//! | `similarities` | F32 | `[n, k]` | their inner products with it |
//! | `lowest` | F32 | `[n]` | its least inner product with any row |
//!
//! The metadata holds `format` = `sightline-graph`, `format_version`, `made_of` (a JSON list: for each set its [`GraphSource`], the sets' rows
//! lie one behind the other), and `checksum` (of `made_of` and the tensors). The state of a graph that is being made has the format
//! `sightline-graph-state` and says in `finished` how many rows have their final lists; a neighbour that is not known yet is 4294967295.

mod building;
mod form;
mod source;
#[cfg(test)]
mod tests;

pub use building::{GraphReport, build_graph, remove_graph_state};
pub use source::GraphSource;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sightline_checkpoint::Storage;
use sightline_search::{KnnGraph, SearchError};

use crate::set::DescriptorSet;
use form::Form;

/// Why a graph could not be made, read, written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The file system refused.
    #[error("{} could not be {action}: {source}.", .path.display())]
    Io {
        /// The file in question.
        path: PathBuf,
        /// What was being done, as a participle: `opened`, `written`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no graph, or contradicts itself.
    #[error("{} cannot be used as a graph of neighbours: {reason}. `sightline graph create` makes one.", .path.display())]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The contents are not those that were written.
    #[error(
        "{} cannot be used as a graph of neighbours: its contents are not those that were written (the checksum differs). \
         Make it anew with `sightline graph create`.",
        .path.display()
    )]
    Checksum {
        /// The file in question.
        path: PathBuf,
        /// The checksum of what it holds.
        wanted: String,
    },
    /// A graph of other rows, or with another number of neighbours.
    #[error(
        "{} is a graph of something else: {difference}. Make the graph of these descriptors with `sightline graph create`.",
        .path.display()
    )]
    Foreign {
        /// The file in question.
        path: PathBuf,
        /// What differs, and how.
        difference: String,
    },
    /// The rows have no graph.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl GraphError {
    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> GraphError {
        let path = path.to_path_buf();
        move |source| GraphError::Io { path, action, source }
    }

    fn damaged(path: &Path, reason: impl Into<String>) -> GraphError {
        GraphError::Damaged {
            path: path.to_path_buf(),
            // A reason of another reader is a sentence; here it becomes the end of one.
            reason: reason.into().trim_end_matches('.').to_owned(),
        }
    }
}

/// The nearest neighbours of every row of one or more descriptor sets, and what tells these sets from others.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphFile {
    /// The neighbours; the sets' rows lie one behind the other.
    pub graph: KnnGraph,
    /// What the graph was made of.
    pub made_of: Vec<GraphSource>,
}

impl GraphFile {
    /// Reads a graph and compares it with its checksum.
    ///
    /// # Errors
    /// When the file cannot be opened, is no graph, contradicts itself, is an unfinished one, or was written by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GraphError> {
        let path = path.as_ref();
        Self::of_storage(path, &map(path)?)
    }

    /// Reads a graph from the bytes of its file. `source` is how messages call it.
    ///
    /// # Errors
    /// As [`GraphFile::open`].
    pub fn from_bytes(source: &str, bytes: Vec<u8>) -> Result<Self, GraphError> {
        Self::of_storage(Path::new(source), &Storage::from_vec(bytes))
    }

    fn of_storage(path: &Path, storage: &Storage) -> Result<Self, GraphError> {
        let form = Form::read(path, storage)?;
        let count = form.state.graph.count();
        if !form.finished {
            let reason = format!(
                "it is the state of one that is being made, with {} of {count} rows finished; `sightline graph create` goes on from it",
                form.state.rows
            );
            return Err(GraphError::damaged(path, reason));
        }
        form.state
            .graph
            .verify(count)
            .map_err(|error| refused(path, &error))?;
        Ok(Self {
            graph: form.state.graph,
            made_of: form.made_of,
        })
    }

    /// Makes sure that this graph, read from `path`, is that of the rows of `sets`, which lie one behind the other. Reads every row, on all cores.
    ///
    /// # Errors
    /// When it is another's: the message says which set differs and in what.
    pub fn check(&self, path: &Path, sets: &[&DescriptorSet]) -> Result<(), GraphError> {
        let here: Vec<GraphSource> = sets.iter().map(|set| GraphSource::of(set)).collect();
        match source::difference(&self.made_of, &here) {
            None => Ok(()),
            Some(difference) => Err(GraphError::Foreign {
                path: path.to_path_buf(),
                difference,
            }),
        }
    }

    /// Writes the graph beside `path`, then renames it. The same graph gives the same bytes.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), GraphError> {
        form::write(path.as_ref(), &self.graph, &self.made_of, None)
    }
}

fn map(path: &Path) -> Result<Storage, GraphError> {
    let file = File::open(path).map_err(GraphError::io(path, "opened"))?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(GraphError::damaged(path, "it is not a file"));
    }
    Storage::map(&file).map_err(GraphError::io(path, "mapped"))
}

/// The search's word on a graph, as one on its file.
fn refused(path: &Path, error: &SearchError) -> GraphError {
    match error {
        SearchError::Graph(reason) => GraphError::damaged(path, *reason),
        other => GraphError::damaged(path, other.to_string()),
    }
}
