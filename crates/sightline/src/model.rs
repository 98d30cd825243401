//! A network with its weights, and what their file says of how to use them.

use crate::Error;
use crate::export::ExportFacts;
use crate::onnx_network::{OnnxNetwork, OnnxSettings};
use sightline_checkpoint::recognise::{Preprocess, Project, Recognised, WhiteningParams, recognise_file};
use sightline_local::CellGrid;
use sightline_nn::{
    Architecture, BurnExecutor, CheckedExecutor, Device, DeviceError, Head, HeadExecutor, Network,
    PoolingKind, Weights,
};
use sightline_plan::{Executor, executor_on, is_onnx_device};
use std::path::{Path, PathBuf};

/// A network with its weights: one of ours, or an ONNX file.
pub struct Model {
    /// What the weights are called in messages: the file, or `seeded`.
    pub source: PathBuf,
    /// The recipe of the project that the checkpoint comes from, if it is known.
    pub recipe: Option<String>,
    /// That project.
    pub project: Option<String>,
    /// Mean, standard deviation and input size, where the checkpoint says them.
    pub preprocess: Option<Preprocess>,
    /// Whitenings that the checkpoint holds, by name.
    pub whitenings: Vec<(String, WhiteningParams)>,
    /// SHA-256 of the weight file.
    pub weights_sha256: String,
    /// SHA-256 of the weight file that an ONNX file was exported from.
    pub exported_from: Option<String>,
    /// The seed of weights that no file holds.
    pub seed: Option<u64>,
    /// Names of the tensors of the head that were made of that seed because the file lacks them.
    pub seeded_tensors: Vec<String>,
    kind: Kind,
}

enum Kind {
    Network {
        network: Box<Network>,
        /// The power of a GeM pooling with one power.
        gem_power: Option<f32>,
    },
    Onnx(Box<OnnxNetwork>),
}

impl Model {
    /// Opens a checkpoint, or an ONNX file (by its ending) with default settings. `architecture` is needed where a
    /// checkpoint does not say which network it holds, and wins where it does.
    ///
    /// # Errors
    /// When the file cannot be read or is refused, holds no weights, or does not fit the architecture; the error names the
    /// first missing or misshapen tensor and what would fit.
    pub fn open(path: impl AsRef<Path>, architecture: Option<&str>) -> Result<Self, Error> {
        let path = path.as_ref();
        if is_onnx_path(path) {
            return Self::open_onnx(path, &OnnxSettings::default());
        }
        // A wrong name is found before a large file is read.
        let named = architecture.map(Architecture::parse).transpose()?;
        Self::open_checkpoint(path, named, None)
    }

