//! The npy form of a descriptor set: `NAME.npy`, and beside it `NAME.names.txt` and `NAME.card.json`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sightline_card::Card;
use sightline_checkpoint::{Storage, Tensor, Value, npy};

use crate::error::SetError;
use crate::set::{Layout, RowType, Shard};
use crate::writer::SetHeader;

/// Side files larger than this are not read: a hundred million names of forty bytes.
const LARGEST_SIDE_FILE: u64 = 4 << 30;

/// The side file of the card: the card's own fields, and which part of a list the set is.
#[derive(Serialize, Deserialize)]
struct SideCard {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    shard: Option<Shard>,
}

pub(crate) fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(npy::MAGIC)
}

/// Finds the rows in an npy file.
pub(crate) fn layout(path: &Path, storage: &Storage) -> Result<Layout, SetError> {
    let file = npy::read(storage).map_err(|error| SetError::damaged(path, error.to_string()))?;
    match file.value {
        Value::Array(rows) => Ok(Layout::bare(Tensor::clone(&rows))),
        _ => Err(SetError::damaged(
            path,
            "it holds texts, and descriptors are floats",
        )),
    }
}

/// `NAME.names.txt` and `NAME.card.json` of `NAME.npy`.
pub(crate) fn side_paths(path: &Path) -> (PathBuf, PathBuf) {
    (path.with_extension("names.txt"), path.with_extension("card.json"))
}

/// Adds what stands in the side files, where there are any.
pub(crate) fn with_side_files(path: &Path, mut layout: Layout) -> Result<Layout, SetError> {
    let (names_path, card_path) = side_paths(path);
    if let Some(text) = read_if_present(&names_path)? {
        layout.names = Some(text.lines().map(str::to_owned).collect());
    }
    if let Some(text) = read_if_present(&card_path)? {
        let card = Card::from_json(&text).map_err(|source| SetError::Card {
            path: card_path.clone(),
            source,
        })?;
        let side: SideCard =
            serde_json::from_str(&text).map_err(|error| SetError::damaged(&card_path, error.to_string()))?;
        layout.card = Some(card);
        layout.shard = side.shard;
    }
    Ok(layout)
}

fn read_if_present(path: &Path) -> Result<Option<String>, SetError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SetError::io(path, "opened")(error)),
    };
    let mut text = String::new();
    file.take(LARGEST_SIDE_FILE)
        .read_to_string(&mut text)
        .map_err(SetError::io(path, "read"))?;
    Ok(Some(text))
}

/// The bytes before the rows.
pub(crate) fn head(header: &SetHeader<'_>) -> Vec<u8> {
    let descr = match header.row_type {
        RowType::F32 => "<f4",
        RowType::F16 => "<f2",
    };
    let mut text = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}, {}), }}",
        header.names.len(),
        header.dim
    );
    // As numpy does: spaces and a line end up to a multiple of 64, so that the rows of a mapped file are aligned.
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut head = npy::MAGIC.to_vec();
    head.extend([1, 0]);
    head.extend((text.len() as u16).to_le_bytes());
    head.extend(text.bytes());
    head
}

/// The contents of the two side files; no second one without a card.
pub(crate) fn side_files(header: &SetHeader<'_>) -> Result<(String, Option<String>), String> {
    if let Some(name) = header.names.iter().find(|name| name.contains(['\n', '\r'])) {
        return Err(format!(
            "the name {name:?} has a line end, which a list of one name a line cannot hold; write .safetensors"
        ));
    }
    if !header.extra.is_empty() {
        return Err("npy files hold no further metadata; write .safetensors".to_owned());
    }
    let names: String = header
        .names
        .iter()
        .flat_map(|name| [name.as_str(), "\n"])
        .collect();
    let card = header.card.map(|card| {
        let mut value = card.to_value();
        if let Some(shard) = header.shard {
            value["shard"] = shard.to_string().into();
        }
        format!("{value:#}\n")
    });
    Ok((names, card))
}
