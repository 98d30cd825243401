//! CSA's re-ranking network with its weights: as a stage of re-ranking, and as an ONNX file.

use crate::Error;
use crate::export::ExportCheck;
use crate::model::burn_device;
use sightline_checkpoint::formula;
use sightline_checkpoint::recognise::recognise_file;
use sightline_nn::{Csa as Network, CsaExecutor, CsaSizes, Weights};
use sightline_plan::{Executor, RtenExecutor, Tensor, executor_on, is_onnx_device, plan_executor};
use sightline_rerank::{Csa, CsaSettings};
use std::path::{Path, PathBuf};

/// Opens the checkpoint of those settings into a stage of re-ranking that runs on a device of [`CsaModel::executor`].
///
/// # Errors
/// When the file cannot be read, is no checkpoint of CSA, has another number of anchors than `l`, or cannot run on the device.
pub fn csa(settings: &CsaSettings, device: &str, threads: usize) -> Result<Csa, Error> {
    let model = CsaModel::open(&settings.weights, settings.heads)?;
    let anchors = model.network.sizes().anchors;
    match settings.l {
        Some(l) if l != anchors => Err(Error::CsaAnchors {
            path: model.source,
            anchors,
            l,
        }),
        _ => model.stage(settings.k, device, threads),
    }
}

/// CSA's network with its weights.
pub struct CsaModel {
    /// What the weights are called in messages: the file, or `seeded`.
    pub source: PathBuf,
    /// SHA-256 of the weight file.
    pub weights_sha256: String,
    /// The network, on the CPU.
    pub network: Network,
}

impl CsaModel {
    /// Opens a checkpoint (`epoch`, `state_dict`), or what `model convert` made of one. Without `heads` the attention has one head for
    /// each 64 channels, as published.
    ///
    /// # Errors
    /// When the file cannot be read, holds another network, or sizes that no CSA network has.
    pub fn open(path: impl AsRef<Path>, heads: Option<usize>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = sightline_checkpoint::read(path)?;
        let found = recognise_file(&file);
        if found.state_dict.is_empty() {
            return Err(Error::NoWeights {
                path: path.to_owned(),
                what: file.kind.describe(),
            });
        }
        let weights = Weights::from_state_dict(&found.state_dict);
        let network = Network::load(&weights, heads).map_err(|source| Error::Csa {
            path: path.to_owned(),
            source,
        })?;
        let weights_sha256 = sightline_card::sha256_file(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            source: path.to_owned(),
            weights_sha256,
            network,
        })
    }

    /// A network whose weights come from a formula and a seed: it has learned nothing, and says the same everywhere.
    ///
    /// # Errors
    /// When the heads do not divide the width.
    pub fn seeded(sizes: CsaSizes, seed: u64) -> Result<Self, Error> {
        let source = PathBuf::from("seeded");
        let network = match Network::load(&Weights::for_csa(sizes, seed), Some(sizes.heads)) {
            Ok(network) => network,
            Err(error) => {
                return Err(Error::Csa {
                    path: source,
                    source: error,
                });
            }
        };
        let text = format!("seeded {sizes:?} {seed}");
        Ok(Self {
            source,
            weights_sha256: sightline_card::sha256_hex(text.as_bytes()),
            network,
        })
    }

    /// Re-ranking of the first `k` answers.
    ///
    /// # Errors
    /// As [`CsaModel::executor`].
    pub fn stage(&self, k: usize, device: &str, threads: usize) -> Result<Csa, Error> {
        let sizes = self.network.sizes();
        Ok(Csa {
            network: self.executor(device, threads)?,
            k,
            l: sizes.anchors,
            batch: Csa::BATCH,
            weights: serde_json::json!({
                "file": self.source.display().to_string(),
                "sha256": self.weights_sha256,
                "heads": sizes.heads,
            }),
        })
    }

    /// Something that runs the network on affinities `[N, L, T, 1]`: `cpu` (the recorded plan, with `threads` threads), `burn` (the
    /// network itself on the CPU), `cuda`, `cuda:1`, `wgpu`; `ort`, `ort-cuda`, `ort-cuda:1` (the plan through ONNX Runtime).
    ///
    /// # Errors
    /// When this build lacks the device, or the runtime refuses the network.
    pub fn executor(&self, device: &str, threads: usize) -> Result<Box<dyn Executor>, Error> {
        if device == "cpu" {
            return Ok(plan_executor(&self.network.record()?, threads)?);
        }
        if is_onnx_device(device) {
            return Ok(executor_on(device, self.to_onnx(None)?, threads)?);
        }
        let device = burn_device(device)?;
        Ok(Box::new(CsaExecutor::new(self.network.on(&device), &device)))
    }

    /// The network as the bytes of an ONNX file, for any number of candidates or for `k` of them (k + 1 tokens); its input
    /// `affinity` is `[N, L, T, 1]`, its output `scores` `[N, T - 1]`.
    ///
    /// # Errors
    /// When the network cannot be recorded.
    pub fn to_onnx(&self, k: Option<usize>) -> Result<Vec<u8>, Error> {
        let plan = self.network.record_with_tokens(k.map(|k| k + 1), &[])?;
        let facts = [
            ("architecture", "csa".to_owned()),
            ("heads", self.network.sizes().heads.to_string()),
            ("weights", self.weights_sha256.clone()),
        ];
        Ok(plan.to_onnx_with(&facts.map(|(name, value)| (format!("sightline.{name}"), value))))
    }

    /// Runs an exported file through `rten` and the network itself through Burn on affinities made by formula, of `k` candidates.
    ///
    /// # Errors
    /// When one of them cannot be run.
    pub fn check_export(&self, file: Vec<u8>, k: usize, threads: usize) -> Result<ExportCheck, Error> {
        let (anchors, tokens) = (self.network.sizes().anchors, k + 1);
        let affinity = Tensor {
            shape: vec![1, anchors, tokens, 1],
            data: formula::uniform("affinity", 0, anchors * tokens)
                .into_iter()
                .map(|u| u as f32)
                .collect(),
        };
        let mut exported = RtenExecutor::from_onnx(file, threads)?;
        let mut network = self.executor("burn", threads)?;
        let run = |executor: &mut dyn Executor| {
            let outputs = executor.run(&affinity).map_err(|error| Error::Network {
                reason: error.to_string(),
            })?;
            let scores = outputs.into_iter().next().map(|(_, scores)| scores.data);
            Ok::<_, Error>(scores.unwrap_or_default())
        };
        let (got, want) = (run(&mut exported)?, run(network.as_mut())?);
        Ok(ExportCheck::compare(
            [tokens, 1],
            &exported.describe(),
            &got,
            &want,
        ))
    }
}
