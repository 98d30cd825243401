//! HOW's published networks, saved before its files had a version, in the present form.

use crate::value::{Items, Value};
use std::sync::Arc;

/// The seven scales of HOW's evaluation.
const SCALES: [f64; 7] = [2.0, 1.414, 1.0, 0.707, 0.5, 0.353, 0.25];

/// Converts as `_convert_checkpoint` of how/stages/evaluate.py does; `None` if the value is no old checkpoint of HOW.
///
/// `net_params` is made from `meta`, and `whiten.*` become `dim_reduction.*`, at the end of the state dict.
pub fn to_current(value: &Value) -> Option<Value> {
    let items = value.as_items()?;
    let meta = value.get("meta")?;
    if value.get("_version").is_some() || value.get("net_params").is_some() {
        return None;
    }
    let of_meta = |key: &str| meta.get(key).cloned();
    let net_params = Value::dict([
        ("architecture", of_meta("architecture")?),
        ("pretrained", Value::Bool(true)),
        ("skip_layer", of_meta("skip_layer")?),
        ("dim_reduction", Value::dict([("dim", of_meta("dim")?)])),
        (
            "smoothing",
            Value::dict([("kernel_size", of_meta("feat_pool_k")?)]),
        ),
        (
            "runtime",
            Value::dict([
                ("mean_std", Value::list(vec![of_meta("mean")?, of_meta("std")?])),
                ("image_size", Value::Int(1024)),
                ("features_num", Value::Int(1000)),
                ("scales", Value::list(SCALES.map(Value::Float).to_vec())),
                ("training_scales", Value::list(vec![Value::Int(1)])),
            ]),
        ),
    ]);
    let state = renamed(value.get("state_dict")?)?;
    let mut converted: Vec<(Value, Value)> = items
        .iter()
        .map(|(key, value)| {
            let value = if key.as_str() == Some("state_dict") {
                &state
            } else {
                value
            };
            (key.clone(), value.clone())
        })
        .collect();
    converted.push((Value::text("net_params"), net_params));
    converted.push((Value::text("_version"), Value::text("how/2020")));
    Some(Value::Dict(Arc::new(converted)))
}

fn renamed(state: &Value) -> Option<Value> {
    let is_whiten = |key: &Value| key.as_str().is_some_and(|name| name.starts_with("whiten."));
    let mut entries: Vec<(Value, Value)> = state
        .as_items()?
        .iter()
        .filter(|(key, _)| !is_whiten(key))
        .cloned()
        .collect();
    for part in ["weight", "bias"] {
        let moved = state.get(&format!("whiten.{part}"))?.clone();
        entries.push((Value::text(&format!("dim_reduction.{part}")), moved));
    }
    let items: Items = Arc::new(entries);
    Some(match state {
        Value::OrderedDict { attrs, .. } => Value::OrderedDict {
            items,
            attrs: attrs.clone(),
        },
        _ => Value::Dict(items),
    })
}
