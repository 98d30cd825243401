//! Token's refinement of its tokens (`Decoder` in MCC-WH/Token's `networks/backbone.py`).

use crate::Ops;
use crate::attention::{Attention, DROPOUT};
use crate::counted::Counted;
use crate::layer_norm::LayerNorm;
use crate::linear::Linear;
use crate::parameters::Parameters;
use crate::token_encoder::DROP_PATH;
use burn::module::Module;

/// Tokens look at the local features, pass a perceptron, and look at each other, in this order.
#[derive(Module, Debug)]
pub(crate) struct TokenDecoder {
    cross_attn: Attention,
    self_attn: Attention,
    fc1: Linear,
    fc2: Linear,
    /// Layer norms, whatever the original calls them.
    bn1: LayerNorm,
    bn2: LayerNorm,
}

impl TokenDecoder {
    /// Takes `{name}.self_attn`, `.cross_attn`, `.mlp.fc1`, `.mlp.fc2`, `.bn1` and `.bn2`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, width: usize, heads: usize) -> Self {
        let mut attention = |part: &str| Attention::take(parameters, &format!("{name}.{part}"), width, heads);
        let (self_attn, cross_attn) = (attention("self_attn"), attention("cross_attn"));
        Self {
            cross_attn,
            self_attn,
            fc1: Linear::take(parameters, &format!("{name}.mlp.fc1"), 2 * width, width),
            fc2: Linear::take(parameters, &format!("{name}.mlp.fc2"), width, 2 * width),
            bn1: LayerNorm::take(parameters, &format!("{name}.bn1"), width),
            bn2: LayerNorm::take(parameters, &format!("{name}.bn2"), width),
        }
    }

    /// Tokens `[N, D, L, 1]` and local features `[N, D, P, 1]` -> tokens.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        tokens: O::T<4>,
        places: &O::T<4>,
        counted: Option<&Counted<O::T<4>>>,
    ) -> O::T<4> {
        let hidden = counted.map(|counted| &counted.hidden);
        let n = self.bn1.forward(ops, tokens.clone());
        let seen = self.cross_attn.forward(ops, n, places, hidden);
        let seen = ops.drop_path(seen, DROP_PATH);
        let t = ops.add(tokens, seen);

        let inner = self.fc1.forward(ops, t.clone());
        let inner = ops.gelu(inner);
        let inner = ops.dropout(inner, DROPOUT);
        let inner = self.fc2.forward(ops, inner);
        let inner = ops.dropout(inner, DROPOUT);
        let inner = ops.drop_path(inner, DROP_PATH);
        let t = ops.add(t, inner);

        let n = self.bn2.forward(ops, t.clone());
        let seen = self.self_attn.forward(ops, n.clone(), &n, None);
        let seen = ops.drop_path(seen, DROP_PATH);
        ops.add(t, seen)
    }
}
