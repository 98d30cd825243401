//! CSA's re-ranking transformer: Ouyang, Wu, Wang, Zhou and Li, *Contextual Similarity Aggregation with Self-attention for Visual
//! Re-ranking*, NeurIPS 2021 (MCC-WH/CSA, `network/RerankTransformer.py`).

use crate::burn_ops::BurnOps;
use crate::csa_block::CsaBlock;
use crate::linear::Linear;
use crate::normalise::l2_normalise;
use crate::ops::Ops;
use crate::parameters::{Parameters, TensorProblem, Wanted};
use crate::recorder::{PlanRecorder, RecordError};
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sightline_checkpoint::recognise::csa_block_of;
use sightline_plan::{Plan, Region};

/// What a cosine is divided by before the exponential, in training.
const TEMPERATURE: f32 = 2.0;

/// Sizes of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsaSizes {
    /// Anchors: values of the affinity feature of a token (`anchor_len`, `sim_len`; L).
    pub anchors: usize,
    /// Channels of a token (`embed_dim`).
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Heads of the attention; they divide the width.
    pub heads: usize,
    /// Channels of the hidden layer of the perceptrons: the width times `mlp_ratio`.
    pub hidden: usize,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
}

impl CsaSizes {
    /// Those of the published network.
    pub const PUBLISHED: Self = Self {
        anchors: 512,
        width: 768,
        depth: 2,
        heads: 12,
        hidden: 3072,
        qkv_bias: true,
    };
    /// The most channels, anchors and hidden channels that a file may ask for.
    pub const MOST_CHANNELS: usize = 1 << 16;
    /// The most blocks.
    pub const MOST_BLOCKS: usize = 256;
    /// The most parameters.
    pub const MOST_PARAMETERS: usize = 1 << 29;

    /// The sizes that the shapes of a file's tensors say. They do not say the number of heads; without one it is a head for
    /// each 64 channels, as in the published network.
    ///
    /// # Errors
    /// When the tensors are not a CSA network's, or of no size that one has.
    pub fn of(weights: &Weights<'_>, heads: Option<usize>) -> Result<Self, CsaError> {
        let axis = |name: &str, axis: usize| {
            let shape = weights.shape(name).ok_or_else(|| CsaError::NotCsa {
                missing: name.to_owned(),
            })?;
            let size = weights.size(name, axis, Self::MOST_CHANNELS);
            size.filter(|_| shape.len() == 2).ok_or_else(|| CsaError::Shape {
                name: name.to_owned(),
                shape: shape.to_vec(),
                most: Self::MOST_CHANNELS,
            })
        };
        let width = axis("topk_proj.weight", 0)?;
        // The last one that is named: a block that lacks something must not be taken for the end.
        let last = weights.names().filter_map(csa_block_of).max().unwrap_or(0);
        if last >= Self::MOST_BLOCKS {
            return Err(CsaError::TooLarge);
        }
        let sizes = Self {
            anchors: axis("topk_proj.weight", 1)?,
            width,
            depth: last + 1,
            heads: heads.unwrap_or((width / 64).max(1)),
            hidden: axis("blocks.0.mlp.fc1.weight", 0)?,
            qkv_bias: weights.shape("blocks.0.attn.qkv.bias").is_some(),
        };
        if sizes.parameter_count() > Self::MOST_PARAMETERS {
            return Err(CsaError::TooLarge);
        }
        Ok(sizes)
    }

    /// Number of the network's parameters, `feature_align` included.
    pub fn parameter_count(self) -> usize {
        // The sizes may be anybody's, and so may their products.
        let count = |wanted: &Wanted| {
            wanted
                .shape
                .iter()
                .fold(1, |n: usize, side| n.saturating_mul(*side))
        };
        let block = CsaBlock::parameters(self);
        let block = block.iter().map(count).fold(0, usize::saturating_add);
        let ends = self.width.saturating_mul(self.anchors).saturating_mul(2);
        ends.saturating_add(self.width + self.anchors)
            .saturating_add(block.saturating_mul(self.depth))
    }
}

/// What training drops: each number of what a layer yields, attention weights, and whole branches of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CsaDropout {
    /// Share of the numbers of the affinities, of the projected tokens and of the outputs of linear layers (`drop_rate`).
    pub share: f32,
    /// Share of the attention weights (`attn_drop_rate`).
    pub attention: f32,
    /// Share of the branches of the last block (`drop_path_rate`); it grows evenly from 0 at the first one.
    pub path: f32,
}

