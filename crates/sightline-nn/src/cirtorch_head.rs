//! cirtorch's head: what `ImageRetrievalNet` of `imageretrievalnet.py` does with the features.

use crate::Ops;
use crate::linear::Linear;
use crate::normalise::{L2N_EPSILON, l2n};
use crate::parameters::Parameters;
use crate::pooling::{Pooling, PoolingKind, Power, RegionalPooling, read_levels};
use burn::module::Module;
use std::fmt;

/// Options of cirtorch's `ImageRetrievalNet`.
#[derive(Clone, Debug, PartialEq)]
pub struct CirtorchHead {
    /// The pooling, of the whole map or of each region.
    pub pooling: PoolingKind,
    /// A learned linear layer at every pixel before the pooling. Option `-lw`.
    pub local_whitening: bool,
    /// Regional pooling, with a learned whitening of the regions, and its levels (3 in the original). Option `-r`, `-r4`.
    pub regional: Option<usize>,
    /// A learned whitening layer after the pooling. Option `-w`.
    pub whitening: bool,
}

impl CirtorchHead {
    /// The head without options.
    pub fn new(pooling: PoolingKind) -> Self {
        Self {
            pooling,
            local_whitening: false,
            regional: None,
            whitening: false,
        }
    }

    /// The heads without options, and their names.
    pub(crate) fn all() -> [(&'static str, Self); 5] {
        [
            ("cir-gem", Self::new(PoolingKind::GEM)),
            ("cir-gemmp", Self::new(PoolingKind::GemPerChannel { p: 3.0 })),
            ("cir-mac", Self::new(PoolingKind::Mac)),
            ("cir-spoc", Self::new(PoolingKind::Spoc)),
            ("cir-rmac", Self::new(PoolingKind::RMAC)),
        ]
    }

    /// The heads with further layers that files are compared with.
    pub(crate) fn with_layers() -> Vec<Self> {
        let mut heads = Vec::new();
        for pooling in [
            PoolingKind::GEM,
            PoolingKind::GemPerChannel { p: 3.0 },
            PoolingKind::Mac,
            PoolingKind::Spoc,
        ] {
            for layers in 1..8 {
                heads.push(Self {
                    pooling,
                    local_whitening: layers & 4 != 0,
                    regional: (layers & 2 != 0).then_some(RegionalPooling::LEVELS),
                    whitening: layers & 1 != 0,
                });
            }
        }
        heads
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        match option {
            "w" => self.whitening = true,
            "lw" => self.local_whitening = true,
            "r" => self.regional = Some(RegionalPooling::LEVELS),
            _ => match option.strip_prefix('r').and_then(read_levels) {
                Some(levels) => self.regional = Some(levels),
                None => self.pooling.apply(option)?,
            },
        }
        Some(())
    }

    /// Whether what it pools depends on the size of the map.
    pub(crate) fn depends_on_size(&self) -> bool {
        self.regional.is_some() || self.pooling.depends_on_size()
    }
}

impl fmt::Display for CirtorchHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cir-{}", self.pooling.word())?;
        if self.local_whitening {
            write!(f, "-lw")?;
        }
        match self.regional {
            None => {}
            Some(RegionalPooling::LEVELS) => write!(f, "-r")?,
            Some(levels) => write!(f, "-r{levels}")?,
        }
        if self.whitening {
            write!(f, "-w")?;
        }
        self.pooling.write_option(f)
    }
}

#[derive(Module, Debug)]
pub struct CirtorchModule {
    lwhiten: Option<Linear>,
    pool: CirtorchPooling,
    whiten: Option<Linear>,
}

#[derive(Module, Debug)]
enum CirtorchPooling {
    Global(Pooling),
    Regional(RegionalPooling),
}

impl CirtorchModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &CirtorchHead, channels: usize) -> Self {
        let square = |wanted: bool, name: &str, parameters: &mut Parameters<'_>| {
            wanted.then(|| Linear::take(parameters, name, channels, channels))
        };
        let kind = options.pooling;
        Self {
            lwhiten: square(options.local_whitening, "lwhiten", parameters),
            pool: match options.regional {
                None => {
                    let pooling = Pooling::take(parameters, "pool", kind, channels, Power::Required);
                    CirtorchPooling::Global(pooling)
                }
                Some(levels) => {
                    let pooling = RegionalPooling::take(parameters, "pool.", kind, channels, levels, true);
                    CirtorchPooling::Regional(pooling)
                }
            },
            whiten: square(options.whitening, "whiten", parameters),
        }
    }

    /// The first part of `ImageRetrievalNet.forward` behind the features: what is done at every pixel.
    pub(crate) fn before_pooling<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        match &self.lwhiten {
            Some(lwhiten) => lwhiten.forward(ops, x),
            None => x,
        }
    }

    /// The rest of it, `[N, C, H, W]` -> `[N, C]`. `tap` is shown the vectors of the regions as `regions`,
    /// `[N, C, R, 1]`.
    pub(crate) fn pool<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let x = match &self.pool {
            CirtorchPooling::Global(pooling) => pooling.forward(ops, x),
            CirtorchPooling::Regional(pooling) => {
                let regions = pooling.regions(ops, x);
                tap("regions", &regions);
                RegionalPooling::aggregate(ops, regions)
            }
        };
        let x = l2n(ops, x, L2N_EPSILON);
        match &self.whiten {
            Some(whiten) => {
                let x = whiten.forward(ops, x);
                l2n(ops, x, L2N_EPSILON)
            }
            None => x,
        }
    }
}
