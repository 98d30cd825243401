//! SOLAR's descriptor of patches of 32 x 32 pixels (tonyngjichun/SOLAR, `solar_local/models/model.py`): HardNet's network with
//! second-order attention between its layers.

use crate::Ops;
use crate::batch_norm::{BatchNorm, BatchNormOptions};
use crate::conv2d::Conv2d;
use crate::normalise::l2_normalise;
use crate::parameters::{Parameters, TensorProblem, Wanted};
use crate::recorder::{PlanRecorder, RecordError};
use crate::second_order_attention::SecondOrderAttention;
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::Device;
use sightline_plan::{Convolution, DESCRIPTOR, Plan};

/// Side of a patch, in pixels.
const SIDE: usize = 32;
/// Length of the descriptor.
const DIM: usize = 128;
/// Added to the variance of a patch.
const PATCH_EPSILON: f32 = 1e-5;
/// Share of the last layer's values that training drops.
const DROPOUT: f32 = 0.1;
/// Added to every value before the division by the length.
const VALUE_EPSILON: f32 = 1e-10;

/// Channels, size of the kernel, stride and padding of the seven layers.
const LAYERS: [(usize, usize, usize, usize); 7] = [
    (32, 3, 1, 1),
    (32, 3, 1, 1),
    (64, 3, 2, 1),
    (64, 3, 1, 1),
    (128, 3, 2, 1),
    (128, 3, 1, 1),
    (DIM, 8, 1, 0),
];

/// The layers that attention may follow, counted from 1, and by how much it narrows their maps.
const ATTENTION: [(usize, usize); 4] = [(3, 4), (4, 4), (5, 2), (6, 2)];

/// SOLAR's network of patches.
#[derive(Module, Debug)]
pub struct SolarLocal {
    /// Public so that a training loop can reach the running statistics.
    pub layers: Vec<SolarLocalLayer>,
}

/// A convolution without bias, a batch norm without scale and shift, and perhaps attention after its ReLU.
#[derive(Module, Debug)]
pub struct SolarLocalLayer {
    /// The convolution.
    pub conv: Conv2d,
    /// The batch norm.
    pub norm: BatchNorm,
    /// The attention.
    pub attention: Option<SecondOrderAttention>,
}

impl SolarLocal {
    /// Length of the descriptor.
    pub const DIM: usize = DIM;
    /// Side of a patch, in pixels.
    pub const SIDE: usize = SIDE;

    /// The network from weights by the names of the original's state dict; attention is where they have it.
    ///
    /// # Errors
    /// When one of them is missing or has another shape.
    pub fn load(weights: &Weights<'_>) -> Result<Self, TensorProblem> {
        let held = |layer: usize| weights.shape(&format!("soa{layer}.h.weight")).is_some();
        Parameters::build(weights, &Device::flex(), |parameters| {
            Self::take(parameters, &held)
        })
    }

    /// The parameters of a network with attention after these layers, of 3 to 6 (the original's `soa_layers`).
    pub fn parameters(attention: &[usize]) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        Self::take(&mut parameters, &|layer| attention.contains(&layer));
        parameters.into_wanted()
    }

    fn take(parameters: &mut Parameters<'_>, attended: &dyn Fn(usize) -> bool) -> Self {
        let options = BatchNormOptions {
            affine: false,
            ..BatchNormOptions::default()
        };
        let mut inputs = 1;
        let mut layers = Vec::new();
        for (index, (outputs, size, stride, padding)) in LAYERS.into_iter().enumerate() {
            let layer = index + 1;
            // The first layer's patch norm, which has no parameters, counts.
            let place = usize::from(layer == 1);
            let walk = Convolution {
                stride: [stride; 2],
                padding: [padding; 2],
                ..Convolution::default()
            };
            let shape = [outputs, inputs, size, size];
            let (conv, norm) = (
                format!("layer{layer}.{place}"),
                format!("layer{layer}.{}", place + 1),
            );
            let attention = ATTENTION
                .iter()
                .find(|(after, _)| *after == layer && attended(layer));
            layers.push(SolarLocalLayer {
                conv: Conv2d::take(parameters, &conv, shape, walk),
                norm: BatchNorm::take_with(parameters, &norm, outputs, options),
                attention: attention.map(|(_, narrower)| {
                    let name = format!("soa{layer}.");
                    SecondOrderAttention::take(parameters, &name, outputs, outputs / narrower)
                }),
            });
            inputs = outputs;
        }
        Self { layers }
    }

    /// Patches `[N, 1, 32, 32]` -> descriptors `[N, 128]` of length 1.
    pub fn forward<O: Ops>(&self, ops: &mut O, patches: O::T<4>) -> O::T<2> {
        let mut x = normalise_patches(ops, patches);
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.conv.forward(ops, x);
            x = layer.norm.forward(ops, x);
            if index + 1 < self.layers.len() {
                x = ops.relu(x);
            }
            if let Some(attention) = &layer.attention {
                x = attention.forward(ops, x, SecondOrderAttention::POWER).map;
            }
        }
        let x = ops.dropout(x, DROPOUT);
        let x = ops.add_number(x, VALUE_EPSILON);
        let x = ops.reshape::<4, 2>(x, [0, DIM as i64]);
        // The original's local response norm covers all channels and has nothing to add: a division by the length.
        l2_normalise(ops, x)
    }

    /// The network as a plan with the output [`DESCRIPTOR`].
    ///
    /// # Errors
    /// When a parameter cannot be read from its device.
    pub fn record(&self) -> Result<Plan, RecordError> {
        let (mut recorder, patches) = PlanRecorder::for_size(1, [SIDE; 2]);
        let descriptor = self.forward(&mut recorder, patches);
        recorder.output(DESCRIPTOR, descriptor);
        recorder.finish()
    }
}

/// Each patch less its mean, over its deviation (`InstanceNorm2d`).
fn normalise_patches<O: Ops>(ops: &mut O, x: O::T<4>) -> O::T<4> {
    let mean = ops.global_mean(x.clone());
    let mean = ops.mul_number(mean, -1.0);
    let mean = ops.reshape::<2, 4>(mean, [0, 1, 1, 1]);
    let x = ops.add(x, mean);
    let squares = ops.mul(x.clone(), x.clone());
    let variance = ops.global_mean(squares);
    let variance = ops.add_number(variance, PATCH_EPSILON);
    let deviation = ops.sqrt(variance);
    let deviation = ops.reshape::<2, 4>(deviation, [0, 1, 1, 1]);
    ops.div(x, deviation)
}
