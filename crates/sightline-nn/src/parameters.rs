//! Handing a network's parameters out by name while it is being built.
//!
//! The same constructors serve two purposes: with weights they build the network, and without they list what it
//! wants, which is how a file is compared with the architectures that might fit it.

use crate::named_parameters::parameter_id;
use crate::weights::Weights;
use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

/// One parameter that a network wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its name in the original's state dict.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether the network can do without (a power that many files lack).
    pub optional: bool,
    /// The value that a fresh network starts from, where one is fixed (powers of generalised means).
    pub start: Option<f32>,
}

/// What is wrong with one tensor of a file.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum TensorProblem {
    /// The file has no such tensor.
    #[error("the tensor `{name}` of shape {wanted:?} is missing")]
    Missing {
        /// Its name.
        name: String,
        /// The shape that the network wants.
        wanted: Vec<usize>,
    },
    /// The tensor has another shape.
    #[error("the tensor `{name}` has shape {found:?} instead of {wanted:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape that the network wants.
        wanted: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// The tensor's values cannot be used.
    #[error("the tensor `{name}` cannot be read: {reason}")]
    Values {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// The parameters of a network under construction.
pub(crate) struct Parameters<'a> {
    weights: Option<&'a Weights<'a>>,
    device: Device,
    wanted: Vec<Wanted>,
    problem: Option<TensorProblem>,
}

impl<'a> Parameters<'a> {
    /// Hands out `weights`, on `device`.
    pub(crate) fn from_weights(weights: &'a Weights<'a>, device: &Device) -> Self {
        Self {
            weights: Some(weights),
            device: device.clone(),
            wanted: Vec::new(),
            problem: None,
        }
    }

    /// A module made of `weights`, on `device`.
    ///
    /// # Errors
    /// When a parameter that it takes is missing or has another shape.
    pub(crate) fn build<M>(
        weights: &'a Weights<'a>,
        device: &Device,
        make: impl FnOnce(&mut Self) -> M,
    ) -> Result<M, TensorProblem> {
        let mut parameters = Self::from_weights(weights, device);
        let module = make(&mut parameters);
        match parameters.problem {
            None => Ok(module),
            Some(problem) => Err(problem),
        }
    }

    /// Hands out nothing, but remembers what was asked for.
    pub(crate) fn listing() -> Self {
        Self {
            weights: None,
            device: Device::flex(),
            wanted: Vec::new(),
            problem: None,
        }
    }

    /// What was asked for, in order.
    pub(crate) fn into_wanted(self) -> Vec<Wanted> {
        self.wanted
    }

    /// The first tensor that was missing or of another shape, if any.
    pub(crate) fn problem(&self) -> Option<&TensorProblem> {
        self.problem.as_ref()
    }

    /// The parameter of that name, which must be there.
    pub(crate) fn take<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Param<Tensor<D>> {
        self.ask(name, &shape, false, None);
        self.find(name, shape)
    }

    /// The power of a generalised mean, `[count]`, which must be there; fresh networks start at `start`.
    pub(crate) fn take_power(&mut self, name: &str, count: usize, start: f32) -> Param<Tensor<1>> {
        self.ask(name, &[count], false, Some(start));
        self.find(name, [count])
    }

    /// The power of a generalised mean, `[count]`, or `start` everywhere when the file has none.
    pub(crate) fn take_power_or(&mut self, name: &str, count: usize, start: f32) -> Param<Tensor<1>> {
        self.ask(name, &[count], true, Some(start));
        if self.weights.is_some_and(|weights| weights.shape(name).is_none()) {
            return self.made(name, vec![start; count], [count]);
        }
        self.find(name, [count])
    }

    /// Says that a tensor cannot be used, whatever it holds.
    pub(crate) fn refuse(&mut self, name: &str, reason: String) {
        self.problem.get_or_insert(TensorProblem::Values {
            name: name.to_owned(),
            reason,
        });
    }

    fn ask(&mut self, name: &str, shape: &[usize], optional: bool, start: Option<f32>) {
        self.wanted.push(Wanted {
            name: name.to_owned(),
            shape: shape.to_vec(),
            optional,
            start,
        });
    }

    /// A parameter of those values.
    fn made<const D: usize>(&self, name: &str, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        let mut parameter = Param::from_data(TensorData::new(values, shape), &self.device);
        parameter.id = parameter_id(name);
        parameter
    }

    fn find<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Param<Tensor<D>> {
        // After the first problem nothing more is read: the network is not going to be used.
        if let (Some(weights), None) = (self.weights, &self.problem) {
            match weights.read(name, &shape) {
                Ok(values) => return self.made(name, values, shape),
                Err(problem) => self.problem = Some(problem),
            }
        }
        // Never read but for the few that batch norms turn into state at once, and those are small.
        let zeros = move |device: &Device, _| Tensor::zeros(shape, device);
        Param::uninitialized(parameter_id(name), zeros, self.device.clone(), true, shape.into())
    }
}
