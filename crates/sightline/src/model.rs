//! A network with its weights, and what their file says of how to use them.

use crate::Error;
use sightline_checkpoint::recognise::{Preprocess, Project, Recognised, WhiteningParams, recognise_file};
use sightline_nn::{Architecture, BurnExecutor, Head, HeadExecutor, Network, PoolingKind, Weights};
use sightline_plan::{Executor, RtenExecutor};
use std::path::{Path, PathBuf};

/// A network with its weights.
pub struct Model {
    /// What the weights are called in messages: the file, or `seeded`.
    pub source: PathBuf,
    /// The recipe of the project that the checkpoint comes from, if it is known.
    pub recipe: Option<&'static str>,
    /// Mean, standard deviation and input size, where the checkpoint says them.
    pub preprocess: Option<Preprocess>,
    /// Whitenings that the checkpoint holds, by name.
    pub whitenings: Vec<(String, WhiteningParams)>,
    /// SHA-256 of the weight file.
    pub weights_sha256: String,
    /// The seed of weights that no file holds.
    pub seed: Option<u64>,
    network: Network,
    /// The power of a GeM pooling with one power.
    gem_power: Option<f32>,
}

impl Model {
    /// Opens a checkpoint. `architecture` is needed where the file does not say which network it holds, and wins where it does.
    ///
    /// # Errors
    /// When the file cannot be read or is refused, holds no weights, or does not fit the architecture; the error names the
    /// first missing or misshapen tensor and what would fit.
    pub fn open(path: impl AsRef<Path>, architecture: Option<&str>) -> Result<Self, Error> {
        let path = path.as_ref();
        // A wrong name is found before a large file is read.
        let named = architecture.map(Architecture::parse).transpose()?;
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
        let network =
            Network::load(&architecture, &Weights::from_state_dict(&found.state_dict)).map_err(|source| {
                Error::Load {
                    path: path.to_owned(),
                    source,
                }
            })?;
        let weights_sha256 = sightline_card::sha256_file(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            source: path.to_owned(),
            recipe: recipe_of(found.project),
            gem_power: gem_power(&architecture, &found),
            preprocess: found.preprocess,
            whitenings: found.whitenings,
            weights_sha256,
            seed: None,
            network,
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
            recipe: None,
            gem_power: power_of_kind(&architecture),
            preprocess: None,
            whitenings: Vec::new(),
            weights_sha256: sightline_card::sha256_hex(format!("seeded {architecture} {seed}").as_bytes()),
            seed: Some(seed),
            network,
        })
    }

    /// The network itself.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The architecture, with the sizes that the weights decided.
    pub fn architecture(&self) -> &Architecture {
        self.network.architecture()
    }

    /// The exponent by which cirtorch pools descriptors over several scales: the GeM power of GeM networks without regions
    /// and without a whitening layer, else 1.
    pub fn multiscale_power(&self) -> f64 {
        let plain = match &self.architecture().head {
            Head::Cirtorch(head) => !head.whitening && head.regional.is_none(),
            _ => true,
        };
        match self.gem_power {
            Some(power) if plain => f64::from(power),
            _ => 1.0,
        }
    }

    /// Something that runs the network: `cpu` (the recorded plan, with `threads` threads; where the head pools over regions,
    /// the plan up to the head and the head itself), `burn` (the network itself on the CPU), `cuda`, `cuda:1`, `wgpu`.
    ///
    /// # Errors
    /// When this build lacks the device, or the runtime refuses the network.
    pub fn executor(&self, device: &str, threads: usize) -> Result<Box<dyn Executor>, Error> {
        if device == "cpu" {
            if !self.architecture().head.depends_on_size() {
                return Ok(Box::new(RtenExecutor::new(&self.network.record()?, threads)?));
            }
            let map = RtenExecutor::new(&self.network.record_map()?, threads)?;
            return Ok(Box::new(HeadExecutor::new(Box::new(map), &self.network)));
        }
        let device = sightline_nn::device(if device == "burn" { "cpu" } else { device })?;
        Ok(Box::new(BurnExecutor::new(self.network.on(&device), &device)))
    }
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
        Project::Csa | Project::Torchvision | Project::Unknown => None,
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
        Some(Ok(values)) if values.len() == 1 => Some(values[0]),
        _ => Some(of_kind),
    }
}

fn power_of_kind(architecture: &Architecture) -> Option<f32> {
    match &architecture.head {
        Head::Pooled(PoolingKind::Gem { p }) => Some(*p),
        Head::Cirtorch(head) => match head.pooling {
            PoolingKind::Gem { p } => Some(p),
            _ => None,
        },
        _ => None,
    }
}
