//! The safetensors form of a descriptor set.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use sightline_card::Card;
use sightline_checkpoint::{Dtype, Storage, Tensor, safetensors};

use crate::choose::choose;
use crate::error::SetError;
use crate::set::{Layout, RowType, Shard};
use crate::writer::SetHeader;

/// The metadata's word for our own files.
const FORMAT: &str = "sightline-descriptors";
/// The same of files of local features, whose descriptors are rows of no set.
const LOCAL_FEATURES: &str = "sightline-local-features";
/// The version that is written; all up to it can be read.
const FORMAT_VERSION: u32 = 1;
/// The tensor that holds the rows.
const ROWS: &str = "descriptors";
/// The metadata that has a meaning here.
const KEYS: [&str; 5] = ["format", "format_version", "names", "card", "shard"];
/// Names that take more bytes than this go into a tensor of their own: readers refuse headers beyond 100 MB.
const NAMES_IN_HEADER: usize = 32 << 20;

/// Finds the rows in a safetensors file.
pub(crate) fn layout(path: &Path, storage: &Storage, wanted: Option<&str>) -> Result<Layout, SetError> {
    let file = safetensors::read(storage).map_err(|error| {
        SetError::damaged(
            path,
            format!("it is no npy, safetensors, torch or pickle file ({error})"),
        )
    })?;
    let holds = |(key, text): &(String, String)| key == "format" && text == LOCAL_FEATURES;
    if wanted.is_none() && file.metadata.iter().any(holds) {
        let reason = "it holds local features, many a picture; `sightline local` is for those";
        return Err(SetError::damaged(path, reason));
    }
    let (name, rows) = choose(path, &file.tensors, wanted, ROWS)?;
    let mut layout = Layout::bare(rows.clone());
    let mut text: BTreeMap<String, String> = file.metadata.iter().cloned().collect();
    if name != ROWS || text.get("format").is_none_or(|format| format != FORMAT) {
        return Ok(layout);
    }
    match text
        .get("format_version")
        .and_then(|version| version.parse::<u32>().ok())
    {
        Some(version) if version <= FORMAT_VERSION => {}
        Some(version) => {
            let reason = format!(
                "it has format version {version}, and this program knows versions up to {FORMAT_VERSION}; use a newer Sightline"
            );
            return Err(SetError::damaged(path, reason));
        }
        None => return Err(SetError::damaged(path, "it states no format version")),
    }
    layout.names = names(path, text.get("names"), file.get("names"))?;
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
    layout.extra = text;
    Ok(layout)
}

/// The names, from the metadata or, where they were too long for it, from the tensor `names`.
fn names(
    path: &Path,
    text: Option<&String>,
    tensor: Option<&Tensor>,
) -> Result<Option<Vec<String>>, SetError> {
    let json = match (
        text,
        tensor
            .filter(|tensor| tensor.dtype() == Dtype::U8)
            .and_then(Tensor::as_contiguous_bytes),
    ) {
        (Some(text), _) => text.as_bytes(),
        (None, Some(bytes)) => bytes,
        (None, None) => return Ok(None),
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
