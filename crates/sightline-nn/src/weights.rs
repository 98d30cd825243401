//! The weights of a network by their names in the original's state dict.

use crate::Architecture;
use crate::parameters::TensorProblem;
use sightline_checkpoint::{Tensor, formula};
use std::collections::BTreeMap;

/// Tensors by name, with the `module.` prefix of data-parallel training taken off.
#[derive(Debug, Default)]
pub struct Weights<'a> {
    entries: BTreeMap<String, Stored<'a>>,
}

#[derive(Debug)]
enum Stored<'a> {
    Values {
        shape: Vec<usize>,
        values: Vec<f32>,
    },
    /// A tensor of a file, read when it is wanted: a checkpoint is not held in memory twice.
    File(&'a Tensor),
}

/// What may stand before all names of a network: CVNet's files have `encoder_q.` or `globalmodel.`, where SuperGlobal's
/// network alone has nothing.
const PREFIXES: [&str; 2] = ["encoder_q.", "globalmodel."];

/// The name without such a prefix.
pub(crate) fn without_prefix(name: &str) -> &str {
    let mut stripped = PREFIXES.iter().filter_map(|prefix| name.strip_prefix(prefix));
    stripped.next().unwrap_or(name)
}

impl Stored<'_> {
    fn shape(&self) -> &[usize] {
        match self {
            Self::Values { shape, .. } => shape,
            Self::File(tensor) => tensor.shape(),
        }
    }
}

impl<'a> Weights<'a> {
    /// No tensors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tensors of a checkpoint's state dict; any number type is read as float32.
    pub fn from_state_dict(state_dict: &'a [(String, Tensor)]) -> Self {
        let entries = state_dict
            .iter()
            .map(|(name, tensor)| (plain_name(name), Stored::File(tensor)))
            .collect();
        Self { entries }
    }

    /// Adds (or replaces) a tensor.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        let shape = shape.to_vec();
        let stored = Stored::Values { shape, values };
        self.entries.insert(plain_name(name), stored);
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

    /// Shape of the tensor of that name (perhaps behind a prefix that CVNet's files have), if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.find(name).map(Stored::shape)
    }

    /// The tensor of that name, or else of that name behind one of the [`PREFIXES`].
    fn find(&self, name: &str) -> Option<&Stored<'a>> {
        let prefixed = |prefix: &&str| self.entries.get(&format!("{prefix}{name}"));
        self.entries
            .get(name)
            .or_else(|| PREFIXES.iter().find_map(prefixed))
    }

    /// The values of the tensor of that name and shape, row-major.
    pub(crate) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorProblem> {
        let Some(stored) = self.find(name) else {
            return Err(TensorProblem::Missing {
                name: name.to_owned(),
                wanted: shape.to_vec(),
            });
        };
        if stored.shape() != shape {
            return Err(TensorProblem::Shape {
                name: name.to_owned(),
                wanted: shape.to_vec(),
                found: stored.shape().to_vec(),
            });
        }
        let problem = |reason: String| TensorProblem::Values {
            name: name.to_owned(),
            reason,
        };
        let values = match stored {
            Stored::Values { values, .. } => values.clone(),
            Stored::File(tensor) => tensor.to_f32().map_err(|error| problem(error.to_string()))?,
        };
        let count: usize = shape.iter().product();
        if values.len() != count {
            return Err(problem(format!(
                "it holds {} values instead of {count}",
                values.len()
            )));
        }
        Ok(values)
    }
}

/// The name without the prefix that data-parallel training puts before every name, and with today's names of the parts
/// of DenseNet's layers (`norm1`), which torchvision's files still call `norm.1`.
fn plain_name(name: &str) -> String {
    let name = name.strip_prefix("module.").unwrap_or(name);
    let mut name = name.to_owned();
    if name.contains(".denselayer") {
        for part in ["norm", "conv"] {
            for number in ["1", "2"] {
                name = name.replace(&format!(".{part}.{number}."), &format!(".{part}{number}."));
            }
        }
    }
    name
}
