//! What follows the trunk: its names, and from a feature map to a descriptor.

use crate::Ops;
use crate::attention_branch::DELG_LOCAL_DIM;
use crate::cgd_head::{CgdForm, CgdHead};
use crate::cgd_module::CgdModule;
use crate::cgd_tf_module::CgdTfModule;
use crate::cirtorch_head::{CirtorchHead, CirtorchModule};
use crate::delg_head::{DelfModule, DelgHead, DelgModule};
use crate::dirtorch_head::{DirtorchHead, DirtorchModule};
use crate::fpn_head::{FpnHead, FpnModule};
use crate::how_head::{HowHead, HowModule};
use crate::linear::Linear;
use crate::local_maps::LocalMaps;
use crate::netvlad_head::{NetvladHead, NetvladModule};
use crate::normalise::l2_normalise;
use crate::parameters::{Parameters, TensorProblem, Wanted};
use crate::pooling::{Pooling, PoolingKind, Power};
use crate::reference_head::{ReferenceHead, ReferenceModule};
use crate::relup::Relup;
use crate::resnet;
use crate::solar_head::SolarHead;
use crate::superglobal_head::{SuperGlobalHead, SuperGlobalModule};
use crate::token_project::{TokenHead, TokenHeadModule};
use crate::trunk::{Naming, Trunk};
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::Device;
use std::fmt;

/// What follows the trunk.
#[derive(Clone, Debug, PartialEq)]
pub enum Head {
    /// Sightline's own: pooling, then L2 with max(norm, 1e-12). Names `gem`, `mac`, `spoc`, `rmac`; `gem-p2.5` for
    /// another power where the file holds none, `gem-relup-rgem-gemp` for SuperGlobal's changes, `rmac-l4` for another
    /// number of levels.
    Pooled(PoolingKind),
    /// dirtorch's `ResNet_RMAC`. Names `dir-gem`, `dir-max`, `dir-avg`.
    Dirtorch(DirtorchHead),
    /// dirtorch's `ResNet_RMAC_FPN`. Names `dir-fpn`, `dir-fpn0`.
    Fpn(FpnHead),
    /// Mean over the map and a linear layer, no normalisation: torchvision's and dirtorch's classifiers. Name
    /// `classifier`.
    Classifier {
        /// Number of classes; none means as many as the file has (1000 without a file). Option `-outN`.
        classes: Option<usize>,
    },
    /// cirtorch's `ImageRetrievalNet`. Names `cir-gem`, `cir-gemmp`, `cir-mac`, `cir-spoc`, `cir-rmac`; options
    /// `-lw`, `-r`, `-w`.
    Cirtorch(CirtorchHead),
    /// HOW's `HOWNet`: local features with strengths, and their weighted sum. Name `how`.
    How(HowHead),
    /// SOLAR's `SOLAR_Global_Retrieval`: attention between the trunk's stages, GeM, a learned whitening. Name `solar`.
    Solar(SolarHead),
    /// pytorch-NetVlad's `NetVLAD`. Name `netvlad`.
    Netvlad(NetvladHead),
    /// MCC-WH/Token's. Names `token`, `token-solar`, `token-delg`, `token-rmac`, `token-netvlad`.
    Token(TokenHead),
    /// CGD's: several global descriptors, each behind a linear layer, joined. Names `cgd-SG` (leftthomas/CGD) and
    /// `cgd-tf-SMG` (the TensorFlow project), with any of the letters in any order.
    Cgd(CgdHead),
    /// The TensorFlow project's simple reference model. Name `cgd-tf-reference`.
    Reference(ReferenceHead),
    /// DELG's two branches: a global descriptor, and local features with an attention. Name `delg`.
    Delg(DelgHead),
    /// DELG's local features alone, and the mean of them. Name `delf`.
    Delf,
    /// SuperGlobal's behind CVNet's trunk. Name `superglobal`.
    SuperGlobal(SuperGlobalHead),
}

const OWN: [(&str, PoolingKind); 4] = [
    ("gem", PoolingKind::GEM),
    ("mac", PoolingKind::Mac),
    ("spoc", PoolingKind::Spoc),
    ("rmac", PoolingKind::RMAC),
];

/// Classes of ImageNet, which a classifier without a file has.
const CLASSES: usize = 1000;

