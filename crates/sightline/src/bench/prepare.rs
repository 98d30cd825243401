//! From a file's bytes to the network's input.

use super::rounds::{Times, timed};
use serde::{Deserialize, Serialize};
use sightline_image::Recipe;
use sightline_image::decode::{DecodeOptions, decode};
use sightline_image::recipe::PrepareError;

/// How long pictures take to prepare, on the calling thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrepareTimes {
    /// Pictures that were prepared.
    pub pictures: usize,
    /// Milliseconds a picture in the quickest round: decoding, the recipe's sizes, normalising.
    pub ms: f64,
    /// Of these, decoding alone, by the decoder's defaults.
    pub decode_ms: f64,
    /// Times of all pictures.
    pub times: Times,
    /// Times of decoding all pictures.
    pub decode_times: Times,
}

/// Prepares every file in turn, once to warm up, then `rounds` times.
///
/// # Errors
/// When a file cannot be prepared by the recipe.
pub fn time_prepare(files: &[Vec<u8>], recipe: &Recipe, rounds: usize) -> Result<PrepareTimes, PrepareError> {
    let options = DecodeOptions::default();
    let times = timed(rounds, || {
        for file in files {
            let prepared = recipe.prepared(file, None, options.max_pixels)?;
            std::hint::black_box(recipe.scaled(&prepared, 1.0)?);
        }
        Ok::<(), PrepareError>(())
    })?;
    let decode_times = timed(rounds, || {
        for file in files {
            std::hint::black_box(decode(file, &options)?);
        }
        Ok::<(), PrepareError>(())
    })?;
    let each = |times: &Times| times.min_s * 1e3 / files.len().max(1) as f64;
    Ok(PrepareTimes {
        pictures: files.len(),
        ms: each(&times),
        decode_ms: each(&decode_times),
        times,
        decode_times,
    })
}
