//! SuperGlobal's head behind CVNet's trunk (Shao et al., *Global Features are All You Need for Image Retrieval and Reranking*,
//! ICCV 2023; ShihaoShao-GH/SuperGlobal `model/resnet.py`).

use crate::Ops;
use crate::head::read_size;
use crate::linear::Linear;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::pooling::{Pooling, PoolingKind, Power, SuperGlobal};
use crate::relup::{RELUP, Relup};
use burn::module::Module;
use std::fmt;

/// Length of the published networks' descriptors.
const DIM: usize = 2048;

/// Options of SuperGlobal's network.
#[derive(Clone, Debug, PartialEq)]
pub struct SuperGlobalHead {
    /// Its changes to CVNet, all on without options. Options `-norelup`, `-norgem`, `-nogemp`, `-relup0.02`, `-rgem3`,
    /// `-gemp5`.
    pub changes: SuperGlobal,
    /// Length of the descriptor; none means what the file has (2048 without a file). Option `-outN`.
    pub out_dim: Option<usize>,
}

impl SuperGlobalHead {
    /// The published network.
    pub fn new() -> Self {
        Self {
            changes: SuperGlobal::ALL,
            out_dim: None,
        }
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if let Some(count) = option.strip_prefix("out") {
            self.out_dim = Some(read_size(count)?);
            return Some(());
        }
        self.changes
            .leave_out(option)
            .or_else(|| self.changes.apply(option))
    }

    /// Length of the descriptor.
    pub(crate) fn dim(&self) -> usize {
        self.out_dim.unwrap_or(DIM)
    }

    /// What the trunk has of it. Within the blocks of stage 1 the published code has ReLUP whether it is on or off: the
    /// flag that it hands on there is a class, which counts as true.
    pub(crate) fn in_trunk(&self) -> Relup {
        Relup {
            inner: Some(self.changes.relup.unwrap_or(RELUP)),
            ends: self.changes.relup,
        }
    }
}

impl Default for SuperGlobalHead {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for SuperGlobalHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "superglobal")?;
        if let Some(out_dim) = self.out_dim {
            write!(f, "-out{out_dim}")?;
        }
        self.changes.write_options(SuperGlobal::ALL, f)
    }
}

/// GeM or GeM+ and the linear layer behind it.
#[derive(Module, Debug)]
pub struct SuperGlobalModule {
    pool: Pooling,
    fc: Linear,
}

impl SuperGlobalModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &SuperGlobalHead, channels: usize) -> Self {
        let kind = PoolingKind::SuperGlobal {
            p: 3.0,
            per_channel: false,
            changes: options.changes,
        };
        Self {
            pool: Pooling::take(parameters, "head.pool", kind, channels, Power::Required),
            fc: Linear::take(parameters, "head.fc", options.dim(), channels),
        }
    }

    /// `GlobalHead.forward` for one scale, `[N, C, H, W]` -> `[N, D]`, not normalised.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        let x = self.pool.forward(ops, x);
        let x = l2_normalise(ops, x);
        self.fc.forward(ops, x)
    }
}
