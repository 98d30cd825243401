//! The sizes of CSA's network (MCC-WH/CSA), which its checkpoints do not say but for the shapes of their tensors.

use crate::tensor::Tensor;
use crate::value::Value;

/// The options of `config/__init__.py` that the shapes show: `embed_dim`, `depth`, `anchor_len`, `mlp_ratio` and `qkv_bias`, as far as the
/// tensors are there. The number of heads is not among them. Nothing where the tensors are not of such a network.
pub(super) fn options(state_dict: &[(String, Tensor)]) -> Vec<(String, Value)> {
    let find = |name: &str| state_dict.iter().find(|(own, _)| own == name);
    let matrix = |name: &str| match *find(name)?.1.shape() {
        [rows, columns] if rows > 0 && columns > 0 => Some([rows, columns]),
        _ => None,
    };
    let Some([width, anchors]) = matrix("topk_proj.weight") else {
        return Vec::new();
    };
    let blocks = state_dict.iter().filter_map(|(name, _)| block_of(name));
    let depth = blocks.max().map_or(0, |last| last.saturating_add(1));
    let whole = |number: usize| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let mut options = vec![
        ("embed_dim", whole(width)),
        ("depth", whole(depth)),
        ("anchor_len", whole(anchors)),
    ];
    if let Some([hidden, _]) = matrix("blocks.0.mlp.fc1.weight") {
        let ratio = match hidden.is_multiple_of(width) {
            true => whole(hidden / width),
            false => Value::Float(hidden as f64 / width as f64),
        };
        options.push(("mlp_ratio", ratio));
    }
    if find("blocks.0.attn.qkv.weight").is_some() {
        let bias = find("blocks.0.attn.qkv.bias").is_some();
        options.push(("qkv_bias", Value::Bool(bias)));
    }
    let named = |(name, value): (&str, Value)| (name.to_owned(), value);
    options.into_iter().map(named).collect()
}

/// The number in `blocks.N.`, the beginning of a tensor's name.
pub fn block_of(name: &str) -> Option<usize> {
    let (number, _) = name.strip_prefix("blocks.")?.split_once('.')?;
    number.parse().ok()
}
