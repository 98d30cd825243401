//! The names of the protocols and which ground truths they read.

use crate::EvalError;
use serde::{Deserialize, Serialize};
use sightline_dataset::Truth;
use std::fmt;
use std::str::FromStr;

/// Whose rules turn rankings into numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// cirtorch and revisitop: mAP by trapezoids, mP@k, queries without positives left out. Revisited and classic sets.
    Cirtorch,
    /// dirtorch: other rules for ties, overlapping lists and queries without positives; AP by steps and top-k on
    /// labelled sets.
    Dirtorch,
    /// Token and CSA: cirtorch's numbers; revisited sets only.
    Token,
    /// Metric learning: Recall@k, R-precision, MAP@R. Labelled sets.
    Recall,
    /// Place recognition: Recall@N over all queries. Sets with one list of positives a query (junk is not stepped over).
    Netvlad,
    /// Google Landmarks v2 retrieval: mAP@100. Sets with one list of positives a query (junk is not stepped over).
    Gldv2,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Cirtorch,
        Self::Dirtorch,
        Self::Token,
        Self::Recall,
        Self::Netvlad,
        Self::Gldv2,
    ];

    /// The name by which the command knows it, such as `cirtorch`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cirtorch => "cirtorch",
            Self::Dirtorch => "dirtorch",
            Self::Token => "token",
            Self::Recall => "recall",
            Self::Netvlad => "netvlad",
            Self::Gldv2 => "gldv2",
        }
    }

    /// The default for a kind of data set: `cirtorch` for lists, `recall` for labels; none without a ground truth.
    pub fn default_for(truth: &Truth) -> Option<Self> {
        match truth {
            Truth::Revisited(_) | Truth::Classic(_) => Some(Self::Cirtorch),
            Truth::Labels { .. } => Some(Self::Recall),
            Truth::None => None,
        }
    }

    /// Whether the protocol reads that kind of ground truth.
    pub fn reads(self, truth: &Truth) -> bool {
        match truth {
            Truth::Revisited(_) => matches!(self, Self::Cirtorch | Self::Dirtorch | Self::Token),
            Truth::Classic(_) => matches!(
                self,
                Self::Cirtorch | Self::Dirtorch | Self::Netvlad | Self::Gldv2
            ),
            Truth::Labels { .. } => matches!(self, Self::Recall | Self::Dirtorch),
            Truth::None => false,
        }
    }

    /// The names of all protocols that read that kind of ground truth, for messages.
    pub(crate) fn fitting(truth: &Truth) -> String {
        let names: Vec<&str> = Self::ALL
            .iter()
            .filter(|p| p.reads(truth))
            .map(|p| p.name())
            .collect();
        names.join(", ")
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Protocol {
    type Err = EvalError;

    fn from_str(text: &str) -> Result<Self, EvalError> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.name() == text)
            .ok_or_else(|| EvalError::UnknownProtocol(text.to_owned()))
    }
}
