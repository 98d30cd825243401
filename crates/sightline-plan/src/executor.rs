//! What extraction sees of a network: a batch of pictures in, the named outputs out.

use crate::Tensor;

/// Runs a network on batches of pictures.
pub trait Executor: Send {
    /// Runs `input` `[N, C, H, W]`; yields the outputs by name, each `[N, ...]`, in a fixed order.
    ///
    /// The same picture gives the same bytes whatever else is in the batch and however many threads run.
    ///
    /// # Errors
    /// When the input does not fit the network, or the runtime fails.
    fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError>;

    /// What runs the network, for the card's circumstances.
    fn describe(&self) -> Runtime;
}

/// What runs a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Name of the runtime, such as `rten`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Arithmetic of the activations, such as `f32`.
    pub precision: String,
    /// Where it runs, such as `cpu`.
    pub device: String,
}

/// Why a network could not be loaded into a runtime.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No ONNX file.
    #[error("It is no ONNX file, or a damaged one.")]
    NotOnnx,
    /// An operator that the runtime lacks.
    #[error(
        "{runtime} cannot run one of the model's operators: {reason}. ONNX Runtime knows all of them: use a Sightline that is \
         built with the cargo feature `ort`, and --device ort."
    )]
    Operator {
        /// Name of the runtime.
        runtime: &'static str,
        /// What it says.
        reason: String,
    },
    /// The model has no output of that name.
    #[error("The model has no output `{name}`; it has {outputs}.")]
    NoOutput {
        /// The name.
        name: String,
        /// Its outputs.
        outputs: String,
    },
    /// The runtime is not part of this build.
    #[error("This build of Sightline cannot use `{device}`. Build it with the cargo feature `{feature}`.")]
    NotBuilt {
        /// The device's name.
        device: String,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// No runtime for ONNX models has that name.
    #[error(
        "An ONNX model cannot run on `{device}`. It runs on `cpu`, and through ONNX Runtime on `ort`, `ort-cuda` or `ort-cuda:1`."
    )]
    NoDevice {
        /// The name.
        device: String,
    },
    /// The library of a runtime that is loaded at run time.
    #[error(
        "ONNX Runtime could not be loaded: {reason}. Install it (`pip install onnxruntime`, or a release from \
         github.com/microsoft/onnxruntime) and name its library in the environment variable ORT_DYLIB_PATH, such as \
         .../onnxruntime/capi/libonnxruntime.so.1.31.1."
    )]
    Library {
        /// What went wrong.
        reason: String,
    },
    /// The runtime refuses the model.
    #[error("The model cannot be loaded into {runtime}: {reason}.")]
    Refused {
        /// Name of the runtime.
        runtime: &'static str,
        /// What it says.
        reason: String,
    },
    /// Not a network of one picture input.
    #[error(
        "The model has {inputs} inputs and {outputs} outputs; a network that takes pictures has one input \
         and at least one output."
    )]
    Interface {
        /// Number of inputs.
        inputs: usize,
        /// Number of outputs.
        outputs: usize,
    },
}

/// Why a batch could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The input tensor is not a batch of pictures that the network takes.
    #[error("The network cannot run on a tensor of shape {shape:?}: {reason}.")]
    Input {
        /// Shape of the input.
        shape: Vec<usize>,
        /// What is wrong with it.
        reason: String,
    },
    /// The runtime failed.
    #[error("{runtime} failed while running the network on a tensor of shape {shape:?}: {reason}.")]
    Runtime {
        /// Name of the runtime.
        runtime: &'static str,
        /// Shape of the input.
        shape: Vec<usize>,
        /// What it says.
        reason: String,
    },
    /// An output that is no float tensor with the batch as its first axis.
    #[error("The network's output `{name}` cannot be used: {reason}.")]
    Output {
        /// Name of the output.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Puts the outputs of single pictures together: for each name one tensor whose first axis is the batch.
pub(crate) fn join_pictures(
    names: &[String],
    pictures: Vec<Vec<Tensor>>,
) -> Result<Vec<(String, Tensor)>, RunError> {
    let batch = pictures.len();
    let mut joined: Vec<Option<Tensor>> = vec![None; names.len()];
    for picture in pictures {
        for ((slot, part), name) in joined.iter_mut().zip(picture).zip(names) {
            join(slot, part, batch, name)?;
        }
    }
    let named = names.iter().cloned().zip(joined);
    Ok(named.filter_map(|(name, tensor)| Some((name, tensor?))).collect())
}

/// Appends one picture's output to the batch's.
fn join(slot: &mut Option<Tensor>, part: Tensor, batch: usize, name: &str) -> Result<(), RunError> {
    let wrong = |reason: String| RunError::Output {
        name: name.to_owned(),
        reason,
    };
    if part.shape.first() != Some(&1) {
        return Err(wrong(format!("its shape is {:?} for one picture", part.shape)));
    }
    match slot {
        None => {
            let mut whole = part;
            whole.shape[0] = batch;
            whole.data.reserve_exact(whole.data.len() * (batch - 1));
            *slot = Some(whole);
        }
        Some(whole) if whole.shape[1..] == part.shape[1..] => whole.data.extend_from_slice(&part.data),
        Some(whole) => {
            return Err(wrong(format!(
                "its shape differs between pictures, {:?} and {:?}",
                &whole.shape[1..],
                &part.shape[1..]
            )));
        }
    }
    Ok(())
}

/// The outputs that are computed of those that a model has.
pub(crate) fn wanted_outputs(names: Vec<String>, wanted: Option<&str>) -> Result<Vec<String>, LoadError> {
    match wanted {
        None => Ok(names),
        Some(name) if names.iter().any(|own| own == name) => Ok(vec![name.to_owned()]),
        Some(name) => Err(LoadError::NoOutput {
            name: name.to_owned(),
            outputs: names.join(", "),
        }),
    }
}

/// Checks that a batch has the height and width that a model takes, where it fixes them.
///
/// # Errors
/// [`RunError::Input`] that says which size it wants.
pub(crate) fn check_size(input: &Tensor, fixed: [Option<usize>; 2]) -> Result<(), RunError> {
    let lengths = input.shape.iter().skip(2);
    if lengths
        .zip(fixed)
        .all(|(length, wanted)| wanted.is_none_or(|wanted| wanted == *length))
    {
        return Ok(());
    }
    let [height, width] =
        fixed.map(|length| length.map_or_else(|| "any".to_owned(), |length| length.to_string()));
    Err(RunError::Input {
        shape: input.shape.clone(),
        reason: format!("it was made for pictures of height {height} and width {width} only"),
    })
}

/// Checks that `input` is a batch `[N, C, H, W]` of at least one pixel each, with `channels` channels if known;
/// yields its four axes.
///
/// # Errors
/// [`RunError::Input`] otherwise.
pub fn check_batch(input: &Tensor, channels: Option<usize>) -> Result<[usize; 4], RunError> {
    let wrong = |reason: &str| RunError::Input {
        shape: input.shape.clone(),
        reason: reason.to_owned(),
    };
    let [batch, c, height, width] = input.shape[..] else {
        return Err(wrong("it wants four axes, pictures, channels, height and width"));
    };
    if !input.is_consistent() {
        return Err(wrong("the number of values is another one"));
    }
    if let Some(channels) = channels
        && channels != c
    {
        return Err(wrong(&format!("it wants {channels} channels")));
    }
    if batch == 0 || c == 0 || height == 0 || width == 0 {
        return Err(wrong("an axis is empty"));
    }
    Ok([batch, c, height, width])
}
