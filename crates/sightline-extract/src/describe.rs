//! What describes pictures: tensors of some pictures in, a row of numbers for each out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sightline_image::ImageTensor;
use sightline_plan::{Executor, Tensor};

use crate::error::ExtractError;

/// Makes a row of numbers of every picture: a descriptor ([`crate::Network`]), or the local features of a picture one after the
/// other.
pub trait Describe {
    /// Describes pictures whose tensors are alike in shape: a row for each, in their order. `pictures` holds, for each picture,
    /// what [`crate::Prepare`] made of it: a tensor a pass.
    ///
    /// # Errors
    /// [`Failure`] says whether other pictures would do.
    fn describe(&mut self, pictures: &[&[ImageTensor]]) -> Result<Vec<Vec<f32>>, Failure>;
}

/// Why some pictures have no rows.
#[derive(Debug)]
pub enum Failure {
    /// These pictures do not work, as a sentence.
    Pictures(String),
    /// No picture would work.
    All(ExtractError),
}

/// Runs a network on one pass over pictures that were prepared alike: its outputs, named. A panic of the runtime costs these
/// pictures only.
///
/// # Errors
/// When the pictures were not prepared `passes` times, or the runtime refuses them.
pub fn run_pass(
    executor: &mut dyn Executor,
    pictures: &[&[ImageTensor]],
    pass: usize,
    passes: usize,
) -> Result<Vec<(String, Tensor)>, Failure> {
    if let Some(other) = pictures
        .iter()
        .map(|tensors| tensors.len())
        .find(|count| *count != passes)
    {
        return Err(Failure::Pictures(format!(
            "It was prepared {other} times for {passes} scales."
        )));
    }
    let tensors = || pictures.iter().filter_map(|tensors| tensors.get(pass));
    let Some(first) = tensors().next() else {
        return Err(Failure::Pictures("There is no picture in the batch.".to_owned()));
    };
    let mut data = Vec::with_capacity(pictures.len().saturating_mul(first.data.len()));
    tensors().for_each(|tensor| data.extend_from_slice(&tensor.data));
    let input = Tensor {
        shape: vec![pictures.len(), first.channels, first.height, first.width],
        data,
    };
    // A runtime that panics on an odd size should cost that picture only.
    let ran = catch_unwind(AssertUnwindSafe(|| executor.run(&input)));
    ran.map_err(|payload| Failure::Pictures(format!("The network panicked: {}.", panic_text(&*payload))))?
        .map_err(|error| Failure::Pictures(error.to_string()))
}

/// Refuses what the network made of pictures where it holds values that are no finite numbers.
///
/// # Errors
/// When it does.
pub fn check_finite<'v>(values: impl IntoIterator<Item = &'v f32>) -> Result<(), Failure> {
    if values.into_iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(Failure::Pictures(
        "Its descriptor has values that are no finite numbers.".to_owned(),
    ))
}

/// The outputs of a network with their shapes, for a message.
#[must_use]
pub fn list_outputs(outputs: &[(String, Tensor)]) -> String {
    let listed: Vec<String> = outputs
        .iter()
        .map(|(name, tensor)| format!("{name} {:?}", tensor.shape))
        .collect();
    listed.join(", ")
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "without a word",
    }
}