impl Head {
    /// Every head without options, and its name.
    pub(crate) fn all() -> Vec<(&'static str, Self)> {
        let own = OWN.map(|(name, kind)| (name, Self::Pooled(kind)));
        let dirtorch = DirtorchHead::all().map(|(name, head)| (name, Self::Dirtorch(head)));
        let cirtorch = CirtorchHead::all().map(|(name, head)| (name, Self::Cirtorch(head)));
        own.into_iter()
            .chain(dirtorch)
            .chain(FpnHead::all().map(|(name, head)| (name, Self::Fpn(head))))
            .chain([("classifier", Self::Classifier { classes: None })])
            .chain(cirtorch)
            .chain(TokenHead::all().map(|(name, head)| (name, Self::Token(head))))
            .chain(CgdHead::all().map(|(name, head)| (name, Self::Cgd(head))))
            .chain([("cgd-tf-reference", Self::Reference(ReferenceHead::new()))])
            .chain([
                ("how", Self::How(HowHead::new())),
                ("solar", Self::Solar(SolarHead::default())),
                ("netvlad", Self::Netvlad(NetvladHead::default())),
                ("delg", Self::Delg(DelgHead::default())),
                ("delf", Self::Delf),
                ("superglobal", Self::SuperGlobal(SuperGlobalHead::new())),
            ])
            .collect()
    }

    /// The heads that files are compared with: all without options, and those whose options bring layers.
    pub(crate) fn known() -> Vec<Self> {
        let plain = Self::all().into_iter().map(|(_, head)| head);
        plain
            .filter(|head| !matches!(head, Self::Cgd(_)))
            .chain(CirtorchHead::with_layers().into_iter().map(Self::Cirtorch))
            .chain(CgdHead::every_combination().map(Self::Cgd))
            .collect()
    }

