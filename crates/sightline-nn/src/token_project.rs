//! The heads of MCC-WH/Token: Token itself and the rivals that the project trained beside it.

use crate::Ops;
use crate::head::{LARGEST_SIZE, read_size};
use crate::parameters::Parameters;
use crate::pooling::{RMAC_EPSILON, read_levels};
use crate::token_delg::{TokenDelgModule, TokenDelgOptions};
use crate::token_head::{DIM, TokenModule, TokenOptions};
use crate::token_rmac::TokenRmacModule;
use crate::token_solar::TokenSolarModule;
use crate::token_vlad::{TokenVladModule, TokenVladOptions};
use crate::weights::Weights;
use burn::module::Module;
use std::fmt;

/// A head of MCC-WH/Token (`networks/RetrievalNet.py`).
#[derive(Clone, Debug, PartialEq)]
pub enum TokenHead {
    /// Local features that look at each other, gathered in tokens, which are refined. Name `token`, options `-l4`, `-d1024`,
    /// `-h8`.
    Token(TokenOptions),
    /// The project's SOLAR. Name `token-solar`.
    Solar {
        /// Length of the descriptor; none means what the file has (the trunk's channels without a file). Option `-outN`.
        dim: Option<usize>,
    },
    /// The project's DELG. Name `token-delg`.
    Delg(TokenDelgOptions),
    /// The project's R-MAC. Name `token-rmac`.
    Rmac {
        /// As [`TokenHead::Solar`]'s.
        dim: Option<usize>,
        /// Sizes of regions beside the whole map. Option `-l3`.
        levels: usize,
        /// Added to the length of a region's vector. Option `-eps0.000001`.
        epsilon: f32,
    },
    /// The project's NetVLAD. Name `token-netvlad`, options `-k4`, `-d2048`, `-h8`.
    Vlad(TokenVladOptions),
}

/// Levels of R-MAC where a name gives none.
const LEVELS: usize = 3;

impl TokenHead {
    /// The heads without options, and their names.
    pub(crate) fn all() -> [(&'static str, Self); 5] {
        let rmac = Self::Rmac {
            dim: None,
            levels: LEVELS,
            epsilon: RMAC_EPSILON,
        };
        [
            ("token", Self::Token(TokenOptions::default())),
            ("token-solar", Self::Solar { dim: None }),
            ("token-delg", Self::Delg(TokenDelgOptions::default())),
            ("token-rmac", rmac),
            ("token-netvlad", Self::Vlad(TokenVladOptions::default())),
        ]
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        let length = || read_size(option.strip_prefix("out")?);
        match self {
            Self::Token(options) => options.apply(option)?,
            Self::Vlad(options) => options.apply(option)?,
            Self::Solar { dim } => *dim = Some(length()?),
            Self::Delg(options) => options.apply(option)?,
            Self::Rmac { dim, levels, epsilon } => {
                if let Some(text) = option.strip_prefix('l') {
                    *levels = read_levels(text)?;
                } else if let Some(text) = option.strip_prefix("eps") {
                    *epsilon = text.parse().ok().filter(|number| (0.0..1.0).contains(number))?;
                } else {
                    *dim = Some(length()?);
                }
            }
        }
        Some(())
    }

    /// Takes over the sizes that a file decides.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        match self {
            Self::Token(options) => options.sized_by(weights),
            Self::Delg(options) => options.sized_by(weights),
            Self::Vlad(options) => options.sized_by(weights),
            Self::Solar { dim } | Self::Rmac { dim, .. } => {
                *dim = dim.or(weights.size("whiten.weight", 0, LARGEST_SIZE));
            }
        }
    }

    /// Whether what it pools depends on the size of the map.
    pub(crate) fn depends_on_size(&self) -> bool {
        matches!(self, Self::Rmac { .. })
    }

    /// Whether it takes a map from the middle of the trunk besides the last.
    pub(crate) fn takes_two_maps(&self) -> bool {
        matches!(self, Self::Delg(_))
    }

    /// Length of the descriptor.
    pub(crate) fn dim(&self, channels: usize) -> usize {
        match self {
            Self::Token(_) => DIM,
            Self::Vlad(options) => options.width(),
            Self::Solar { dim } | Self::Rmac { dim, .. } => dim.unwrap_or(channels),
            Self::Delg(options) => options.dim.unwrap_or(channels),
        }
    }
}

impl fmt::Display for TokenHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length =
            |f: &mut fmt::Formatter<'_>, dim: Option<usize>| dim.map_or(Ok(()), |dim| write!(f, "-out{dim}"));
        match self {
            Self::Token(options) => write!(f, "token{options}"),
            Self::Vlad(options) => write!(f, "token-netvlad{options}"),
            Self::Solar { dim } => {
                write!(f, "token-solar")?;
                length(f, *dim)
            }
            Self::Delg(options) => write!(f, "token-delg{options}"),
            Self::Rmac { dim, levels, epsilon } => {
                write!(f, "token-rmac")?;
                if *levels != LEVELS {
                    write!(f, "-l{levels}")?;
                }
                if *epsilon != RMAC_EPSILON {
                    write!(f, "-eps{epsilon}")?;
                }
                length(f, *dim)
            }
        }
    }
}

/// A [`TokenHead`] with its weights.
// There is one in a network, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum TokenHeadModule {
    /// Of [`TokenHead::Token`].
    Token(TokenModule),
    /// Of [`TokenHead::Solar`].
    Solar(TokenSolarModule),
    /// Of [`TokenHead::Delg`].
    Delg(TokenDelgModule),
    /// Of [`TokenHead::Rmac`].
    Rmac(TokenRmacModule),
    /// Of [`TokenHead::Vlad`].
    Vlad(TokenVladModule),
}

impl TokenHeadModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, head: &TokenHead, channels: usize) -> Self {
        match head {
            TokenHead::Token(options) => Self::Token(TokenModule::take(parameters, options, channels)),
            TokenHead::Solar { dim } => Self::Solar(TokenSolarModule::take(parameters, *dim, channels)),
            TokenHead::Delg(options) => Self::Delg(TokenDelgModule::take(parameters, options, channels)),
            TokenHead::Rmac { dim, levels, epsilon } => Self::Rmac(TokenRmacModule::take(
                parameters, *dim, *levels, *epsilon, channels,
            )),
            TokenHead::Vlad(options) => Self::Vlad(TokenVladModule::take(parameters, options, channels)),
        }
    }

    /// The map from the middle of the trunk that the head takes besides the last, if any.
    pub(crate) fn early(&self) -> Option<&'static str> {
        matches!(self, Self::Delg(_)).then_some(TokenDelgModule::EARLY)
    }

    /// `[N, C, H, W]` -> `[N, D]`, normalised; `early` is the other map, `tap` as each head says.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        early: Option<O::T<4>>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        match self {
            Self::Token(head) => head.forward(ops, x, None, tap),
            Self::Solar(head) => head.forward(ops, x, tap),
            Self::Delg(head) => head.forward(ops, x, early, tap),
            Self::Rmac(head) => head.forward(ops, x, tap),
            Self::Vlad(head) => head.forward(ops, x, tap),
        }
    }
}
