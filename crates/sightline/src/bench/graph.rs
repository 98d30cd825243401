//! The graph of neighbours of descriptors that are drawn.

use super::clusters::Clusters;
use super::machine::MemoryWatch;
use super::rounds::{Times, once};
use crate::Error;
use serde::{Deserialize, Serialize};
use sightline_search::{KnnGraph, Rows, knn_graph};

/// How long a graph takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphTimes {
    /// Descriptors.
    pub rows: usize,
    /// Values of a descriptor.
    pub dim: usize,
    /// Centres that they lie around.
    pub centres: usize,
    /// Neighbours of each.
    pub k: usize,
    /// Times of a whole graph.
    pub times: Times,
    /// Most bytes in memory, the descriptors included.
    pub memory: Option<u64>,
    /// The neighbours of the first rows, to compare with.
    pub first: Vec<Vec<u32>>,
}

/// Lists that a [`GraphTimes`] shows.
const FIRST: usize = 3;

/// Makes the graph of `rows` descriptors `rounds` times. There is no round to warm up: a graph is much of the same work.
///
/// # Errors
/// None that the sizes can cause.
pub fn time_graph(data: Clusters, rows: usize, k: usize, rounds: usize) -> Result<GraphTimes, Error> {
    let watch = MemoryWatch::begin();
    let images = data.images(rows);
    let (mut wall, mut cpu, mut first) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let (second, processor) = once(|| {
            let graph: KnnGraph = knn_graph(&[Rows::f32(&images, data.dim)], k)?;
            let list = |row: usize| graph.list(row).map(|hit| hit.index as u32).collect();
            first = (0..FIRST.min(rows)).map(list).collect();
            Ok::<(), Error>(())
        })?;
        wall.push(second);
        cpu.push(processor);
        if wall.len() >= rounds
            && let Some(times) = Times::of(&wall, &cpu)
        {
            return Ok(GraphTimes {
                rows,
                dim: data.dim,
                centres: data.centres,
                k: k.max(1).min(rows),
                times,
                memory: watch.end(),
                first,
            });
        }
    }
}
