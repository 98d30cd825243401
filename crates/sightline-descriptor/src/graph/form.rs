//! The bytes of a graph's file, and of the state of one that is being made.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use sightline_card::sha256_hex;
use sightline_checkpoint::safetensors::{self, Safetensors};
use sightline_checkpoint::{Dtype, Storage};
use sightline_search::{GraphState, KnnGraph};

use super::GraphError;
use super::source::{GraphSource, checksum};
use crate::writer::{beside, sync_folder};

const FORMAT: &str = "sightline-graph";
const STATE_FORMAT: &str = "sightline-graph-state";
/// The version that is written; all up to it can be read.
const FORMAT_VERSION: u32 = 1;

/// What a file holds.
pub(super) struct Form {
    /// Whether it is a graph, not the state of one.
    pub(super) finished: bool,
    pub(super) state: GraphState,
    pub(super) made_of: Vec<GraphSource>,
}

impl Form {
    /// Reads a graph or a state. Shapes and checksum are right then; which rows the lists name is not looked at.
    pub(super) fn read(path: &Path, storage: &Storage) -> Result<Self, GraphError> {
        let damaged = |reason: &str| GraphError::damaged(path, reason);
        let file = safetensors::read(storage).map_err(|error| damaged(&error.to_string()))?;
        let text = |key: &str| {
            let found = file.metadata.iter().find(|(name, _)| name == key);
            found.map(|(_, text)| text.as_str())
        };
        let finished = match text("format") {
            Some(FORMAT) => true,
            Some(STATE_FORMAT) => false,
            _ => return Err(damaged("it is a file of something else")),
        };
        let version = text("format_version").unwrap_or("none");
        if !version
            .parse()
            .is_ok_and(|version: u32| (1..=FORMAT_VERSION).contains(&version))
        {
            let reason = format!(
                "it has format version {version}, and this program knows versions 1 to {FORMAT_VERSION}; use a newer Sightline"
            );
            return Err(damaged(&reason));
        }
        let sources = text("made_of").unwrap_or_default();
        let made_of: Vec<GraphSource> = serde_json::from_str(sources)
            .map_err(|error| damaged(&format!("what it was made of cannot be read ({error})")))?;
        let graph = graph(&file).map_err(|reason| damaged(&reason))?;
        let count = graph.count();
        let rows = made_of
            .iter()
            .try_fold(0_usize, |rows, source| rows.checked_add(source.rows));
        if rows != Some(count) {
            return Err(damaged("it was made of another number of rows than it has lists"));
        }
        let rows = if finished {
            count
        } else {
            let rows = text("finished").and_then(|rows| rows.parse().ok());
            rows.filter(|rows| *rows <= count)
                .ok_or_else(|| damaged("it does not say how many rows are finished"))?
        };
        let wanted = contents(&graph, rows, sources);
        if text("checksum") != Some(&wanted) {
            return Err(GraphError::Checksum {
                path: path.to_path_buf(),
                wanted,
            });
        }
        Ok(Self {
            finished,
            state: GraphState { rows, graph },
            made_of,
        })
    }
}

/// The tensors; what is wrong with them is a half sentence.
fn graph(file: &Safetensors) -> Result<KnnGraph, String> {
    let values = |name: &str, dtype: Dtype| {
        let tensor = file
            .get(name)
            .ok_or_else(|| format!("it has no tensor \"{name}\""))?;
        let bytes = tensor.as_contiguous_bytes().filter(|_| tensor.dtype() == dtype);
        let bytes =
            bytes.ok_or_else(|| format!("its tensor \"{name}\" is of type {}", tensor.dtype().name()))?;
        Ok::<_, String>((tensor.shape(), bytes.as_chunks::<4>().0))
    };
    let (shape, indices) = values("indices", Dtype::U32)?;
    let (similarities_shape, similarities) = values("similarities", Dtype::F32)?;
    let (lowest_shape, lowest) = values("lowest", Dtype::F32)?;
    let ([count, k], true, true) = (
        shape,
        similarities_shape == shape,
        Some(lowest_shape) == shape.get(..1),
    ) else {
        return Err(format!(
            "its tensors have the shapes {shape:?}, {similarities_shape:?} and {lowest_shape:?}, which do not belong together"
        ));
    };
    if k > count {
        return Err(format!("it has {k} neighbours for each of {count} rows"));
    }
    let floats = |values: &[[u8; 4]]| values.iter().map(|value| f32::from_le_bytes(*value)).collect();
    Ok(KnnGraph {
        k: *k,
        indices: indices.iter().map(|value| u32::from_le_bytes(*value)).collect(),
        similarities: floats(similarities),
        lowest: floats(lowest),
    })
}

