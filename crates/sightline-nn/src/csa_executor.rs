//! Running CSA's network with Burn, on the device that holds its weights.

use crate::burn_executor::{in_parts, plain, runtime};
use crate::{BurnOps, Csa};
use burn::tensor::{Device, Tensor};
use sightline_plan::{Executor, RunError, Runtime, Tensor as PlainTensor, check_batch};

/// Runs CSA's network with Burn: affinities `[N, L, T, 1]` -> [`Csa::SCORES`] `[N, T - 1]`, as the plan of [`Csa::record`].
///
/// On the CPU queries are run one by one, so that the same query gives the same bytes whatever else is in the batch. On a GPU the
/// batch is run as a whole, and the last bits may depend on its size.
pub struct CsaExecutor {
    network: Csa,
    device: Device,
}

impl CsaExecutor {
    /// An executor of `network`, which was loaded on `device`.
    pub fn new(network: Csa, device: &Device) -> Self {
        let device = device.clone();
        Self { network, device }
    }
}

impl Executor for CsaExecutor {
    fn run(&mut self, input: &PlainTensor) -> Result<Vec<(String, PlainTensor)>, RunError> {
        let shape @ [_, _, _, last] = check_batch(input, Some(self.network.sizes().anchors))?;
        if last != 1 {
            return Err(RunError::Input {
                shape: shape.to_vec(),
                reason: "affinities have one column".to_owned(),
            });
        }
        in_parts(&self.device, input, shape, |affinity: Tensor<4>| {
            let shape = affinity.dims();
            let scores = self
                .network
                .forward(&mut BurnOps::default(), affinity, &mut |_, _| {});
            Ok(vec![(Csa::SCORES.to_owned(), plain(scores, shape)?)])
        })
    }

    fn describe(&self) -> Runtime {
        runtime(&self.device)
    }
}
