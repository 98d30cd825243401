//! The safetensors form of a descriptor set.

use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{SafeTensors, TensorInfo};
use serde_json::{Map, Value, json};
use sightline_card::Card;

use crate::error::SetError;
use crate::set::{Layout, RowType, Shard, ValueType};
use crate::writer::SetHeader;

/// The metadata's word for our own files.
const FORMAT: &str = "sightline-descriptors";
/// The version that is written; all up to it can be read.
const FORMAT_VERSION: u32 = 1;
/// The tensor that holds the rows.
const ROWS: &str = "descriptors";
/// The metadata that has a meaning here.
const KEYS: [&str; 5] = ["format", "format_version", "names", "card", "shard"];
/// Names that take more bytes than this go into a tensor of their own: readers refuse headers beyond 100 MB.
const NAMES_IN_HEADER: usize = 32 << 20;

/// Finds the rows in a safetensors file.
pub(crate) fn layout(path: &Path, bytes: &[u8], wanted: Option<&str>) -> Result<Layout, SetError> {
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| {
        SetError::damaged(
            path,
            format!("it is neither an npy nor a safetensors file ({error})"),
        )
    })?;
    // `read_metadata` has checked that the header lies inside the bytes and that all tensors lie inside the rest.
    let data = header.saturating_add(8);
    let mut text = metadata.metadata().clone().unwrap_or_default();
    let ours = text.get("format").is_some_and(|format| format == FORMAT);
    let name = choose(path, &metadata.tensors(), wanted)?;
    let Some(info) = metadata.info(&name) else {
        return Err(SetError::damaged(
            path,
            format!("its header lost the tensor {name:?}"),
        ));
    };
    let [len, dim] = info.shape[..] else {
        return Err(SetError::damaged(
            path,
            format!("its tensor {name:?} has {} axes, not two", info.shape.len()),
        ));
    };
    let values = value_type(info.dtype).ok_or_else(|| {
        SetError::damaged(
            path,
            format!(
                "its tensor {name:?} has the type {:?}, which holds no descriptors",
                info.dtype
            ),
        )
    })?;
    let start = data
        .checked_add(info.data_offsets.0)
        .ok_or_else(|| SetError::damaged(path, "an offset in its header is too large"))?;
    let mut layout = Layout {
        start,
        values,
        len,
        dim,
        fortran: false,
        names: None,
        card: None,
        shard: None,
        extra: Default::default(),
    };
    if ours && name == ROWS {
        let version = text
            .get("format_version")
            .and_then(|version| version.parse::<u32>().ok());
        match version {
            Some(version) if version <= FORMAT_VERSION => {}
            Some(version) => {
                let reason = format!(
                    "it has format version {version}, and this program knows versions up to {FORMAT_VERSION}; use a newer Sightline"
                );
                return Err(SetError::damaged(path, reason));
            }
            None => return Err(SetError::damaged(path, "it states no format version")),
        }
        layout.names = names(path, bytes, data, metadata.info("names"), text.get("names"))?;
        if let Some(card) = text.get("card") {
            let card = Card::from_json(card).map_err(|source| SetError::Card {
                path: path.to_path_buf(),
                source,
            })?;
            layout.card = Some(card);
        }
        if let Some(shard) = text.get("shard") {
            let shard = Shard::parse(shard);
            layout.shard = Some(shard.ok_or_else(|| SetError::damaged(path, "its shard does not read i/n"))?);
        }
        for known in KEYS {
            text.remove(known);
        }
        layout.extra = text.into_iter().collect();
    }
    Ok(layout)
}

/// Which tensor holds the rows: the one asked for, else `descriptors`, else the only one with two axes.
fn choose(
    path: &Path,
    tensors: &std::collections::HashMap<String, &TensorInfo>,
    wanted: Option<&str>,
) -> Result<String, SetError> {
    let listed = |names: &[&str]| match names {
        [] => "none".to_owned(),
        names if names.len() > 20 => format!("{}, and {} more", names[..20].join(", "), names.len() - 20),
        names => names.join(", "),
    };
    let mut candidates: Vec<&str> = tensors
        .iter()
        .filter(|(_, info)| info.shape.len() == 2 && value_type(info.dtype).is_some())
        .map(|(name, _)| name.as_str())
        .collect();
    candidates.sort_unstable();
    match wanted {
        Some(wanted) if tensors.contains_key(wanted) => Ok(wanted.to_owned()),
        Some(wanted) => Err(SetError::NoSuchTensor {
            path: path.to_path_buf(),
            wanted: wanted.to_owned(),
            tensors: listed(&candidates),
        }),
        None if tensors.contains_key(ROWS) => Ok(ROWS.to_owned()),
        None => match candidates[..] {
            [] => Err(SetError::damaged(
                path,
                "it has no tensor of floats with two axes [rows, values]",
            )),
            [only] => Ok(only.to_owned()),
            [first, ..] => Err(SetError::Ambiguous {
                path: path.to_path_buf(),
                tensors: listed(&candidates),
                first: first.to_owned(),
            }),
        },
    }
}

