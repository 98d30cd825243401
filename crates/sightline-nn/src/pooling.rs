//! Global poolings of a feature map: GeM, MAC (maximum) and SPoC (mean).

use crate::Ops;
use crate::parameters::Parameters;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use std::fmt;

/// Which global pooling.
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
    /// Maximum.
    Mac,
    /// Mean.
    Spoc,
}

impl PoolingKind {
    /// The usual start of a generalised mean.
    pub(crate) const GEM: Self = Self::Gem { p: 3.0 };

    /// Its word in the names of Sightline's and cirtorch's heads.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Gem { .. } => "gem",
            Self::GemPerChannel { .. } => "gemmp",
            Self::Mac => "mac",
            Self::Spoc => "spoc",
        }
    }

    /// Applies the option `p2.5` of a head's name; none if it is another option, or the pooling has no power.
    pub(crate) fn set_power(&mut self, option: &str) -> Option<()> {
        let power: f32 = option
            .strip_prefix('p')?
            .parse()
            .ok()
            .filter(|p: &f32| p.is_finite() && *p > 0.0)?;
        match self {
            Self::Gem { p } | Self::GemPerChannel { p } => *p = power,
            Self::Mac | Self::Spoc => return None,
        }
        Some(())
    }

    /// Writes the power as an option of a head's name, unless it is the usual 3.
    pub(crate) fn write_power(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gem { p } | Self::GemPerChannel { p } if p != 3.0 => write!(f, "-p{p}"),
            _ => Ok(()),
        }
    }
}

/// Whether the file must hold the power of a generalised mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    Required,
    /// Files of other projects have none: the kind's own power then.
    Optional,
}

/// A global pooling, `[N, C, H, W]` -> `[N, C]`.
#[derive(Module, Debug)]
pub struct Pooling {
    /// The power of a generalised mean, `[1]` or `[C]`.
    pub p: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: PoolingKind,
}

impl Pooling {
    /// Lower bound of what a generalised mean sees (cirtorch and dirtorch alike).
    pub const GEM_EPSILON: f32 = 1e-6;

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
            PoolingKind::Mac | PoolingKind::Spoc => None,
        };
        Self { p, kind }
    }

    /// Pools every channel to one number. GeM: `mean(max(x, 1e-6)^p)^(1/p)`.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        match &self.p {
            Some(p) => {
                let x = ops.clamp_min(x, Self::GEM_EPSILON);
                let x = ops.power(x, p);
                let mean = ops.global_mean(x);
                ops.root(mean, p)
            }
            None if self.kind == PoolingKind::Mac => ops.global_max(x),
            None => ops.global_mean(x),
        }
    }
}
