//! The operations computed with Burn tensors, on any of its devices, with gradients where the device has them.

use crate::batch_norm::BatchNorm;
use crate::ops::{Heads, Ops};
use burn::module::Param;
use burn::tensor::module::{avg_pool2d, conv2d, interpolate, max_pool2d};
use burn::tensor::ops::{
    AvgPoolOptions, ConvOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions, PadMode,
};
use burn::tensor::{Device, Tensor, TensorData, activation};
use sightline_checkpoint::formula;
use sightline_plan::{Convolution, Interpolation, Region, Tensor as PlainTensor, Window};
use std::f32::consts::FRAC_1_SQRT_2;

/// Computes with Burn tensors.
#[derive(Clone, Copy, Debug, Default)]
pub struct BurnOps {
    /// Whether batch norms use (and remember) the statistics of the batch; false for running a finished network
    /// and for the usual fine-tuning of retrieval networks, where they stay frozen.
    pub train_batch_norm: bool,
    /// Switches dropout and drop path on: the seed of what the next one drops (each use counts it up by one). The
    /// same seed drops the same on every device.
    pub dropout: Option<u64>,
}

impl BurnOps {
    /// Zeros with the probability `share`, else 1 / (1 - share); none where nothing is dropped.
    fn kept<const D: usize>(&mut self, shape: [usize; D], share: f32, like: &Device) -> Option<Tensor<D>> {
        let seed = self.dropout.as_mut().filter(|_| share > 0.0)?;
        let drawn = formula::uniform("dropout", *seed, shape.iter().product());
        *seed = seed.wrapping_add(1);
        let weight = if share < 1.0 { 1.0 / (1.0 - share) } else { 0.0 };
        let dropped = |u: f64| (u + 1.0) / 2.0 < f64::from(share);
        let kept: Vec<f32> = drawn
            .into_iter()
            .map(|u| if dropped(u) { 0.0 } else { weight })
            .collect();
        Some(Tensor::from_data(TensorData::new(kept, shape), like))
    }
}

impl Ops for BurnOps {
    type T<const D: usize> = Tensor<D>;

