//! Second-order attention over a feature map: Ng, Balntas, Tian and Mikolajczyk, *SOLAR: Second-Order Loss and Attention
//! for Image Retrieval*, ECCV 2020 (tonyngjichun/SOLAR, `SOABlock` of `solar_global/networks/networks.py` and MCC-WH/Token's `SOABlock_GeM`).

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::conv2d::Conv2d;
use crate::parameters::{Parameters, TensorProblem, Wanted};
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::Device;
use sightline_plan::Convolution;

/// z = x + v(Σ_j a_ij h_j) with a_ij = softmax over j of mid^-0.5 ⟨f_i, g_j⟩: every place looks at every other.
#[derive(Module, Debug)]
pub struct SecondOrderAttention {
    /// Queries, from C channels to `mid`.
    pub f: Projection,
    /// Keys.
    pub g: Projection,
    /// Values.
    pub h: Conv2d,
    /// Back to C channels.
    pub v: Conv2d,
    #[module(skip)]
    mid: usize,
}

/// A 1x1 convolution with bias, a batch norm and a ReLU: queries, and keys.
#[derive(Module, Debug)]
pub struct Projection {
    /// The convolution.
    pub conv: Conv2d,
    /// The batch norm.
    pub norm: BatchNorm,
}

impl Projection {
    fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4> {
        let x = self.conv.forward(ops, x);
        let x = self.norm.forward(ops, x);
        ops.relu(x)
    }
}

/// What a [`SecondOrderAttention`] yields.
#[derive(Clone, Debug)]
pub struct Attended<M> {
    /// The map with what it saw added, `[N, C, H, W]`.
    pub map: M,
    /// How much place i (axis 2) looks at place j (axis 3), `[N, 1, H W, H W]`, row-major; each row sums to 1.
    pub attention: M,
}

impl SecondOrderAttention {
    /// The power of the inner width that scales the logits.
    pub const POWER: f32 = -0.5;
    /// The power with which SOLAR draws pictures of attention.
    pub const DRAWING_POWER: f32 = -0.75;

    /// One block alone, from weights named `f.0.weight` and so on, for maps of that many channels, `mid` inside.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(weights: &Weights<'_>, channels: usize, mid: usize) -> Result<Self, TensorProblem> {
        Parameters::build(weights, &Device::flex(), |parameters| {
            Self::take(parameters, "", channels, mid)
        })
    }

    /// The parameters that [`SecondOrderAttention::load`] wants.
    pub fn parameters(channels: usize, mid: usize) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        Self::take(&mut parameters, "", channels, mid);
        parameters.into_wanted()
    }

    /// Takes `{name}f.0`, `f.1`, `g.0`, `g.1`, `h` and `v` for maps of that many channels, `mid` inside.
    pub(crate) fn take(parameters: &mut Parameters<'_>, name: &str, channels: usize, mid: usize) -> Self {
        let walk = Convolution::default();
        let inner = [mid, channels, 1, 1];
        let mut projection = |part: &str| Projection {
            conv: Conv2d::take_with_bias(parameters, &format!("{name}{part}.0"), inner, walk),
            norm: BatchNorm::take(parameters, &format!("{name}{part}.1"), mid),
        };
        let (f, g) = (projection("f"), projection("g"));
        let h = Conv2d::take_with_bias(parameters, &format!("{name}h"), inner, walk);
        let outer = [channels, mid, 1, 1];
        let v = Conv2d::take_with_bias(parameters, &format!("{name}v"), outer, walk);
        Self { f, g, h, v, mid }
    }

    /// `[N, C, H, W]` -> the same shape, and the attention. Logits are scaled by `mid ^ power`, which is
    /// [`SecondOrderAttention::POWER`] but where SOLAR draws pictures.
    pub fn forward<O: Ops>(&self, ops: &mut O, x: O::T<4>, power: f32) -> Attended<O::T<4>> {
        let f = self.f.forward(ops, x.clone());
        let g = self.g.forward(ops, x.clone());
        let h = self.h.forward(ops, x.clone());
        let mid = self.mid as i64;
        let [f, g, h] = [f, g, h].map(|map| ops.reshape::<4, 4>(map, [0, 1, mid, -1]));
        let f = ops.permute(f, [0, 1, 3, 2]);
        let logits = ops.matmul(f, g);
        let logits = ops.mul_number(logits, (self.mid as f32).powf(power));
        let attention = ops.softmax(logits, 3);
        let shares = ops.permute(attention.clone(), [0, 1, 3, 2]);
        let seen = ops.matmul(h, shares);
        let seen = ops.reshape::<4, 4>(seen, [0, mid, -1, 1]);
        let seen = ops.reshape_like(seen, &x);
        let seen = self.v.forward(ops, seen);
        Attended {
            map: ops.add(seen, x),
            attention,
        }
    }
}
