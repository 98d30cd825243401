//! dirtorch's head over two stages: `ResNet_RMAC_FPN` of `rmac_resnet_fpn.py`.

use crate::Ops;
use crate::conv2d::Conv2d;
use crate::head::read_size;
use crate::linear::Linear;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::pooling::{Pooling, PoolingKind, Power, read_power};
use burn::module::Module;
use sightline_plan::{Convolution, Interpolation};
use std::fmt;

/// Options of dirtorch's `ResNet_RMAC_FPN`, under the names of `rmac_resnet_fpn.py`.
///
/// Poolings other than GeM fail in the original, and its `center_bias` does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct FpnHead {
    /// Whether layer4's map is added to layer3's before pooling (mode 1). Without it (mode 0) the name is `dir-fpn0`.
    pub top_down: bool,
    /// The power of both poolings where no file gives it. Option `-p2.5`.
    pub gemp: f32,
    /// Length of the descriptor; none means what the file has (as many as the two stages have channels, without a
    /// file). Option `-outN`.
    pub out_dim: Option<usize>,
    /// L2 before the linear layer. Option `-normfeatures`.
    pub norm_features: bool,
    /// Leave the linear layer out. Option `-nofc`.
    pub without_fc: bool,
}

impl FpnHead {
    /// dirtorch's defaults.
    pub fn new(top_down: bool) -> Self {
        Self {
            top_down,
            gemp: 3.0,
            out_dim: None,
            norm_features: false,
            without_fc: false,
        }
    }

    /// The heads without options, and their names.
    pub(crate) fn all() -> [(&'static str, Self); 2] {
        [("dir-fpn", Self::new(true)), ("dir-fpn0", Self::new(false))]
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if option == "normfeatures" {
            self.norm_features = true;
        } else if option == "nofc" {
            self.without_fc = true;
        } else if let Some(count) = option.strip_prefix("out") {
            self.out_dim = Some(read_size(count)?);
        } else {
            self.gemp = read_power(option.strip_prefix('p')?)?;
        }
        Some(())
    }

    /// Length of the descriptor behind a last map of that many channels.
    pub(crate) fn dim(&self, channels: usize) -> usize {
        if self.without_fc {
            both(channels)
        } else {
            self.fc_rows(channels)
        }
    }

    fn fc_rows(&self, channels: usize) -> usize {
        self.out_dim.unwrap_or(both(channels))
    }

    fn pooling(&self) -> PoolingKind {
        PoolingKind::Gem { p: self.gemp }
    }
}

/// Channels of layer3 and layer4 together; layer4 has twice as many as layer3.
fn both(channels: usize) -> usize {
    channels / 2 + channels
}

impl fmt::Display for FpnHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dir-fpn{}", if self.top_down { "" } else { "0" })?;
        if let Some(out_dim) = self.out_dim {
            write!(f, "-out{out_dim}")?;
        }
        if self.norm_features {
            write!(f, "-normfeatures")?;
        }
        if self.without_fc {
            write!(f, "-nofc")?;
        }
        self.pooling().write_option(f)
    }
}

/// From layer4's map to one like layer3's, and the smoothing of their sum.
#[derive(Module, Debug)]
struct TopDown {
    conv1x5: Conv2d,
    conv3c4: Conv2d,
}

#[derive(Module, Debug)]
pub struct FpnModule {
    top_down: Option<TopDown>,
    adpoolx5: Pooling,
    adpoolc4: Pooling,
    fc: Linear,
    #[module(skip)]
    options: FpnHead,
}

impl FpnModule {
    /// `channels` are those of layer4.
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &FpnHead, channels: usize) -> Self {
        let (fine, coarse) = (channels / 2, channels);
        let top_down = options.top_down.then(|| {
            let smooth = Convolution {
                padding: [1, 1],
                ..Convolution::default()
            };
            let shape = [fine, coarse, 1, 1];
            TopDown {
                conv1x5: Conv2d::take(parameters, "conv1x5", shape, Convolution::default()),
                conv3c4: Conv2d::take(parameters, "conv3c4", [fine, fine, 3, 3], smooth),
            }
        });
        let mut pooling = |name: &str, channels: usize| {
            Pooling::take(parameters, name, options.pooling(), channels, Power::Required)
        };
        Self {
            top_down,
            adpoolx5: pooling("adpoolx5", coarse),
            adpoolc4: pooling("adpoolc4", fine),
            // The original builds the layer (and its checkpoints hold it) even where it is not used.
            fc: Linear::take(parameters, "fc", options.fc_rows(channels), fine + coarse),
            options: options.clone(),
        }
    }

    /// `ResNet_RMAC_FPN.forward` behind the maps of layer3 and layer4, -> `[N, D]`.
    ///
    /// `tap` is shown the outputs of `conv1x5` and `conv3c4`, before their ReLU.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        fine: O::T<4>,
        coarse: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let mut fine = fine;
        if let Some(TopDown { conv1x5, conv3c4 }) = &self.top_down {
            // The original resizes first; a 1x1 convolution gives the same numbers on the quarter of the pixels.
            let c5 = conv1x5.forward(ops, coarse.clone());
            let c5 = ops.resize_like(c5, &fine, Interpolation::Nearest);
            tap("conv1x5", &c5);
            let c5 = ops.relu(c5);
            fine = ops.add(fine, c5);
            fine = conv3c4.forward(ops, fine);
            tap("conv3c4", &fine);
            fine = ops.relu(fine);
        }
        let coarse = self.adpoolx5.forward(ops, coarse);
        let fine = self.adpoolc4.forward(ops, fine);
        let mut x = ops.concat(fine, coarse);
        if self.options.norm_features {
            x = l2_normalise(ops, x);
        }
        if !self.options.without_fc {
            x = self.fc.forward(ops, x);
        }
        l2_normalise(ops, x)
    }
}
