//! The npy form of a descriptor set: `NAME.npy`, and beside it `NAME.names.txt` and `NAME.card.json`.
//!
//! The header is parsed here and not by `sightline-checkpoint`, because a set needs the place of the rows in the file, to map
//! them, where a checkpoint needs the values. Format: NEP 1, `numpy/lib/format.py`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sightline_card::Card;

use crate::error::SetError;
use crate::set::{Layout, RowType, Shard, ValueType};
use crate::writer::SetHeader;

const MAGIC: &[u8] = b"\x93NUMPY";
/// A header of numpy's is some hundred bytes; this bounds what is searched in a hostile one.
const LONGEST_HEADER: usize = 1 << 16;
/// Side files larger than this are not read: a hundred million names of forty bytes.
const LARGEST_SIDE_FILE: u64 = 4 << 30;

/// The side file of the card: the card's own fields, and which part of a list the set is.
#[derive(Serialize, Deserialize)]
struct SideCard {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    shard: Option<Shard>,
}

pub(crate) fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Finds the rows in an npy file.
pub(crate) fn layout(path: &Path, bytes: &[u8]) -> Result<Layout, SetError> {
    let damaged = |reason: &str| SetError::damaged(path, reason);
    let short = || damaged("its npy header ends early");
    let (start, length) = match bytes.get(6).ok_or_else(short)? {
        1 => (
            10,
            bytes
                .get(8..10)
                .and_then(|b| b.try_into().ok())
                .map(|b| usize::from(u16::from_le_bytes(b))),
        ),
        2 | 3 => (
            12,
            bytes
                .get(8..12)
                .and_then(|b| b.try_into().ok())
                .map(|b| u32::from_le_bytes(b) as usize),
        ),
        _ => return Err(damaged("its npy version is unknown")),
    };
    let length = length.ok_or_else(short)?;
    if length > LONGEST_HEADER {
        return Err(damaged("its npy header is longer than 64 KiB"));
    }
    let text = bytes.get(start..start + length).ok_or_else(short)?;
    let text = std::str::from_utf8(text).map_err(|_| damaged("its npy header is no text"))?;
    let header = parse(text).map_err(|reason| SetError::damaged(path, reason))?;
    let [len, dim] = header.shape[..] else {
        let reason = format!(
            "its array has {} axes, and descriptors have two [rows, values]",
            header.shape.len()
        );
        return Err(SetError::damaged(path, reason));
    };
    let values = match header.descr.as_str() {
        "<f2" => ValueType::F16,
        ">f2" => ValueType::BigF16,
        "<f4" => ValueType::F32,
        ">f4" => ValueType::BigF32,
        "<f8" => ValueType::F64,
        ">f8" => ValueType::BigF64,
        other => {
            let reason =
                format!("its array has the type {other:?}, and descriptors are floats (<f2, <f4, <f8)");
            return Err(SetError::damaged(path, reason));
        }
    };
    Ok(Layout {
        start: start + length,
        values,
        len,
        dim,
        fortran: header.fortran,
        names: None,
        card: None,
        shard: None,
        extra: Default::default(),
    })
}

struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

/// Reads the Python dictionary of a header: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(text: &str) -> Result<Header, String> {
    let wrong = |what: &str| format!("its npy header has {what}");
    let inner = text
        .trim()
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.ok_or_else(|| wrong("no dictionary"))?.trim_start();
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = quoted(rest).ok_or_else(|| wrong("a key that is no text"))?;
        let after = after
            .trim_start()
            .strip_prefix(':')
            .ok_or_else(|| wrong("a key without a value"))?
            .trim_start();
        let after = match key {
            "descr" => {
                let (value, after) = quoted(after)
                    .ok_or_else(|| wrong("a structured type, and descriptors are plain floats"))?;
                descr = Some(value.to_owned());
                after
            }
            "fortran_order" => {
                let (value, length) = match after {
                    _ if after.starts_with("True") => (true, 4),
                    _ if after.starts_with("False") => (false, 5),
                    _ => return Err(wrong("an order that is neither True nor False")),
                };
                fortran = Some(value);
                &after[length..]
            }
            "shape" => {
                let (inside, after) = after
                    .strip_prefix('(')
                    .and_then(|text| text.split_once(')'))
                    .ok_or_else(|| wrong("a shape that is no tuple"))?;
                let axes: Result<Vec<usize>, _> = inside
                    .split(',')
                    .map(|axis| axis.trim().trim_end_matches('L'))
                    .filter(|axis| !axis.is_empty())
                    .map(str::parse)
                    .collect();
                shape = Some(axes.map_err(|_| wrong("a shape that is not made of whole numbers"))?);
                after
            }
            _ => return Err(wrong("a key that is not numpy's")),
        };
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if after.is_empty() => after,
            None => return Err(wrong("values without a comma between them")),
        };
    }
    match (descr, fortran, shape) {
        (Some(descr), Some(fortran), Some(shape)) => Ok(Header {
            descr,
            fortran,
            shape,
        }),
        _ => Err(wrong("no type, order or shape")),
    }
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    text[1..].split_once(quote)
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
    let mut head = MAGIC.to_vec();
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
