//! Names of networks: `TRUNK[:STAGE]/HEAD[-OPTIONS]`.

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

/// What follows the trunk.
#[derive(Clone, Debug, PartialEq)]
pub enum Head {
    /// Sightline's own: pooling, then L2 with max(norm, 1e-12). Names `gem`, `mac`, `spoc`; `gem-p2.5` for
    /// another power where the file holds none.
    Pooled(PoolingKind),
    /// dirtorch's `ResNet_RMAC`. Names `dir-gem`, `dir-max`, `dir-avg`.
    Dirtorch(DirtorchHead),
    /// Mean over the map and a linear layer, no normalisation: torchvision's and dirtorch's classifiers. Name
    /// `classifier`.
    Classifier {
        /// Number of classes; none means as many as the file has (1000 without a file). Option `-outN`.
        classes: Option<usize>,
    },
    /// cirtorch's `ImageRetrievalNet`. Names `cir-gem`, `cir-gemmp`, `cir-mac`, `cir-spoc`; option `-w`.
    Cirtorch(CirtorchHead),
}

/// Options of dirtorch's `ResNet_RMAC`, under the names of `rmac_resnet.py`.
#[derive(Clone, Debug, PartialEq)]
pub struct DirtorchHead {
    /// Gem, maximum or mean; the power is `gemp`. Option `-p2.7`.
    pub pooling: PoolingKind,
    /// Length of the descriptor; none means what the file has (2048 without a file). Option `-outN`.
    pub out_dim: Option<usize>,
    /// L2 before the linear layer. Option `-normfeatures`.
    pub norm_features: bool,
    /// How much more the middle of the picture counts. Option `-bias0.3`.
    pub center_bias: f32,
    /// Leave the linear layer out. Option `-nofc`.
    pub without_fc: bool,
}

/// Options of cirtorch's plain networks.
#[derive(Clone, Debug, PartialEq)]
pub struct CirtorchHead {
    /// The global pooling.
    pub pooling: PoolingKind,
    /// A learned whitening layer after it.
    pub whitening: bool,
}

impl DirtorchHead {
    /// dirtorch's defaults with that pooling.
    pub fn new(pooling: PoolingKind) -> Self {
        Self {
            pooling,
            out_dim: None,
            norm_features: false,
            center_bias: 0.0,
            without_fc: false,
        }
    }

    pub(crate) fn dim(&self) -> usize {
        self.out_dim.unwrap_or(2048)
    }
}

/// A name that stands for no network.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{name}` is no network that Sightline knows: {reason}.{advice}")]
pub struct ArchitectureError {
    name: String,
    reason: String,
    advice: String,
}

const HEADS: [&str; 11] = [
    "gem",
    "mac",
    "spoc",
    "dir-gem",
    "dir-max",
    "dir-avg",
    "classifier",
    "cir-gem",
    "cir-gemmp",
    "cir-mac",
    "cir-spoc",
];

