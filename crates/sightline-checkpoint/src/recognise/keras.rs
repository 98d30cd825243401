//! Keras' weights under the names and in the layout of torch, as the rest of the house has them.
//!
//! Keras calls them `LAYER/kernel` (with `:0` after it in TensorFlow 2), and stores the kernels of convolutions as
//! `[kh, kw, in, out]` and those of linear layers as `[in, out]`.

use crate::tensor::Tensor;

/// What Keras calls the weights of a layer, and torch's word for each.
const WORDS: [(&str, &str); 6] = [
    ("kernel", "weight"),
    ("bias", "bias"),
    ("gamma", "weight"),
    ("beta", "bias"),
    ("moving_mean", "running_mean"),
    ("moving_variance", "running_var"),
];

/// The state dict with Keras' weights renamed and their axes put in torch's order; nothing is copied. Files in which no
/// layer has a kernel stay as they are.
pub(super) fn to_torch(state: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    if !state
        .iter()
        .any(|(name, _)| matches!(parts(name), Some((_, "kernel"))))
    {
        return state;
    }
    let moved = |(name, tensor): (String, Tensor)| {
        let Some((layer, part)) = parts(&name) else {
            return (name, tensor);
        };
        let Some((_, word)) = WORDS.iter().find(|(known, _)| *known == part) else {
            return (name, tensor);
        };
        let axes: &[usize] = match (part, tensor.shape().len()) {
            ("kernel", 4) => &[3, 2, 0, 1],
            ("kernel", 2) => &[1, 0],
            _ => &[],
        };
        let turned = if axes.is_empty() {
            tensor
        } else {
            tensor.permuted(axes)
        };
        (format!("{layer}.{word}"), turned)
    };
    state.into_iter().map(moved).collect()
}

/// The layer and the part of it that a name stands for; groups around the layer do not count.
fn parts(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_suffix(":0").unwrap_or(name);
    let (layer, part) = name.rsplit_once('/')?;
    Some((layer.rsplit('/').next().unwrap_or(layer), part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_turned_and_layers_keep_their_names() {
        let tensor = |shape: &[usize]| {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|value| value as f32).collect();
            Tensor::from_f32(shape.to_vec(), &values).unwrap()
        };
        let state = vec![
            ("conv1_conv/kernel:0".to_owned(), tensor(&[1, 1, 2, 3])),
            ("model/dense/kernel".to_owned(), tensor(&[2, 3])),
            ("conv1_bn/moving_variance:0".to_owned(), tensor(&[3])),
            ("step".to_owned(), tensor(&[])),
        ];
        let moved = to_torch(state.clone());
        let names: Vec<&str> = moved.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "conv1_conv.weight",
                "dense.weight",
                "conv1_bn.running_var",
                "step"
            ]
        );
        assert_eq!(moved[0].1.shape(), [3, 2, 1, 1]);
        assert_eq!(moved[1].1.shape(), [3, 2]);
        for (_, turned) in &moved[..2] {
            assert_eq!(turned.to_f32().unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        }
        // Without a kernel no file is Keras'.
        let other = vec![("a/gamma".to_owned(), tensor(&[3]))];
        assert_eq!(to_torch(other)[0].0, "a/gamma");
    }
}
