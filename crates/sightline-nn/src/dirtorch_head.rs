//! dirtorch's head: `ResNet_RMAC` of `rmac_resnet.py`.

use crate::Ops;
use crate::center_bias::center_bias;
use crate::head::read_size;
use crate::linear::Linear;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::pooling::{Pooling, PoolingKind, Power};
use burn::module::Module;
use std::fmt;

/// Options of dirtorch's `ResNet_RMAC`, under the names of `rmac_resnet.py`.
#[derive(Clone, Debug, PartialEq)]
pub struct DirtorchHead {
    /// Gem, maximum or mean; the power is `gemp`. Option `-p2.7`.
    pub pooling: PoolingKind,
    /// Length of the descriptor; none means what the file has (2048 without a file). Option `-outN`.
    pub out_dim: Option<usize>,
    /// L2 before the linear layer. Option `-normfeatures`.
    pub norm_features: bool,
    /// How much more the middle of the picture counts. Option `-bias0.3`.
    pub center_bias: f32,
    /// Leave the linear layer out. Option `-nofc`.
    pub without_fc: bool,
}

impl DirtorchHead {
    /// dirtorch's defaults with that pooling.
    pub fn new(pooling: PoolingKind) -> Self {
        Self {
            pooling,
            out_dim: None,
            norm_features: false,
            center_bias: 0.0,
            without_fc: false,
        }
    }

    /// The heads without options, and their names.
    pub(crate) fn all() -> [(&'static str, Self); 3] {
        [
            ("dir-gem", Self::new(PoolingKind::GEM)),
            ("dir-max", Self::new(PoolingKind::Mac)),
            ("dir-avg", Self::new(PoolingKind::Spoc)),
        ]
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if option == "normfeatures" {
            self.norm_features = true;
        } else if option == "nofc" {
            self.without_fc = true;
        } else if let Some(bias) = option.strip_prefix("bias") {
            self.center_bias = bias.parse().ok().filter(|bias: &f32| bias.is_finite())?;
        } else if let Some(count) = option.strip_prefix("out") {
            self.out_dim = Some(read_size(count)?);
        } else {
            self.pooling.apply(option)?;
        }
        Some(())
    }

    /// Length of the descriptor.
    pub(crate) fn dim(&self, channels: usize) -> usize {
        if self.without_fc { channels } else { self.fc_rows() }
    }

    fn fc_rows(&self) -> usize {
        self.out_dim.unwrap_or(2048)
    }
}

impl fmt::Display for DirtorchHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.pooling {
            PoolingKind::Mac => "max",
            PoolingKind::Spoc => "avg",
            other => other.word(),
        };
        write!(f, "dir-{word}")?;
        if let Some(out_dim) = self.out_dim {
            write!(f, "-out{out_dim}")?;
        }
        if self.norm_features {
            write!(f, "-normfeatures")?;
        }
        if self.center_bias != 0.0 {
            write!(f, "-bias{}", self.center_bias)?;
        }
        if self.without_fc {
            write!(f, "-nofc")?;
        }
        self.pooling.write_option(f)
    }
}

#[derive(Module, Debug)]
pub struct DirtorchModule {
    pooling: Pooling,
    fc: Linear,
    #[module(skip)]
    options: DirtorchHead,
}

impl DirtorchModule {
    /// `linear` is what the file calls the linear layer.
    pub(crate) fn take(
        parameters: &mut Parameters<'_>,
        options: &DirtorchHead,
        channels: usize,
        linear: &str,
    ) -> Self {
        Self {
            pooling: Pooling::take(parameters, "adpool", options.pooling, channels, Power::Required),
            // The original builds the layer (and its checkpoints hold it) even where it is not used.
            fc: Linear::take(parameters, linear, options.fc_rows(), channels),
            options: options.clone(),
        }
    }

    /// `ResNet_RMAC.forward`, `[N, C, H, W]` -> `[N, D]`.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<2> {
        let options = &self.options;
        let x = center_bias(ops, x, options.center_bias);
        let mut x = self.pooling.forward(ops, x);
        if options.norm_features {
            x = l2_normalise(ops, x);
        }
        if !options.without_fc {
            x = self.fc.forward(ops, x);
        }
        l2_normalise(ops, x)
    }
}
