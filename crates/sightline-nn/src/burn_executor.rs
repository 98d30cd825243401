//! Running a network with Burn, on the device that holds its weights.

use crate::{BurnOps, LocalMaps, Network, RecordError};
use burn::tensor::{Device, Tensor, TensorData};
use sightline_plan::{DESCRIPTOR, Executor, RunError, Runtime, Tensor as PlainTensor};

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
    /// Names of the maps on the way that are wanted besides the descriptor.
    maps: Vec<String>,
    /// Whether local features are wanted in place of the descriptor.
    local: bool,
}

impl BurnExecutor {
    /// An executor of `network`, which was loaded on `device`.
    pub fn new(network: Network, device: &Device) -> Self {
        Self {
            network,
            device: device.clone(),
            maps: Vec::new(),
            local: false,
        }
    }

    /// The same executor, which yields some of the maps on the way as well, as [`Network::record_with_maps`] does.
    #[must_use]
    pub fn with_maps(self, names: &[&str]) -> Self {
        let maps = names.iter().map(|name| (*name).to_owned()).collect();
        Self { maps, ..self }
    }

    /// An executor that yields the local features of `network` and their strengths, as the plan of
    /// [`Network::record_local`] does.
    ///
    /// # Errors
    /// When the head has no local features.
    pub fn local(network: Network, device: &Device) -> Result<Self, RecordError> {
        let architecture = network.architecture();
        if !architecture.head().has_local() {
            let architecture = architecture.to_string();
            return Err(RecordError::NoLocal { architecture });
        }
        Ok(Self {
            local: true,
            ..Self::new(network, device)
        })
    }

    fn run_part(&self, image: Tensor<4>) -> Result<Vec<(String, PlainTensor)>, RunError> {
        let shape = image.dims();
        let mut ops = BurnOps::default();
        if self.local
            && let Some(LocalMaps { features, strengths }) =
                self.network.forward_local(&mut ops, image.clone())
        {
            return Ok(vec![
                (Network::LOCAL.to_owned(), plain(features, shape)?),
                (Network::STRENGTH.to_owned(), plain(strengths, shape)?),
            ]);
        }
        let mut maps = Vec::new();
        let descriptor = self.network.forward(&mut ops, image, &mut |name, map| {
            if self.maps.iter().any(|wanted| wanted == name) {
                maps.push((name.to_owned(), map.clone()));
            }
        });
        let mut outputs = Vec::new();
        for (name, map) in maps {
            outputs.push((name, plain(map, shape)?));
        }
        outputs.push((DESCRIPTOR.to_owned(), plain(descriptor, shape)?));
        Ok(outputs)
    }
}

/// Reads a result from its device; `shape` is the input's.
pub(crate) fn plain<const D: usize>(tensor: Tensor<D>, shape: [usize; 4]) -> Result<PlainTensor, RunError> {
    let failed = |reason: String| failed(shape, reason);
    let dims = tensor.dims().to_vec();
    let data = tensor
        .try_into_data_as::<f32>()
        .map_err(|error| failed(format!("{error:?}")))?
        .try_to_vec::<f32>()
        .map_err(|error| failed(format!("{error:?}")))?;
    Ok(PlainTensor { shape: dims, data })
}

fn failed(shape: [usize; 4], reason: String) -> RunError {
    RunError::Runtime {
        runtime: NAME,
        shape: shape.to_vec(),
        reason,
    }
}

impl Executor for BurnExecutor {
    fn run(&mut self, input: &PlainTensor) -> Result<Vec<(String, PlainTensor)>, RunError> {
        let shape = self.network.architecture().check_pictures(input)?;
        in_parts(&self.device, input, shape, |image| self.run_part(image))
    }

    fn describe(&self) -> Runtime {
        runtime(&self.device)
    }
}

/// Runs a batch of that shape one by one on the CPU, on other devices as a whole, and joins what comes out.
pub(crate) fn in_parts(
    device: &Device,
    input: &PlainTensor,
    [batch, c, h, w]: [usize; 4],
    run: impl Fn(Tensor<4>) -> Result<Vec<(String, PlainTensor)>, RunError>,
) -> Result<Vec<(String, PlainTensor)>, RunError> {
    let one = c * h * w;
    let part = if is_cpu(device) { 1 } else { batch };
    let mut joined: Vec<(String, PlainTensor)> = Vec::new();
    for values in input.data.chunks(part * one) {
        let count = values.len() / one;
        let values = TensorData::new(values.to_vec(), [count, c, h, w]);
        let outputs = run(Tensor::from_data(values, device))?;
        if joined.is_empty() {
            joined = outputs;
            continue;
        }
        for ((_, whole), (_, part)) in joined.iter_mut().zip(outputs) {
            whole.shape[0] += count;
            whole.data.extend(part.data);
        }
    }
    Ok(joined)
}

fn is_cpu(device: &Device) -> bool {
    device.clone().inner() == Device::flex()
}

/// What runs a network on that device, for the card.
pub(crate) fn runtime(device: &Device) -> Runtime {
    Runtime {
        name: NAME.to_owned(),
        version: VERSION.to_owned(),
        precision: "f32".to_owned(),
        device: if is_cpu(device) {
            "cpu".to_owned()
        } else {
            format!("{device:?}")
        },
    }
}