/// Why weights are no CSA network.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum CsaError {
    /// A tensor that every such network has.
    #[error(
        "These weights are not of CSA's network: there is no tensor `{missing}`. Its checkpoints hold `topk_proj.weight` and \
         `blocks.0.norm1.weight` in their `state_dict`; give such a file."
    )]
    NotCsa {
        /// Its name.
        missing: String,
    },
    /// A matrix of another form.
    #[error(
        "These weights are of no CSA network: `{name}` has the shape {shape:?}, where a matrix of 1 to {most} rows and columns \
         belongs. The file is damaged, or of another network."
    )]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The most rows.
        most: usize,
    },
    /// More than any such network has.
    #[error(
        "These weights claim a CSA network of more than {} blocks or {} parameters, which is refused.",
        CsaSizes::MOST_BLOCKS,
        CsaSizes::MOST_PARAMETERS
    )]
    TooLarge,
    /// A tensor that is missing or misshapen.
    #[error("These weights do not fit CSA's network of {width} channels and {heads} heads: {problem}.")]
    Problem {
        /// Channels of a token.
        width: usize,
        /// Heads of the attention.
        heads: usize,
        /// The first tensor.
        problem: Box<TensorProblem>,
    },
}

/// The network: images are tokens, described by their similarities to the first ones of a ranking, and look at each other.
///
/// An affinity feature is `[N, L, T, 1]`: for each of N queries the inner products of L anchors with T tokens, of which
/// the first is the query itself. Nothing says where in the ranking a token stands.
#[derive(Module, Debug)]
pub struct Csa {
    topk_proj: Linear,
    feature_align: Option<Linear>,
    blocks: Vec<CsaBlock>,
    #[module(skip)]
    sizes: CsaSizes,
    #[module(skip)]
    dropout: CsaDropout,
}

/// What training makes its losses of.
#[derive(Clone, Debug)]
pub struct CsaTraining {
    /// `[N, T]`: e^(c / 2) with the cosine c between each token and the first one, that one included.
    pub exp_sim: Tensor<2>,
    /// The final tokens, `[N, D, T, 1]`.
    pub tokens: Tensor<4>,
    /// What `feature_align` makes of them, `[N, L, T, 1]`; none where the weights lack it.
    pub aligned: Option<Tensor<4>>,
}

impl Csa {
    /// Name of the output in the plan of [`Csa::record`].
    pub const SCORES: &'static str = "scores";
    /// Name of its input.
    pub const AFFINITY: &'static str = "affinity";

    /// The network on the CPU, with the sizes that the weights say ([`CsaSizes::of`]). As in the original, what the file holds
    /// besides is not looked at; `feature_align`, which only training needs, may be missing.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the heads do not divide the width.
    pub fn load(weights: &Weights<'_>, heads: Option<usize>) -> Result<Self, CsaError> {
        Self::load_on(weights, heads, &Device::flex())
    }

    /// As [`Csa::load`], on one of Burn's devices.
    ///
    /// # Errors
    /// As [`Csa::load`].
    pub fn load_on(weights: &Weights<'_>, heads: Option<usize>, device: &Device) -> Result<Self, CsaError> {
        let sizes = CsaSizes::of(weights, heads)?;
        let aligns = weights.shape("feature_align.layers.0.weight").is_some();
        let taken = Parameters::build(weights, device, |parameters| {
            Self::take(parameters, sizes, aligns)
        });
        taken.map_err(|problem| CsaError::Problem {
            width: sizes.width,
            heads: sizes.heads,
            problem: Box::new(problem),
        })
    }

