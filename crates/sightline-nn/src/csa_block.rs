//! One encoder block of CSA's re-ranking transformer (MCC-WH/CSA, `network/Transformer_Block.py`).

use crate::csa::{CsaDropout, CsaSizes};
use crate::layer_norm::LayerNorm;
use crate::linear::Linear;
use crate::ops::{Heads, Ops};
use crate::parameters::{Parameters, TensorProblem, Wanted};
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::Device;

/// x + A(N(x)), then x + P(N(x)): attention A with one linear layer for queries, keys and values together, and a perceptron P with
/// one hidden layer.
#[derive(Module, Debug)]
pub struct CsaBlock {
    norm1: LayerNorm,
    qkv: Linear,
    proj: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    heads: Heads,
    #[module(skip)]
    dropout: CsaDropout,
}

impl CsaBlock {
    /// One block on the CPU, of the weights `norm1.weight` and so on, without a prefix; of the sizes only those of a block count.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape, or the heads do not divide the width.
    pub fn load(weights: &Weights<'_>, sizes: CsaSizes) -> Result<Self, TensorProblem> {
        Parameters::build(weights, &Device::flex(), |parameters| {
            Self::take(parameters, "", sizes)
        })
    }

    /// The parameters that [`CsaBlock::load`] wants.
    pub fn parameters(sizes: CsaSizes) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        Self::take(&mut parameters, "", sizes);
        parameters.into_wanted()
    }

    /// Takes `{prefix}norm1`, `{prefix}attn.qkv` and so on.
    pub(crate) fn take(parameters: &mut Parameters<'_>, prefix: &str, sizes: CsaSizes) -> Self {
        let CsaSizes { width, hidden, .. } = sizes;
        let name = |part: &str| format!("{prefix}{part}");
        let norm1 = LayerNorm::take(parameters, &name("norm1"), width);
        let heads = Heads::take(parameters, &name("attn.qkv.weight"), width, sizes.heads);
        let rows = width.saturating_mul(3);
        let qkv = if sizes.qkv_bias {
            Linear::take(parameters, &name("attn.qkv"), rows, width)
        } else {
            Linear::take_without_bias(parameters, &name("attn.qkv"), rows, width)
        };
        Self {
            norm1,
            qkv,
            proj: Linear::take(parameters, &name("attn.proj"), width, width),
            norm2: LayerNorm::take(parameters, &name("norm2"), width),
            fc1: Linear::take(parameters, &name("mlp.fc1"), hidden, width),
            fc2: Linear::take(parameters, &name("mlp.fc2"), width, hidden),
            heads,
            dropout: CsaDropout::default(),
        }
    }

    /// What training drops in this block; `path` is its own.
    pub(crate) fn set_dropout(&mut self, dropout: CsaDropout) {
        self.dropout = dropout;
    }

    /// Tokens `[N, D, T, 1]` -> the same shape. `tap` is shown `norm1` and `attention`, which is what the attention adds to the tokens.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>, tap: &mut dyn FnMut(&str, &O::T<4>)) -> O::T<4> {
        let CsaDropout {
            share,
            attention,
            path,
        } = self.dropout;
        let n = self.norm1.forward(ops, x.clone());
        tap("norm1", &n);
        let width = self.heads.count * self.heads.width;
        let all = self.qkv.forward(ops, n);
        let parts = [0, 1, 2].map(|part| ops.channels(all.clone(), part * width, Some((part + 1) * width)));
        let seen = ops.attention(parts, self.heads, None, attention);
        let seen = self.proj.forward(ops, seen);
        let seen = ops.dropout(seen, share);
        tap("attention", &seen);
        let seen = ops.drop_path(seen, path);
        let x = ops.add(x, seen);

        let inner = self.norm2.forward(ops, x.clone());
        let inner = self.fc1.forward(ops, inner);
        let inner = ops.gelu(inner);
        let inner = ops.dropout(inner, share);
        let inner = self.fc2.forward(ops, inner);
        let inner = ops.dropout(inner, share);
        let inner = ops.drop_path(inner, path);
        ops.add(x, inner)
    }
}
