//! `sightline model inspect` of an ONNX file.

use crate::extract::printable;
use crate::output::{Outcome, print, print_json};
use serde_json::{Value, json};
use sightline::plan::{OnnxHeader, OnnxModel, OnnxValue};
use std::fmt::Write as _;
use std::path::Path;

pub(crate) fn inspect(path: &Path, as_json: bool) -> anyhow::Result<Outcome> {
    let model = OnnxModel::read(path)?;
    let header = OnnxHeader::read(&model.bytes)?;
    if as_json {
        let values = |values: &[OnnxValue]| -> Vec<Value> {
            values
                .iter()
                .map(|value| json!({"name": value.name, "shape": value.shape, "float": value.is_float()}))
                .collect()
        };
        // Texts that are JSON themselves, as Sightline's own, are shown as such.
        let metadata: serde_json::Map<String, Value> = header
            .metadata
            .iter()
            .map(|(name, text)| {
                let value = serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into());
                (name.clone(), value)
            })
            .collect();
        print_json(&json!({
            "file": "an ONNX model",
            "inputs": values(&header.inputs),
            "outputs": values(&header.outputs),
            "external": header.external,
            "metadata": metadata,
        }))?;
        return Ok(Outcome::Done);
    }
    let mut text = "file          an ONNX model (axes that are not fixed are shown as ?)\n".to_owned();
    for (what, values) in [("input", &header.inputs), ("output", &header.outputs)] {
        for value in values {
            let floats = if value.is_float() { "" } else { " (no floats)" };
            let _ = writeln!(text, "{what:<13} {}{floats}", printable(&value.to_string()));
        }
    }
    for file in &header.external {
        let _ = writeln!(text, "weights in    {}", printable(file));
    }
    for (name, value) in &header.metadata {
        let _ = writeln!(text, "metadata      {} = {}", printable(name), printable(value));
    }
    print(&text)?;
    Ok(Outcome::Done)
}
