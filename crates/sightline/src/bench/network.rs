//! The network alone.

use super::machine::{forget_peak_memory, peak_memory};
use super::noise::values;
use super::rounds::{Times, timed};
use serde::{Deserialize, Serialize};
use sightline_plan::{Executor, RunError, Tensor};

/// How fast a network runs on pictures of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkTimes {
    /// What ran it, with its version.
    pub runtime: String,
    /// Pictures of a batch.
    pub batch: usize,
    /// Height and width in pixels.
    pub size: [usize; 2],
    /// Times of a batch.
    pub times: Times,
    /// Pictures a second in the quickest round.
    pub images_per_s: f64,
    /// Most bytes in memory since the process began, so with the loading of the network.
    pub peak_memory: Option<u64>,
    /// Most bytes in memory while the network ran.
    pub running_memory: Option<u64>,
}

/// Runs a batch `[batch, 3, height, width]` of noise, once to warm up, then `rounds` times.
///
/// # Errors
/// When the network does not take such pictures.
pub fn time_network(
    executor: &mut dyn Executor,
    batch: usize,
    [height, width]: [usize; 2],
    rounds: usize,
) -> Result<NetworkTimes, RunError> {
    let input = Tensor {
        shape: vec![batch, 3, height, width],
        data: values(0, batch * 3 * height * width, 1),
    };
    let loading = peak_memory();
    let forgotten = forget_peak_memory();
    let times = timed(rounds, || executor.run(&input).map(drop))?;
    let running = peak_memory();
    let runtime = executor.describe();
    Ok(NetworkTimes {
        runtime: format!("{} {}", runtime.name, runtime.version),
        batch,
        size: [height, width],
        images_per_s: batch as f64 / times.min_s,
        times,
        peak_memory: loading.max(running),
        running_memory: running.filter(|_| forgotten),
    })
}
