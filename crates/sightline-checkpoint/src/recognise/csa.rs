//! The sizes of CSA's network (MCC-WH/CSA), which its checkpoints do not say but for the shapes of their tensors.

use crate::tensor::Tensor;
use crate::value::Value;
use std::collections::HashSet;

/// The options of `config/__init__.py` that the shapes show: `embed_dim`, `depth`, `anchor_len`, `mlp_ratio` and `qkv_bias`. The number
/// of heads is not among them. Nothing where the tensors are not of such a network.
pub(super) fn options(state_dict: &[(String, Tensor)]) -> Vec<(String, Value)> {
    let matrix = |name: &str| {
        let (_, tensor) = state_dict.iter().find(|(own, _)| own == name)?;
        match *tensor.shape() {
            [rows, columns] if rows > 0 && columns > 0 => Some([rows, columns]),
            _ => None,
        }
    };
    let (Some([width, anchors]), Some([hidden, _])) =
        (matrix("topk_proj.weight"), matrix("blocks.0.mlp.fc1.weight"))
    else {
        return Vec::new();
    };
    let names: HashSet<&str> = state_dict.iter().map(|(name, _)| name.as_str()).collect();
    // No file holds more blocks than tensors.
    let blocks = 0..state_dict.len();
    let depth = blocks
        .take_while(|index| names.contains(format!("blocks.{index}.norm1.weight").as_str()))
        .count();
    let whole = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let ratio = match hidden.is_multiple_of(width) {
        true => whole(hidden / width),
        false => Value::Float(hidden as f64 / width as f64),
    };
    [
        ("embed_dim", whole(width)),
        ("depth", whole(depth)),
        ("anchor_len", whole(anchors)),
        ("mlp_ratio", ratio),
        ("qkv_bias", Value::Bool(names.contains("blocks.0.attn.qkv.bias"))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
