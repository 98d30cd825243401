//! Attention with several heads: Vaswani et al., *Attention Is All You Need*, 2017, section 3.2.

use crate::linear::Linear;
use crate::ops::{Heads, Ops};
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
    heads: Heads,
}

impl Heads {
    /// So many heads of a layer of that many rows, whose weight is called `name`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, rows: usize, heads: usize) -> Self {
        if heads == 0 || !rows.is_multiple_of(heads) {
            let reason = format!("its {rows} rows cannot be divided among {heads} heads");
            parameters.refuse(name, reason);
        }
        Self {
            count: heads,
            width: rows / heads.max(1),
        }
    }
}

impl Attention {
    /// Takes `{name}.q`, `.k`, `.v` and `.proj`, each `[width, width]` with bias. `heads` must divide `width`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, width: usize, heads: usize) -> Self {
        let heads = Heads::take(parameters, &format!("{name}.q.weight"), width, heads);
        let mut part = |part: &str| Linear::take(parameters, &format!("{name}.{part}"), width, width);
        Self {
            q: part("q"),
            k: part("k"),
            v: part("v"),
            proj: part("proj"),
            heads,
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
        let q = self.q.forward(ops, queries);
        let k = self.k.forward(ops, places.clone());
        let v = self.v.forward(ops, places.clone());
        let seen = ops.attention([q, k, v], self.heads, hidden, DROPOUT);
        let seen = self.proj.forward(ops, seen);
        ops.dropout(seen, DROPOUT)
    }
}