    /// The parameters of a network of those sizes, in the order of the original's state dict.
    pub fn parameters(sizes: CsaSizes) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        Self::take(&mut parameters, sizes, true);
        parameters.into_wanted()
    }

    fn take(parameters: &mut Parameters<'_>, sizes: CsaSizes, aligns: bool) -> Self {
        let CsaSizes { anchors, width, .. } = sizes;
        let topk_proj = Linear::take(parameters, "topk_proj", width, anchors);
        let align = "feature_align.layers.0";
        Self {
            topk_proj,
            feature_align: aligns.then(|| Linear::take(parameters, align, anchors, width)),
            blocks: (0..sizes.depth)
                .map(|index| CsaBlock::take(parameters, &format!("blocks.{index}."), sizes))
                .collect(),
            sizes,
            dropout: CsaDropout::default(),
        }
    }

    /// The same network, of which training drops those shares. Running it drops nothing.
    #[must_use]
    pub fn with_dropout(mut self, dropout: CsaDropout) -> Self {
        let last = self.blocks.len().saturating_sub(1).max(1);
        for (index, block) in self.blocks.iter_mut().enumerate() {
            let path = dropout.path * index as f32 / last as f32;
            block.set_dropout(CsaDropout { path, ..dropout });
        }
        self.dropout = dropout;
        self
    }

    /// A copy of the network on one of Burn's devices, for running it (not for training it further).
    #[must_use]
    pub fn on(&self, device: &Device) -> Self {
        self.valid().to_device(device)
    }

    /// Its sizes.
    pub fn sizes(&self) -> CsaSizes {
        self.sizes
    }

    /// Affinities `[N, L, T, 1]` -> tokens `[N, D, T, 1]`. `tap` is shown the tokens before the first block (`projected`) and after
    /// each one (`block0` and so on).
    pub fn tokens<O: Ops>(
        &self,
        ops: &mut O,
        affinity: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<4> {
        let affinity = ops.dropout(affinity, self.dropout.share);
        let x = self.topk_proj.forward(ops, affinity);
        tap("projected", &x);
        let mut x = ops.dropout(x, self.dropout.share);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(ops, x, &mut |_, _| {});
            tap(&format!("block{index}"), &x);
        }
        x
    }

    /// Tokens `[N, D, T, 1]` -> the cosines of all of them with the first one, `[N, T]`.
    fn cosines<O: Ops>(ops: &mut O, tokens: O::T<4>) -> O::T<2> {
        let unit: O::T<4> = l2_normalise(ops, tokens);
        let first = Region {
            top: 0,
            left: 0,
            height: 1,
            width: 1,
        };
        let query = ops.crop(unit.clone(), first);
        let products = ops.mul(unit, query);
        let sums = ops.sum_channels(products);
        ops.reshape::<4, 2>(sums, [0, -1])
    }

    /// Affinities `[N, L, T, 1]` -> scores `[N, T - 1]`: the cosine of each token with the query's, which is left out. `tap` as in
    /// [`Csa::tokens`].
    pub fn forward<O: Ops>(
        &self,
        ops: &mut O,
        affinity: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let tokens = self.tokens(ops, affinity, tap);
        let cosines = Self::cosines(ops, tokens);
        ops.channels(cosines, 1, None)
    }

    /// Affinities `[N, L, T, 1]` -> what training makes its losses of.
    pub fn forward_training(&self, ops: &mut BurnOps, affinity: Tensor<4>) -> CsaTraining {
        let tokens = self.tokens(ops, affinity, &mut |_, _| {});
        let cosines = Self::cosines(ops, tokens.clone());
        let align = self.feature_align.as_ref();
        CsaTraining {
            exp_sim: (cosines / TEMPERATURE).exp(),
            aligned: align.map(|align| align.forward(ops, tokens.clone())),
            tokens,
        }
    }

    /// The network as a plan with the input `[N, L, T, 1]`, for any T, and the output [`Csa::SCORES`].
    ///
    /// # Errors
    /// When a parameter cannot be read from its device.
    pub fn record(&self) -> Result<Plan, RecordError> {
        self.record_with_tokens(None, &[])
    }

    /// As [`Csa::record`], for so many tokens only, where given; with some of the tokens on the way as outputs, under the names that
    /// [`Csa::tokens`] shows them, before the scores.
    ///
    /// # Errors
    /// As [`Csa::record`].
    pub fn record_with_tokens(&self, count: Option<usize>, names: &[&str]) -> Result<Plan, RecordError> {
        let (mut recorder, affinity) = match count {
            Some(count) => PlanRecorder::for_size(self.sizes.anchors, [count, 1]),
            None => PlanRecorder::new(self.sizes.anchors),
        };
        let mut shown = Vec::new();
        let scores = self.forward(&mut recorder, affinity, &mut |name, tokens| {
            if names.contains(&name) {
                shown.push((name.to_owned(), *tokens));
            }
        });
        for (name, tokens) in shown {
            recorder.output(&name, tokens);
        }
        recorder.output(Self::SCORES, scores);
        Ok(recorder.finish()?.with_input_name(Self::AFFINITY))
    }
}

impl Weights<'_> {
    /// Weights by formula for a CSA network: it has learned nothing, and says the same everywhere.
    pub fn for_csa(sizes: CsaSizes, seed: u64) -> Self {
        Self::by_formula_for(&Csa::parameters(sizes), seed)
    }
}
