//! What extraction sees of a network: a batch of pictures in, the named outputs out.

use crate::{OnnxHeader, Tensor};

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
    /// Weights in more files than anybody writes.
    #[error("The model spreads its weights over more than {most} files. Export it with all of them in one.")]
    TooManyFiles {
        /// The largest number that is read.
        most: usize,
    },
    /// Values of a type that the runtime is not given or asked for.
    #[error("The model cannot run through {runtime}: its `{name}` is {element}. Export it in float32.")]
    Element {
        /// Name of the runtime.
        runtime: &'static str,
        /// Name of the input or output.
        name: String,
        /// The type of its values.
        element: String,
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

/// Checks that the inputs and the wanted outputs of a model have values of the types that a runtime `takes`, where it says their
/// type.
pub(crate) fn check_elements(
    runtime: &'static str,
    header: &OnnxHeader,
    outputs: &[String],
    takes: &[u64],
) -> Result<(), LoadError> {
    let wanted = header
        .outputs
        .iter()
        .filter(|output| outputs.contains(&output.name));
    let other = |element: u64| !takes.contains(&element);
    match header
        .inputs
        .iter()
        .chain(wanted)
        .find(|value| value.element.is_some_and(other))
    {
        None => Ok(()),
        Some(value) => Err(LoadError::Element {
            runtime,
            name: value.name.clone(),
            element: value.element_name(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::Message;
    use crate::{OnnxValue, RtenExecutor};

    #[test]
    fn types_of_values_are_checked_before_a_picture_is_run() {
        let value = |name: &str, element: u64| OnnxValue {
            name: name.to_owned(),
            element: Some(element),
            ..OnnxValue::default()
        };
        let header = OnnxHeader {
            inputs: vec![value("image", 1)],
            outputs: vec![value("map", 1), value("half", 10), value("ids", 7)],
            ..OnnxHeader::default()
        };
        let check = |output: &str, takes: &[u64]| check_elements("rt", &header, &[output.to_owned()], takes);
        assert!(check("map", &[1]).is_ok() && check("half", &[1, 10]).is_ok());
        assert_eq!(
            check("half", &[1]).unwrap_err().to_string(),
            "The model cannot run through rt: its `half` is float16. Export it in float32."
        );
        assert!(check("ids", &[1, 10]).is_err() && check("map", &[10]).is_err());
    }

    #[test]
    fn runtimes_refuse_types_that_they_are_not_given() {
        let value = |name: &str, element: i64| {
            let tensor = Message::new().message(1, &Message::new().int(1, element));
            Message::new().text(1, name).message(2, &tensor)
        };
        let model = |image: i64, map: i64| {
            let graph = Message::new()
                .message(11, &value("image", image))
                .message(12, &value("map", map));
            Message::new().message(7, &graph).bytes
        };
        for (image, map) in [(16, 1), (1, 16), (7, 1)] {
            let error = RtenExecutor::from_onnx(model(image, map), 1).err().unwrap();
            assert!(matches!(error, LoadError::Element { .. }), "{error}");
        }
        #[cfg(feature = "ort")]
        for (image, map) in [(10, 1), (1, 11), (16, 1)] {
            let device = crate::OrtDevice::Cpu { threads: 1 };
            let error = crate::OrtExecutor::from_onnx(model(image, map), device)
                .err()
                .unwrap();
            assert!(matches!(error, LoadError::Element { .. }), "{error}");
        }
    }
}
