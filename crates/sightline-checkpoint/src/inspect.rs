//! A summary of a file for people and for JSON: what `sightline model inspect` prints.

use crate::read::{File, FileKind};
use crate::recognise::{Preprocess, Project, WhiteningForm, recognise_file};
use crate::value::Value;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// What a file holds.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The kind of file.
    pub kind: FileKind,
    /// Whose file it is.
    pub project: Project,
    /// Sightline's name of the network, where the file says enough.
    pub architecture: Option<String>,
    /// The trunk that the weights' names show.
    pub trunk: Option<String>,
    /// The network's options, as the file names them.
    pub options: Map<String, Json>,
    /// How pictures were prepared.
    pub preprocess: Option<Preprocess>,
    /// The weights, or the arrays of a file without weights, in the file's order.
    pub tensors: Vec<TensorSummary>,
    /// Elements of all of them.
    pub elements: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// The whitenings.
    pub whitenings: Vec<WhiteningSummary>,
    /// Epochs, iterations, scores.
    pub counters: Map<String, Json>,
    /// The keys of the outermost dictionary and what stands under each, tensors left out; at most 200.
    pub entries: Map<String, Json>,
    /// A safetensors file's metadata.
    pub metadata: Map<String, Json>,
}

/// One tensor.
#[derive(Clone, Debug, Serialize)]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// Torch's name of the type.
    pub dtype: &'static str,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Bytes of its values.
    pub bytes: u64,
}

/// One whitening.
#[derive(Clone, Debug, Serialize)]
pub struct WhiteningSummary {
    /// Its name.
    pub name: String,
    /// How it is applied.
    pub form: WhiteningForm,
    /// Length of descriptors before.
    pub input_dim: usize,
    /// Length of descriptors after.
    pub output_dim: usize,
}

impl Summary {
    /// Looks at a file that was read.
    pub fn of(file: &File) -> Self {
        let known = recognise_file(file);
        let tensors: Vec<TensorSummary> = known
            .state_dict
            .iter()
            .map(|(name, tensor)| TensorSummary {
                name: name.clone(),
                dtype: tensor.dtype().name(),
                shape: tensor.shape().to_vec(),
                bytes: tensor.byte_len() as u64,
            })
            .collect();
        let elements = known
            .state_dict
            .iter()
            .fold(0_u64, |sum, (_, tensor)| sum.saturating_add(tensor.len() as u64));
        Self {
            kind: file.kind,
            project: known.project,
            architecture: known.architecture,
            trunk: known.trunk,
            options: table(&known.options),
            preprocess: known.preprocess,
            bytes: tensors
                .iter()
                .fold(0, |sum, tensor| sum.saturating_add(tensor.bytes)),
            tensors,
            elements,
            whitenings: known
                .whitenings
                .iter()
                .map(|(name, params)| WhiteningSummary {
                    name: name.clone(),
                    form: params.form,
                    input_dim: params.input_dim(),
                    output_dim: params.output_dim(),
                })
                .collect(),
            counters: table(&known.counters),
            entries: file
                .value
                .as_items()
                .unwrap_or_default()
                .iter()
                .filter(|(_, value)| value.as_tensor().is_none())
                .take(200)
                .map(|(key, value)| (key_text(key), json!(outline(value))))
                .collect(),
            metadata: file
                .metadata
                .iter()
                .map(|(name, text)| (name.clone(), json!(text)))
                .collect(),
        }
    }
}

/// What options and counters may take in a summary; beyond it values are only outlined.
const ROOM: usize = 4 << 20;

fn table(items: &[(String, Value)]) -> Map<String, Json> {
    let mut room = ROOM;
    items
        .iter()
        .map(|(name, value)| (name.clone(), brief(value, 0, &mut room)))
        .collect()
}

fn key_text(key: &Value) -> String {
    match key {
        Value::Text(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        other => other.kind().to_owned(),
    }
}

/// What a value is, in a few words: "a list of 4993", "an array [3, 4] of <f4".
fn outline(value: &Value) -> String {
    if let Some(tensor) = value.as_tensor() {
        return format!(
            "{} {:?} of {}",
            value.kind(),
            tensor.shape(),
            tensor.dtype().name()
        );
    }
    if let Some(items) = value.as_items() {
        return format!("{} of {} entries", value.kind(), items.len());
    }
    if let Some(items) = value.as_list() {
        return format!("{} of {} elements", value.kind(), items.len());
    }
    match value {
        Value::Strings(strings) => format!("{} {:?}", value.kind(), strings.shape),
        Value::Struct(table) => format!(
            "{} {:?} with {}",
            value.kind(),
            table.shape,
            table.fields.join(", ")
        ),
        Value::Cell(cell) => format!("{} {:?}", value.kind(), cell.shape),
        Value::Object(object) => format!("an object of {}", object.class),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::Size(sizes) => format!("{} of {}", value.kind(), sizes.len()),
        Value::Text(text) => text.chars().take(80).collect(),
        other => brief(other, 0, &mut 1).to_string(),
    }
}

/// A value as JSON as far as it is short: what is large, deep or beyond `room` bytes becomes an outline.
fn brief(value: &Value, depth: usize, room: &mut usize) -> Json {
    let spent = match value {
        Value::Text(text) | Value::BigInt(text) => text.len(),
        Value::Strings(strings) => strings.values.iter().map(|text| text.len() + 4).sum(),
        _ => 24,
    };
    let short = |length: usize| length <= 100 && depth <= 8;
    if *room == 0 || spent > ROOM {
        return json!("...");
    }
    *room = room.saturating_sub(spent);
    match value {
        Value::None => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::BigInt(text) | Value::Device(text) => json!(&**text),
        // JSON has no infinities; they become texts.
        Value::Float(number) if !number.is_finite() => json!(number.to_string()),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(&**text),
        Value::Dtype(dtype) => json!(dtype.name()),
        Value::Scalar(scalar) => brief(&scalar.value, depth, room),
        Value::Size(sizes) if short(sizes.len()) => json!(**sizes),
        Value::Range(range) => json!(**range),
        Value::Strings(strings) if short(strings.values.len()) => {
            Json::Array(strings.values.iter().map(|text| json!(&**text)).collect())
        }
        Value::List(items) | Value::Tuple(items) | Value::Set(items) if short(items.len()) => {
            Json::Array(items.iter().map(|item| brief(item, depth + 1, room)).collect())
        }
        Value::Dict(items) | Value::OrderedDict { items, .. } if short(items.len()) => Json::Object(
            items
                .iter()
                .map(|(key, value)| (key_text(key), brief(value, depth + 1, room)))
                .collect(),
        ),
        Value::DefaultDict(dict) if short(dict.items.len()) => {
            brief(&Value::Dict(dict.items.clone()), depth, room)
        }
        other => json!(outline(other)),
    }
}