    /// The names of all heads, options left out.
    pub fn names() -> Vec<&'static str> {
        Self::all().iter().map(|(name, _)| *name).collect()
    }

    /// Its name, options left out.
    pub fn name(&self) -> &'static str {
        Self::begun_by(&self.to_string()).map_or("", |(name, _)| name)
    }

    /// The head with the longest name that the text begins with, without options.
    fn begun_by(text: &str) -> Option<(&'static str, Self)> {
        Self::all()
            .into_iter()
            .filter(|(head, _)| text == *head || text.starts_with(&format!("{head}-")))
            .max_by_key(|(head, _)| head.len())
    }

    /// Reads a head's name with its options.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (base, mut head) = Self::begun_by(text).ok_or_else(|| {
            format!(
                "there is no head `{text}`; there are {}",
                Self::names().join(", ")
            )
        })?;
        for option in text[base.len()..].split('-').skip(1) {
            head.apply(option)
                .ok_or_else(|| format!("the head `{base}` has no option `{option}`"))?;
        }
        Ok(head)
    }

    /// Applies one option; none if the head does not have it.
    fn apply(&mut self, option: &str) -> Option<()> {
        match self {
            Self::Pooled(pooling) => pooling.apply(option),
            Self::Cirtorch(head) => head.apply(option),
            Self::Dirtorch(head) => head.apply(option),
            Self::Fpn(head) => head.apply(option),
            Self::How(head) => head.apply(option),
            Self::Solar(head) => head.apply(option),
            Self::Netvlad(head) => head.apply(option),
            Self::Token(head) => head.apply(option),
            Self::Cgd(head) => head.apply(option),
            Self::Reference(head) => head.apply(option),
            Self::Delg(head) => head.apply(option),
            Self::Delf => None,
            Self::SuperGlobal(head) => head.apply(option),
            Self::Classifier { classes } => {
                *classes = Some(read_size(option.strip_prefix("out")?)?);
                Some(())
            }
        }
    }

    /// Why the head cannot follow that trunk, if it cannot.
    pub(crate) fn objection(&self, trunk: Trunk) -> Option<String> {
        let residual = match trunk {
            Trunk::Residual(trunk) => Some(trunk),
            Trunk::Keras(_) | Trunk::Sequence(_) => None,
        };
        match self {
            Self::Pooled(_) | Self::Cirtorch(_)
                if residual.is_none() && self.in_trunk() != Relup::default() =>
            {
                Some(
                    "the option `relup` changes the blocks of ResNets and ResNeXts, and this trunk has none"
                        .to_owned(),
                )
            }
            Self::Pooled(_) | Self::Cirtorch(_) | Self::How(_) | Self::Netvlad(_) | Self::Cgd(_) => None,
            Self::Token(head) => (head.takes_two_maps()
                && residual.filter(|trunk| trunk.last_stage() == 4).is_none())
            .then(|| format!("the head `{self}` follows whole ResNets and ResNeXts only")),
            Self::Reference(_) => (!matches!(trunk, Trunk::Keras(_)) || trunk != trunk.whole())
                .then(|| format!("the head `{self}` follows whole Keras ResNets only")),
            Self::Delg(_) => residual
                .filter(|trunk| trunk.last_stage() == 4)
                .is_none()
                .then(|| format!("the head `{self}` follows whole ResNets and ResNeXts only")),
            Self::Dirtorch(_) | Self::Classifier { .. } | Self::Delf | Self::SuperGlobal(_) => residual
                .is_none()
                .then(|| format!("the head `{self}` follows ResNets and ResNeXts only")),
            Self::Fpn(_) | Self::Solar(_) => residual
                .filter(|trunk| trunk.last_stage() == 4 && !trunk.is_resnext())
                .is_none()
                .then(|| format!("the head `{self}` follows whole ResNets only")),
        }
    }

    /// The trunk that it follows where that one is named: NetVLAD's begins before the ReLU that a whole sequence ends with.
    pub(crate) fn trunk(&self, named: Trunk) -> Trunk {
        match self {
            Self::Netvlad(_) => named.without_last_relu(),
            _ => named,
        }
    }

    /// The trunk as it is named with this head, the opposite of [`Head::trunk`].
    pub(crate) fn named_trunk(&self, trunk: Trunk) -> Trunk {
        match self {
            Self::Netvlad(_) => trunk.with_last_relu(),
            _ => trunk,
        }
    }

    /// Whose names the trunk's parameters have in files with this head.
    pub(crate) fn naming(&self) -> Naming {
        match self {
            Self::Pooled(_) | Self::Classifier { .. } => Naming::Torchvision,
            Self::Dirtorch(_) | Self::Fpn(_) => Naming::Dirtorch,
            Self::Cirtorch(_) => Naming::Cirtorch,
            Self::How(head) => head.naming(),
            Self::Solar(_) => Naming::Solar,
            Self::Netvlad(_) => Naming::Netvlad,
            Self::Token(_) => Naming::Token,
            Self::Cgd(head) => match head.form {
                CgdForm::Torch => Naming::Cirtorch,
                CgdForm::TensorFlow => Naming::Torchvision,
            },
            Self::Reference(_) => Naming::Torchvision,
            Self::Delg(_) | Self::Delf => Naming::Delg,
            Self::SuperGlobal(_) => Naming::Pycls,
        }
    }

    /// The steps of a ResNet's stages that go unsaid with this head.
    pub(crate) fn usual_steps(&self) -> [usize; 4] {
        match self {
            // Its trunk does not shrink the map in the third stage (`resnet.py`).
            Self::Cgd(head) if head.form == CgdForm::Torch => [1, 2, 1, 2],
            _ => resnet::STRIDES,
        }
    }

    /// Takes over the sizes that a file decides (length of the descriptor, number of classes).
    /// `linear` is what dirtorch calls its linear layer behind the trunk.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>, linear: &str) {
        let rows = |layer: &str| weights.size(&format!("{layer}.weight"), 0, LARGEST_SIZE);
        match self {
            Self::Dirtorch(head) => head.out_dim = head.out_dim.or(rows(linear)),
            Self::Fpn(head) => head.out_dim = head.out_dim.or(rows("fc")),
            Self::Classifier { classes } => *classes = classes.or(rows("fc")),
            Self::How(head) => head.sized_by(weights),
            Self::Netvlad(head) => head.sized_by(weights),
            Self::Token(head) => head.sized_by(weights),
            Self::Cgd(head) => head.sized_by(weights),
            Self::Reference(head) => head.sized_by(weights),
            Self::Delg(head) => head.sized_by(weights),
            Self::SuperGlobal(head) => head.out_dim = head.out_dim.or(rows("head.fc")),
            Self::Pooled(_) | Self::Cirtorch(_) | Self::Delf | Self::Solar(_) => {}
        }
    }

    /// What the trunk has of SuperGlobal's changes.
    pub(crate) fn in_trunk(&self) -> Relup {
        match self {
            Self::Pooled(pooling) => pooling.changes().in_trunk(),
            Self::Cirtorch(head) => head.pooling.changes().in_trunk(),
            Self::Dirtorch(head) => head.pooling.changes().in_trunk(),
            Self::SuperGlobal(head) => head.in_trunk(),
            _ => Relup::default(),
        }
    }

    /// The least height and width of the map that it pools.
    pub(crate) fn least_map(&self) -> usize {
        match self {
            Self::Pooled(pooling) => pooling.changes().least_map(),
            Self::Cirtorch(head) => head.pooling.changes().least_map(),
            Self::Dirtorch(head) => head.pooling.changes().least_map(),
            Self::SuperGlobal(head) => head.changes.least_map(),
            _ => 1,
        }
    }

    /// Whether it is known that files hold that tensor and that the network does without: classifiers of training, and
    /// parts of CVNet that only its re-ranking uses.
    pub(crate) fn does_without(&self, tensor: &str) -> bool {
        let beyond: &[&str] = match self {
            Self::Delg(_) => &["desc_cls.", "att_cls."],
            Self::Delf => &["desc_cls.", "att_cls.", "globalmodel.head."],
            Self::SuperGlobal(_) => &["seb1.", "seb2.", "sefc.", "pool."],
            _ => &[],
        };
        beyond.iter().any(|start| tensor.starts_with(start))
    }

    /// Whether what it pools depends on the size of the map, so that it is recorded for one size of pictures only.
    pub fn depends_on_size(&self) -> bool {
        match self {
            Self::Pooled(pooling) => pooling.depends_on_size(),
            Self::Cirtorch(head) => head.depends_on_size(),
            Self::Token(head) => head.depends_on_size(),
            _ => false,
        }
    }

    /// Height and width of the only pictures that it takes, where a layer fixes them.
    pub fn picture_size(&self) -> Option<[usize; 2]> {
        match self {
            Self::Reference(head) => Some(head.picture_size()),
            _ => None,
        }
    }

    /// Whether it yields a map of local features besides a global descriptor
    /// ([`Network::record_local`](crate::Network::record_local)).
    pub fn has_local(&self) -> bool {
        matches!(self, Self::How(_) | Self::Delg(_) | Self::Delf)
    }

    /// Length of its local features behind a map of that many channels; none where there are none.
    pub fn local_dim(&self, channels: usize) -> Option<usize> {
        match self {
            Self::How(head) => Some(head.dim(channels)),
            Self::Delg(_) | Self::Delf => Some(DELG_LOCAL_DIM),
            _ => None,
        }
    }

    /// Length of the descriptor behind a map of that many channels.
    pub(crate) fn dim(&self, channels: usize) -> usize {
        match self {
            Self::Dirtorch(head) => head.dim(channels),
            Self::Fpn(head) => head.dim(channels),
            Self::Classifier { classes } => classes.unwrap_or(CLASSES),
            Self::How(head) => head.dim(channels),
            Self::Token(head) => head.dim(channels),
            Self::Cgd(head) => head.dim(),
            Self::Reference(_) => ReferenceHead::dim(),
            Self::Delg(head) => head.dim(),
            Self::Delf => DELG_LOCAL_DIM,
            Self::SuperGlobal(head) => head.dim(),
            Self::Netvlad(head) => head.dim(channels),
            Self::Pooled(_) | Self::Cirtorch(_) | Self::Solar(_) => channels,
        }
    }
}

