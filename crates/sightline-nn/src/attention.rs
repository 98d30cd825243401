//! Attention with several heads: Vaswani et al., *Attention Is All You Need*, 2017, section 3.2.

use crate::Ops;
use crate::linear::Linear;
use crate::parameters::Parameters;
use burn::module::Module;

/// Share of the attention weights and of the outputs that training drops (MCC-WH/Token, `networks/backbone.py`).
pub(crate) const DROPOUT: f32 = 0.1;

/// Attention with separate linear layers for queries, keys, values and the joined heads, as MCC-WH/Token's `Attention`.
///
/// Heads take consecutive parts of the channels.
#[derive(Module, Debug)]
pub struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    width: usize,
}

impl Attention {
    /// Takes `{name}.q`, `.k`, `.v` and `.proj`, each `[width, width]` with bias. `heads` must divide `width`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, width: usize, heads: usize) -> Self {
        if heads == 0 || !width.is_multiple_of(heads) {
            let reason = format!("its {width} rows cannot be divided among {heads} heads");
            parameters.refuse(&format!("{name}.q.weight"), reason);
        }
        let mut part = |part: &str| Linear::take(parameters, &format!("{name}.{part}"), width, width);
        Self {
            q: part("q"),
            k: part("k"),
            v: part("v"),
            proj: part("proj"),
            heads,
            width,
        }
    }

    /// `[N, D, Q, 1]` looks at `[N, D, P, 1]` -> `[N, D, Q, 1]`. `hidden`, where given, is added to the logits:
    /// `[N, 1, 1, P]`, very low where there is nothing to look at.
    pub fn forward<O: Ops>(
        &self,
        ops: &mut O,
        queries: O::T<4>,
        places: &O::T<4>,
        hidden: Option<&O::T<4>>,
    ) -> O::T<4> {
        let part = self.width / self.heads;
        let divided = [0, self.heads as i64, part as i64, -1];
        let q = self.q.forward(ops, queries);
        let k = self.k.forward(ops, places.clone());
        let v = self.v.forward(ops, places.clone());
        let [q, k, v] = [q, k, v].map(|x| ops.reshape::<4, 4>(x, divided));
        let q = ops.permute(q, [0, 1, 3, 2]);
        let logits = ops.matmul(q, k);
        let mut logits = ops.mul_number(logits, (part as f32).powf(-0.5));
        if let Some(hidden) = hidden {
            logits = ops.add(logits, hidden.clone());
        }
        let weights = ops.softmax(logits, 3);
        let weights = ops.dropout(weights, DROPOUT);
        let weights = ops.permute(weights, [0, 1, 3, 2]);
        let seen = ops.matmul(v, weights);
        let seen = ops.reshape::<4, 4>(seen, [0, self.width as i64, -1, 1]);
        let seen = self.proj.forward(ops, seen);
        ops.dropout(seen, DROPOUT)
    }
}
