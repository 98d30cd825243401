//! The operations computed with Burn tensors, on any of its devices, with gradients where the device has them.

use crate::Ops;
use crate::batch_norm::BatchNorm;
use burn::module::Param;
use burn::tensor::module::{avg_pool2d, conv2d, interpolate, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Tensor, TensorData, activation};
use sightline_plan::{Convolution, Interpolation, Region, Tensor as PlainTensor, Window};

/// Computes with Burn tensors.
#[derive(Clone, Copy, Debug, Default)]
pub struct BurnOps {
    /// Whether batch norms use (and remember) the statistics of the batch; false for running a finished network
    /// and for the usual fine-tuning of retrieval networks, where they stay frozen.
    pub train_batch_norm: bool,
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

    fn batch_norm(&mut self, x: Tensor<4>, norm: &BatchNorm) -> Tensor<4> {
        norm.compute(x, self.train_batch_norm)
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

    fn mean_pool(&mut self, x: Tensor<4>, window: Window) -> Tensor<4> {
        let options = AvgPoolOptions::new(window.size)
            .with_stride(window.stride)
            .with_padding(window.padding)
            .with_ceil_mode(window.ceil);
        avg_pool2d(x, options)
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

    fn div<const D: usize>(&mut self, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
        a / b
    }

    fn abs<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        x.abs()
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
}

/// `[C]` -> `[1, C, 1, ...]`.
fn along_channels<const D: usize>(values: Tensor<1>) -> Tensor<D> {
    let mut shape = [1; D];
    if D > 1 {
        shape[1] = values.dims()[0];
    }
    values.reshape(shape)
}
