//! An ONNX file as a network: one of our own exports, or somebody else's backbone.

use crate::Error;
use crate::export::ExportFacts;
use sightline_card::sha256_hex;
use sightline_nn::{Architecture, CheckedExecutor};
use sightline_plan::{
    Backbone, DESCRIPTOR, Executor, OnnxHeader, OnnxModel, OnnxValue, OutputPooling, executor_on,
};
use std::path::{Path, PathBuf};

/// Descriptors are not longer than this: a file may say anything.
const LONGEST: usize = 1 << 20;

/// How somebody else's ONNX file is used; a file that Sightline exported needs nothing of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnnxSettings {
    /// The output that descriptors are made of; none: the only one, or the one called `descriptor`.
    pub output: Option<String>,
    /// How that output becomes a descriptor.
    pub pooling: OutputPooling,
}

/// An ONNX file that was looked into; it is read again when it is loaded into a runtime.
pub(crate) struct OnnxNetwork {
    path: PathBuf,
    /// SHA-256 over the file, or over the hashes of it and the files beside it that hold its weights.
    pub(crate) sha256: String,
    /// Height and width of the pictures, where the file fixes both.
    pub(crate) picture_size: Option<[usize; 2]>,
    /// Length of the descriptors, where the file says it.
    pub(crate) dim: Option<usize>,
    /// What Sightline wrote when it exported the file.
    pub(crate) facts: Option<ExportFacts>,
    output: String,
    axes: usize,
    pooling: OutputPooling,
}

impl OnnxNetwork {
    pub(crate) fn open(path: &Path, settings: &OnnxSettings) -> Result<Self, Error> {
        let refused = |reason: String| Error::Onnx {
            path: path.to_owned(),
            reason,
        };
        let model = OnnxModel::read(path)?;
        let header = OnnxHeader::read(&model.bytes).map_err(|error| refused(error.to_string()))?;
        check_input(&header).map_err(refused)?;
        let facts = ExportFacts::of_header(&header).map_err(refused)?;
        let output = choose_output(&header, settings.output.as_deref()).map_err(refused)?;
        let axes = axes_of(output).map_err(refused)?;
        let shape = output.shape.as_deref().unwrap_or_default();
        let said = match axes {
            4 => shape.get(1),
            _ => shape.last(),
        };
        let dim = facts.as_ref().map(|facts| facts.dim).or(said.copied().flatten());
        if let Some(dim) = dim.filter(|dim| *dim > LONGEST) {
            return Err(refused(format!(
                "its descriptors would have {dim} values, where at most {LONGEST} are taken."
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            sha256: hash(&model),
            picture_size: header.picture_size(),
            dim,
            output: output.name.clone(),
            axes,
            pooling: settings.pooling,
            facts,
        })
    }

    /// What a card calls the network: the exported architecture, or `onnx:OUTPUT/POOLING`.
    pub(crate) fn name(&self) -> String {
        match &self.facts {
            Some(facts) => facts.architecture.clone(),
            None => format!("onnx:{}/{}", self.output, self.pooling.name_for(self.axes)),
        }
    }

    /// What becomes of the output, as a sentence; none for our own exports.
    pub(crate) fn remark(&self) -> Option<String> {
        if self.facts.is_some() {
            return None;
        }
        let how = match self.axes {
            3 => format!("tokens, pooled by {}", self.pooling.name_for(3)),
            4 => format!("a map, pooled by {}", self.pooling.name_for(4)),
            _ => "taken as it is".to_owned(),
        };
        Some(format!(
            "Descriptors are made of the output `{}` ({how}), then L2-normalised.",
            self.output
        ))
    }

    pub(crate) fn executor(&self, device: &str, threads: usize) -> Result<Box<dyn Executor>, Error> {
        let mut model = OnnxModel::read(&self.path)?;
        if hash(&model) != self.sha256 {
            return Err(Error::Onnx {
                path: self.path.clone(),
                reason: "it was changed since it was opened. Begin again.".to_owned(),
            });
        }
        model.output = Some(self.output.clone());
        let executor = executor_on(device, model, threads).map_err(|error| Error::Onnx {
            path: self.path.clone(),
            reason: error.to_string(),
        })?;
        Ok(match &self.facts {
            // Our own give descriptors already; another division would change the last bits. What a later version calls its
            // network says nothing of sizes.
            Some(facts) => match Architecture::parse(&facts.architecture) {
                Ok(architecture) => Box::new(CheckedExecutor::new(executor, &architecture)),
                Err(_) => executor,
            },
            None => Box::new(Backbone::new(executor, self.output.as_str(), self.pooling)),
        })
    }
}

fn hash(model: &OnnxModel) -> String {
    let own = sha256_hex(&model.bytes);
    if model.external.is_empty() {
        return own;
    }
    let all: Vec<String> = std::iter::once(own)
        .chain(model.external.iter().map(|(_, content)| sha256_hex(content)))
        .collect();
    sha256_hex(all.join("\n").as_bytes())
}

/// One input that pictures fit.
fn check_input(header: &OnnxHeader) -> Result<(), String> {
    let listed: Vec<String> = header.inputs.iter().map(ToString::to_string).collect();
    let [input] = header.inputs.as_slice() else {
        return Err(format!(
            "it has {} inputs ({}), where a network that takes pictures has one. Export it again so that everything else is \
             a constant.",
            listed.len(),
            listed.join(", ")
        ));
    };
    let fits = match input.shape.as_deref() {
        None => true,
        Some([batch, channels, _, _]) => {
            batch.is_none_or(|batch| batch == 1) && channels.is_none_or(|channels| channels == 3)
        }
        Some(_) => false,
    };
    if fits && input.is_float() {
        return Ok(());
    }
    Err(format!(
        "its input is {input}{}, where pictures are floats [1, 3, H, W]. Export it again with a batch of 1 (or a free one), the \
         channels first, and float32.",
        if input.is_float() { "" } else { ", no floats" }
    ))
}

fn choose_output<'a>(header: &'a OnnxHeader, wanted: Option<&str>) -> Result<&'a OnnxValue, String> {
    let listed: Vec<String> = header.outputs.iter().map(ToString::to_string).collect();
    let listed = listed.join(", ");
    let named = |name: &str| header.outputs.iter().find(|output| output.name == name);
    match (wanted, header.outputs.as_slice()) {
        (_, []) => Err("it has no outputs.".to_owned()),
        (Some(name), _) => named(name).ok_or_else(|| {
            format!("it has no output `{name}`; it has {listed}. Name one of them with --model-output.")
        }),
        (None, [only]) => Ok(only),
        (None, _) => named(DESCRIPTOR).ok_or_else(|| {
            format!("it has several outputs: {listed}. Name the one that describes the picture with --model-output.")
        }),
    }
}

/// Number of axes of an output that a descriptor can be made of.
fn axes_of(output: &OnnxValue) -> Result<usize, String> {
    let Some(shape) = &output.shape else {
        return Err(format!(
            "it does not say how many axes its output `{}` has. Run onnx.shape_inference.infer_shapes over it.",
            output.name
        ));
    };
    if output.is_float() && matches!(shape.len(), 2..=4) {
        return Ok(shape.len());
    }
    Err(format!(
        "no descriptor can be made of its output {output}{}: it takes floats [1, D], tokens [1, T, C] or a map [1, C, H, W]. \
         Name another output with --model-output.",
        if output.is_float() { "" } else { " (no floats)" }
    ))
}
