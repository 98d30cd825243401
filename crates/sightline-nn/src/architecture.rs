//! Names of networks: `TRUNK[:STAGE]/HEAD[-OPTIONS]`.

use crate::dirtorch_head::DirtorchHead;
use crate::fpn_head::FpnHead;
use crate::head::Head;
use crate::parameters::{Parameters, Wanted};
use crate::pooling::PoolingKind;
use crate::trunk::Trunk;
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
    trunk: Trunk,
    head: Head,
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
    /// That head behind that trunk. A trunk with the original steps gets those that are usual with the head (CGD's
    /// third stage does not shrink the map).
    ///
    /// # Errors
    /// When the head cannot follow the trunk (dirtorch's heads follow ResNets).
    pub fn new(trunk: Trunk, head: Head) -> Result<Self, ArchitectureError> {
        let trunk = head.trunk(trunk.with_usual_steps(head.usual_steps()));
        match head.objection(trunk) {
            None => Ok(Self { trunk, head }),
            Some(reason) => Err(ArchitectureError {
                name: format!("{trunk}/{head}"),
                reason,
                advice: String::new(),
            }),
        }
    }

    /// The trunk and where it ends.
    pub fn trunk(&self) -> Trunk {
        self.trunk
    }

    /// What follows it.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Reads a name.
    ///
    /// # Errors
    /// When no network has that name; the error names the nearest one.
    pub fn parse(name: &str) -> Result<Self, ArchitectureError> {
        Self::read(name).map_err(|reason| {
            let known: Vec<String> = Self::known().map(|known| known.to_string()).collect();
            let advice = match suggest::nearest(name, known.iter().map(String::as_str)) {
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

    /// Every trunk at every stage with every head that may follow it, options left out; whole trunks first.
    fn known() -> impl Iterator<Item = Self> {
        let ends = |trunk: Trunk| trunk.stages().into_iter().rev();
        let pairs = Trunk::all().flat_map(ends).flat_map(|trunk| {
            let heads = Head::known().into_iter();
            heads.map(move |head| (trunk, head))
        });
        pairs.filter_map(|(trunk, head)| Self::new(trunk, head).ok())
    }

    fn read(name: &str) -> Result<Self, String> {
        let (trunk, head) = match Self::of_dirtorch(name) {
            Some((trunk, head)) => (trunk, head),
            None => {
                let (trunk, head) = name
                    .split_once('/')
                    .ok_or("it has no `/` between trunk and head")?;
                (trunk, Head::read(head)?)
            }
        };
        let trunk = head.trunk(Trunk::read(trunk, head.usual_steps())?);
        match head.objection(trunk) {
            None => Ok(Self { trunk, head }),
            Some(reason) => Err(reason),
        }
    }

    /// dirtorch's own names (`resnet101_rmac`, `resnet50_fpn_rmac`, `resnet101_fpn0_rmac`): trunk and head.
    fn of_dirtorch(name: &str) -> Option<(&str, Head)> {
        let base = name.strip_suffix("_rmac")?;
        Some(if let Some(trunk) = base.strip_suffix("_fpn") {
            (trunk, Head::Fpn(FpnHead::new(true)))
        } else if let Some(trunk) = base.strip_suffix("_fpn0") {
            (trunk, Head::Fpn(FpnHead::new(false)))
        } else {
            (base, Head::Dirtorch(DirtorchHead::new(PoolingKind::GEM)))
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
        self.head.sized_by(weights, self.trunk.dirtorch_linear());
        self
    }

    /// Name of the map that the head follows, as [`Network::forward`] shows it.
    pub fn last_map(&self) -> String {
        if let Head::Solar(head) = &self.head
            && let Some((word, _)) = head.after(4)
        {
            return word.to_owned();
        }
        self.trunk.last_map(self.head.naming())
    }

    /// The shortest side of a picture, in pixels, that the network can describe.
    pub fn shortest_side(&self) -> usize {
        self.trunk.side_for_map(self.head.least_map())
    }

    /// Length of the descriptor.
    pub fn dim(&self) -> usize {
        self.head.dim(self.trunk.channels())
    }
}

impl FromStr for Architecture {
    type Err = ArchitectureError;

    fn from_str(name: &str) -> Result<Self, ArchitectureError> {
        Self::parse(name)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trunk = self.head.named_trunk(self.trunk);
        trunk.write(f, self.head.usual_steps())?;
        write!(f, "/{}", self.head)
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
            "resnext101_64x4d:layer3/gem",
            "resnext101_32x4d/dir-gem-out512",
            "resnet50-s1221-d1112/gem",
            "resnet101-d1124:layer3/cir-mac",
            "vgg16:features.22/gem",
            "vgg16:features.30/mac",
            "alexnet/cir-spoc",
            "densenet161:features.8/cir-mac-w",
            "squeezenet1_0/cir-gem",
            "resnet18/dir-fpn",
            "resnet101/dir-fpn0-out700",
            "resnet50/dir-fpn-out1024-normfeatures-nofc-p2.5",
            "resnet50/rmac",
            "resnet18:layer3/rmac-l5",
            "resnet101/cir-rmac-w",
            "resnet101/cir-rmac-l2",
            "resnet50/cir-gem-r-w",
            "resnet18/cir-gem-lw-w",
            "resnet34/cir-gemmp-lw-r4-w-p2.5",
            "resnet50/cgd-SG",
            "resnext50_32x4d/cgd-GSM-out96-classes10",
            "resnet50-s1222:layer3/cgd-M",
            "keras_resnet50:conv4_block3/cgd-tf-SMG",
            "keras_resnet50/cgd-tf-reference-size64-classes5",
            "resnet50:layer3/how",
            "resnet101/token",
            "resnet18:layer3/token-l2-d96-h3",
            "vgg16/token-d512",
            "resnet50/token-solar",
            "resnet18:layer2/token-solar-out100",
            "resnet50/token-delg-out512-r64",
            "resnet50/token-rmac-l2-out64",
            "resnet50/token-rmac-eps0.00001-out64",
            "resnet34/token-netvlad-k8-d256-h4",
            "vgg16/how-out64-smooth5",
            "resnet18:layer3/how-unreduced",
            "resnet50/delg",
            "resnet101/delg-out256-classes81313",
            "resnet50/delg-classes",
            "resnet50:layer3/delf",
            "resnet101/superglobal",
            "resnet50/superglobal-out96-norelup-norgem-nogemp",
            "resnet50/superglobal-relup0.02-gemp5",
            "resnet101/gem-relup-rgem-gemp",
            "vgg16/gem-p2.5-rgem3",
            "resnet101/cir-gem-w-relup",
            "resnet18/cir-gemmp-gemp",
            "resnet101/dir-gem-out128-p2.7-rgem",
            "resnet101/solar",
            "resnet50/solar-soa5",
            "vgg16/netvlad",
            "vgg16:features.30/netvlad-k4-v2-raw",
            "resnet18:layer3/netvlad",
        ] {
            assert_eq!(Architecture::parse(name).unwrap().to_string(), name);
        }
        for known in Architecture::known() {
            assert_eq!(Architecture::parse(&known.to_string()).unwrap(), known);
        }
        for (name, written) in [
            ("resnet18:layer4/gem", "resnet18/gem"),
            ("resnet18-s1222-d1111/gem", "resnet18/gem"),
            ("vgg16:features.29/gem", "vgg16/gem"),
            ("vgg16:features.28/netvlad-k64", "vgg16/netvlad"),
            ("alexnet:features.10/netvlad", "alexnet/netvlad"),
            ("resnet101/solar-soa5-soa4", "resnet101/solar"),
            ("resnet152_rmac", "resnet152/dir-gem"),
            ("resnet50_fpn_rmac", "resnet50/dir-fpn"),
            ("resnet101_fpn0_rmac", "resnet101/dir-fpn0"),
            ("resnext101_64x4d_rmac", "resnext101_64x4d/dir-gem"),
            ("resnet50-s1212/cgd", "resnet50/cgd-SG"),
            (
                "keras_resnet101:conv4/cgd-tf",
                "keras_resnet101:conv4_block23/cgd-tf-SMG",
            ),
            ("keras_resnet50:conv5_block3_out/gem", "keras_resnet50/gem"),
        ] {
            assert_eq!(Architecture::parse(name).unwrap().to_string(), written);
        }
    }

    #[test]
    fn wrong_names_get_advice() {
        let message = |name: &str| Architecture::parse(name).unwrap_err().to_string();
        assert!(message("resnet18/gen").contains("Did you mean `resnet18/gem`?"));
        assert!(message("resnet18:layer5/gem").contains("they are layer1 to layer4"));
        assert!(message("vgg16:features.31/gem").contains("they are features.0 to features.30"));
        assert!(message("resnet50-s120/gem").contains("the trunk `resnet50` has no option `s120`"));
        assert!(message("resnet50-d1110/gem").contains("has no option `d1110`"));
        assert!(message("vgg16-s1222/gem").contains("the trunk `vgg16` has no option `s1222`"));
        assert!(message("vgg16/dir-gem").contains("the head `dir-gem` follows ResNets and ResNeXts only"));
        assert!(message("resnet50:layer3/dir-fpn").contains("follows whole ResNets only"));
        assert!(message("resnet50/mac-p2").contains("the head `mac` has no option `p2`"));
        assert!(message("resnet50/rmac-l0").contains("the head `rmac` has no option `l0`"));
        assert!(message("resnet50/cir-mac-r99").contains("the head `cir-mac` has no option `r99`"));
        assert!(message("resnet50/token-l0").contains("the head `token` has no option `l0`"));
        assert!(message("resnet50:layer3/token-delg").contains("follows whole ResNets and ResNeXts only"));
        assert!(message("resnet50/gem-pnan").contains("has no option `pnan`"));
        assert!(message("resnet50/mac-rgem").contains("the head `mac` has no option `rgem`"));
        assert!(message("vgg16/gem-relup").contains("the option `relup` changes the blocks of ResNets"));
        assert!(message("resnet50:layer3/delg").contains("follows whole ResNets and ResNeXts only"));
        assert!(message("resnet50/how-smooth4").contains("the head `how` has no option `smooth4`"));
        assert!(message("resnet50/classifier-out0").contains("has no option `out0`"));
        assert!(message("resnet50/cgd-SS").contains("the head `cgd` has no option `SS`"));
        assert!(message("resnet50/cgd-tf-reference").contains("follows whole Keras ResNets only"));
        assert!(message("keras_resnet50:conv4_block7/gem").contains("`conv4_block7` is no stage"));
        assert!(message("something else entirely").contains("TRUNK[:STAGE]/HEAD"));
    }

    #[test]
    fn cells_lie_where_their_windows_do() {
        for (name, stride, offset) in [
            ("resnet18:layer3/gem", 16, 0.0),
            ("resnet50-s1221-d1112/gem", 16, 0.0),
            // A pool of two pixels is centred between them.
            ("vgg16:features.4/gem", 2, 0.5),
            ("vgg16/gem", 16, 7.5),
            ("alexnet:features.2/gem", 8, 7.0),
        ] {
            let cells = Architecture::parse(name).unwrap().trunk().cells();
            assert_eq!((cells.stride, cells.offset), (stride, offset), "{name}");
        }
    }

    #[test]
    fn sequences_end_where_cirtorch_ends_them() {
        // Width of the map and the shortest side of a picture that has one.
        for (name, channels, shortest) in [
            ("alexnet/cir-mac", 256, 31),
            ("vgg16/cir-mac", 512, 16),
            ("vgg19:features.0/mac", 64, 1),
            ("densenet121/cir-mac", 1024, 29),
            ("densenet161/mac", 2208, 29),
            ("densenet169/mac", 1664, 29),
            ("densenet201/mac", 1920, 29),
            ("squeezenet1_0/mac", 512, 21),
            ("squeezenet1_1/mac", 512, 17),
        ] {
            let trunk = Architecture::parse(name).unwrap().trunk();
            assert_eq!(trunk.channels(), channels, "{name}");
            assert_eq!(trunk.shortest_side(), shortest, "{name}");
        }
    }
}