    /// Opens a checkpoint that holds a trunk and not, or not all of, the head that `architecture` names: what is missing
    /// of the head is made of a seed, so it has learned nothing. The trunk may have any known project's names.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn open_with_seeded_head(
        path: impl AsRef<Path>,
        architecture: &str,
        seed: u64,
    ) -> Result<Self, Error> {
        let named = Architecture::parse(architecture)?;
        Self::open_checkpoint(path.as_ref(), Some(named), Some(seed))
    }

    fn open_checkpoint(
        path: &Path,
        named: Option<Architecture>,
        head_seed: Option<u64>,
    ) -> Result<Self, Error> {
        let file = sightline_checkpoint::read(path)?;
        let found = recognise_file(&file);
        if found.state_dict.is_empty() {
            return Err(Error::NoWeights {
                path: path.to_owned(),
                what: file.kind.describe(),
            });
        }
        let architecture = match named {
            Some(architecture) => architecture,
            None => Architecture::of_checkpoint(&found).map_err(|source| Error::ArchitectureUnknown {
                path: path.to_owned(),
                source,
            })?,
        };
        let weights = Weights::from_state_dict(&found.state_dict);
        let (weights, seeded_tensors) = match head_seed {
            Some(seed) => weights.with_seeded_head(&architecture, seed),
            None => (weights, Vec::new()),
        };
        let network = Network::load(&architecture, &weights).map_err(|source| Error::Load {
            path: path.to_owned(),
            source,
        })?;
        let weights_sha256 = sightline_card::sha256_file(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            source: path.to_owned(),
            recipe: recipe_of(found.project)
                .or_else(|| recipe_of_head(architecture.head()))
                .map(str::to_owned),
            project: (found.project != Project::Unknown).then(|| found.project.name().to_owned()),
            kind: Kind::Network {
                gem_power: gem_power(&architecture, &found),
                network: Box::new(network),
            },
            preprocess: found.preprocess,
            whitenings: found.whitenings,
            weights_sha256,
            exported_from: None,
            seed: head_seed.filter(|_| !seeded_tensors.is_empty()),
            seeded_tensors,
        })
    }

    /// Opens an ONNX file: a network that Sightline exported, which says all that is needed itself, or somebody else's
    /// backbone, one output of which becomes the descriptor.
    ///
    /// # Errors
    /// When the file cannot be read, takes no pictures, or no descriptor can be made of its output.
    pub fn open_onnx(path: impl AsRef<Path>, settings: &OnnxSettings) -> Result<Self, Error> {
        let path = path.as_ref();
        let onnx = OnnxNetwork::open(path, settings)?;
        let facts = onnx.facts.clone();
        let said = |fact: fn(ExportFacts) -> Option<String>| facts.clone().and_then(fact);
        Ok(Self {
            source: path.to_owned(),
            recipe: said(|facts| facts.recipe),
            project: said(|facts| facts.project),
            exported_from: said(|facts| Some(facts.weights)),
            seed: facts.as_ref().and_then(|facts| facts.seed),
            seeded_tensors: Vec::new(),
            preprocess: facts.and_then(|facts| facts.preprocess),
            whitenings: Vec::new(),
            weights_sha256: onnx.sha256.clone(),
            kind: Kind::Onnx(Box::new(onnx)),
        })
    }

    /// A network whose weights come from a formula and a seed: it knows nothing, and says the same everywhere.
    ///
    /// # Errors
    /// When no network has that name.
    pub fn seeded(architecture: &str, seed: u64) -> Result<Self, Error> {
        let architecture = Architecture::parse(architecture)?;
        let network =
            Network::load(&architecture, &Weights::by_formula(&architecture, seed)).map_err(|source| {
                Error::Load {
                    path: "seeded".into(),
                    source,
                }
            })?;
        Ok(Self {
            source: "seeded".into(),
            recipe: recipe_of_head(architecture.head()).map(str::to_owned),
            project: None,
            exported_from: None,
            kind: Kind::Network {
                network: Box::new(network),
                gem_power: power_of_kind(&architecture),
            },
            preprocess: None,
            whitenings: Vec::new(),
            weights_sha256: sightline_card::sha256_hex(format!("seeded {architecture} {seed}").as_bytes()),
            seed: Some(seed),
            seeded_tensors: Vec::new(),
        })
    }

    /// The network itself; none for an ONNX file.
    pub fn network(&self) -> Option<&Network> {
        match &self.kind {
            Kind::Network { network, .. } => Some(network),
            Kind::Onnx(_) => None,
        }
    }

    /// What a card calls the network: the architecture with the sizes that the weights decided, or `onnx:OUTPUT/POOLING`.
    pub fn architecture(&self) -> String {
        match &self.kind {
            Kind::Network { network, .. } => network.architecture().to_string(),
            Kind::Onnx(onnx) => onnx.name(),
        }
    }

    /// Length of the descriptors; none where an ONNX file does not say it.
    pub fn dim(&self) -> Option<usize> {
        match &self.kind {
            Kind::Network { network, .. } => Some(network.architecture().dim()),
            Kind::Onnx(onnx) => onnx.dim,
        }
    }

    /// Height and width of the only pictures that it takes, where its file fixes them.
    pub fn picture_size(&self) -> Option<[usize; 2]> {
        match &self.kind {
            Kind::Network { network, .. } => network.architecture().head().picture_size(),
            Kind::Onnx(onnx) => onnx.picture_size,
        }
    }

    /// Something that its user should know, as sentences.
    pub fn remark(&self) -> Option<String> {
        match &self.kind {
            Kind::Network { network, .. } => {
                let unknown = &network.unused().unknown;
                let first = unknown.first()?;
                Some(format!(
                    "{} of {}'s tensors belong to nothing in {} and are not used, the first is `{first}`",
                    unknown.len(),
                    self.source.display(),
                    network.architecture()
                ))
            }
            Kind::Onnx(onnx) => onnx.remark(),
        }
    }

    /// Whether its descriptors over several scales are HOW's sums of local features.
    pub(crate) fn adds_local_features(&self) -> bool {
        match &self.kind {
            Kind::Network { network, .. } => matches!(network.architecture().head(), Head::How(_)),
            Kind::Onnx(onnx) => {
                let architecture = onnx
                    .facts
                    .as_ref()
                    .map(|facts| Architecture::parse(&facts.architecture));
                architecture
                    .is_some_and(|found| found.is_ok_and(|found| matches!(found.head(), Head::How(_))))
            }
        }
    }

    /// The exponent by which cirtorch pools descriptors over several scales: the GeM power of GeM networks without regions
    /// and without a whitening layer, else 1.
    pub fn multiscale_power(&self) -> f64 {
        match &self.kind {
            Kind::Network { network, gem_power } => {
                let plain = match network.architecture().head() {
                    Head::Cirtorch(head) => !head.whitening && head.regional.is_none(),
                    _ => true,
                };
                gem_power.filter(|_| plain).map_or(1.0, f64::from)
            }
            Kind::Onnx(onnx) => onnx.facts.as_ref().map_or(1.0, |facts| facts.multiscale_power),
        }
    }

    /// Length of its local features; none where it has none.
    pub fn local_dim(&self) -> Option<usize> {
        let architecture = self.network()?.architecture();
        architecture.head().local_dim(architecture.trunk().channels())
    }

    /// Something that yields the network's local features and their strengths ([`Network::LOCAL`], [`Network::STRENGTH`]), and
    /// where they lie in the picture. Devices are those of [`Model::executor`].
    ///
    /// # Errors
    /// When the model has no local features, this build lacks the device, or the runtime refuses the network.
    pub fn local_executor(
        &self,
        device: &str,
        threads: usize,
    ) -> Result<(Box<dyn Executor>, CellGrid), Error> {
        let Some(network) = self.network() else {
            return Err(Error::NoLocal {
                architecture: self.architecture(),
            });
        };
        let cells = network.architecture().trunk().cells();
        let grid = CellGrid {
            stride: cells.stride as f32,
            offset: cells.offset,
        };
        if is_onnx_device(device) {
            let plan = network.record_local()?.to_onnx();
            let executor = executor_on(device, plan, threads)?;
            let checked = CheckedExecutor::new(executor, network.architecture());
            return Ok((Box::new(checked), grid));
        }
        let device = burn_device(device)?;
        let executor = BurnExecutor::local(network.on(&device), &device)?;
        Ok((Box::new(executor), grid))
    }

    /// Something that runs the network: `cpu` (the recorded plan, with `threads` threads; where the head pools over regions,
    /// the plan up to the head and the head itself), `burn` (the network itself on the CPU), `cuda`, `cuda:1`, `wgpu`;
    /// `ort`, `ort-cuda`, `ort-cuda:1` (as `cpu`, the plan through ONNX Runtime). ONNX files run on `cpu` and the `ort`
    /// devices.
    ///
    /// # Errors
    /// When this build lacks the device, or the runtime refuses the network.
    pub fn executor(&self, device: &str, threads: usize) -> Result<Box<dyn Executor>, Error> {
        let network = match &self.kind {
            Kind::Onnx(onnx) => return onnx.executor(device, threads),
            Kind::Network { network, .. } => network,
        };
        if is_onnx_device(device) {
            let architecture = network.architecture();
            let executor = if architecture.head().depends_on_size() {
                let map = executor_on(device, network.record_map()?.to_onnx(), threads)?;
                Box::new(HeadExecutor::new(map, network))
            } else {
                executor_on(device, network.record()?.to_onnx(), threads)?
            };
            return Ok(Box::new(CheckedExecutor::new(executor, architecture)));
        }
        let device = burn_device(device)?;
        Ok(Box::new(BurnExecutor::new(network.on(&device), &device)))
    }
}

