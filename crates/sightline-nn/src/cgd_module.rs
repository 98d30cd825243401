//! The head of CGD as leftthomas/CGD writes it (`model.py`, `Model`).

use crate::Ops;
use crate::batch_norm::BatchNorm;
use crate::cgd_head::CgdHead;
use crate::combination::Combination;
use crate::linear::Linear;
use crate::normalise::l2_normalise;
use crate::parameters::Parameters;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

#[derive(Module, Debug)]
pub struct CgdModule {
    /// The linear layer of each descriptor, `[part, C]`, without bias.
    main_modules: Vec<Param<Tensor<2>>>,
    auxiliary: Option<Auxiliary>,
    #[module(skip)]
    combination: Combination,
}

/// The classifier behind the first descriptor, which only training uses.
#[derive(Module, Debug)]
struct Auxiliary {
    norm: BatchNorm,
    linear: Linear,
}

impl CgdModule {
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &CgdHead, channels: usize) -> Self {
        let shape = [options.part(), channels];
        let main_modules = (0..options.combination.count())
            .map(|index| parameters.take(&format!("main_modules.{index}.0.weight"), shape))
            .collect();
        let auxiliary = options.classes.map(|classes| Auxiliary {
            norm: BatchNorm::take(parameters, "auxiliary_module.0", channels),
            linear: Linear::take(parameters, "auxiliary_module.1", classes, channels),
        });
        Self {
            main_modules,
            auxiliary,
            combination: options.combination.clone(),
        }
    }

    /// `[N, C, H, W]` -> descriptors `[N, D]`.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, map: &O::T<4>) -> O::T<2> {
        self.describe(ops, map, |_| {})
    }

    /// As [`CgdModule::forward`], and the values of the classes `[N, K]` where the head has them: of the first
    /// descriptor as it is pooled.
    pub(crate) fn forward_with_classes<O: Ops>(
        &self,
        ops: &mut O,
        map: &O::T<4>,
    ) -> (O::T<2>, Option<O::T<2>>) {
        let mut first = None;
        let descriptor = self.describe(ops, map, |pooled| {
            first.get_or_insert_with(|| pooled.clone());
        });
        let classes = self.auxiliary.as_ref().zip(first).map(|(auxiliary, first)| {
            let first = ops.batch_norm(first, &auxiliary.norm);
            auxiliary.linear.forward(ops, first)
        });
        (descriptor, classes)
    }

    /// Each descriptor through its layer and to length one, after one another, to length one; `tap` is shown each as
    /// it is pooled.
    fn describe<O: Ops>(&self, ops: &mut O, map: &O::T<4>, mut tap: impl FnMut(&O::T<2>)) -> O::T<2> {
        let joined = self.combination.join(ops, map, |ops, index, pooled| {
            tap(&pooled);
            let weight = ops.parameter(&self.main_modules[index]);
            let part = ops.linear(pooled, weight, None);
            l2_normalise(ops, part)
        });
        l2_normalise(ops, joined)
    }
}
