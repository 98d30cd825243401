//! Whitenings beside other tensors in a safetensors file of ours: how they are written and found again.
//!
//! The metadata `whitenings` is a JSON list of `{"name", "form"}`; the numbers of entry i are the tensors `whitening.i.mean`,
//! `whitening.i.matrix` and `whitening.i.variance` (those that it has), under the types that they came with.

use super::whitening::{WhiteningForm, WhiteningParams};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Whitenings of a file at most: each is looked for among all tensors, and a list of millions is no list of ours.
const MOST: usize = 1000;

/// The metadata's key.
pub const WHITENINGS: &str = "whitenings";

#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    form: WhiteningForm,
}

/// The tensors and the text of the metadata [`WHITENINGS`] that store whitenings; nothing for none.
pub fn store_whitenings(whitenings: &[(String, WhiteningParams)]) -> Option<(Vec<(String, Tensor)>, String)> {
    let mut tensors = Vec::new();
    let mut entries = Vec::new();
    for (index, (name, params)) in whitenings.iter().enumerate() {
        let mut add = |part: &str, tensor: Option<&Tensor>| {
            tensors.extend(tensor.map(|tensor| (format!("whitening.{index}.{part}"), tensor.clone())));
        };
        add("mean", params.mean.as_ref());
        add("matrix", Some(&params.matrix));
        add("variance", params.variance.as_ref());
        entries.push(Entry {
            name: name.clone(),
            form: params.form,
        });
    }
    let text = serde_json::to_string(&entries).ok()?;
    (!entries.is_empty()).then_some((tensors, text))
}

/// Takes the whitenings that `text` lists out of the tensors of a file; those that are not whole stay where they are.
pub(super) fn take_stored(text: &str, tensors: &mut Vec<(String, Tensor)>) -> Vec<(String, WhiteningParams)> {
    let entries: Vec<Entry> = serde_json::from_str(text).unwrap_or_default();
    let mut found = Vec::new();
    for (index, entry) in entries.into_iter().take(MOST).enumerate() {
        let prefix = format!("whitening.{index}.");
        let part = |wanted: &str| {
            let tensor = tensors
                .iter()
                .find(|(name, _)| name.strip_prefix(&prefix) == Some(wanted));
            tensor.map(|(_, tensor)| tensor.clone())
        };
        let Some(matrix) = part("matrix") else {
            continue;
        };
        let params = WhiteningParams {
            form: entry.form,
            mean: part("mean"),
            matrix,
            variance: part("variance"),
        };
        if params.is_whole() {
            found.push((entry.name, params));
            tensors.retain(|(name, _)| !name.starts_with(&prefix));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize]) -> Tensor {
        Tensor::from_f64(shape.to_vec(), &vec![0.5; shape.iter().product()]).unwrap()
    }

    #[test]
    fn what_was_stored_is_found_and_the_rest_stays() {
        let pca = WhiteningParams {
            form: WhiteningForm::PcaWhiten,
            mean: None,
            matrix: tensor(&[2, 3]),
            variance: Some(tensor(&[2])),
        };
        let lw = WhiteningParams {
            form: WhiteningForm::MeanP,
            mean: Some(tensor(&[3, 1])),
            matrix: tensor(&[3, 3]),
            variance: None,
        };
        let (mut tensors, text) =
            store_whitenings(&[("a/ss".to_owned(), pca), ("b".to_owned(), lw)]).unwrap();
        tensors.push(("fc.weight".to_owned(), tensor(&[1])));
        let found = take_stored(&text, &mut tensors);
        assert_eq!(tensors.len(), 1);
        let forms: Vec<_> = found
            .iter()
            .map(|(name, one)| (name.as_str(), one.form))
            .collect();
        assert_eq!(
            forms,
            [("a/ss", WhiteningForm::PcaWhiten), ("b", WhiteningForm::MeanP)]
        );
        assert!(found[0].1.mean.is_none() && found[1].1.variance.is_none());
        assert!(store_whitenings(&[]).is_none());
    }

    #[test]
    fn what_is_not_whole_is_left_out() {
        let entry = |form: &str| format!(r#"[{{"name": "x", "form": "{form}"}}]"#);
        let mut tensors = vec![("whitening.0.matrix".to_owned(), tensor(&[2, 3]))];
        // A PCA without its variance, a form without its mean, and texts that are no list.
        for text in [
            &entry("pca-whiten"),
            &entry("mean-p"),
            &entry("of-the-future"),
            "[",
            "{}",
        ] {
            assert!(take_stored(text, &mut tensors).is_empty(), "{text}");
            assert_eq!(tensors.len(), 1);
        }
    }
}
