//! Token's head: Wu, Wang, Zhou and Li, *Learning Token-based Representation for Image Retrieval*, AAAI 2022 (MCC-WH/Token,
//! `Token_Refine` in `networks/backbone.py`).

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::counted::Counted;
use crate::head::read_up_to;
use crate::layer_norm::LayerNorm;
use crate::linear::Linear;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use crate::token_decoder::TokenDecoder;
use crate::token_encoder::TokenEncoder;
use crate::weights::Weights;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use sightline_plan::Convolution;
use std::fmt;

/// Length of the descriptor, whatever the width of the tokens.
pub(crate) const DIM: usize = 1024;
/// Decoders behind each other.
const DECODERS: usize = 2;
/// Heads of every attention, which no tensor shows.
pub(crate) const HEADS: usize = 8;
/// The most tokens and the largest width that a name may ask for.
const MOST_TOKENS: usize = 256;
const WIDEST: usize = 1 << 13;

/// Options of Token's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenOptions {
    /// Number of tokens; none means as many as the file has (4 without a file). Option `-l4`.
    pub tokens: Option<usize>,
    /// Length of a token; none means what the file has (1024 without a file). Option `-d1024`.
    pub width: Option<usize>,
    /// Heads of every attention, which must divide the width. Option `-h8`.
    pub heads: usize,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            tokens: None,
            width: None,
            heads: HEADS,
        }
    }
}

impl TokenOptions {
    /// Reads the head's name with its options, such as `token-l8-d512-h4`.
    ///
    /// # Errors
    /// A sentence that says which options there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        let mut parts = name.split('-');
        let mut options = Self::default();
        let known = parts.next() == Some("token") && parts.all(|option| options.apply(option).is_some());
        known.then_some(options).ok_or_else(|| {
            format!(
                "`{name}` is no network that aggregates local features; write `token`, with the options -lN (tokens), -dN (their \
                 length) and -hN (heads of attention) where they are others, as in `token-l8-d512-h4`."
            )
        })
    }

    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        if let Some(tokens) = option.strip_prefix('l') {
            self.tokens = Some(read_up_to(tokens, MOST_TOKENS)?);
        } else if let Some(width) = option.strip_prefix('d') {
            self.width = Some(read_up_to(width, WIDEST)?);
        } else {
            self.heads = read_up_to(option.strip_prefix('h')?, WIDEST)?;
        }
        Some(())
    }

    /// Takes over what a file decides: number and length of the tokens.
    pub(crate) fn sized_by(&mut self, weights: &Weights<'_>) {
        self.tokens = self.tokens.or(weights.size("tr.query", 1, MOST_TOKENS));
        self.width = self.width.or(weights.size("tr.query", 2, WIDEST));
    }

    /// Number and length of the tokens.
    pub(crate) fn sizes(self) -> [usize; 2] {
        [self.tokens.unwrap_or(4), self.width.unwrap_or(1024)]
    }
}

impl fmt::Display for TokenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [tokens, width] = self.sizes();
        for (letter, value, usual) in [('l', tokens, 4), ('d', width, 1024), ('h', self.heads, HEADS)] {
            if value != usual {
                write!(f, "-{letter}{value}")?;
            }
        }
        Ok(())
    }
}

/// From local features to the length of a token.
#[derive(Module, Debug)]
pub(crate) enum Reduction {
    /// Of a map's pixels, `[D, C, 1, 1]` with bias.
    Pixels(Conv2d),
    /// Of given local features, `[D, C]` with bias.
    Rows(Linear),
}

#[derive(Module, Debug)]
pub struct TokenModule {
    query: Param<Tensor<3>>,
    token_norm: Linear,
    token_layer_norm: LayerNorm,
    encoder: TokenEncoder,
    decoder: Vec<TokenDecoder>,
    conv: Reduction,
    conv_norm: BatchNorm,
    proj: Linear,
    proj_norm: BatchNorm,
    #[module(skip)]
    width: usize,
}