/// The device that Burn runs on; `burn` is its CPU.
pub(crate) fn burn_device(name: &str) -> Result<Device, DeviceError> {
    sightline_nn::device(if name == "burn" { "cpu" } else { name })
}

/// Whether a file is taken for ONNX, by its ending.
pub fn is_onnx_path(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"))
}

/// The recipe of a project: how it prepares pictures.
fn recipe_of(project: Project) -> Option<&'static str> {
    match project {
        Project::Dirtorch => Some("dirtorch"),
        Project::Cirtorch => Some("cirtorch"),
        Project::Solar => Some("solar"),
        Project::Token => Some("token"),
        Project::How => Some("how"),
        Project::Delg => Some("delg"),
        Project::Superglobal => Some("superglobal"),
        Project::Netvlad => Some("netvlad"),
        Project::Cgd => Some("cgd"),
        Project::CgdTf => Some("cgd-tf"),
        Project::Csa | Project::Torchvision | Project::Unknown => None,
    }
}

/// The recipe of the project whose network has that head and whose pictures no other recipe prepares, for files that do
/// not say whose they are.
fn recipe_of_head(head: &Head) -> Option<&'static str> {
    match head {
        Head::Delg(_) | Head::Delf => Some("delg"),
        Head::SuperGlobal(_) => Some("superglobal"),
        _ => None,
    }
}

