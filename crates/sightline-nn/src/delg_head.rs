//! DELG's head: a global descriptor, and local features with an attention (Cao, Araujo, Sim, *Unifying Deep Local and Global
//! Features for Image Search*, ECCV 2020; feymanpriv/DELG `model/delg_model.py`, `model/resnet.py`). And DELF's, which
//! has the local features alone.

use crate::Ops;
use crate::attention_branch::{AttentionBranch, DELG_LOCAL_DIM};
use crate::curricular::CurricularClassifier;
use crate::head::{LARGEST_SIZE, read_size};
use crate::linear::Linear;
use crate::local_maps::LocalMaps;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::pooling::{Pooling, PoolingKind, Power};
use crate::weights::Weights;
use burn::module::Module;
use std::fmt;

/// Length of the published networks' global descriptors.
const DIM: usize = 512;

/// Options of DELG.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelgHead {
    /// Length of the global descriptor; none means what the file has (512 without a file). Option `-outN`.
    pub out_dim: Option<usize>,
    /// The classifiers of both branches, which only training uses. Options `-classes` (as many classes as the file has)
    /// and `-classesN`.
    pub classes: Option<Classes>,
}

/// How many classes the classifiers have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classes {
    /// As many as the file has (81,313 without a file, those of the cleaned Google Landmarks v2).
    OfFile,
    /// That many.
    Count(usize),
}

impl Classes {
    fn count(self) -> usize {
        match self {
            Self::OfFile => 81_313,
            Self::Count(count) => count,
        }
    }
}

impl DelgHead {
    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if option == "classes" {
            self.classes = Some(Classes::OfFile);
        } else if let Some(count) = option.strip_prefix("classes") {
            self.classes = Some(Classes::Count(read_size(count)?));
        } else {
            self.out_dim = Some(read_size(option.strip_prefix("out")?)?);
        }
        Some(())
    }

    /// Takes over the sizes that a file decides.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        let rows = |name: &str| weights.size(name, 0, LARGEST_SIZE);
        self.out_dim = self.out_dim.or(rows("globalmodel.head.fc.weight"));
        if let (Some(Classes::OfFile), Some(count)) = (self.classes, rows("desc_cls.weight")) {
            self.classes = Some(Classes::Count(count));
        }
    }

    /// Length of the global descriptor.
    pub(crate) fn dim(&self) -> usize {
        self.out_dim.unwrap_or(DIM)
    }
}

impl fmt::Display for DelgHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delg")?;
        if let Some(out_dim) = self.out_dim {
            write!(f, "-out{out_dim}")?;
        }
        match self.classes {
            None => Ok(()),
            Some(Classes::OfFile) => write!(f, "-classes"),
            Some(Classes::Count(count)) => write!(f, "-classes{count}"),
        }
    }
}

/// Both branches of DELG and, for training, their classifiers.
#[derive(Module, Debug)]
pub struct DelgModule {
    pool: Pooling,
    fc: Linear,
    local: AttentionBranch,
    /// With the option `-classes`.
    pub classifiers: Option<DelgClassifiers>,
}

/// The classifiers of DELG's branches.
#[derive(Module, Debug)]
pub struct DelgClassifiers {
    /// Of global descriptors: `desc_cls`.
    pub global: CurricularClassifier,
    /// Of the mean of the local features ([`AttentionBranch::mean`]): `att_cls.fc`.
    pub local: Linear,
}

impl DelgModule {
    /// The map from the middle of the trunk that the local features are made of.
    pub(crate) const EARLY: &'static str = "s3";

    /// `channels` are those of the trunk's last stage; the one before has half as many.
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &DelgHead, channels: usize) -> Self {
        let gem = PoolingKind::GEM;
        let dim = options.dim();
        Self {
            pool: Pooling::take(
                parameters,
                "globalmodel.head.pool",
                gem,
                channels,
                Power::Required,
            ),
            fc: Linear::take(parameters, "globalmodel.head.fc", dim, channels),
            local: AttentionBranch::take(parameters, channels / 2),
            classifiers: options.classes.map(|classes| DelgClassifiers {
                global: CurricularClassifier::take(parameters, "desc_cls", classes.count(), dim),
                local: Linear::take(parameters, "att_cls.fc", classes.count(), DELG_LOCAL_DIM),
            }),
        }
    }

    /// The global descriptor of stage 4's map, `[N, C, H, W]` -> `[N, D]`; it is normalised neither before nor behind the
    /// linear layer.
    pub fn global<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        let x = self.pool.forward(ops, x);
        self.fc.forward(ops, x)
    }

    /// The local features of stage 3's map.
    pub fn local<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> LocalMaps<O::T<4>> {
        self.local.forward(ops, x)
    }
}

/// DELG's attention branch behind a trunk that ends at the map it follows (stage 3 in DELF and DELG).
#[derive(Module, Debug)]
pub struct DelfModule {
    local: AttentionBranch,
}

impl DelfModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, channels: usize) -> Self {
        Self {
            local: AttentionBranch::take(parameters, channels),
        }
    }

    /// The mean of the features times their attention, divided by its length; Sightline's own definition, for local
    /// features are what the network is for. `[N, C, H, W]` -> `[N, 512]`.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        let local = self.local(ops, x);
        let mean = AttentionBranch::mean(ops, local);
        l2_normalise(ops, mean)
    }

    /// The local features of the map.
    pub fn local<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> LocalMaps<O::T<4>> {
        self.local.forward(ops, x)
    }
}
