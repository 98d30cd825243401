//! Safetensors files: reading, where every tensor stays in the mapped file, and writing.
//!
//! The `safetensors` crate checks the header: data covered without holes and overlaps, shapes that agree with
//! their bytes. Writing is our own, because the crate keeps metadata in a hash map and so writes other bytes each time.

use crate::storage::Storage;
use crate::tensor::{Dtype, Tensor, TensorError};
use crate::value::Value;
use safetensors::tensor::{Dtype as FileDtype, SafeTensorError, SafeTensors};
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Why a safetensors file cannot be read.
#[derive(Debug, Error)]
#[allow(missing_docs)] // the messages say it
pub enum SafetensorsError {
    #[error("This is no safetensors file, or it is damaged: {0}.")]
    Header(#[from] SafeTensorError),
    #[error("Tensor \"{name}\" has type {dtype}, which is not accepted.")]
    Type { name: String, dtype: String },
    #[error("Tensor \"{name}\" of the safetensors file is broken: {source}")]
    Tensor { name: String, source: TensorError },
}

/// What a safetensors file holds.
#[derive(Clone, Debug)]
pub struct Safetensors {
    /// The texts under `__metadata__`, sorted by key.
    pub metadata: Vec<(String, String)>,
    /// The tensors, sorted by name.
    pub tensors: Vec<(String, Tensor)>,
}

impl Safetensors {
    /// The tensors as a dict of arrays.
    pub fn to_value(&self) -> Value {
        Value::dict(
            self.tensors
                .iter()
                .map(|(name, tensor)| (name, Value::Array(Arc::new(tensor.clone())))),
        )
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let index = self
            .tensors
            .binary_search_by(|(key, _)| key.as_str().cmp(name))
            .ok()?;
        Some(&self.tensors[index].1)
    }
}

/// Reads a safetensors file; the tensors stay where they are, in `storage`.
///
/// # Errors
/// If header, shapes and data do not agree, or a tensor has a type that [`Dtype`] lacks.
pub fn read(storage: &Storage) -> Result<Safetensors, SafetensorsError> {
    let bytes = storage.bytes();
    let (header_len, header) = SafeTensors::read_metadata(bytes)?;
    // Checks that the last tensor ends with the file, too.
    SafeTensors::deserialize(bytes)?;
    let mut tensors = Vec::new();
    for (name, info) in header.tensors() {
        let dtype = dtype_of(info.dtype).ok_or_else(|| SafetensorsError::Type {
            name: name.clone(),
            dtype: format!("{:?}", info.dtype),
        })?;
        let (start, end) = info.data_offsets;
        let part = storage.part(8 + header_len + start, end - start);
        let part = part.ok_or(SafeTensorError::MetadataIncompleteBuffer)?;
        match Tensor::contiguous(part, dtype, false, info.shape.clone()) {
            Ok(tensor) => tensors.push((name, tensor)),
            Err(source) => return Err(SafetensorsError::Tensor { name, source }),
        }
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut metadata: Vec<_> = header
        .metadata()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect();
    metadata.sort();
    Ok(Safetensors { metadata, tensors })
}

/// Why a safetensors file cannot be written.
#[derive(Debug, Error)]
#[allow(missing_docs)] // the messages say it
pub enum WriteError {
    #[error("Cannot write {path}: {source}.")]
    Io { path: PathBuf, source: io::Error },
    #[error("Cannot write {path}: two tensors have the name \"{name}\".")]
    Twice { path: PathBuf, name: String },
    #[error("Cannot write {path}: no tensor may have the name \"__metadata__\".")]
    Reserved { path: PathBuf },
    #[error("Cannot write {path}: tensor \"{name}\" has type {dtype}, which safetensors files do not know.")]
    Type {
        path: PathBuf,
        name: String,
        dtype: &'static str,
    },
}

/// Writes tensors and metadata to a safetensors file, beside `path` first, then renamed, so that `path` is never half
/// written. Tensors of wide elements come first (so that all are aligned), then by name; the same input gives the
/// same bytes.
///
/// # Errors
/// If the file cannot be written, a name stands twice, or a type has no name in the format.
pub fn write_safetensors<S: AsRef<str>>(
    path: &Path,
    tensors: &[(S, Tensor)],
    metadata: &[(String, String)],
) -> Result<(), WriteError> {
    let mut order: Vec<(&str, &Tensor)> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_ref(), tensor))
        .collect();
    order.sort_by(|(a, x), (b, y)| y.dtype().size().cmp(&x.dtype().size()).then(a.cmp(b)));
    let header = header(path, &order, metadata)?;
    let io = |source| WriteError::Io {
        path: path.to_path_buf(),
        source,
    };
    let name = path.file_name().ok_or_else(|| {
        io(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path names no file",
        ))
    })?;
    let mut part_name = name.to_os_string();
    part_name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(part_name);
    let written = write_all(&part, &header, &order).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // The reason of the failure is what matters, not whether the rest of it could be cleared away.
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(io)
}