    fn parameter<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) -> Tensor<D> {
        parameter.val()
    }

    fn constant<const D: usize>(&mut self, tensor: PlainTensor, like: &Tensor<4>) -> Tensor<D> {
        Tensor::from_data(TensorData::new(tensor.data, tensor.shape), &like.device())
    }

    fn map_size(&mut self, map: &Tensor<4>) -> [usize; 2] {
        let [_, _, height, width] = map.dims();
        [height, width]
    }

    fn crop(&mut self, map: Tensor<4>, region: Region) -> Tensor<4> {
        let [batch, channels, ..] = map.dims();
        let rows = region.top..region.top + region.height;
        let columns = region.left..region.left + region.width;
        map.slice([0..batch, 0..channels, rows, columns])
    }

    fn conv2d(
        &mut self,
        x: Tensor<4>,
        weight: Tensor<4>,
        bias: Option<Tensor<1>>,
        walk: Convolution,
    ) -> Tensor<4> {
        let options = ConvOptions::new(walk.stride, walk.padding, walk.dilation, walk.groups);
        conv2d(x, weight, bias, options)
    }

    fn batch_norm<const D: usize>(&mut self, x: Tensor<D>, norm: &BatchNorm) -> Tensor<D> {
        norm.compute(x, self.train_batch_norm)
    }

    fn batch_norm_counted(&mut self, x: Tensor<4>, rows: &Tensor<4>, norm: &BatchNorm) -> Tensor<4> {
        norm.compute_counted(x, rows, self.train_batch_norm)
    }

    fn relu<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        activation::relu(x)
    }

    fn max_pool(&mut self, x: Tensor<4>, window: Window) -> Tensor<4> {
        let options = MaxPoolOptions::new(window.size)
            .with_stride(window.stride)
            .with_padding(window.padding)
            .with_ceil_mode(window.ceil);
        max_pool2d(x, options)
    }

    fn mean_pool(&mut self, x: Tensor<4>, window: Window, padding_counts: bool) -> Tensor<4> {
        let options = AvgPoolOptions::new(window.size)
            .with_stride(window.stride)
            .with_padding(window.padding)
            .with_ceil_mode(window.ceil)
            .with_count_include_pad(padding_counts);
        avg_pool2d(x, options)
    }

    fn reflect_pad(&mut self, x: Tensor<4>, pixels: usize) -> Tensor<4> {
        x.pad([(pixels, pixels); 2], PadMode::Reflect)
    }

    fn global_mean(&mut self, x: Tensor<4>) -> Tensor<2> {
        let [_, _, height, width] = x.dims();
        self.global_sum(x) / (height * width) as f32
    }

    fn global_sum(&mut self, x: Tensor<4>) -> Tensor<2> {
        let [batch, channels, ..] = x.dims();
        // Row by row first: one running float32 sum over a large map loses digits.
        x.sum_dim(3).sum_dim(2).reshape([batch, channels])
    }

    fn global_max(&mut self, x: Tensor<4>) -> Tensor<2> {
        let [batch, channels, height, width] = x.dims();
        x.reshape([batch, channels, height * width])
            .max_dim(2)
            .reshape([batch, channels])
    }

    fn resize_like(&mut self, map: Tensor<4>, like: &Tensor<4>, how: Interpolation) -> Tensor<4> {
        let [_, _, height, width] = like.dims();
        let (mode, align) = match how {
            Interpolation::Nearest => (InterpolateMode::Nearest, false),
            Interpolation::BilinearAlignedCorners => (InterpolateMode::Bilinear, true),
        };
        let options = InterpolateOptions::new(mode)
            .with_align_corners(align)
            .with_output_size([height, width]);
        interpolate(map, options)
    }

    fn concat<const D: usize>(&mut self, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
        Tensor::cat(vec![a, b], 1)
    }

    fn stack_pixels(&mut self, rows: Vec<Tensor<2>>) -> Tensor<4> {
        let pixels = rows.into_iter().map(|row| row.unsqueeze_dims(&[2, 3])).collect();
        Tensor::cat(pixels, 2)
    }

    fn linear<const D: usize>(
        &mut self,
        x: Tensor<D>,
        weight: Tensor<2>,
        bias: Option<Tensor<1>>,
    ) -> Tensor<D> {
        let mut shape = x.dims();
        let y = if D == 2 {
            x.matmul(weight.transpose().unsqueeze())
        } else {
            let pixels = shape[2..].iter().product();
            let x: Tensor<3> = x.reshape([shape[0], shape[1], pixels]);
            shape[1] = weight.dims()[0];
            weight.unsqueeze().matmul(x).reshape(shape)
        };
        match bias {
            Some(bias) => y + along_channels(bias),
            None => y,
        }
    }

    fn matmul(&mut self, a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
        a.matmul(b)
    }

    fn layer_norm(&mut self, x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f32) -> Tensor<4> {
        let part = 1.0 / x.dims()[1] as f32;
        let mean = x.clone().sum_dim(1) * part;
        let centred = x - mean;
        let variance = (centred.clone() * centred.clone()).sum_dim(1) * part;
        let x = centred / (variance + epsilon).sqrt();
        x * along_channels(weight) + along_channels(bias)
    }

    fn attention(
        &mut self,
        queries_keys_values: [Tensor<4>; 3],
        heads: Heads,
        hidden: Option<&Tensor<4>>,
        dropout: f32,
    ) -> Tensor<4> {
        let divided = [0, heads.count as i64, heads.width as i64, -1];
        let [q, k, v] = queries_keys_values.map(|x| self.reshape::<4, 4>(x, divided));
        let mut logits = q.swap_dims(2, 3).matmul(k) * heads.scale();
        if let Some(hidden) = hidden {
            logits = logits + hidden.clone();
        }
        let weights = activation::softmax(logits, 3);
        let weights = self.dropout(weights, dropout);
        let seen = weights.matmul(v.swap_dims(2, 3)).swap_dims(2, 3);
        self.reshape(seen, [0, (heads.count * heads.width) as i64, -1, 1])
    }

    fn channels<const D: usize>(&mut self, x: Tensor<D>, from: usize, to: Option<usize>) -> Tensor<D> {
        let to = to.unwrap_or(x.dims()[1]);
        x.slice_dim(1, from..to)
    }

    fn reshape<const A: usize, const B: usize>(&mut self, x: Tensor<A>, shape: [i64; B]) -> Tensor<B> {
        let from = x.dims();
        let mut to = [0; B];
        for (axis, length) in shape.into_iter().enumerate() {
            to[axis] = match length {
                0 => from.get(axis).copied().unwrap_or(1),
                length => usize::try_from(length).unwrap_or(1),
            };
        }
        if let Some(free) = shape.iter().position(|length| *length == -1) {
            let rest: usize = to.iter().product();
            to[free] = from.iter().product::<usize>() / rest.max(1);
        }
        x.reshape(to)
    }

    fn reshape_like(&mut self, x: Tensor<4>, like: &Tensor<4>) -> Tensor<4> {
        let [batch, channels, ..] = x.dims();
        let [_, _, height, width] = like.dims();
        x.reshape([batch, channels, height, width])
    }

    fn permute<const D: usize>(&mut self, x: Tensor<D>, axes: [usize; D]) -> Tensor<D> {
        x.permute(axes)
    }

    fn softmax<const D: usize>(&mut self, x: Tensor<D>, axis: usize) -> Tensor<D> {
        activation::softmax(x, axis)
    }

    fn sum_channels<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        x.sum_dim(1)
    }

    fn add<const D: usize>(&mut self, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
        a + b
    }

    fn add_number<const D: usize>(&mut self, x: Tensor<D>, number: f32) -> Tensor<D> {
        x + number
    }

    fn mul<const D: usize>(&mut self, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
        a * b
    }

    fn mul_number<const D: usize>(&mut self, x: Tensor<D>, number: f32) -> Tensor<D> {
        x * number
    }

    fn div<const D: usize>(&mut self, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
        a / b
    }

    fn abs<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        x.abs()
    }

    fn sign<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        x.sign()
    }

    fn sigmoid<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        activation::sigmoid(x)
    }

    fn softplus<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        // The exponential of large numbers overflows, and its gradient would be no number.
        let soft = x.clone().clamp_max(20.0).exp().log1p();
        let large = x.clone().greater_elem(20.0);
        soft.mask_where(large, x)
    }

    fn gelu<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        // Burn's own has the gradient of another form, with `tanh`.
        let erf = (x.clone() * FRAC_1_SQRT_2).erf();
        x * (erf + 1.0) * 0.5
    }

    fn clamp_min<const D: usize>(&mut self, x: Tensor<D>, least: f32) -> Tensor<D> {
        x.clamp_min(least)
    }

    fn sqrt<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        x.sqrt()
    }

    fn power<const D: usize>(&mut self, x: Tensor<D>, p: &Param<Tensor<1>>) -> Tensor<D> {
        x.powf(along_channels(p.val()))
    }

    fn root<const D: usize>(&mut self, x: Tensor<D>, p: &Param<Tensor<1>>) -> Tensor<D> {
        x.powf(along_channels(p.val().recip()))
    }

    fn power_number<const D: usize>(&mut self, x: Tensor<D>, p: f32) -> Tensor<D> {
        x.powf_scalar(p)
    }

    fn detach<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        x.detach()
    }

    fn dropout<const D: usize>(&mut self, x: Tensor<D>, share: f32) -> Tensor<D> {
        match self.kept(x.dims(), share, &x.device()) {
            Some(kept) => x * kept,
            None => x,
        }
    }

    fn drop_path<const D: usize>(&mut self, x: Tensor<D>, share: f32) -> Tensor<D> {
        let mut shape = [1; D];
        shape[0] = x.dims()[0];
        match self.kept(shape, share, &x.device()) {
            Some(kept) => x * kept,
            None => x,
        }
    }
}

/// `[C]` -> `[1, C, 1, ...]`.
fn along_channels<const D: usize>(values: Tensor<1>) -> Tensor<D> {
    let mut shape = [1; D];
    if D > 1 {
        shape[1] = values.dims()[0];
    }
    values.reshape(shape)
}
