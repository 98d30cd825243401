//! Finding the parameters of a module by the names that they have in the original's state dict.
//!
//! Burn knows a parameter by an id. Here the id is made of the name, so that the same parameter of the same
//! architecture has the same id in every run, and an optimiser's state or a gradient can be found by name.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Gradients, Tensor};
use sightline_plan::Tensor as PlainTensor;

/// The id of the parameter or buffer of that name: its FNV-1a hash.
pub fn parameter_id(name: &str) -> ParamId {
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    ParamId::from(hash)
}

/// The values of the parameter or buffer of that name (the statistics of batch norms up to date); none where the module
/// has none of that name or cannot read it back from its device.
pub fn parameter_values<M: Module>(module: &M, name: &str) -> Option<PlainTensor> {
    // Statistics that wait to be taken over are, in the copy.
    find(&module.valid(), name, None)
}

/// The gradient of the parameter of that name, as [`parameter_values`]; none where it has none.
pub fn parameter_gradient<M: Module>(module: &M, gradients: &Gradients, name: &str) -> Option<PlainTensor> {
    find(module, name, Some(gradients))
}

fn find<M: Module>(module: &M, name: &str, gradients: Option<&Gradients>) -> Option<PlainTensor> {
    let mut finder = Finder {
        id: parameter_id(name),
        gradients,
        found: None,
    };
    module.visit(&mut finder);
    finder.found
}

struct Finder<'a> {
    id: ParamId,
    /// Where the gradient is wanted instead of the value.
    gradients: Option<&'a Gradients>,
    found: Option<PlainTensor>,
}

impl ModuleVisitor for Finder<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.id != self.id {
            return;
        }
        let tensor = match self.gradients {
            None => Some(param.val()),
            Some(gradients) => param.val().grad(gradients),
        };
        self.found = tensor.and_then(|tensor| {
            let shape = tensor.dims().to_vec();
            let data = tensor.try_into_data_as::<f32>().ok()?.try_to_vec::<f32>().ok()?;
            Some(PlainTensor { shape, data })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, BurnOps, Network, Weights};
    use burn::tensor::Device;

    #[test]
    fn gradients_and_statistics_are_found_by_name() {
        let architecture = Architecture::parse("resnet18:layer1/gem").unwrap();
        let weights = Weights::by_formula(&architecture, 3);
        let network = Network::load(&architecture, &weights).unwrap();
        let device = Device::flex().autodiff();
        let network = network.train();
        let picture = Tensor::<4>::ones([2, 3, 8, 8], &device);
        let mut ops = BurnOps {
            train_batch_norm: true,
            ..BurnOps::default()
        };
        let gradients = network
            .forward(&mut ops, picture, &mut |_, _| {})
            .sum()
            .backward();
        let name = "layer1.1.conv2.weight";
        let gradient = parameter_gradient(&network, &gradients, name).unwrap();
        assert_eq!(gradient.shape, [64, 64, 3, 3]);
        assert!(gradient.data.iter().any(|value| *value != 0.0));
        assert_eq!(parameter_values(&network, name).unwrap().shape, gradient.shape);
        // Statistics have no gradient, and moved.
        let name = "bn1.running_mean";
        assert_eq!(parameter_gradient(&network, &gradients, name), None);
        let mean = parameter_values(&network, name).unwrap();
        let formula = Network::load(&architecture, &weights).unwrap();
        assert_ne!(mean, parameter_values(&formula, name).unwrap());
        assert_eq!(parameter_values(&network, "layer5.0.conv1.weight"), None);
    }
}
