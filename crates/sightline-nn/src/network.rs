//! A whole network: loading it, running it through any executor, recording it.

use crate::Ops;
use crate::architecture::Architecture;
use crate::fit;
use crate::head::{Head, HeadModule};
use crate::local_maps::LocalMaps;
use crate::parameters::{Parameters, TensorProblem};
use crate::recorder::{PlanRecorder, RecordError};
use crate::trunk::TrunkModule;
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::Device;
use sightline_plan::{DESCRIPTOR, Plan};

/// A trunk and a head with their weights.
///
/// ```
/// use sightline_nn::{Architecture, Network, Weights};
/// use sightline_plan::{Executor, RtenExecutor, Tensor};
///
/// let architecture = Architecture::parse("resnet18:layer1/gem")?;
/// let weights = Weights::by_formula(&architecture, 7); // or Weights::from_state_dict of a checkpoint
/// let network = Network::load(&architecture, &weights)?;
/// let mut executor = RtenExecutor::new(&network.record()?, 1)?;
/// let picture = Tensor::new(&[1, 3, 32, 48], vec![0.5; 3 * 32 * 48])?;
/// let (name, descriptor) = executor.run(&picture)?.remove(0);
/// assert_eq!((name.as_str(), descriptor.shape), ("descriptor", vec![1, 64]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
pub struct Network {
    trunk: TrunkModule,
    head: HeadModule,
    #[module(skip)]
    architecture: Architecture,
    #[module(skip)]
    unused: Unused,
}

/// What a file held beyond the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unused {
    /// Tensors of the trunk's later stages and of a classifier; leaving them out is what was asked for.
    pub beyond: Vec<String>,
    /// Tensors that the architecture does not know.
    pub unknown: Vec<String>,
}

/// A file and an architecture that do not belong together.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[error("These weights do not fit {architecture}: {problem}. {advice}")]
pub struct LoadError {
    /// Name of the architecture.
    pub architecture: String,
    /// The first tensor that is missing or misshapen.
    pub problem: Box<TensorProblem>,
    /// Names of the known architectures that would fit, those that use most of the file first.
    pub fitting: Vec<String>,
    advice: String,
}

impl Network {
    /// Name of the output that holds what the head pools, in the plan of [`Network::record_map`].
    pub const MAP: &'static str = "map";
    /// Name of the output with the local features, in the plan of [`Network::record_local`].
    pub const LOCAL: &'static str = "local";
    /// Name of the output with their strengths.
    pub const STRENGTH: &'static str = "strength";

    /// Builds the network on the CPU from weights by the names of the original's state dict.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape; the error names the first one and the architectures that
    /// would fit.
    pub fn load(architecture: &Architecture, weights: &Weights<'_>) -> Result<Self, LoadError> {
        Self::load_on(architecture, weights, &Device::flex())
    }

    /// As [`Network::load`], on one of Burn's devices.
    ///
    /// # Errors
    /// As [`Network::load`].
    pub fn load_on(
        architecture: &Architecture,
        weights: &Weights<'_>,
        device: &Device,
    ) -> Result<Self, LoadError> {
        let architecture = architecture.clone().sized_by(weights);
        let mut parameters = Parameters::from_weights(weights, device);
        let mut network = Self::take(&mut parameters, &architecture);
        if let Some(problem) = parameters.problem() {
            let fitting = fit::fitting(weights);
            return Err(LoadError {
                architecture: architecture.to_string(),
                problem: Box::new(problem.clone()),
                advice: advice(&fitting, weights),
                fitting,
            });
        }
        let (beyond, unknown) = fit::unused(&architecture, weights);
        network.unused = Unused { beyond, unknown };
        Ok(network)
    }

    pub(crate) fn take(parameters: &mut Parameters<'_>, architecture: &Architecture) -> Self {
        let (trunk, head) = (architecture.trunk(), architecture.head());
        let mut module = TrunkModule::take(parameters, trunk, head.naming()).with_relup(head.in_trunk());
        if let Head::Solar(head) = head {
            module = module.with_attention(parameters, *head);
        }
        Self {
            trunk: module,
            head: HeadModule::take(parameters, head, trunk.channels(), trunk.dirtorch_linear()),
            architecture: architecture.clone(),
            unused: Unused::default(),
        }
    }

    /// A copy of the network on one of Burn's devices, for running it (not for training it further).
    #[must_use]
    pub fn on(&self, device: &Device) -> Self {
        // A clone shares the running statistics of its batch norms, and moving one would move both; `valid`
        // copies them.
        self.valid().to_device(device)
    }

    /// A copy of the network whose attention between stages (SOLAR's) is drawn and not described with: its logits are scaled
    /// less, as the original does for its pictures. [`Network::forward`] shows it as `soa4.attention` and `soa5.attention`.
    #[must_use]
    pub fn drawing(&self) -> Self {
        let mut network = self.valid();
        network.trunk.draw();
        network
    }

    /// The head.
    pub fn head(&self) -> &HeadModule {
        &self.head
    }

    /// The architecture, with the sizes that the weights decided.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// What the weights held beyond the network.
    pub fn unused(&self) -> &Unused {
        &self.unused
    }

