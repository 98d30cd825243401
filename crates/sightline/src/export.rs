//! Networks as ONNX files, with what a card needs to know of them, and checking such a file by running it.

use crate::{Error, Model};
use serde::{Deserialize, Serialize};
use sightline_checkpoint::formula;
use sightline_checkpoint::recognise::Preprocess;
use sightline_nn::Head;
use sightline_plan::{Executor, OnnxHeader, RtenExecutor, Runtime, Tensor};

/// Name of the metadata text (`metadata_props`) that holds [`ExportFacts`] as JSON.
const KEY: &str = "sightline";
/// Version of that JSON.
const FORMAT_VERSION: u32 = 1;

/// What an exported file says of itself, so that using it needs no options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExportFacts {
    /// Version of this JSON form, 1.
    pub(crate) format_version: u32,
    /// The network's name, such as `resnet101/dir-gem`.
    pub(crate) architecture: String,
    /// Whose checkpoint it was, where that is known.
    pub(crate) project: Option<String>,
    /// The recipe of that project.
    pub(crate) recipe: Option<String>,
    /// Mean and deviation that the checkpoint asked for.
    pub(crate) preprocess: Option<Preprocess>,
    /// Length of the descriptor.
    pub(crate) dim: usize,
    /// Whether descriptors come out with length 1 (a classifier's scores do not).
    pub(crate) normalised: bool,
    /// Exponent by which cirtorch pools its descriptors over several scales.
    pub(crate) multiscale_power: f64,
    /// SHA-256 of the weight file that was exported.
    pub(crate) weights: String,
    /// The seed of weights that no file held.
    pub(crate) seed: Option<u64>,
}

impl ExportFacts {
    /// What the file says; none where Sightline did not write it.
    pub(crate) fn of_header(header: &OnnxHeader) -> Result<Option<Self>, String> {
        let Some(text) = header.metadata(KEY) else {
            return Ok(None);
        };
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let unreadable = |error: serde_json::Error| {
            format!("what Sightline wrote of it cannot be read ({error}). Export it again.")
        };
        let version: Version = serde_json::from_str(text).map_err(unreadable)?;
        if version.format_version > FORMAT_VERSION {
            return Err(format!(
                "it was exported with metadata of version {}, and this program knows versions up to {FORMAT_VERSION}. Use a \
                 newer Sightline.",
                version.format_version
            ));
        }
        serde_json::from_str(text).map(Some).map_err(unreadable)
    }
}

/// What came of running an exported file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExportCheck {
    /// Height and width of the picture.
    pub picture: [usize; 2],
    /// The runtime that ran the file.
    pub runtime: String,
    /// Largest difference of a value to the network in Burn, and that network's largest value.
    pub largest_difference: f32,
    /// Largest value, without its sign, of the network's descriptor.
    pub largest_value: f32,
    /// Cosine between the two descriptors.
    pub cosine: f64,
}

impl ExportCheck {
    /// What a file computed, `got`, beside what the network did, on an input of that height and width.
    pub(crate) fn compare(input: [usize; 2], runtime: &Runtime, got: &[f32], want: &[f32]) -> Self {
        let pairs = || got.iter().zip(want).map(|(got, want)| (*got, *want));
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let largest = |values: &mut dyn Iterator<Item = f32>| {
            // `max` drops a NaN, but what is no number must show.
            values.fold(0.0_f32, |most, value| {
                if value > most || value.is_nan() {
                    value
                } else {
                    most
                }
            })
        };
        Self {
            picture: input,
            runtime: format!("{} {}", runtime.name, runtime.version),
            largest_difference: largest(&mut pairs().map(|(got, want)| (got - want).abs())),
            largest_value: largest(&mut want.iter().map(|want| want.abs())),
            cosine: dot(got, want) / (dot(got, got) * dot(want, want)).sqrt(),
        }
    }

    /// Whether the file computes what the network does, up to the rounding of float32.
    pub fn agrees(&self) -> bool {
        self.largest_difference <= 1e-3 * self.largest_value && self.cosine > 1.0 - 1e-6
    }
}

impl Model {
    /// The network as the bytes of an ONNX file, for pictures of any size or of one height and width.
    ///
    /// # Errors
    /// When the network's file is ONNX already, or the network cannot be recorded so.
    pub fn to_onnx(&self, size: Option<[usize; 2]>) -> Result<Vec<u8>, Error> {
        let Some(network) = self.network() else {
            return Err(Error::Onnx {
                path: self.source.clone(),
                reason: "it is an ONNX file already.".to_owned(),
            });
        };
        let architecture = network.architecture();
        if size.is_none() && architecture.head().depends_on_size() {
            return Err(Error::Onnx {
                path: self.source.clone(),
                reason: format!(
                    "{architecture} pools over regions that depend on the size of the picture, so it is exported for one height \
                     and width: add --input-size, such as --input-size 384x512."
                ),
            });
        }
        let facts = ExportFacts {
            format_version: FORMAT_VERSION,
            architecture: architecture.to_string(),
            project: self.project.clone(),
            recipe: self.recipe.clone(),
            preprocess: self.preprocess.clone(),
            dim: architecture.dim(),
            normalised: !matches!(architecture.head(), Head::Classifier { .. } | Head::Reference(_)),
            multiscale_power: self.multiscale_power(),
            weights: self.weights_sha256.clone(),
            seed: self.seed,
        };
        let text = serde_json::to_string(&facts).map_err(|error| Error::Onnx {
            path: self.source.clone(),
            reason: format!("what is known of it cannot be written ({error})."),
        })?;
        let plan = match size {
            Some(size) => network.record_for(size)?,
            None => network.record()?,
        };
        Ok(plan.to_onnx_with(&[(KEY.to_owned(), text)]))
    }

    /// Runs an exported file through `rten` and the network itself through Burn on a picture made by formula, of height
    /// and width `size`.
    ///
    /// # Errors
    /// When one of them cannot be run.
    pub fn check_export(
        &self,
        file: Vec<u8>,
        size: [usize; 2],
        threads: usize,
    ) -> Result<ExportCheck, Error> {
        let mut exported = RtenExecutor::from_onnx(file, threads)?;
        let runtime = exported.describe();
        let picture = formula_picture(size);
        let got = self.descriptor_of(&mut exported, &picture)?;
        let want = self.descriptor_of(self.executor("burn", threads)?.as_mut(), &picture)?;
        Ok(ExportCheck::compare(size, &runtime, &got, &want))
    }

    fn descriptor_of(&self, executor: &mut dyn Executor, picture: &Tensor) -> Result<Vec<f32>, Error> {
        let outputs = executor.run(picture).map_err(|error| Error::Onnx {
            path: self.source.clone(),
            reason: error.to_string(),
        })?;
        Ok(outputs
            .into_iter()
            .next()
            .map(|(_, tensor)| tensor.data)
            .unwrap_or_default())
    }
}

/// 1.5 u, as the pictures of the golden cases.
fn formula_picture([height, width]: [usize; 2]) -> Tensor {
    let values = formula::uniform("image", 0, 3 * height * width);
    Tensor {
        shape: vec![1, 3, height, width],
        data: values.into_iter().map(|u| (1.5 * u) as f32).collect(),
    }
}