/// The learned power of the one GeM pooling of cirtorch's and of plain networks.
fn gem_power(architecture: &Architecture, found: &Recognised) -> Option<f32> {
    let of_kind = power_of_kind(architecture)?;
    let held = found
        .state_dict
        .iter()
        .find(|(name, _)| name == "pool.p")
        .map(|(_, tensor)| tensor.to_f32());
    match held {
        Some(Ok(values)) if values.len() == 1 && learned(architecture) => Some(values[0]),
        _ => Some(of_kind),
    }
}

fn power_of_kind(architecture: &Architecture) -> Option<f32> {
    pooling_kind(architecture)?.one_power()
}

/// Whether the power is that of the file, not SuperGlobal's GeM+.
fn learned(architecture: &Architecture) -> bool {
    pooling_kind(architecture).is_some_and(|pooling| pooling.changes().gemp.is_none())
}

/// The one pooling of cirtorch's and of plain networks.
fn pooling_kind(architecture: &Architecture) -> Option<PoolingKind> {
    match architecture.head() {
        Head::Pooled(pooling) => Some(*pooling),
        Head::Cirtorch(head) => Some(head.pooling),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use sightline_plan::Tensor;

    #[test]
    fn networks_with_regions_run_on_pictures_of_any_size() {
        for name in ["resnet18:layer1/rmac", "resnet18:layer1/cir-gem-r-w"] {
            let model = Model::seeded(name, 1).unwrap();
            let mut plan = model.executor("cpu", 2).unwrap();
            let mut burn = model.executor("burn", 2).unwrap();
            for [height, width] in [[40, 70], [70, 40], [3, 90]] {
                let count = 2 * 3 * height * width;
                let values = (0..count).map(|index| (index % 17) as f32 / 8.0 - 1.0).collect();
                let pictures = Tensor::new(&[2, 3, height, width], values).unwrap();
                let (by_plan, by_burn) = (plan.run(&pictures).unwrap(), burn.run(&pictures).unwrap());
                assert_eq!(by_plan[0].1.shape, [2, 64]);
                for (a, b) in by_plan[0].1.data.iter().zip(&by_burn[0].1.data) {
                    assert!((a - b).abs() < 2e-6, "{name} {height}x{width}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn pictures_too_small_for_the_network_are_refused_alike_on_every_device() {
        let folder = tempfile::tempdir().unwrap();
        for (name, shortest) in [
            ("resnet18:layer1/gem-rgem", 9),
            ("resnet18:layer1/cir-gem-w-rgem", 9),
            ("vgg11/mac", 16),
            ("squeezenet1_0/rmac", 21),
        ] {
            let model = Model::seeded(name, 1).unwrap();
            let mut executors = vec![
                model.executor("cpu", 1).unwrap(),
                model.executor("burn", 1).unwrap(),
            ];
            if let Ok(file) = model.to_onnx(None) {
                let path = folder.path().join("network.onnx");
                std::fs::write(&path, file).unwrap();
                let exported = Model::open(&path, None).unwrap();
                executors.push(exported.executor("cpu", 1).unwrap());
            }
            for executor in &mut executors {
                let mut run = |height: usize, width: usize| {
                    let values = vec![0.5; 3 * height * width];
                    executor.run(&Tensor::new(&[1, 3, height, width], values).unwrap())
                };
                assert!(run(shortest, 40).is_ok(), "{name}");
                let (side, least) = (shortest - 1, format!("{shortest} x {shortest}"));
                assert_eq!(
                    run(40, side).unwrap_err().to_string(),
                    format!(
                        "The network cannot run on a tensor of shape [1, 3, 40, {side}]: {name} needs pictures of at least {least} \
                         pixels at every scale."
                    )
                );
            }
        }
    }

    #[test]
    fn scales_are_pooled_with_the_power_of_plain_networks_only() {
        for (name, power) in [
            ("resnet18:layer1/cir-gem-p2.5", 2.5),
            ("resnet18:layer1/cir-gem-lw-p2.5", 2.5),
            ("resnet18:layer1/cir-gem-w-p2.5", 1.0),
            ("resnet18:layer1/cir-gem-r-p2.5", 1.0),
            ("resnet18:layer1/cir-gemmp", 1.0),
            ("resnet18:layer1/cir-rmac", 1.0),
        ] {
            assert_eq!(
                Model::seeded(name, 1).unwrap().multiscale_power(),
                power,
                "{name}"
            );
        }
    }
}
