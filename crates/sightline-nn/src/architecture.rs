//! Names of networks: `TRUNK[:STAGE]/HEAD[-OPTIONS]`.

use crate::dirtorch_head::DirtorchHead;
use crate::head::Head;
use crate::parameters::{Parameters, Wanted};
use crate::pooling::PoolingKind;
use crate::resnet::Trunk;
use crate::weights::Weights;
use crate::{Network, suggest};
use std::fmt;
use std::str::FromStr;

/// A network by its structure alone.
///
/// ```
/// use sightline_nn::Architecture;
///
/// let network = Architecture::parse("resnet18:layer3/gem")?;
/// assert_eq!(network.to_string(), "resnet18:layer3/gem");
/// // dirtorch's own names work too: despite the name these are GeM networks.
/// assert_eq!(Architecture::parse("resnet101_rmac")?.to_string(), "resnet101/dir-gem");
///
/// let error = Architecture::parse("resnet110/gem").unwrap_err();
/// assert!(error.to_string().contains("Did you mean `resnet101/gem`"));
/// # Ok::<(), sightline_nn::ArchitectureError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// The trunk and where it ends.
    pub trunk: Trunk,
    /// What follows it.
    pub head: Head,
}

/// A name that stands for no network.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{name}` is no network that Sightline knows: {reason}.{advice}")]
pub struct ArchitectureError {
    name: String,
    reason: String,
    advice: String,
}

impl Architecture {
    /// Reads a name.
    ///
    /// # Errors
    /// When no network has that name; the error names the nearest one.
    pub fn parse(name: &str) -> Result<Self, ArchitectureError> {
        Self::read(name).map_err(|reason| {
            let known = Self::known();
            let names = known.iter().map(|one| one.name.as_str());
            let advice = match suggest::nearest(name, names) {
                Some(near) => format!(" Did you mean `{near}`?"),
                None => " Names are TRUNK[:STAGE]/HEAD[-OPTIONS], such as `resnet101/gem`, \
                          `resnet18:layer3/gem`, `resnet50/dir-gem` or `resnet101/cir-gem-w`."
                    .to_owned(),
            };
            ArchitectureError {
                name: name.to_owned(),
                reason,
                advice,
            }
        })
    }

    /// Every trunk at every stage with every head, options left out: what names and files are compared with.
    pub(crate) fn known() -> Vec<Known> {
        let mut known = Vec::new();
        for depth in Trunk::DEPTHS {
            for stage in (1..=4).rev() {
                let Some(trunk) = Trunk::new(depth, stage) else {
                    continue;
                };
                for head in Head::known() {
                    let architecture = Self { trunk, head };
                    let name = architecture.to_string();
                    known.push(Known { name, architecture });
                }
            }
        }
        known
    }

    fn read(name: &str) -> Result<Self, String> {
        if let Some(depth) = name
            .strip_prefix("resnet")
            .and_then(|rest| rest.strip_suffix("_rmac"))
        {
            return Ok(Self {
                trunk: read_trunk(&format!("resnet{depth}"))?,
                head: Head::Dirtorch(DirtorchHead::new(PoolingKind::GEM)),
            });
        }
        let (trunk, head) = name
            .split_once('/')
            .ok_or("it has no `/` between trunk and head")?;
        Ok(Self {
            trunk: read_trunk(trunk)?,
            head: Head::read(head)?,
        })
    }

    /// The parameters that the network wants, in the order of the original's state dict.
    pub fn parameters(&self) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        Network::take(&mut parameters, self);
        parameters.into_wanted()
    }

    /// The same architecture with the sizes that a file decides (length of the descriptor, number of classes).
    #[must_use]
    pub fn sized_by(mut self, weights: &Weights<'_>) -> Self {
        self.head.sized_by(weights);
        self
    }

    /// Length of the descriptor.
    pub fn dim(&self) -> usize {
        self.head.dim(self.trunk.channels())
    }
}

/// An architecture and its name.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) architecture: Architecture,
}

impl FromStr for Architecture {
    type Err = ArchitectureError;

    fn from_str(name: &str) -> Result<Self, ArchitectureError> {
        Self::parse(name)
    }
}

fn read_trunk(text: &str) -> Result<Trunk, String> {
    let (base, stage) = match text.split_once(':') {
        Some((base, stage)) => (base, Some(stage)),
        None => (text, None),
    };
    let depth = base
        .strip_prefix("resnet")
        .and_then(|depth| depth.parse().ok())
        .ok_or_else(|| format!("there is no trunk `{base}`"))?;
    let last = match stage {
        None => 4,
        Some(stage) => stage
            .strip_prefix("layer")
            .and_then(|stage| stage.parse().ok())
            .filter(|stage| (1..=4).contains(stage))
            .ok_or_else(|| format!("`{stage}` is no stage of {base}; they are layer1 to layer4"))?,
    };
    Trunk::new(depth, last).ok_or_else(|| {
        let depths = Trunk::DEPTHS.map(|depth| format!("resnet{depth}")).join(", ");
        format!("there is no trunk `{base}`; there are {depths}")
    })
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.trunk, self.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_they_were_written() {
        for name in [
            "resnet18:layer3/gem",
            "resnet152/mac",
            "resnet34:layer1/spoc",
            "resnet50/gem-p2.5",
            "resnet101/dir-gem",
            "resnet18/dir-gem-out128-normfeatures-bias0.3-p2.7",
            "resnet50/dir-avg-normfeatures-nofc",
            "resnet50/dir-max-out512",
            "resnet18/classifier-out100",
            "resnet101/cir-gem-w",
            "resnet18/cir-gemmp",
            "resnet50/cir-gem-p2.92",
            "resnet50/rmac",
            "resnet18:layer3/rmac-l5",
            "resnet101/cir-rmac-w",
            "resnet101/cir-rmac-l2",
            "resnet50/cir-gem-r-w",
            "resnet18/cir-gem-lw-w",
            "resnet34/cir-gemmp-lw-r4-w-p2.5",
        ] {
            assert_eq!(Architecture::parse(name).unwrap().to_string(), name);
        }
        for known in Architecture::known() {
            assert_eq!(Architecture::parse(&known.name).unwrap(), known.architecture);
        }
        assert_eq!(
            Architecture::parse("resnet18:layer4/gem").unwrap().to_string(),
            "resnet18/gem"
        );
    }

    #[test]
    fn wrong_names_get_advice() {
        let message = |name: &str| Architecture::parse(name).unwrap_err().to_string();
        assert!(message("resnet18/gen").contains("Did you mean `resnet18/gem`?"));
        assert!(message("resnet18:layer5/gem").contains("they are layer1 to layer4"));
        assert!(message("resnet50/mac-p2").contains("the head `mac` has no option `p2`"));
        assert!(message("resnet50/rmac-l0").contains("the head `rmac` has no option `l0`"));
        assert!(message("resnet50/cir-mac-r99").contains("the head `cir-mac` has no option `r99`"));
        assert!(message("resnet50/gem-pnan").contains("has no option `pnan`"));
        assert!(message("resnet50/classifier-out0").contains("has no option `out0`"));
        assert!(message("something else entirely").contains("TRUNK[:STAGE]/HEAD"));
    }

    #[test]
    fn resnet18_of_dirtorch_has_the_parameters_of_the_original() {
        // 123 entries with gem, of which 20 batch norms each hold a counter that is no parameter.
        let count = |name: &str| Architecture::parse(name).unwrap().parameters().len();
        assert_eq!(count("resnet18/dir-gem"), 123 - 20);
        assert_eq!(count("resnet18/dir-max"), 122 - 20);
    }
}
