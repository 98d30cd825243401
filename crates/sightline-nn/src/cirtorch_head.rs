//! cirtorch's head: what `ImageRetrievalNet` of `imageretrievalnet.py` does with the features.

use crate::Ops;
use crate::linear::Linear;
use crate::normalise::l2n;
use crate::parameters::Parameters;
use crate::pooling::{Pooling, PoolingKind, Power};
use burn::module::Module;
use std::fmt;

/// Options of cirtorch's plain networks.
#[derive(Clone, Debug, PartialEq)]
pub struct CirtorchHead {
    /// The global pooling.
    pub pooling: PoolingKind,
    /// A learned whitening layer after it. Option `-w`.
    pub whitening: bool,
}

impl CirtorchHead {
    /// The heads without options, and their names.
    pub(crate) fn all() -> [(&'static str, Self); 4] {
        let head = |pooling| Self {
            pooling,
            whitening: false,
        };
        [
            ("cir-gem", head(PoolingKind::GEM)),
            ("cir-gemmp", head(PoolingKind::GemPerChannel { p: 3.0 })),
            ("cir-mac", head(PoolingKind::Mac)),
            ("cir-spoc", head(PoolingKind::Spoc)),
        ]
    }

    /// The heads with whitening layers that files are compared with.
    pub(crate) fn whitened() -> Vec<Self> {
        let plain = Self::all().into_iter().map(|(_, head)| head);
        plain
            .filter(|head| !matches!(head.pooling, PoolingKind::GemPerChannel { .. }))
            .map(|head| Self {
                whitening: true,
                ..head
            })
            .collect()
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if option == "w" {
            self.whitening = true;
            return Some(());
        }
        self.pooling.set_power(option)
    }
}

impl fmt::Display for CirtorchHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cir-{}", self.pooling.word())?;
        if self.whitening {
            write!(f, "-w")?;
        }
        self.pooling.write_power(f)
    }
}

#[derive(Module, Debug)]
pub(crate) struct CirtorchModule {
    pooling: Pooling,
    whiten: Option<Linear>,
}

impl CirtorchModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &CirtorchHead, channels: usize) -> Self {
        Self {
            pooling: Pooling::take(parameters, "pool", options.pooling, channels, Power::Required),
            whiten: options
                .whitening
                .then(|| Linear::take(parameters, "whiten", channels, channels)),
        }
    }

    /// `ImageRetrievalNet.forward` behind the features, `[N, C, H, W]` -> `[N, C]`.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        let x = self.pooling.forward(ops, x);
        let x = l2n(ops, x);
        match &self.whiten {
            Some(whiten) => {
                let x = whiten.forward(ops, x);
                l2n(ops, x)
            }
            None => x,
        }
    }
}