/// The largest length or count that a name or a file may decide.
pub(crate) const LARGEST_SIZE: usize = 1 << 20;

/// A length or a count in a name, bounded so that no name asks for more memory than there is.
pub(crate) fn read_size(text: &str) -> Option<usize> {
    read_up_to(text, LARGEST_SIZE)
}

/// A length or a count in a name, up to `most`.
pub(crate) fn read_up_to(text: &str, most: usize) -> Option<usize> {
    text.parse().ok().filter(|size| (1..=most).contains(size))
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pooled(pooling) => {
                write!(f, "{}", pooling.word())?;
                pooling.write_option(f)
            }
            Self::Classifier { classes } => {
                write!(f, "classifier")?;
                classes.map_or(Ok(()), |classes| write!(f, "-out{classes}"))
            }
            Self::Dirtorch(head) => head.fmt(f),
            Self::Fpn(head) => head.fmt(f),
            Self::Cirtorch(head) => head.fmt(f),
            Self::How(head) => head.fmt(f),
            Self::Solar(head) => head.fmt(f),
            Self::Netvlad(head) => head.fmt(f),
            Self::Token(head) => head.fmt(f),
            Self::Cgd(head) => head.fmt(f),
            Self::Reference(head) => head.fmt(f),
            Self::Delg(head) => head.fmt(f),
            Self::Delf => write!(f, "delf"),
            Self::SuperGlobal(head) => head.fmt(f),
        }
    }
}