fn header(
    path: &Path,
    order: &[(&str, &Tensor)],
    metadata: &[(String, String)],
) -> Result<Vec<u8>, WriteError> {
    let mut table = serde_json::Map::new();
    if !metadata.is_empty() {
        let texts: serde_json::Map<_, _> = metadata
            .iter()
            .map(|(key, text)| (key.clone(), text.as_str().into()))
            .collect();
        table.insert("__metadata__".to_owned(), texts.into());
    }
    let mut seen = HashSet::new();
    let mut offset = 0_usize;
    for (name, tensor) in order {
        if *name == "__metadata__" {
            return Err(WriteError::Reserved {
                path: path.to_path_buf(),
            });
        }
        if !seen.insert(*name) {
            return Err(WriteError::Twice {
                path: path.to_path_buf(),
                name: (*name).to_owned(),
            });
        }
        let dtype = name_of(tensor.dtype()).ok_or_else(|| WriteError::Type {
            path: path.to_path_buf(),
            name: (*name).to_owned(),
            dtype: tensor.dtype().name(),
        })?;
        let end = offset.saturating_add(tensor.byte_len());
        table.insert(
            (*name).to_owned(),
            serde_json::json!({"dtype": dtype, "shape": tensor.shape(), "data_offsets": [offset, end]}),
        );
        offset = end;
    }
    let mut text = serde_json::Value::Object(table).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    Ok(bytes)
}

fn write_all(path: &Path, header: &[u8], order: &[(&str, &Tensor)]) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    file.write_all(header)?;
    for (_, tensor) in order {
        match tensor.as_contiguous_bytes() {
            Some(bytes) => file.write_all(bytes)?,
            None => file.write_all(&tensor.to_bytes())?,
        }
    }
    file.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

fn dtype_of(dtype: FileDtype) -> Option<Dtype> {
    Some(match dtype {
        FileDtype::BOOL => Dtype::Bool,
        FileDtype::U8 => Dtype::U8,
        FileDtype::I8 => Dtype::I8,
        FileDtype::U16 => Dtype::U16,
        FileDtype::I16 => Dtype::I16,
        FileDtype::U32 => Dtype::U32,
        FileDtype::I32 => Dtype::I32,
        FileDtype::U64 => Dtype::U64,
        FileDtype::I64 => Dtype::I64,
        FileDtype::F16 => Dtype::F16,
        FileDtype::BF16 => Dtype::Bf16,
        FileDtype::F32 => Dtype::F32,
        FileDtype::F64 => Dtype::F64,
        FileDtype::C64 => Dtype::Complex64,
        _ => return None,
    })
}

fn name_of(dtype: Dtype) -> Option<&'static str> {
    Some(match dtype {
        Dtype::Bool => "BOOL",
        Dtype::U8 => "U8",
        Dtype::I8 => "I8",
        Dtype::U16 => "U16",
        Dtype::I16 => "I16",
        Dtype::U32 => "U32",
        Dtype::I32 => "I32",
        Dtype::U64 => "U64",
        Dtype::I64 => "I64",
        Dtype::F16 => "F16",
        Dtype::Bf16 => "BF16",
        Dtype::F32 => "F32",
        Dtype::F64 => "F64",
        Dtype::Complex64 => "C64",
        Dtype::Complex128 => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_the_bytes_are_always_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (
            folder.path().join("a.safetensors"),
            folder.path().join("b.safetensors"),
        );
        let half = Tensor::contiguous(Storage::from_vec(vec![0, 60]), Dtype::F16, false, vec![1]).unwrap();
        let columns = Storage::from_vec(
            [1f64, 2., 3., 4., 5., 6.]
                .iter()
                .flat_map(|v| v.to_be_bytes())
                .collect(),
        );
        let tensors = [
            ("half", half),
            ("b", Tensor::from_f32(vec![2, 1], &[1.0, -2.0]).unwrap()),
            (
                "turned",
                Tensor::column_major(columns, Dtype::F64, true, vec![2, 3]).unwrap(),
            ),
            ("empty", Tensor::from_f32(vec![0, 4], &[]).unwrap()),
        ];
        let metadata = ["z", "a", "m"].map(|key| (key.to_owned(), format!("{key} \"é\"")));
        write_safetensors(&first, &tensors, &metadata).unwrap();
        write_safetensors(&second, &tensors, &metadata).unwrap();
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);

        let read = read(&Storage::map(&std::fs::File::open(&first).unwrap()).unwrap()).unwrap();
        assert_eq!(read.metadata[2], ("z".to_owned(), "z \"é\"".to_owned()));
        let names: Vec<&str> = read.tensors.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "empty", "half", "turned"]);
        assert_eq!(
            read.get("turned").unwrap().to_f32().unwrap(),
            [1., 3., 5., 2., 4., 6.]
        );
        assert_eq!(read.get("half").unwrap().to_f32().unwrap(), [1.0]);
        assert_eq!(read.get("empty").unwrap().shape(), [0, 4]);
    }

    #[test]
    fn names_that_clash_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let one = Tensor::from_f32(vec![1], &[1.0]).unwrap();
        let twice = [("a", one.clone()), ("a", one.clone())];
        assert!(matches!(
            write_safetensors(&path, &twice, &[]),
            Err(WriteError::Twice { .. })
        ));
        let reserved = [("__metadata__", one)];
        assert!(matches!(
            write_safetensors(&path, &reserved, &[]),
            Err(WriteError::Reserved { .. })
        ));
        assert!(!path.exists());
    }
}
