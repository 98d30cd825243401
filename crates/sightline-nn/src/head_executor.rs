//! Running a network whose head depends on the picture's size: the map by any executor, the head with Burn.

use crate::head::HeadModule;
use crate::{BurnOps, Network};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use sightline_plan::{DESCRIPTOR, Executor, RunError, Runtime, Tensor as PlainTensor};

const NAME: &str = "burn";

/// Runs the part of a network that works for pictures of any size by another executor, and the pooling over regions
/// behind it with Burn on the CPU, picture by picture.
///
/// The head is a small part of the work: few weights, and a map that is 32 times smaller than the picture.
pub struct HeadExecutor {
    map: Box<dyn Executor>,
    head: HeadModule,
}

impl HeadExecutor {
    /// `map` runs the plan that [`Network::record_map`] of the same network yields.
    pub fn new(map: Box<dyn Executor>, network: &Network) -> Self {
        let head = network.head().valid().to_device(&Device::flex());
        Self { map, head }
    }

    fn describe_one(&self, shape: [usize; 4], values: &[f32]) -> Result<Vec<f32>, RunError> {
        let failed = |reason: String| RunError::Runtime {
            runtime: NAME,
            shape: shape.to_vec(),
            reason,
        };
        let map = Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), &Device::flex());
        self.head
            .pool(&mut BurnOps::default(), map, None, &mut |_, _| {})
            .try_into_data_as::<f32>()
            .map_err(|error| failed(format!("{error:?}")))?
            .try_to_vec::<f32>()
            .map_err(|error| failed(format!("{error:?}")))
    }
}

impl Executor for HeadExecutor {
    fn run(&mut self, input: &PlainTensor) -> Result<Vec<(String, PlainTensor)>, RunError> {
        let outputs = self.map.run(input)?;
        let wrong = |reason: &str| RunError::Output {
            name: Network::MAP.to_owned(),
            reason: reason.to_owned(),
        };
        let map = outputs.iter().find(|(name, _)| name == Network::MAP);
        let (_, map) = map.ok_or_else(|| wrong("there is no such output"))?;
        let [batch, c, h, w] = map.shape[..] else {
            return Err(wrong("it is no map with four axes"));
        };
        let mut data = Vec::new();
        for values in map.data.chunks_exact((c * h * w).max(1)) {
            data.extend(self.describe_one([1, c, h, w], values)?);
        }
        let shape = vec![batch, data.len() / batch.max(1)];
        Ok(vec![(DESCRIPTOR.to_owned(), PlainTensor { shape, data })])
    }

    fn describe(&self) -> Runtime {
        self.map.describe()
    }
}
