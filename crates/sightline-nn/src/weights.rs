//! The weights of a network by their names in the original's state dict.

use crate::Architecture;
use crate::parameters::{TensorProblem, Wanted};
use crate::trunk::Naming;
use sightline_checkpoint::{Tensor, formula};
use std::collections::{BTreeMap, BTreeSet};

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

/// The most values that are made for a head that a file lacks.
const MOST_MADE: usize = 1 << 29;

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
        Self::by_formula_for(&architecture.parameters(), seed)
    }

    /// The same for given parameters.
    pub(crate) fn by_formula_for(parameters: &[Wanted], seed: u64) -> Self {
        let mut weights = Self::new();
        for wanted in parameters {
            weights.insert(&wanted.name, &wanted.shape, by_formula(wanted, seed));
        }
        weights
    }

    /// The same weights with what a file of a trunk alone lacks of an architecture: the trunk under the names that the
    /// architecture gives it, whichever project's names the file has, and behind it the tensors that are missing by formula
    /// (as [`Weights::by_formula`]), whose names come back. A head made so has learned nothing.
    ///
    /// What is missing of the trunk stays missing, and is found when the network is loaded; so does what would take more
    /// than 2^29 values in all, which a file's sizes could ask for.
    #[must_use]
    pub fn with_seeded_head(mut self, architecture: &Architecture, seed: u64) -> (Self, Vec<String>) {
        let architecture = architecture.clone().sized_by(&self);
        let (trunk, own) = (architecture.trunk(), architecture.head().naming());
        let wanted = trunk.parameters(own);
        let held = |names: &[Wanted]| names.iter().all(|wanted| self.shape(&wanted.name).is_some());
        if !held(&wanted)
            && let Some(other) = Naming::ALL
                .into_iter()
                .find(|naming| held(&trunk.parameters(*naming)))
        {
            // The same trunk lists the same parameters in the same order, whatever they are called.
            let whole = trunk.whole();
            let mut rename = |from: &str, to: String| {
                if let Some(stored) = self.entries.remove(from) {
                    self.entries.insert(to, stored);
                }
            };
            for (from, to) in whole.parameters(other).into_iter().zip(whole.parameters(own)) {
                rename(&from.name, to.name.clone());
                // The counter of a batch norm belongs to it.
                let norms =
                    (from.name.strip_suffix("running_mean")).zip(to.name.strip_suffix("running_mean"));
                if let Some((from, to)) = norms {
                    rename(
                        &format!("{from}num_batches_tracked"),
                        format!("{to}num_batches_tracked"),
                    );
                }
            }
        }
        let of_trunk: BTreeSet<String> = wanted.into_iter().map(|wanted| wanted.name).collect();
        let (mut made, mut room) = (Vec::new(), MOST_MADE);
        for wanted in architecture.parameters() {
            let missing = self.shape(&wanted.name).is_none() && !wanted.optional;
            if missing && !of_trunk.contains(&wanted.name) {
                let count = wanted
                    .shape
                    .iter()
                    .fold(1, |count: usize, side| count.saturating_mul(*side));
                let Some(left) = room.checked_sub(count) else {
                    continue;
                };
                room = left;
                self.insert(&wanted.name, &wanted.shape, by_formula(&wanted, seed));
                made.push(wanted.name);
            }
        }
        (self, made)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Shape of the tensor of that name (perhaps behind a prefix that CVNet's files have), if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.find(name).map(Stored::shape)
    }

    /// A size that a file decides: that axis of the tensor of that name, where it is from 1 to `most`. A tensor without values
    /// may claim any size, and what a network has of it need not be in the file.
    pub(crate) fn size(&self, name: &str, axis: usize, most: usize) -> Option<usize> {
        let size = self.shape(name)?.get(axis).copied();
        size.filter(|size| (1..=most).contains(size))
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

/// The values of one parameter of a network that no file holds.
fn by_formula(wanted: &Wanted, seed: u64) -> Vec<f32> {
    match wanted.start {
        Some(start) => vec![start; wanted.shape.iter().product()],
        None => formula::parameter(&wanted.name, &wanted.shape, seed),
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
