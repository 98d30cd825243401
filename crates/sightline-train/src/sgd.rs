//! Stochastic gradient descent with momentum, as `torch.optim.SGD` without dampening and without Nesterov's form.

use crate::TrainError;
use crate::parameter_gradients::{ParameterGradients, as_matrix};
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// The optimiser and its momentum.
///
/// A step at rate r with the gradient g of a parameter p: d = g + `weight_decay` p for parameters of two axes or more, d = g for biases
/// and the weights of norms; m = d in the first step, later m = `momentum` m + d; p becomes p - r m. Memory: that of the parameters once more.
#[derive(Clone, Debug, Default)]
pub struct Sgd {
    momentum: f64,
    weight_decay: f64,
    moved: BTreeMap<ParamId, Tensor<2>>,
}

impl Sgd {
    /// An optimiser that has made no step.
    ///
    /// # Errors
    /// When a setting is negative or no number, or the momentum is 1 or more.
    pub fn new(momentum: f64, weight_decay: f64) -> Result<Self, TrainError> {
        let below_one = "a number from 0 and below 1";
        TrainError::check_setting("momentum", momentum, below_one, |m| (0.0..1.0).contains(&m))?;
        TrainError::check_setting("weight_decay", weight_decay, "a number from 0", |d| d >= 0.0)?;
        Ok(Self {
            momentum,
            weight_decay,
            moved: BTreeMap::new(),
        })
    }

    /// The module after a step. Parameters without a gradient stay, and so does their momentum.
    pub fn step<M: Module>(&mut self, module: M, gradients: &ParameterGradients, rate: f64) -> M {
        module.map(&mut Step {
            optimiser: self,
            gradients,
            rate,
        })
    }
}

/// One step over the parameters of a module.
struct Step<'a> {
    optimiser: &'a mut Sgd,
    gradients: &'a ParameterGradients,
    rate: f64,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = self.gradients.get(id) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let trained = tensor.is_require_grad();
        let checkpointing = tensor.gradient_checkpointing_strategy();
        let shape = tensor.dims();
        let values = as_matrix(tensor.inner());
        let mut change = gradient.clone();
        if D > 1 && self.optimiser.weight_decay > 0.0 {
            change = change + values.clone() * self.optimiser.weight_decay;
        }
        if let Some(moved) = self.optimiser.moved.remove(&id) {
            change = moved * self.optimiser.momentum + change;
        }
        self.optimiser.moved.insert(id, change.clone());
        let values = values - change * self.rate;
        let mut tensor = Tensor::from_inner(values.reshape(shape));
        if let Some(checkpointing) = checkpointing {
            tensor = tensor.with_gradient_checkpointing_strategy(checkpointing);
        }
        Param::from_mapped_value(id, tensor.set_require_grad(trained), mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline_nn::{Csa, CsaSizes, Weights, parameter_values};

    /// The gradients of the sum over `topk_proj`'s parameters: 2 for each weight, 1 for each bias.
    fn gradients(network: &Csa) -> ParameterGradients {
        struct Sums(Option<Tensor<1>>);
        impl burn::module::ModuleVisitor for Sums {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let named = ["topk_proj.weight", "topk_proj.bias"].map(sightline_nn::parameter_id);
                if named.contains(&param.id) {
                    let sum = param.val().sum() * D as f64;
                    self.0 = Some(match self.0.take() {
                        Some(sums) => sums + sum,
                        None => sum,
                    });
                }
            }
        }
        let mut sums = Sums(None);
        network.visit(&mut sums);
        ParameterGradients::of(network, sums.0.unwrap().backward())
    }

    #[test]
    fn momentum_and_decay_by_hand() {
        let sizes = CsaSizes {
            anchors: 2,
            width: 4,
            depth: 1,
            heads: 1,
            hidden: 4,
            qkv_bias: false,
        };
        let network = Csa::load(&Weights::for_csa(sizes, 1), Some(1)).unwrap();
        let mut trained = burn::module::Module::train(network.clone());
        assert_eq!(
            parameter_values(&trained, "topk_proj.bias"),
            parameter_values(&network, "topk_proj.bias")
        );
        let mut sgd = Sgd::new(0.5, 0.25).unwrap();
        for _ in 0..2 {
            let gradients = gradients(&trained);
            trained = sgd.step(trained, &gradients, 0.1);
        }
        for (name, decay, slope) in [("topk_proj.weight", 0.25, 2.0), ("topk_proj.bias", 0.0, 1.0)] {
            let (before, after) = (parameter_values(&network, name), parameter_values(&trained, name));
            for (before, after) in before.unwrap().data.iter().zip(after.unwrap().data) {
                let first = slope + decay * before;
                let p = before - 0.1 * first;
                let want = p - 0.1 * (0.5 * first + slope + decay * p);
                assert!((after - want).abs() < 1e-6, "{after} {want}");
            }
        }
        // What has no gradient stays.
        let name = "blocks.0.norm1.weight";
        assert_eq!(parameter_values(&trained, name), parameter_values(&network, name));
        assert!(Sgd::new(1.0, 0.0).is_err() && Sgd::new(0.0, f64::NAN).is_err());
    }
}
