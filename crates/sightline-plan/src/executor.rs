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
