//! NetVLAD: soft assignment to learned centres and sums of differences from them (Arandjelović, Gronat, Torii, Pajdla and
//! Sivic, *NetVLAD: CNN architecture for weakly supervised place recognition*, CVPR 2016; Nanne/pytorch-NetVlad, `netvlad.py`).

use crate::Ops;
use crate::conv2d::Conv2d;
use crate::head::read_up_to;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::weights::Weights;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use sightline_plan::Convolution;
use std::fmt;

/// Centres of the published networks.
const CLUSTERS: usize = 64;
/// The most that a name may ask for.
const MOST_CLUSTERS: usize = 4096;

/// Options of NetVLAD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetvladHead {
    /// Number of centres; none means as many as the file has (64 without a file). Option `-kN`.
    pub clusters: Option<usize>,
    /// Whether the assignment has a bias (`vladv2`); a file decides it. Option `-v2`.
    pub biased: bool,
    /// Whether features are taken as they are, and not divided by their length first. Option `-raw`.
    pub raw: bool,
}

impl NetvladHead {
    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        match option {
            "v2" => self.biased = true,
            "raw" => self.raw = true,
            _ => {
                self.clusters = Some(read_up_to(option.strip_prefix('k')?, MOST_CLUSTERS)?);
            }
        }
        Some(())
    }

    /// Takes over what a file decides.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        let held = weights.size("pool.centroids", 0, MOST_CLUSTERS);
        self.clusters = self.clusters.or(held);
        self.biased |= weights.shape("pool.conv.bias").is_some();
    }

    fn clusters(self) -> usize {
        self.clusters.unwrap_or(CLUSTERS)
    }

    /// Length of the descriptor.
    pub(crate) fn dim(self, channels: usize) -> usize {
        self.clusters() * channels
    }
}

impl fmt::Display for NetvladHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "netvlad")?;
        if self.clusters() != CLUSTERS {
            write!(f, "-k{}", self.clusters())?;
        }
        if self.biased {
            write!(f, "-v2")?;
        }
        if self.raw {
            write!(f, "-raw")?;
        }
        Ok(())
    }
}

#[derive(Module, Debug)]
pub struct NetvladModule {
    conv: Conv2d,
    centroids: Param<Tensor<2>>,
    #[module(skip)]
    size: [usize; 2],
    #[module(skip)]
    raw: bool,
}

impl NetvladModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: NetvladHead, channels: usize) -> Self {
        let size @ [clusters, _] = [options.clusters(), channels];
        let take = if options.biased {
            Conv2d::take_with_bias
        } else {
            Conv2d::take
        };
        let shape = [clusters, channels, 1, 1];
        Self {
            conv: take(parameters, "pool.conv", shape, Convolution::default()),
            centroids: parameters.take("pool.centroids", size),
            size,
            raw: options.raw,
        }
    }

    /// `NetVLAD.forward`, `[N, C, H, W]` -> `[N, K C]`, centre by centre.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        let [clusters, channels] = self.size.map(|length| length as i64);
        let x = if self.raw { x } else { l2_normalise(ops, x) };
        let shares = self.conv.forward(ops, x.clone());
        let shares = ops.softmax(shares, 1);
        // Sums of features by centre, `[N, C, K, 1]`, and how much of the map each centre has.
        let by_place = ops.reshape::<4, 4>(shares.clone(), [0, 1, clusters, -1]);
        let by_place = ops.permute(by_place, [0, 1, 3, 2]);
        let features = ops.reshape::<4, 4>(x, [0, 1, channels, -1]);
        let sums = ops.matmul(features, by_place);
        let sums = ops.reshape::<4, 4>(sums, [0, channels, clusters, 1]);
        let weights = ops.global_sum(shares);
        let weights = ops.reshape::<2, 4>(weights, [0, 1, clusters, 1]);
        let centres = ops.parameter(&self.centroids);
        let centres = ops.permute(centres, [1, 0]);
        let centres = ops.reshape::<2, 4>(centres, [1, channels, clusters, 1]);
        let weighted = ops.mul(centres, weights);
        let weighted = ops.mul_number(weighted, -1.0);
        let differences = ops.add(sums, weighted);
        let differences = l2_normalise(ops, differences);
        let rows = ops.permute(differences, [0, 2, 1, 3]);
        let flat = ops.reshape::<4, 2>(rows, [0, clusters * channels]);
        l2_normalise(ops, flat)
    }
}
