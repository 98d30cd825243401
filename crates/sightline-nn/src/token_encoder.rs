//! Token's self-attention over the local features of a picture (`Encoder` in MCC-WH/Token's `networks/backbone.py`).

use crate::Ops;
use crate::attention::Attention;
use crate::batch_norm::BatchNorm;
use crate::counted::Counted;
use crate::linear::Linear;
use crate::parameters::Parameters;
use burn::module::Module;

/// Share of the samples whose residual branch training leaves out.
pub(crate) const DROP_PATH: f32 = 0.1;

/// x + A(x), then x + W b with b the batch norm of that. The second sum adds to x, not to b.
#[derive(Module, Debug)]
pub(crate) struct TokenEncoder {
    attn: Attention,
    bn: BatchNorm,
    mlp: Linear,
}

impl TokenEncoder {
    /// Takes `{name}.attn`, `{name}.bn` and `{name}.mlp`.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, width: usize, heads: usize) -> Self {
        Self {
            attn: Attention::take(parameters, &format!("{name}.attn"), width, heads),
            bn: BatchNorm::take(parameters, &format!("{name}.bn"), width),
            mlp: Linear::take(parameters, &format!("{name}.mlp"), width, width),
        }
    }

    /// `[N, D, P, 1]` -> the same shape.
    pub(crate) fn forward<O: Ops>(
        &self,
        ops: &mut O,
        x: O::T<4>,
        counted: Option<&Counted<O::T<4>>>,
    ) -> O::T<4> {
        let hidden = counted.map(|counted| &counted.hidden);
        let seen = self.attn.forward(ops, x.clone(), &x, hidden);
        let seen = ops.drop_path(seen, DROP_PATH);
        let x = ops.add(x, seen);
        let b = self.bn.forward_counted(ops, x.clone(), counted);
        let y = self.mlp.forward(ops, b);
        let y = ops.drop_path(y, DROP_PATH);
        ops.add(x, y)
    }
}