impl TokenModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &TokenOptions, channels: usize) -> Self {
        Self::take_behind(parameters, options, |parameters, width| {
            let shape = [width, channels, 1, 1];
            Reduction::Pixels(Conv2d::take_with_bias(
                parameters,
                "tr.conv.0",
                shape,
                Convolution::default(),
            ))
        })
    }

    /// As [`TokenModule::take`], with another `tr.conv.0`.
    pub(crate) fn take_behind(
        parameters: &mut Parameters<'_>,
        options: &TokenOptions,
        reduction: impl FnOnce(&mut Parameters<'_>, usize) -> Reduction,
    ) -> Self {
        let ([tokens, width], heads) = (options.sizes(), options.heads);
        Self {
            query: parameters.take("tr.query", [1, tokens, width]),
            token_norm: Linear::take(parameters, "tr.token_norm.0", width, width),
            token_layer_norm: LayerNorm::take(parameters, "tr.token_norm.1", width),
            encoder: TokenEncoder::take(parameters, "tr.encoder.0", width, heads),
            decoder: (0..DECODERS)
                .map(|index| TokenDecoder::take(parameters, &format!("tr.decoder.{index}"), width, heads))
                .collect(),
            conv: reduction(parameters, width),
            conv_norm: BatchNorm::take(parameters, "tr.conv.1", width),
            proj: Linear::take(parameters, "tr.proj.0", DIM, tokens * width),
            proj_norm: BatchNorm::take(parameters, "tr.proj.1", DIM),
            width,
        }
    }

    /// `[N, C, H, W]` -> `[N, 1024]`. `tap` is shown the features after the self-attention (`encoder`, `[N, D, P, 1]`), each
    /// token's share of every place (`token.attention`, `[N, 1, L, P]`), the tokens as they are made (`token_norm`, `[N, D, L, 1]`) and refined (`decoder0`, `decoder1`), and the descriptor before
    /// it is normalised, which is what training classifies (`tr`, `[N, 1024, 1, 1]`).
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        counted: Option<&Counted<O::T<4>>>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let x = match &self.conv {
            Reduction::Pixels(conv) => conv.forward(ops, x),
            Reduction::Rows(linear) => linear.forward(ops, x),
        };
        let x = ops.reshape::<4, 4>(x, [0, 0, -1, 1]);
        let x = self.conv_norm.forward_counted(ops, x, counted);
        let x = self.encoder.forward(ops, x, counted);
        tap("encoder", &x);
        let mut tokens = self.tokens(ops, &x, counted, tap);
        tap("token_norm", &tokens);
        for (index, decoder) in self.decoder.iter().enumerate() {
            tokens = decoder.forward(ops, tokens, &x, counted);
            tap(&format!("decoder{index}"), &tokens);
        }
        // One token after the other.
        let tokens = ops.permute(tokens, [0, 2, 1, 3]);
        let flat = ops.reshape::<4, 2>(tokens, [0, -1]);
        let y = self.proj.forward(ops, flat);
        let y = self.proj_norm.forward(ops, y);
        show(ops, "tr", &y, tap);
        l2_normalise(ops, y)
    }

    /// `[N, D, P, 1]` -> `[N, D, L, 1]`: every place is shared out among the tokens, whose sums are not divided by anything.
    fn tokens<O: Ops>(
        &self,
        ops: &mut O,
        x: &O::T<4>,
        counted: Option<&Counted<O::T<4>>>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<4> {
        let width = self.width as i64;
        let query = ops.parameter(&self.query);
        let query = ops.reshape::<3, 4>(query, [1, 1, -1, width]);
        let places = ops.reshape::<4, 4>(x.clone(), [0, 1, width, -1]);
        let scores = ops.matmul(query, places.clone());
        let mut shares = ops.softmax(scores, 2);
        tap("token.attention", &shares);
        if let Some(counted) = counted {
            shares = ops.mul(shares, counted.places.clone());
        }
        let shares = ops.permute(shares, [0, 1, 3, 2]);
        let tokens = ops.matmul(places, shares);
        let tokens = ops.reshape::<4, 4>(tokens, [0, width, -1, 1]);
        let tokens = self.token_norm.forward(ops, tokens);
        self.token_layer_norm.forward(ops, tokens)
    }
}

/// Shows `tap` rows `[N, C]` as a map of one pixel, `[N, C, 1, 1]`.
pub(crate) fn show<O: Ops>(ops: &mut O, name: &str, rows: &O::T<2>, tap: &mut dyn FnMut(&str, &O::T<4>)) {
    let pixel = ops.reshape::<2, 4>(rows.clone(), [0, -1, 1, 1]);
    tap(name, &pixel);
}
