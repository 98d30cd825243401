//! Poolings of a feature map: GeM, MAC (maximum), SPoC (mean) and R-MAC.

mod gem;
mod regional;
mod regions;
mod rmac;
mod superglobal;

use crate::Ops;
use crate::parameters::Parameters;
use crate::weights::Weights;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use std::fmt;

pub use gem::{GEM_EPSILON, gem, gem_fixed};
pub use regional::RegionalPooling;
pub use regions::regions;
pub use rmac::{RMAC_EPSILON, rmac};
pub use superglobal::{
    GEM_PLUS_EPSILON, GEM_PLUS_POWER, REGIONAL_GEM_POWER, REGIONAL_GEM_SIDE, SuperGlobal, regional_gem,
};

/// Which pooling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PoolingKind {
    /// Generalised mean with one learned power.
    Gem {
        /// The power where no file gives it.
        p: f32,
    },
    /// Generalised mean with one learned power for each channel.
    GemPerChannel {
        /// The power where no file gives it.
        p: f32,
    },
    /// Generalised mean with some of SuperGlobal's changes.
    SuperGlobal {
        /// The power where no file gives it.
        p: f32,
        /// Whether there is a learned power for each channel, or one for all.
        per_channel: bool,
        /// The changes.
        changes: SuperGlobal,
    },
    /// Maximum.
    Mac,
    /// Mean.
    Spoc,
    /// Sum of the normalised maxima of overlapping regions.
    Rmac {
        /// Sizes of regions beside the whole map.
        levels: usize,
    },
}

impl PoolingKind {
    /// The usual start of a generalised mean.
    pub(crate) const GEM: Self = Self::Gem { p: 3.0 };
    /// R-MAC with the usual three levels.
    pub(crate) const RMAC: Self = Self::Rmac { levels: 3 };

    /// Its word in the names of Sightline's and cirtorch's heads.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Gem { .. }
            | Self::SuperGlobal {
                per_channel: false, ..
            } => "gem",
            Self::GemPerChannel { .. } | Self::SuperGlobal { .. } => "gemmp",
            Self::Mac => "mac",
            Self::Spoc => "spoc",
            Self::Rmac { .. } => "rmac",
        }
    }

    /// Whether the regions that it pools depend on the size of the map.
    pub(crate) fn depends_on_size(self) -> bool {
        matches!(self, Self::Rmac { .. })
    }

    /// The power of a generalised mean with one power for all channels, as far as no file gives it.
    pub fn one_power(self) -> Option<f32> {
        match self {
            Self::Gem { p } => Some(p),
            Self::SuperGlobal {
                p,
                per_channel,
                changes,
            } => changes.gemp.or((!per_channel).then_some(p)),
            _ => None,
        }
    }

    /// SuperGlobal's changes.
    pub fn changes(self) -> SuperGlobal {
        match self {
            Self::SuperGlobal { changes, .. } => changes,
            _ => SuperGlobal::NONE,
        }
    }

    /// The same generalised mean with SuperGlobal's changes; other poolings have none.
    fn with_changes(self, changes: SuperGlobal) -> Self {
        let (p, per_channel) = match self {
            Self::Gem { p } => (p, false),
            Self::GemPerChannel { p } => (p, true),
            Self::SuperGlobal { p, per_channel, .. } => (p, per_channel),
            Self::Mac | Self::Spoc | Self::Rmac { .. } => return self,
        };
        Self::SuperGlobal {
            p,
            per_channel,
            changes,
        }
    }

    /// Applies the option `p2.5` (power), `relup`, `rgem`, `gemp` (SuperGlobal's changes) or `l4` (levels) of a head's
    /// name; none if the pooling has no such option.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        let mut changes = self.changes();
        if changes.apply(option).is_some() {
            *self = self.with_changes(changes);
            return (self.changes() == changes).then_some(());
        }
        match self {
            Self::Gem { p } | Self::GemPerChannel { p } | Self::SuperGlobal { p, .. } => {
                *p = read_power(option.strip_prefix('p')?)?;
            }
            Self::Rmac { levels } => *levels = read_levels(option.strip_prefix('l')?)?,
            Self::Mac | Self::Spoc => return None,
        }
        Some(())
    }

    /// Writes what [`PoolingKind::apply`] reads, unless it is the usual 3.
    pub(crate) fn write_option(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gem { p } | Self::GemPerChannel { p } | Self::SuperGlobal { p, .. } if p != 3.0 => {
                write!(f, "-p{p}")?;
            }
            Self::Rmac { levels } if levels != 3 => write!(f, "-l{levels}")?,
            _ => {}
        }
        self.changes().write_options(SuperGlobal::NONE, f)
    }
}

