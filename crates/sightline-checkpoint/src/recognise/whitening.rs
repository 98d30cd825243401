//! Whitenings inside checkpoints: scikit-learn's PCA, dirtorch's `{means, W}`, cirtorch's `{m, P}`.

use crate::pickle::globals::DATA_CLASSES;
use crate::tensor::{Tensor, TensorError};
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// How a whitening is meant to be applied to rows x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhiteningForm {
    /// y = (x - mean) `matrix[:v]^T`, divided by `variance[:v]^p`: scikit-learn's PCA with `whiten`.
    PcaWhiten,
    /// The same without the division: PCA without `whiten`.
    Pca,
    /// y = (x - mean) matrix, `matrix` `[dim, axes]`: dirtorch's `{means, W}`.
    MeansW,
    /// y = matrix (x - mean): cirtorch's `{m, P}`.
    MeanP,
}

/// The numbers of a whitening; their shapes have been checked against one another.
#[derive(Clone, Debug)]
pub struct WhiteningParams {
    /// How they are applied.
    pub form: WhiteningForm,
    /// `[dim]`; a PCA may have none.
    pub mean: Option<Tensor>,
    /// `[axes, dim]`, for [`WhiteningForm::MeansW`] `[dim, axes]`.
    pub matrix: Tensor,
    /// Explained variance `[axes]` of a PCA.
    pub variance: Option<Tensor>,
}

impl WhiteningParams {
    /// Length of the descriptors that it takes.
    pub fn input_dim(&self) -> usize {
        let axis = usize::from(self.form != WhiteningForm::MeansW);
        self.matrix.shape()[axis]
    }

    /// Length of the descriptors that it gives.
    pub fn output_dim(&self) -> usize {
        let axis = usize::from(self.form == WhiteningForm::MeansW);
        self.matrix.shape()[axis]
    }

    /// The mean, 64-bit.
    ///
    /// # Errors
    /// If it does not hold numbers.
    pub fn mean_f64(&self) -> Result<Option<Vec<f64>>, TensorError> {
        self.mean.as_ref().map(Tensor::to_f64).transpose()
    }

    /// The matrix row by row, 64-bit.
    ///
    /// # Errors
    /// If it does not hold numbers.
    pub fn matrix_f64(&self) -> Result<Vec<f64>, TensorError> {
        self.matrix.to_f64()
    }

    /// The explained variance, 64-bit.
    ///
    /// # Errors
    /// If it does not hold numbers.
    pub fn variance_f64(&self) -> Result<Option<Vec<f64>>, TensorError> {
        self.variance.as_ref().map(Tensor::to_f64).transpose()
    }

    /// A whitening from an object or a dictionary, if it is one whose shapes agree.
    pub fn from_value(value: &Value) -> Option<Self> {
        let params = match value {
            Value::Object(object) if is_pca(&object.class) => {
                let part = |key: &str| object.state.get(key).and_then(Value::as_tensor).cloned();
                let whiten = object
                    .state
                    .get("whiten")
                    .and_then(Value::as_bool)
                    .unwrap_or(false);
                Self {
                    form: if whiten {
                        WhiteningForm::PcaWhiten
                    } else {
                        WhiteningForm::Pca
                    },
                    mean: part("mean_"),
                    matrix: part("components_")?,
                    variance: Some(part("explained_variance_")?),
                }
            }
            _ => {
                let part = |key: &str| value.get(key).and_then(Value::as_tensor).cloned();
                match (part("m"), part("P"), part("means"), part("W")) {
                    (Some(mean), Some(matrix), _, _) => Self {
                        form: WhiteningForm::MeanP,
                        mean: Some(mean),
                        matrix,
                        variance: None,
                    },
                    (_, _, Some(mean), Some(matrix)) => Self {
                        form: WhiteningForm::MeansW,
                        mean: Some(mean),
                        matrix,
                        variance: None,
                    },
                    _ => return None,
                }
            }
        };
        params.agrees().then_some(params)
    }

    /// Whether it has what its form needs, in shapes that agree.
    pub(super) fn is_whole(&self) -> bool {
        let needs = match self.form {
            WhiteningForm::PcaWhiten | WhiteningForm::Pca => self.variance.is_some(),
            WhiteningForm::MeansW | WhiteningForm::MeanP => self.mean.is_some(),
        };
        needs && self.agrees()
    }

    /// Two axes and as many means and variances as they say (a mean may stand as a column).
    fn agrees(&self) -> bool {
        self.matrix.shape().len() == 2
            && !self.matrix.is_empty()
            && self
                .mean
                .as_ref()
                .is_none_or(|mean| mean.len() == self.input_dim())
            && self
                .variance
                .as_ref()
                .is_none_or(|variance| variance.len() == self.output_dim())
    }
}

fn is_pca(class: &str) -> bool {
    class.ends_with(".PCA") && DATA_CLASSES.contains(&class)
}

/// The whitenings of a file: dirtorch's `pca` by name, cirtorch's `Lw` as `DATASET/ss` and `DATASET/ms`, or a file
/// that is nothing but one (named `whitening`).
pub(super) fn find(value: &Value) -> Vec<(String, WhiteningParams)> {
    let mut found = Vec::new();
    let mut take = |name: String, value: &Value| {
        if let Some(params) = WhiteningParams::from_value(value) {
            found.push((name, params));
        }
    };
    take("whitening".to_owned(), value);
    for (name, value) in entries(value.get("pca")) {
        take(name.to_owned(), value);
    }
    for (name, scales) in entries(value.get("meta").and_then(|meta| meta.get("Lw"))) {
        for (scale, value) in entries(Some(scales)) {
            take(format!("{name}/{scale}"), value);
        }
    }
    found
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    value
        .and_then(Value::as_items)
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((key.as_str()?, value)))
}
