//! Options of CGD's heads: which descriptors they join and how long they are.

use crate::combination::Combination;
use crate::head::{LARGEST_SIZE, read_size, read_up_to};
use crate::swish_classifier::MOST_CLASSES;
use crate::weights::Weights;
use std::fmt;

/// Whose CGD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgdForm {
    /// leftthomas/CGD. Name `cgd`.
    Torch,
    /// PuchatekwSzortach/combination_of_multiple_global_descriptors_for_image_retrieval. Name `cgd-tf`.
    TensorFlow,
}

/// A head that joins global descriptors, each behind a linear layer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgdHead {
    /// Whose.
    pub form: CgdForm,
    /// Which descriptors are joined, in which order. Option `-S`, `-MG`, ...
    pub combination: Combination,
    /// Length of the joined descriptor, divided evenly among its parts, what is left over lost; none means what the file
    /// has (without a file 1536, in the TensorFlow form 512 for each part). Option `-outN`.
    pub out_dim: Option<usize>,
    /// Classes of the auxiliary classifier; none means as many as the file has, and without a file there is no such
    /// classifier. Option `-classesN`.
    pub classes: Option<usize>,
}

impl CgdHead {
    /// That combination with the project's sizes.
    pub fn new(form: CgdForm, combination: Combination) -> Self {
        Self {
            form,
            combination,
            out_dim: None,
            classes: None,
        }
    }

    /// The heads without options, and their names: each project's usual combination.
    pub(crate) fn all() -> [(&'static str, Self); 2] {
        [
            ("cgd", Self::new(CgdForm::Torch, Combination::spoc_gem())),
            (
                "cgd-tf",
                Self::new(CgdForm::TensorFlow, Combination::spoc_mac_gem()),
            ),
        ]
    }

    /// Every combination of either form.
    pub(crate) fn every_combination() -> impl Iterator<Item = Self> {
        let combinations = Combination::all().into_iter();
        combinations.flat_map(|combination| {
            [CgdForm::Torch, CgdForm::TensorFlow].map(|form| Self::new(form, combination.clone()))
        })
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if let Some(length) = option.strip_prefix("out") {
            self.out_dim = Some(read_size(length)?);
        } else if let Some(count) = option.strip_prefix("classes") {
            self.classes = Some(read_up_to(count, self.most_classes())?);
        } else {
            self.combination = Combination::read(option)?;
        }
        Some(())
    }

    /// Takes over the sizes that a file decides.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        let (first, classifier) = match self.form {
            CgdForm::Torch => ("main_modules.0.0.weight", "auxiliary_module.1.weight"),
            CgdForm::TensorFlow => ("dense.weight", "softmax_predictions.weight"),
        };
        let part = weights.size(first, 0, LARGEST_SIZE);
        self.out_dim = self.out_dim.or(part.map(|part| part * self.combination.count()));
        self.classes = self.classes.or(weights.size(classifier, 0, self.most_classes()));
    }

    /// The most classes that a name or a file may ask for.
    fn most_classes(&self) -> usize {
        match self.form {
            CgdForm::Torch => LARGEST_SIZE,
            CgdForm::TensorFlow => MOST_CLASSES,
        }
    }

    /// Length of the descriptor.
    pub(crate) fn dim(&self) -> usize {
        self.part() * self.combination.count()
    }

    /// Length of each of the joined descriptors.
    pub(crate) fn part(&self) -> usize {
        let count = self.combination.count();
        let length = self.out_dim.unwrap_or(match self.form {
            CgdForm::Torch => 1536,
            CgdForm::TensorFlow => 512 * count,
        });
        (length / count).max(1)
    }
}

impl fmt::Display for CgdHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.form {
            CgdForm::Torch => "cgd",
            CgdForm::TensorFlow => "cgd-tf",
        };
        write!(f, "{name}-{}", self.combination)?;
        if let Some(out_dim) = self.out_dim {
            write!(f, "-out{out_dim}")?;
        }
        self.classes
            .map_or(Ok(()), |classes| write!(f, "-classes{classes}"))
    }
}