/// A head with its weights: from a feature map `[N, C, H, W]` to a descriptor `[N, D]`.
// There is one in a network, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum HeadModule {
    /// Of [`Head::Pooled`].
    Pooled(Pooling),
    /// Of [`Head::Dirtorch`].
    Dirtorch(DirtorchModule),
    /// Of [`Head::Fpn`].
    Fpn(FpnModule),
    /// Of [`Head::Classifier`].
    Classifier(Linear),
    /// Of [`Head::Cirtorch`], and of [`Head::Solar`], whose attention lies in the trunk.
    Cirtorch(CirtorchModule),
    /// Of [`Head::How`].
    How(HowModule),
    /// Of [`Head::Netvlad`].
    Netvlad(NetvladModule),
    /// Of [`Head::Token`].
    Token(TokenHeadModule),
    /// Of [`Head::Cgd`] in leftthomas's form.
    Cgd(CgdModule),
    /// Of [`Head::Cgd`] in the TensorFlow project's form.
    CgdTf(CgdTfModule),
    /// Of [`Head::Reference`].
    Reference(ReferenceModule),
    /// Of [`Head::Delg`].
    Delg(DelgModule),
    /// Of [`Head::Delf`].
    Delf(DelfModule),
    /// Of [`Head::SuperGlobal`].
    SuperGlobal(SuperGlobalModule),
}

impl HeadModule {
    /// A head alone, behind a map of that many channels; parameters have the names that they have in a network.
    ///
    /// # Errors
    /// When one of them is missing or has another shape; for a feature pyramid, which follows two maps of a network.
    pub fn load(head: &Head, channels: usize, weights: &Weights<'_>) -> Result<Self, TensorProblem> {
        if matches!(head, Head::Fpn(_)) {
            return Err(TensorProblem::Values {
                name: "conv1x5.weight".to_owned(),
                reason: "a feature pyramid follows two maps of a network and cannot stand alone".to_owned(),
            });
        }
        Parameters::build(weights, &Device::flex(), |parameters| {
            Self::take(parameters, head, channels, "fc")
        })
    }

