//! The head of CGD as the TensorFlow project writes it (PuchatekwSzortach/
//! combination_of_multiple_global_descriptors_for_image_retrieval, `net/ml.py`, `CGDImagesSimilarityComputer`).

use crate::Ops;
use crate::cgd_head::CgdHead;
use crate::combination::Combination;
use crate::linear::Linear;
use crate::parameters::Parameters;
use crate::swish_classifier::SwishClassifier;
use burn::module::Module;

#[derive(Module, Debug)]
pub struct CgdTfModule {
    /// The linear layer of each descriptor.
    dense: Vec<Linear>,
    auxiliary: Option<SwishClassifier>,
    #[module(skip)]
    combination: Combination,
}

impl CgdTfModule {
    /// Layers are called as Keras numbers them: `dense`, `dense_1`, ... for the descriptors, the next number for the
    /// auxiliary head.
    pub(crate) fn take(parameters: &mut Parameters<'_>, options: &CgdHead, channels: usize) -> Self {
        let count = options.combination.count();
        let name = |index: usize| match index {
            0 => "dense".to_owned(),
            _ => format!("dense_{index}"),
        };
        let part = options.part();
        let dense = (0..count)
            .map(|index| Linear::take(parameters, &name(index), part, channels))
            .collect();
        Self {
            dense,
            auxiliary: options
                .classes
                .map(|classes| SwishClassifier::take(parameters, &name(count), classes, part)),
            combination: options.combination.clone(),
        }
    }

    /// `[N, C, H, W]` -> descriptors `[N, D]`.
    pub(crate) fn forward<O: Ops>(&self, ops: &mut O, map: &O::T<4>) -> O::T<2> {
        self.describe(ops, map, |_| {})
    }

    /// As [`CgdTfModule::forward`], and the values of the classes `[N, K]` where the head has them: of the first branch.
    pub(crate) fn forward_with_classes<O: Ops>(
        &self,
        ops: &mut O,
        map: &O::T<4>,
    ) -> (O::T<2>, Option<O::T<2>>) {
        let mut first = None;
        let descriptor = self.describe(ops, map, |branch| {
            first.get_or_insert_with(|| branch.clone());
        });
        let classes = self.auxiliary.as_ref().zip(first);
        let classes = classes.map(|(auxiliary, first)| auxiliary.forward(ops, first));
        (descriptor, classes)
    }

    /// The branches by themselves, each `[N, D / count]`.
    pub fn branches<O: Ops>(&self, ops: &mut O, map: &O::T<4>) -> Vec<O::T<2>> {
        let mut branches = Vec::new();
        self.describe(ops, map, |branch| branches.push(branch.clone()));
        branches
    }

    /// Each descriptor through its layer and normalised, after one another, normalised; `tap` is shown each branch.
    fn describe<O: Ops>(&self, ops: &mut O, map: &O::T<4>, mut tap: impl FnMut(&O::T<2>)) -> O::T<2> {
        let joined = self.combination.join(ops, map, |ops, index, pooled| {
            let branch = self.dense[index].forward(ops, pooled);
            let branch = normalise(ops, branch);
            tap(&branch);
            branch
        });
        normalise(ops, joined)
    }
}

/// max(x / √max(Σ x², 1e-12), 1e-6), the last maximum number by number: what should keep lengths above zero lifts every
/// negative number to 1e-6, so that descriptors have none, and are shorter than one until they are normalised again.
fn normalise<O: Ops>(ops: &mut O, x: O::T<2>) -> O::T<2> {
    let squares = ops.mul(x.clone(), x.clone());
    let sum = ops.sum_channels(squares);
    let sum = ops.clamp_min(sum, 1e-12);
    let norm = ops.sqrt(sum);
    let x = ops.div(x, norm);
    ops.clamp_min(x, 1e-6)
}
