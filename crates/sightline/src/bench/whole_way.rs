//! From picture files to a descriptor set, and how much of that is the network.

use super::rounds::{Times, once};
use crate::{Describer, Error};
use serde::{Deserialize, Serialize};
use sightline_descriptor::RowType;
use sightline_extract::{Extraction, Picture, Prepare};
use sightline_image::ImageTensor;
use sightline_plan::{Executor, Tensor};
use std::path::Path;

/// Pictures that are prepared before the network runs on them.
const CHUNK: usize = 64;

/// Where the time of an extraction goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WholeWay {
    /// Pictures that were described.
    pub pictures: usize,
    /// Times of the extraction: reading, decoding, network, writing the set.
    pub whole: Times,
    /// Times of the network alone, on the same tensors in batches of the same size.
    pub network: Times,
    /// Share of the extraction's wall time that is not the network, by the quickest rounds.
    pub share_not_network: f64,
    /// The same of processor time.
    pub cpu_share_not_network: Option<f64>,
    /// Pictures a second in the quickest round.
    pub images_per_s: f64,
}

/// Describes `pictures` into a set in the folder `scratch`, and runs the network alone on the same tensors; `rounds` times, in turn.
///
/// # Errors
/// When a picture cannot be described, or the file system refuses.
pub fn time_whole_way(
    describer: &mut Describer,
    pictures: &[Picture],
    scratch: &Path,
    rounds: usize,
) -> Result<WholeWay, Error> {
    let mut whole = (Vec::new(), Vec::new());
    let mut network = (Vec::new(), Vec::new());
    // The first of both warms up.
    for round in 0..=rounds.max(1) {
        let (wall, cpu) = once(|| extract(describer, pictures, &scratch.join("bench.safetensors")))?;
        let alone = network_alone(describer, pictures)?;
        if round > 0 {
            whole.0.push(wall);
            whole.1.push(cpu);
            network.0.push(alone.0);
            network.1.push(alone.1);
        }
    }
    let nothing = Times {
        rounds: 0,
        min_s: 0.0,
        median_s: 0.0,
        cpu_min_s: None,
    };
    let whole = Times::of(&whole.0, &whole.1).unwrap_or(nothing);
    let network = Times::of(&network.0, &network.1).unwrap_or(nothing);
    Ok(WholeWay {
        pictures: pictures.len(),
        share_not_network: 1.0 - network.min_s / whole.min_s,
        cpu_share_not_network: network
            .cpu_min_s
            .zip(whole.cpu_min_s)
            .map(|(network, whole)| 1.0 - network / whole),
        images_per_s: pictures.len() as f64 / whole.min_s,
        whole,
        network,
    })
}

fn extract(describer: &mut Describer, pictures: &[Picture], output: &Path) -> Result<(), Error> {
    let (card, options) = (describer.card().clone(), describer.options());
    let job = Extraction {
        pictures,
        output,
        card: &card,
        row_type: RowType::F32,
        shard: None,
        restart: true,
        options,
    };
    let (prepare, mut network) = describer.parts();
    let report = job.run(prepare, &mut network, &mut |_| {})?;
    match report.skipped.into_iter().next() {
        None => Ok(()),
        Some(skipped) => Err(Error::Picture {
            path: skipped.path.into(),
            reason: skipped.reason,
        }),
    }
}

/// Wall and processor seconds of the network on all pictures; preparing them does not count.
fn network_alone(describer: &mut Describer, pictures: &[Picture]) -> Result<(f64, Option<f64>), Error> {
    let batch = describer.options().batch;
    let (prepare, executor) = describer.halves();
    let (mut wall, mut cpu) = (0.0, Some(0.0));
    for chunk in pictures.chunks(CHUNK) {
        for input in batches(chunk, prepare, batch)? {
            let (second, processor) = once(|| run(executor, &input))?;
            wall += second;
            cpu = cpu.zip(processor).map(|(sum, more)| sum + more);
        }
    }
    Ok((wall, cpu))
}

fn run(executor: &mut dyn Executor, input: &Tensor) -> Result<(), Error> {
    match executor.run(input) {
        Ok(outputs) => {
            std::hint::black_box(outputs);
            Ok(())
        }
        Err(error) => Err(Error::Picture {
            path: "the network's input".into(),
            reason: error.to_string(),
        }),
    }
}

/// The pictures prepared, equal shapes together, at most `batch` of them.
fn batches(pictures: &[Picture], prepare: &dyn Prepare, batch: usize) -> Result<Vec<Tensor>, Error> {
    let mut batches: Vec<Tensor> = Vec::new();
    for picture in pictures {
        let file = std::fs::read(&picture.path).map_err(|source| Error::Io {
            path: picture.path.clone(),
            source,
        })?;
        let tensors = prepare
            .prepare(&file, picture.bbox)
            .map_err(|reason| Error::Picture {
                path: picture.path.clone(),
                reason,
            })?;
        for ImageTensor {
            channels,
            height,
            width,
            data,
        } in tensors
        {
            let of = [channels, height, width];
            match batches
                .iter_mut()
                .find(|input| input.shape[1..] == of && input.shape[0] < batch)
            {
                Some(input) => {
                    input.shape[0] += 1;
                    input.data.extend(data);
                }
                None => batches.push(Tensor {
                    shape: vec![1, channels, height, width],
                    data,
                }),
            }
        }
    }
    Ok(batches)
}