    /// `[N, 3, H, W]` -> descriptors `[N, D]`.
    ///
    /// `tap` is shown the maps on the way, with the original's names for them: in ResNets those after the max pool
    /// (`stem`) and after each stage (`layer1`), in sequences and cirtorch's networks those after each layer
    /// (`features.3`), and a feature pyramid's convolutions (`conv1x5`, `conv3c4`); and the
    /// vectors of the regions of a regional pooling as `regions`, `[N, C, R, 1]`; and SOLAR's attention between stages as
    /// `soa4.attention` and `soa5.attention`, `[N, 1, H W, H W]`, with the maps `soa4` and `soa5` that it yields.
    pub fn forward<O: Ops>(
        &self,
        ops: &mut O,
        image: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> O::T<2> {
        let (map, early) = self.maps(ops, image, tap);
        let map = self.head.before_pooling(ops, map);
        self.head.pool(ops, map, early, tap)
    }

    /// `[N, 3, H, W]` -> the trunk's last map, and the map from its middle that the head wants besides, if any (stage 3's
    /// for DELG and feature pyramids); `tap` as in [`Network::forward`]. With the head's own forward pass behind it, either part may
    /// train its batch norms by itself.
    pub fn maps<O: Ops>(
        &self,
        ops: &mut O,
        image: O::T<4>,
        tap: &mut dyn FnMut(&str, &O::T<4>),
    ) -> (O::T<4>, Option<O::T<4>>) {
        let mut early = None;
        let map = self.trunk.forward(ops, image, &mut |name, map| {
            if self.head.wants(name) {
                early = Some(map.clone());
            }
            tap(name, map);
        });
        (map, early)
    }

    /// `[N, 3, H, W]` -> local features and their strengths; none where the head has none
    /// ([`Head::has_local`](crate::Head::has_local)).
    pub fn forward_local<O: Ops>(&self, ops: &mut O, image: O::T<4>) -> Option<LocalMaps<O::T<4>>> {
        let (map, early) = self.maps(ops, image, &mut |_, _| {});
        let map = self.head.before_pooling(ops, map);
        self.head.local(ops, map, early)
    }

    /// The network up to its local features, for pictures of any size: a plan with the outputs [`Network::LOCAL`]
    /// `[N, D, h, w]` and [`Network::STRENGTH`] `[N, 1, h, w]`. Cell (i, j) of the maps lies where
    /// [`Trunk::cells`](crate::Trunk::cells) says.
    ///
    /// # Errors
    /// When a parameter cannot be read from its device, or the head has no local features.
    pub fn record_local(&self) -> Result<Plan, RecordError> {
        let (mut recorder, image) = PlanRecorder::new(3);
        let Some(LocalMaps { features, strengths }) = self.forward_local(&mut recorder, image) else {
            let architecture = self.architecture.to_string();
            return Err(RecordError::NoLocal { architecture });
        };
        recorder.output(Self::LOCAL, features);
        recorder.output(Self::STRENGTH, strengths);
        recorder.finish()
    }

    /// The network as a plan with the output [`DESCRIPTOR`], for pictures of any size.
    ///
    /// # Errors
    /// When a parameter cannot be read from its device, or the head depends on the size of the picture
    /// ([`Head::depends_on_size`](crate::Head::depends_on_size)): then [`Network::record_for`] one size, or [`Network::record_map`].
    pub fn record(&self) -> Result<Plan, RecordError> {
        self.record_with_maps(None, &[])
    }

    /// As [`Network::record`], for pictures of that height and width only.
    ///
    /// # Errors
    /// When a parameter cannot be read from its device, or the size is too small for the network.
    pub fn record_for(&self, size: [usize; 2]) -> Result<Plan, RecordError> {
        self.record_with_maps(Some(size), &[])
    }

    /// The network up to what its head pools, as a plan with the output [`Network::MAP`], for pictures of any size.
    ///
    /// # Errors
    /// When a parameter cannot be read from its device.
    pub fn record_map(&self) -> Result<Plan, RecordError> {
        let (mut recorder, image) = PlanRecorder::new(3);
        let map = self.trunk.forward(&mut recorder, image, &mut |_, _| {});
        let map = self.head.before_pooling(&mut recorder, map);
        recorder.output(Self::MAP, map);
        recorder.finish()
    }

    /// The network as a plan that yields some of the maps on the way as well, under the names that
    /// [`Network::forward`] gives them, before the [`DESCRIPTOR`]; for one size of pictures or any. Names that the
    /// network does not have are left out.
    ///
    /// # Errors
    /// As [`Network::record`] or [`Network::record_for`].
    pub fn record_with_maps(&self, size: Option<[usize; 2]>, names: &[&str]) -> Result<Plan, RecordError> {
        let shortest = self.architecture.shortest_side();
        let only = self.architecture.head().picture_size();
        let (mut recorder, image) = match size.or(only) {
            Some(size) if only.is_some_and(|only| only != size) => {
                let architecture = self.architecture.to_string();
                return Err(RecordError::OtherSize { architecture, size });
            }
            Some(size) if size.iter().any(|side| *side < shortest) => {
                return Err(RecordError::TooSmall { size });
            }
            Some(size) => PlanRecorder::for_size(3, size),
            None => PlanRecorder::new(3),
        };
        let mut maps = Vec::new();
        let descriptor = self.forward(&mut recorder, image, &mut |name, map| {
            if names.contains(&name) {
                maps.push((name.to_owned(), *map));
            }
        });
        for (name, map) in maps {
            recorder.output(&name, map);
        }
        recorder.output(DESCRIPTOR, descriptor);
        recorder.finish()
    }
}

fn advice(fitting: &[String], weights: &Weights<'_>) -> String {
    if !fitting.is_empty() {
        return format!("What would fit: {}.", fitting.join(", "));
    }
    let holds = match (weights.names().next(), weights.names().count()) {
        (None, _) => return "The file holds no tensors.".to_owned(),
        (Some(first), 1) => format!("one tensor, `{first}`"),
        (Some(first), count) => format!("{count} tensors, the first is `{first}`"),
    };
    format!("No architecture that Sightline knows fits the file; it holds {holds}.")
}
