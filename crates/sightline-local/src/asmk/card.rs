//! What made an inverted file.

use super::aggregate::units_of;
use serde::{Deserialize, Serialize};
use sightline_card::Card;

/// What made an inverted file: queries and later additions must fit it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsmkCard {
    /// Signs (ASMK*) or values (ASMK).
    pub binary: bool,
    /// Length of a local descriptor, D.
    pub dim: usize,
    /// Words of the codebook.
    pub words: usize,
    /// SHA-256 of the codebook's centroids; empty where it is not known (indexes taken over from pickles).
    pub codebook: String,
    /// Whether words count by how rare they are.
    pub idf: bool,
    /// Words that a feature of the database is assigned to.
    pub assignment: usize,
    /// What made the local features, where that is known.
    pub features: Option<Card>,
}

impl AsmkCard {
    /// Units of 32 bits that a vector takes.
    #[must_use]
    pub fn units(&self) -> usize {
        units_of(self.binary, self.dim)
    }

    /// The first thing in which two cards differ that makes their vectors incomparable, as a sentence's end.
    pub(crate) fn conflict(&self, other: &AsmkCard) -> Option<String> {
        let differ = |what: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
            Some(format!("its {what} is {a}, and the other's is {b}"))
        };
        if self.binary != other.binary {
            return differ("form", &form(self.binary), &form(other.binary));
        }
        if self.dim != other.dim {
            return differ("descriptor length", &self.dim, &other.dim);
        }
        if self.words != other.words {
            return differ("number of words", &self.words, &other.words);
        }
        if self.codebook != other.codebook && !self.codebook.is_empty() && !other.codebook.is_empty() {
            return differ("codebook", &self.codebook, &other.codebook);
        }
        None
    }
}

fn form(binary: bool) -> &'static str {
    if binary { "binary" } else { "float" }
}