/// Checksum of everything that a file says.
fn contents(graph: &KnnGraph, rows: usize, made_of: &str) -> String {
    let [indices, similarities, lowest] = parts(graph).map(checksum);
    sha256_hex(
        format!(
            "{} {} {rows} {indices} {similarities} {lowest} {made_of}",
            graph.count(),
            graph.k
        )
        .as_bytes(),
    )
}

/// The tensors' bytes in their order (little-endian machines only, as all that Sightline is built for).
fn parts(graph: &KnnGraph) -> [&[u8]; 3] {
    [
        bytemuck::cast_slice(&graph.indices),
        bytemuck::cast_slice(&graph.similarities),
        bytemuck::cast_slice(&graph.lowest),
    ]
}

/// Writes a graph, or with a number of finished rows the state of one, beside `path`, then renames it.
pub(super) fn write(
    path: &Path,
    graph: &KnnGraph,
    made_of: &[GraphSource],
    finished: Option<usize>,
) -> Result<(), GraphError> {
    // Plain structs with text keys always serialise.
    let made_of = serde_json::to_string(made_of).unwrap_or_default();
    let mut metadata = Map::new();
    let format = if finished.is_some() { STATE_FORMAT } else { FORMAT };
    metadata.insert("format".to_owned(), format.into());
    metadata.insert("format_version".to_owned(), FORMAT_VERSION.to_string().into());
    if let Some(rows) = finished {
        metadata.insert("finished".to_owned(), rows.to_string().into());
    }
    let rows = finished.unwrap_or(graph.count());
    metadata.insert("checksum".to_owned(), contents(graph, rows, &made_of).into());
    metadata.insert("made_of".to_owned(), made_of.into());
    let mut all = Map::new();
    all.insert("__metadata__".to_owned(), Value::Object(metadata));
    let (lists, parts) = (json!([graph.count(), graph.k]), parts(graph));
    let tensors = [
        ("indices", "U32", lists.clone()),
        ("similarities", "F32", lists),
        ("lowest", "F32", json!([graph.count()])),
    ];
    let mut start = 0;
    for ((name, dtype, shape), part) in tensors.into_iter().zip(parts) {
        let end = start + part.len();
        all.insert(
            name.to_owned(),
            json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}),
        );
        start = end;
    }
    let mut head = Value::Object(all).to_string().into_bytes();
    head.resize(head.len().next_multiple_of(8), b' ');
    let temporary = beside(path, ".tmp");
    let length = (head.len() as u64).to_le_bytes();
    let written = File::create(&temporary).and_then(|file| {
        let mut file = BufWriter::new(file);
        for part in [&length[..], &head].into_iter().chain(parts) {
            file.write_all(part)?;
        }
        file.into_inner()?.sync_all()
    });
    let placed = written
        .map_err(GraphError::io(&temporary, "written"))
        .and_then(|()| std::fs::rename(&temporary, path).map_err(GraphError::io(path, "put in its place")));
    if placed.is_err() {
        // The reason of the failure is what matters, not whether the rest of it could be cleared away.
        let _ = std::fs::remove_file(&temporary);
    }
    sync_folder(path);
    placed
}
