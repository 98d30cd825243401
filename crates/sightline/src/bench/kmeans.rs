//! k-means on vectors that are drawn around many centres.

use super::machine::MemoryWatch;
use super::noise::values;
use super::rounds::{Times, once};
use crate::Error;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sightline_search::{KMeansSettings, Points, Rows, k_means};
use std::ops::ControlFlow;

/// What is trained on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KMeansSize {
    /// Vectors.
    pub rows: usize,
    /// Values of a vector.
    pub dim: usize,
    /// Centres that the vectors lie around; 0: none, noise alone.
    pub centres: usize,
    /// Words.
    pub words: usize,
    /// Iterations.
    pub iterations: usize,
}

/// How long k-means takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KMeansTimes {
    /// Vectors.
    pub rows: usize,
    /// Values of a vector.
    pub dim: usize,
    /// Centres that the vectors lie around.
    pub centres: usize,
    /// Words.
    pub words: usize,
    /// Iterations of a round.
    pub iterations: usize,
    /// Times of a whole training.
    pub times: Times,
    /// Sum of squared distances in the last iteration.
    pub objective: f64,
    /// Most bytes in memory, the vectors included.
    pub memory: Option<u64>,
}

/// Streams of noise of the vectors and of the centres.
const VECTORS: u64 = 1;
const CENTRES: u64 = 2;

/// Trains `rounds` times in faiss's form on vectors of which number i is the noise of row i of one stream, plus twice that of
/// row i mod `centres` of another. There is no round to warm up: a training is many rounds of the same work.
///
/// # Errors
/// When there are fewer vectors than words.
pub fn time_k_means(size: KMeansSize, rounds: usize) -> Result<KMeansTimes, Error> {
    let watch = MemoryWatch::begin();
    let dim = size.dim;
    let centres = values(0, size.centres * dim, CENTRES);
    let mut vectors = vec![0.0; size.rows * dim];
    vectors.par_chunks_mut(dim).enumerate().for_each(|(row, vector)| {
        vector.copy_from_slice(&values((row * dim) as u64, dim, VECTORS));
        if size.centres > 0 {
            let centre = &centres[row % size.centres * dim..][..dim];
            vector
                .iter_mut()
                .zip(centre)
                .for_each(|(value, centre)| *value += 2.0 * centre);
        }
    });
    let points = Points::new(vec![Rows::f32(&vectors, dim)])?;
    let settings = KMeansSettings {
        iterations: size.iterations,
        ..KMeansSettings::new(size.words)
    };
    let (mut wall, mut cpu, mut objective) = (Vec::new(), Vec::new(), 0.0);
    loop {
        let (second, processor) = once(|| {
            let trained = k_means(&points, &settings, None, &mut |_| ControlFlow::Continue(()))?;
            objective = trained.iterations.last().map_or(0.0, |last| last.objective);
            Ok::<(), Error>(())
        })?;
        wall.push(second);
        cpu.push(processor);
        if wall.len() >= rounds
            && let Some(times) = Times::of(&wall, &cpu)
        {
            return Ok(KMeansTimes {
                rows: size.rows,
                dim,
                centres: size.centres,
                words: size.words,
                iterations: size.iterations,
                times,
                objective,
                memory: watch.end(),
            });
        }
    }
}
