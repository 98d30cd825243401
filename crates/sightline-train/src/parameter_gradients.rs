//! Gradients of a module's parameters, apart from the graph that they came from: to be summed, measured and clipped.

use crate::TrainError;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Gradients, Tensor};
use sightline_nn::parameter_id;
use std::collections::BTreeMap;

/// Added to the length that gradients are divided by (`torch.nn.utils.clip_grad_norm_`).
const CLIP_EPSILON: f64 = 1e-6;

/// The gradients of a module's parameters, on the module's device. Memory: that of its parameters.
#[derive(Clone, Debug, Default)]
pub struct ParameterGradients {
    /// Each as a matrix: the first axis of the parameter, and the others.
    by_parameter: BTreeMap<ParamId, Tensor<2>>,
}

/// Takes the gradients of the parameters that it visits.
struct Taker<'a> {
    gradients: &'a mut Gradients,
    taken: ParameterGradients,
}

impl ModuleVisitor for Taker<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad_remove(self.gradients) {
            self.taken.by_parameter.insert(param.id, as_matrix(gradient));
        }
    }
}

/// A tensor as its first axis and the others; one of a single axis is one row.
pub(crate) fn as_matrix<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let shape = tensor.dims();
    let rows = if D > 1 { shape[0] } else { 1 };
    let size: usize = shape.iter().product();
    tensor.reshape([rows, size / rows.max(1)])
}

impl ParameterGradients {
    /// Those of the parameters of `module` that have one.
    pub fn of<M: Module>(module: &M, mut gradients: Gradients) -> Self {
        let mut taker = Taker {
            gradients: &mut gradients,
            taken: Self::default(),
        };
        module.visit(&mut taker);
        taker.taken
    }

    /// The gradient of a parameter, as a matrix of its first axis and the others.
    pub(crate) fn get(&self, id: ParamId) -> Option<&Tensor<2>> {
        self.by_parameter.get(&id)
    }

    /// The values of the gradient of a parameter, row-major; none where it has none.
    ///
    /// # Errors
    /// When the device does not give its numbers.
    pub fn values(&self, id: ParamId) -> Result<Option<Vec<f32>>, TrainError> {
        let gradient = self.get(id).cloned();
        gradient.map(|gradient| read("gradient", gradient)).transpose()
    }

    /// The sums with those of another batch of the same module.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for (id, gradient) in other.by_parameter {
            let sum = match self.by_parameter.remove(&id) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            self.by_parameter.insert(id, sum);
        }
        self
    }

    /// The length of all of them as one vector.
    ///
    /// # Errors
    /// When the device does not give its numbers.
    pub fn norm(&self) -> Result<f64, TrainError> {
        // Row by row first: one running float32 sum over a large matrix loses digits.
        let squares = self.by_parameter.values().map(|gradient| {
            let squares = gradient.clone() * gradient.clone();
            squares.sum_dim(1).sum()
        });
        let squares = read_joined("length of the gradients", squares.collect())?;
        Ok(squares.into_iter().map(f64::from).sum::<f64>().sqrt())
    }

    /// The largest absolute value among the gradients of those parameters; 0 where none of them has one.
    ///
    /// # Errors
    /// When the device does not give its numbers.
    pub fn largest<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<f32, TrainError> {
        let gradients = names.into_iter().filter_map(|name| self.get(parameter_id(name)));
        let peaks = gradients.map(|gradient| gradient.clone().abs().max());
        let peaks = read_joined("largest gradient", peaks.collect())?;
        // `f32::max` would overlook what is no number.
        Ok(peaks.into_iter().fold(
            0.0,
            |most, peak| if peak > most || peak.is_nan() { peak } else { most },
        ))
    }

    /// All of them times min(1, `most` / (`norm` + 1e-6)): as they are, or of about the length `most`. `norm` is theirs
    /// ([`ParameterGradients::norm`]).
    #[must_use]
    pub fn clipped(mut self, norm: f64, most: f64) -> Self {
        let factor = most / (norm + CLIP_EPSILON);
        if factor < 1.0 {
            for gradient in self.by_parameter.values_mut() {
                *gradient = gradient.clone() * factor;
            }
        }
        self
    }
}

/// The values of tensors of one number each, in one reading.
fn read_joined(what: &'static str, numbers: Vec<Tensor<1>>) -> Result<Vec<f32>, TrainError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    read(what, Tensor::cat(numbers, 0))
}

/// The values of a tensor.
pub(crate) fn read<const D: usize>(what: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>, TrainError> {
    let unreadable = |reason: String| TrainError::Unreadable { what, reason };
    let data = tensor.try_into_data_as::<f32>();
    let data = data.map_err(|error| unreadable(format!("{error:?}")))?;
    data.try_to_vec::<f32>()
        .map_err(|error| unreadable(format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn gradients(values: &[(&str, [f32; 2])]) -> ParameterGradients {
        let entry = |(name, values): &(&str, [f32; 2])| {
            let tensor = Tensor::<1>::from_floats(*values, &Device::flex());
            (parameter_id(name), as_matrix(tensor))
        };
        ParameterGradients {
            by_parameter: values.iter().map(entry).collect(),
        }
    }

    #[test]
    fn they_are_summed_measured_and_clipped() {
        let sum = gradients(&[("a", [1.0, 2.0]), ("b", [1.0, 1.0])]).plus(gradients(&[("a", [1.0, -2.0])]));
        let sum = sum.plus(gradients(&[("c", [0.0, -3.0])]));
        let norm = sum.norm().unwrap();
        assert!((norm - 15.0_f64.sqrt()).abs() < 1e-6);
        assert_eq!(sum.largest(["a", "b"]).unwrap(), 2.0);
        assert_eq!(sum.largest(["c", "none"]).unwrap(), 3.0);
        assert_eq!(sum.largest(["none"]).unwrap(), 0.0);
        let clipped = sum.clone().clipped(norm, 1.0);
        assert!((clipped.norm().unwrap() - 1.0).abs() < 1e-6);
        assert_eq!(sum.clipped(norm, 4.0).norm().unwrap(), norm);
        assert!(
            gradients(&[("a", [f32::NAN, 1.0])])
                .largest(["a"])
                .unwrap()
                .is_nan()
        );
        assert_eq!(ParameterGradients::default().norm().unwrap(), 0.0);
    }
}
