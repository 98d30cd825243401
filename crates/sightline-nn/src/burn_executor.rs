//! Running a network with Burn, on the device that holds its weights.

use crate::{BurnOps, Network};
use burn::tensor::{Device, Tensor, TensorData};
use sightline_plan::{DESCRIPTOR, Executor, RunError, Runtime, Tensor as PlainTensor, check_batch};

const NAME: &str = "burn";
/// As in the workspace's `Cargo.toml`.
const VERSION: &str = "0.22";

/// Runs a network with Burn.
///
/// On the CPU pictures are run one by one, so that the same picture gives the same bytes whatever else is in the
/// batch. On a GPU the batch is run as a whole, and the last bits may depend on its size.
pub struct BurnExecutor {
    network: Network,
    device: Device,
}

impl BurnExecutor {
    /// An executor of `network`, which was loaded on `device`.
    pub fn new(network: Network, device: &Device) -> Self {
        Self {
            network,
            device: device.clone(),
        }
    }

    fn is_cpu(&self) -> bool {
        self.device == Device::flex()
    }

    fn run_part(&self, shape: [usize; 4], values: &[f32]) -> Result<PlainTensor, RunError> {
        let failed = |reason: String| RunError::Runtime {
            runtime: NAME,
            shape: shape.to_vec(),
            reason,
        };
        let image = TensorData::new(values.to_vec(), shape);
        let image = Tensor::<4>::from_data(image, &self.device);
        let mut ops = BurnOps::default();
        let descriptor = self.network.forward(&mut ops, image, &mut |_, _| {});
        let shape = descriptor.dims().to_vec();
        let data = descriptor
            .try_into_data_as::<f32>()
            .map_err(|error| failed(format!("{error:?}")))?
            .try_to_vec::<f32>()
            .map_err(|error| failed(format!("{error:?}")))?;
        Ok(PlainTensor { shape, data })
    }
}

impl Executor for BurnExecutor {
    fn run(&mut self, input: &PlainTensor) -> Result<Vec<(String, PlainTensor)>, RunError> {
        let [batch, c, h, w] = check_batch(input, Some(3))?;
        let part = if self.device.clone().inner() == Device::flex() {
            1
        } else {
            batch
        };
        let mut data = Vec::new();
        for values in input.data.chunks(part * c * h * w) {
            let count = values.len() / (c * h * w);
            data.extend(self.run_part([count, c, h, w], values)?.data);
        }
        let shape = vec![batch, data.len() / batch];
        Ok(vec![(DESCRIPTOR.to_owned(), PlainTensor { shape, data })])
    }

    fn describe(&self) -> Runtime {
        Runtime {
            name: NAME.to_owned(),
            version: VERSION.to_owned(),
            precision: "f32".to_owned(),
            device: if self.is_cpu() {
                "cpu".to_owned()
            } else {
                format!("{:?}", self.device)
            },
        }
    }
}