fn value_type(dtype: Dtype) -> Option<ValueType> {
    match dtype {
        Dtype::F16 => Some(ValueType::F16),
        Dtype::BF16 => Some(ValueType::Bf16),
        Dtype::F32 => Some(ValueType::F32),
        Dtype::F64 => Some(ValueType::F64),
        _ => None,
    }
}

/// The names, from the metadata or, where they were too long for it, from the tensor `names`.
fn names(
    path: &Path,
    bytes: &[u8],
    data: usize,
    tensor: Option<&TensorInfo>,
    text: Option<&String>,
) -> Result<Option<Vec<String>>, SetError> {
    let json = match (text, tensor) {
        (Some(text), _) => text.as_bytes(),
        (None, Some(info)) if info.dtype == Dtype::U8 => {
            let (start, end) = (
                data.checked_add(info.data_offsets.0),
                data.checked_add(info.data_offsets.1),
            );
            start
                .zip(end)
                .and_then(|(start, end)| bytes.get(start..end))
                .ok_or_else(|| SetError::damaged(path, "its names lie outside the file"))?
        }
        _ => return Ok(None),
    };
    serde_json::from_slice(json)
        .map(Some)
        .map_err(|error| SetError::damaged(path, format!("its names are no JSON list of texts ({error})")))
}

/// The bytes before and after the rows: the header, and the names if they were too long for it.
pub(crate) fn frame(header: &SetHeader<'_>) -> Result<(Vec<u8>, Vec<u8>), String> {
    frame_with_limit(header, NAMES_IN_HEADER)
}

fn frame_with_limit(header: &SetHeader<'_>, names_in_header: usize) -> Result<(Vec<u8>, Vec<u8>), String> {
    let too_large = || "it would be larger than this machine can address".to_owned();
    let size = header
        .names
        .len()
        .checked_mul(header.dim)
        .and_then(|count| count.checked_mul(header.row_type.size()));
    let size = size.ok_or_else(too_large)?;
    let names = serde_json::to_string(header.names).map_err(|error| error.to_string())?;
    let mut metadata = Map::new();
    metadata.insert("format".to_owned(), FORMAT.into());
    metadata.insert("format_version".to_owned(), FORMAT_VERSION.to_string().into());
    if let Some(card) = header.card {
        metadata.insert("card".to_owned(), card.to_json().into());
    }
    if let Some(shard) = header.shard {
        metadata.insert("shard".to_owned(), shard.to_string().into());
    }
    for (key, text) in header.extra {
        if KEYS.contains(&key.as_str()) {
            return Err(format!("the metadata {key:?} has a meaning of its own"));
        }
        metadata.insert(key.clone(), text.clone().into());
    }
    let dtype = match header.row_type {
        RowType::F32 => "F32",
        RowType::F16 => "F16",
    };
    let rows = json!({"dtype": dtype, "shape": [header.names.len(), header.dim], "data_offsets": [0, size]});
    let mut all = Map::new();
    let mut tail = Vec::new();
    if names.len() <= names_in_header {
        metadata.insert("names".to_owned(), names.into());
        all.insert("__metadata__".to_owned(), Value::Object(metadata));
        all.insert(ROWS.to_owned(), rows);
    } else {
        let end = size.checked_add(names.len()).ok_or_else(too_large)?;
        all.insert("__metadata__".to_owned(), Value::Object(metadata));
        all.insert(ROWS.to_owned(), rows);
        all.insert(
            "names".to_owned(),
            json!({"dtype": "U8", "shape": [names.len()], "data_offsets": [size, end]}),
        );
        tail = names.into_bytes();
    }
    let mut text = Value::Object(all).to_string().into_bytes();
    // Spaces up to a multiple of eight, so that the rows of a mapped file are aligned.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.append(&mut text);
    if head.len() > 100_000_000 {
        return Err("its metadata is larger than the 100 MB that readers of the format accept".to_owned());
    }
    Ok((head, tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DescriptorSet;

    #[test]
    fn names_too_long_for_the_header_are_found_in_their_tensor() {
        let names: Vec<String> = (0..5)
            .map(|i| format!("folder/\"picture\" {i} \u{e4}.jpg"))
            .collect();
        let header = SetHeader::new(&names, 1, RowType::F32);
        for limit in [0, usize::MAX] {
            let (mut file, tail) = frame_with_limit(&header, limit).unwrap();
            assert_eq!(tail.is_empty(), limit > 0);
            for i in 0..5 {
                file.extend((i as f32).to_le_bytes());
            }
            file.extend(&tail);
            let set = DescriptorSet::from_bytes("set", file, None).unwrap();
            assert_eq!(set.names(), names);
            assert_eq!(set.to_f32(), [0.0, 1.0, 2.0, 3.0, 4.0]);
        }
    }

    #[test]
    fn metadata_with_a_meaning_of_its_own_is_refused() {
        let names = vec!["a".to_owned()];
        for key in KEYS {
            let extra = [(key.to_owned(), "x".to_owned())].into();
            let mut header = SetHeader::new(&names, 1, RowType::F32);
            header.extra = &extra;
            assert!(frame(&header).is_err(), "{key}");
        }
    }
}