    /// The parameters that [`HeadModule::load`] wants.
    pub fn parameters(head: &Head, channels: usize) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        Self::take(&mut parameters, head, channels, "fc");
        parameters.into_wanted()
    }

    /// `linear` is what dirtorch calls its linear layer behind the trunk.
    pub(crate) fn take(parameters: &mut Parameters<'_>, head: &Head, channels: usize, linear: &str) -> Self {
        match head {
            Head::Pooled(kind) => Self::Pooled(Pooling::take(
                parameters,
                "pool",
                *kind,
                channels,
                Power::Optional,
            )),
            Head::Dirtorch(head) => Self::Dirtorch(DirtorchModule::take(parameters, head, channels, linear)),
            Head::Fpn(head) => Self::Fpn(FpnModule::take(parameters, head, channels)),
            Head::Classifier { classes } => {
                let classes = classes.unwrap_or(CLASSES);
                Self::Classifier(Linear::take(parameters, "fc", classes, channels))
            }
            Head::Cirtorch(head) => Self::Cirtorch(CirtorchModule::take(parameters, head, channels)),
            Head::How(head) => Self::How(HowModule::take(parameters, head, channels)),
            Head::Solar(_) => {
                let head = SolarHead::behind();
                Self::Cirtorch(CirtorchModule::take(parameters, &head, channels))
            }
            Head::Netvlad(head) => Self::Netvlad(NetvladModule::take(parameters, *head, channels)),
            Head::Token(head) => Self::Token(TokenHeadModule::take(parameters, head, channels)),
            Head::Cgd(head) => match head.form {
                CgdForm::Torch => Self::Cgd(CgdModule::take(parameters, head, channels)),
                CgdForm::TensorFlow => Self::CgdTf(CgdTfModule::take(parameters, head, channels)),
            },
            Head::Reference(head) => Self::Reference(ReferenceModule::take(parameters, head, channels)),
            Head::Delg(head) => Self::Delg(DelgModule::take(parameters, head, channels)),
            Head::Delf => Self::Delf(DelfModule::take(parameters, channels)),
            Head::SuperGlobal(head) => Self::SuperGlobal(SuperGlobalModule::take(parameters, head, channels)),
        }
    }

    /// Whether the head wants a map from the middle of the trunk besides its last.
    pub(crate) fn wants(&self, map: &str) -> bool {
        match self {
            Self::Fpn(_) => map == "layer3",
            Self::Token(head) => head.early() == Some(map),
            Self::Delg(_) => map == DelgModule::EARLY,
            _ => false,
        }
    }

    /// `[N, C, H, W]` -> `[N, D]`; `tap` is shown the vectors of regions, where there are any, as `regions`,
    /// `[N, C, R, 1]`.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>, tap: &mut dyn FnMut(&str, &O::T<4>)) -> O::T<2> {
        let x = self.before_pooling(ops, x);
        self.pool(ops, x, None, tap)
    }

    /// What is done at every pixel before the pooling.
    pub(crate) fn before_pooling<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        match self {
            Self::Cirtorch(head) => head.before_pooling(ops, x),
            _ => x,
        }
    }

    /// The pooling and what follows it. `early` is the map that the head wants besides the trunk's last.
    pub(crate) fn pool<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        early: Option<O::T<4>>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        match self {
            Self::Pooled(pooling) => {
                let x = pooling.forward(ops, x);
                l2_normalise(ops, x)
            }
            Self::Dirtorch(head) => head.forward(ops, x),
            Self::Fpn(head) => {
                let fine = early.unwrap_or_else(|| x.clone());
                head.forward(ops, fine, x, tap)
            }
            Self::Classifier(linear) => {
                let x = ops.global_mean(x);
                linear.forward(ops, x)
            }
            Self::Cirtorch(head) => head.pool(ops, x, tap),
            Self::How(head) => head.forward(ops, x),
            Self::Netvlad(head) => head.forward(ops, x),
            Self::Token(head) => head.forward(ops, x, early, tap),
            Self::Cgd(head) => head.forward(ops, &x),
            Self::CgdTf(head) => head.forward(ops, &x),
            Self::Reference(head) => head.forward(ops, x),
            Self::Delg(head) => head.global(ops, x),
            Self::Delf(head) => head.forward(ops, x),
            Self::SuperGlobal(head) => head.forward(ops, x),
        }
    }

    /// As [`HeadModule::forward`], and where an auxiliary classifier belongs to the head, the values `[N, K]` of its
    /// classes, before any softmax. Only training needs them; a plan has no trace of them.
    pub fn forward_with_classes<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> (O::T<2>, Option<O::T<2>>) {
        match self {
            Self::Cgd(head) => head.forward_with_classes(ops, &x),
            Self::CgdTf(head) => head.forward_with_classes(ops, &x),
            Self::Reference(head) => head.forward_with_classes(ops, x),
            _ => (self.forward(ops, x, &mut |_, _| {}), None),
        }
    }

    /// Local features of the trunk's last map; none where the head has none. `early` is the map that the head wants
    /// besides.
    pub fn local<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        early: Option<O::T<4>>,
    ) -> Option<LocalMaps<O::T<4>>> {
        match self {
            Self::How(head) => Some(head.local(ops, x)),
            Self::Delg(head) => early.map(|early| head.local(ops, early)),
            Self::Delf(head) => Some(head.local(ops, x)),
            _ => None,
        }
    }
}
