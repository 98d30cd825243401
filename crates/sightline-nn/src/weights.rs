//! The weights of a network by their names in the original's state dict.

use crate::Architecture;
use crate::parameters::TensorProblem;
use sightline_checkpoint::formula;
use std::collections::BTreeMap;

/// Tensors by name, with the `module.` prefix of data-parallel training taken off.
#[derive(Debug, Default)]
pub struct Weights<'a> {
    entries: BTreeMap<String, Stored>,
    lifetime: std::marker::PhantomData<&'a ()>,
}

#[derive(Debug)]
struct Stored {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Weights<'_> {
    /// No tensors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds (or replaces) a tensor.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        let stored = Stored {
            shape: shape.to_vec(),
            values,
        };
        self.entries.insert(plain_name(name).to_owned(), stored);
    }

    /// Weights by formula for all parameters of an architecture: a network that costs no bytes.
    ///
    /// Names are the original's; the powers of generalised means are the architecture's (3 unless it says
    /// otherwise), as the formula alone would put them near 0.
    pub fn by_formula(architecture: &Architecture, seed: u64) -> Self {
        let mut weights = Self::new();
        for wanted in architecture.parameters() {
            let values = match wanted.start {
                Some(start) => vec![start; wanted.shape.iter().product()],
                None => formula::parameter(&wanted.name, &wanted.shape, seed),
            };
            weights.insert(&wanted.name, &wanted.shape, values);
        }
        weights
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Shape of the tensor of that name, if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|stored| stored.shape.as_slice())
    }

    /// The values of the tensor of that name and shape, row-major.
    pub(crate) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorProblem> {
        let Some(stored) = self.entries.get(name) else {
            return Err(TensorProblem::Missing {
                name: name.to_owned(),
                wanted: shape.to_vec(),
            });
        };
        if stored.shape != shape {
            return Err(TensorProblem::Shape {
                name: name.to_owned(),
                wanted: shape.to_vec(),
                found: stored.shape.clone(),
            });
        }
        let count: usize = shape.iter().product();
        if stored.values.len() != count {
            return Err(TensorProblem::Values {
                name: name.to_owned(),
                reason: format!("it holds {} values instead of {count}", stored.values.len()),
            });
        }
        Ok(stored.values.clone())
    }
}

/// The name without the prefix that data-parallel training puts before every name.
fn plain_name(name: &str) -> &str {
    name.strip_prefix("module.").unwrap_or(name)
}