const GEM: PoolingKind = PoolingKind::Gem { p: 3.0 };

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
                for head in HEADS.into_iter().chain(["cir-gem-w", "cir-mac-w", "cir-spoc-w"]) {
                    let Ok(head) = read_head(head) else { continue };
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
                head: Head::Dirtorch(DirtorchHead::new(GEM)),
            });
        }
        let (trunk, head) = name
            .split_once('/')
            .ok_or("it has no `/` between trunk and head")?;
        Ok(Self {
            trunk: read_trunk(trunk)?,
            head: read_head(head)?,
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
        let rows = weights
            .shape("fc.weight")
            .and_then(|shape| shape.first().copied());
        match &mut self.head {
            Head::Dirtorch(DirtorchHead { out_dim: size, .. }) | Head::Classifier { classes: size } => {
                *size = size.or(rows);
            }
            Head::Pooled(_) | Head::Cirtorch(_) => {}
        }
        self
    }

    /// Length of the descriptor.
    pub fn dim(&self) -> usize {
        match &self.head {
            Head::Dirtorch(options) if !options.without_fc => options.dim(),
            Head::Classifier { classes } => classes.unwrap_or(1000),
            _ => self.trunk.channels(),
        }
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

fn read_head(text: &str) -> Result<Head, String> {
    // The longest head name that the text begins with; what follows it are options.
    let base = HEADS
        .into_iter()
        .filter(|head| text == *head || text.starts_with(&format!("{head}-")))
        .max_by_key(|head| head.len())
        .ok_or_else(|| format!("there is no head `{text}`; there are {}", HEADS.join(", ")))?;
    let options = text[base.len()..].split('-').skip(1);
    let mut head = match base {
        "gem" => Head::Pooled(GEM),
        "mac" => Head::Pooled(PoolingKind::Mac),
        "spoc" => Head::Pooled(PoolingKind::Spoc),
        "dir-gem" => Head::Dirtorch(DirtorchHead::new(GEM)),
        "dir-max" => Head::Dirtorch(DirtorchHead::new(PoolingKind::Mac)),
        "dir-avg" => Head::Dirtorch(DirtorchHead::new(PoolingKind::Spoc)),
        "classifier" => Head::Classifier { classes: None },
        _ => Head::Cirtorch(CirtorchHead {
            pooling: match base {
                "cir-gem" => GEM,
                "cir-gemmp" => PoolingKind::GemPerChannel { p: 3.0 },
                "cir-mac" => PoolingKind::Mac,
                _ => PoolingKind::Spoc,
            },
            whitening: false,
        }),
    };
    for option in options {
        read_option(&mut head, option)
            .ok_or_else(|| format!("the head `{base}` has no option `{option}`"))?;
    }
    Ok(head)
}

/// Applies one option; none if the head does not have it.
fn read_option(head: &mut Head, option: &str) -> Option<()> {
    let size = |text: &str| {
        text.parse::<usize>()
            .ok()
            .filter(|size| (1..=1 << 20).contains(size))
    };
    match head {
        Head::Pooled(pooling) => set_power(pooling, option.strip_prefix('p')?),
        Head::Cirtorch(cirtorch) => match option {
            "w" => {
                cirtorch.whitening = true;
                Some(())
            }
            _ => set_power(&mut cirtorch.pooling, option.strip_prefix('p')?),
        },
        Head::Classifier { classes } => {
            *classes = Some(size(option.strip_prefix("out")?)?);
            Some(())
        }
        Head::Dirtorch(dirtorch) => {
            if option == "normfeatures" {
                dirtorch.norm_features = true;
            } else if option == "nofc" {
                dirtorch.without_fc = true;
            } else if let Some(bias) = option.strip_prefix("bias") {
                dirtorch.center_bias = bias.parse().ok().filter(|bias: &f32| bias.is_finite())?;
            } else if let Some(count) = option.strip_prefix("out") {
                dirtorch.out_dim = Some(size(count)?);
            } else {
                set_power(&mut dirtorch.pooling, option.strip_prefix('p')?)?;
            }
            Some(())
        }
    }
}

fn set_power(pooling: &mut PoolingKind, text: &str) -> Option<()> {
    let power: f32 = text.parse().ok().filter(|p: &f32| p.is_finite() && *p > 0.0)?;
    match pooling {
        PoolingKind::Gem { p } | PoolingKind::GemPerChannel { p } => *p = power,
        PoolingKind::Mac | PoolingKind::Spoc => return None,
    }
    Some(())
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.trunk)?;
        let pooling = match &self.head {
            Head::Pooled(pooling) => {
                write!(f, "{}", own_word(*pooling))?;
                pooling
            }
            Head::Classifier { classes } => {
                write!(f, "classifier")?;
                return classes.map_or(Ok(()), |classes| write!(f, "-out{classes}"));
            }
            Head::Dirtorch(dirtorch) => {
                let word = match dirtorch.pooling {
                    PoolingKind::Mac => "max",
                    PoolingKind::Spoc => "avg",
                    PoolingKind::Gem { .. } | PoolingKind::GemPerChannel { .. } => "gem",
                };
                write!(f, "dir-{word}")?;
                if let Some(out_dim) = dirtorch.out_dim {
                    write!(f, "-out{out_dim}")?;
                }
                if dirtorch.norm_features {
                    write!(f, "-normfeatures")?;
                }
                if dirtorch.center_bias != 0.0 {
                    write!(f, "-bias{}", dirtorch.center_bias)?;
                }
                if dirtorch.without_fc {
                    write!(f, "-nofc")?;
                }
                &dirtorch.pooling
            }
            Head::Cirtorch(cirtorch) => {
                write!(f, "cir-{}", own_word(cirtorch.pooling))?;
                if cirtorch.whitening {
                    write!(f, "-w")?;
                }
                &cirtorch.pooling
            }
        };
        match pooling {
            PoolingKind::Gem { p } | PoolingKind::GemPerChannel { p } if *p != 3.0 => write!(f, "-p{p}"),
            _ => Ok(()),
        }
    }
}

fn own_word(pooling: PoolingKind) -> &'static str {
    match pooling {
        PoolingKind::Gem { .. } => "gem",
        PoolingKind::GemPerChannel { .. } => "gemmp",
        PoolingKind::Mac => "mac",
        PoolingKind::Spoc => "spoc",
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