/// The power of a generalised mean in a name.
pub(crate) fn read_power(text: &str) -> Option<f32> {
    text.parse().ok().filter(|p: &f32| p.is_finite() && *p > 0.0)
}

/// A number of levels in a name, bounded because the number of regions grows with its cube.
pub(crate) fn read_levels(text: &str) -> Option<usize> {
    text.parse().ok().filter(|levels| (1..=16).contains(levels))
}

/// Whether the file must hold the power of a generalised mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    Required,
    /// Files of other projects have none: the kind's own power then.
    Optional,
}

/// A pooling, `[N, C, H, W]` -> `[N, C]`.
#[derive(Module, Debug)]
pub struct Pooling {
    /// The power of a generalised mean, `[1]` or `[C]`.
    pub p: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: PoolingKind,
}

impl Pooling {
    /// A pooling that no file gives, for maps of that many channels: its powers are the kind's own.
    pub fn new(kind: PoolingKind, channels: usize) -> Self {
        let none = Weights::new();
        let mut parameters = Parameters::from_weights(&none, &Device::flex());
        Self::take(&mut parameters, "", kind, channels, Power::Optional)
    }

    /// Takes `{name}.p` where the kind has one.
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        name: &str,
        kind: PoolingKind,
        channels: usize,
        power: Power,
    ) -> Self {
        let mut take = |count, p| {
            let name = format!("{name}.p");
            Some(match power {
                Power::Required => parameters.take_power(&name, count, p),
                Power::Optional => parameters.take_power_or(&name, count, p),
            })
        };
        let p = match kind {
            PoolingKind::Gem { p } => take(1, p),
            PoolingKind::GemPerChannel { p } => take(channels, p),
            PoolingKind::SuperGlobal { p, per_channel, .. } => {
                take(if per_channel { channels } else { 1 }, p)
            }
            PoolingKind::Mac | PoolingKind::Spoc | PoolingKind::Rmac { .. } => None,
        };
        Self { p, kind }
    }

    /// Pools every channel to one number.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        let x = self.raise(ops, x);
        self.reduce(ops, x)
    }

    /// What is done to each pixel alone, and before that what smooths the whole map.
    fn raise<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let changes = self.kind.changes();
        let x = match changes.rgem {
            Some(power) => regional_gem(ops, x, power, REGIONAL_GEM_SIDE),
            None => x,
        };
        match (changes.gemp, &self.p) {
            (Some(power), _) => gem::raise_fixed(ops, x, power, GEM_PLUS_EPSILON),
            (None, Some(p)) => gem::raise(ops, x, p, GEM_EPSILON),
            (None, None) => x,
        }
    }

    /// What is done over the pixels that [`Pooling::raise`] yields.
    fn reduce<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        if let Some(power) = self.kind.changes().gemp {
            return gem::mean_and_root_fixed(ops, x, power);
        }
        match (self.kind, &self.p) {
            (_, Some(p)) => gem::mean_and_root(ops, x, p),
            (PoolingKind::Mac, None) => ops.global_max(x),
            (PoolingKind::Rmac { levels }, None) => rmac(ops, x, levels, RMAC_EPSILON),
            (_, None) => ops.global_mean(x),
        }
    }
}
