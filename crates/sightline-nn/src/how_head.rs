//! HOW's head: local features with a strength each, and their weighted sum (Tolias, Jenicek, Chum, *Learning and aggregating deep
//! local descriptors for instance-level recognition*, ECCV 2020; gtolias/how, `how/networks/how_net.py`, `how/layers`).

use crate::Ops;
use crate::conv2d::Conv2d;
use crate::head::{LARGEST_SIZE, read_size};
use crate::local_maps::LocalMaps;
use crate::normalise::{L2N_EPSILON, l2n};
use crate::parameters::Parameters;
use crate::trunk::Naming;
use crate::weights::Weights;
use burn::module::Module;
use sightline_plan::{Convolution, Window};
use std::fmt;

/// Length of the published networks' features.
const DIM: usize = 128;
/// Side of the published networks' smoothing window.
const SMOOTHING: usize = 3;
/// The largest window that a name may ask for.
const WIDEST: usize = 31;
/// What is added under the root of a strength.
const STRENGTH_EPSILON: f32 = 1e-10;

/// Options of HOW's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HowHead {
    /// Length of the reduced features; none means what the file has (128 without a file). Option `-outN`.
    pub dim: Option<usize>,
    /// Leave the reduction layer out, so that features have the trunk's channels. Option `-unreduced`.
    pub unreduced: bool,
    /// Side of the window over which features are averaged, odd; 1 averages nothing. Option `-smoothN`.
    pub smoothing: usize,
    /// Whether the file has the trunk under torchvision's names (a plain trunk, which has no reduction layer).
    plain_trunk: bool,
}

impl HowHead {
    /// The published networks' options.
    pub fn new() -> Self {
        Self {
            dim: None,
            unreduced: false,
            smoothing: SMOOTHING,
            plain_trunk: false,
        }
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if option == "unreduced" {
            self.unreduced = true;
            self.plain_trunk = true;
        } else if let Some(side) = option.strip_prefix("smooth") {
            let side = read_size(side)?;
            self.smoothing = (side % 2 == 1 && side <= WIDEST).then_some(side)?;
        } else {
            self.dim = Some(read_size(option.strip_prefix("out")?)?);
        }
        Some(())
    }

    /// Takes over what a file decides: the length of the features and, without a reduction layer, whose names the
    /// trunk has.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        if self.unreduced {
            self.plain_trunk = weights.shape("features.0.weight").is_none();
        } else {
            let held = weights.size("dim_reduction.weight", 0, LARGEST_SIZE);
            self.dim = self.dim.or(held);
        }
    }

    /// HOW names its trunk as cirtorch does.
    pub(crate) fn naming(&self) -> Naming {
        if self.plain_trunk {
            Naming::Torchvision
        } else {
            Naming::Cirtorch
        }
    }

    /// Length of the features, and of their sum.
    pub(crate) fn dim(&self, channels: usize) -> usize {
        if self.unreduced {
            channels
        } else {
            self.dim.unwrap_or(DIM)
        }
    }
}

impl Default for HowHead {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for HowHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "how")?;
        match self.dim {
            _ if self.unreduced => write!(f, "-unreduced")?,
            Some(dim) => write!(f, "-out{dim}")?,
            None => {}
        }
        if self.smoothing != SMOOTHING {
            write!(f, "-smooth{}", self.smoothing)?;
        }
        Ok(())
    }
}

#[derive(Module, Debug)]
pub struct HowModule {
    dim_reduction: Option<Conv2d>,
    #[module(skip)]
    smoothing: usize,
}

impl HowModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &HowHead, channels: usize) -> Self {
        let shape = [options.dim(channels), channels, 1, 1];
        Self {
            dim_reduction: (!options.unreduced)
                .then(|| Conv2d::take_with_bias(parameters, "dim_reduction", shape, Convolution::default())),
            smoothing: options.smoothing,
        }
    }

    /// `HOWNet.features_attentions` of one scale, before its strengths are divided by the largest: `[N, C, H, W]` ->
    /// features `[N, D, H, W]`, strengths `[N, 1, H, W]`.
    pub(crate) fn local<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> LocalMaps<O::T<4>> {
        let squares = ops.mul(x.clone(), x.clone());
        let sum = ops.sum_channels(squares);
        let sum = ops.add_number(sum, STRENGTH_EPSILON);
        let strengths = ops.sqrt(sum);
        let mut features = smooth(ops, x, self.smoothing);
        if let Some(reduction) = &self.dim_reduction {
            features = reduction.forward(ops, features);
        }
        LocalMaps { features, strengths }
    }

    /// `HOWNet.forward_global` of one scale, `[N, C, H, W]` -> `[N, D]`: the sum of the features times their relative
    /// strengths, over (its norm + 1e-6). The strengths are relative to each picture's own largest.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        let LocalMaps { features, strengths } = self.local(ops, x);
        let largest = ops.global_max(strengths.clone());
        let weighted = ops.mul(features, strengths);
        let sum = ops.global_sum(weighted);
        let sum = ops.div(sum, largest);
        l2n(ops, sum, L2N_EPSILON)
    }
}

/// The mean over windows of that odd side around every pixel, what lies outside the map left out.
fn smooth<O: Ops>(ops: &mut O, x: O::T<4>, side: usize) -> O::T<4> {
    if side <= 1 {
        return x;
    }
    let window = Window {
        size: [side; 2],
        stride: [1; 2],
        padding: [side / 2; 2],
        ceil: false,
    };
    ops.mean_pool(x, window, false)
}
