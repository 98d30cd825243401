//! Descriptors that lie around planted centres, as pictures of the same thing do.

use super::noise::values;
use rayon::prelude::*;

/// Streams of noise.
const CENTRES: u64 = 21;
const IMAGES: u64 = 22;
const QUERIES: u64 = 23;
/// A prime, so that queries come from all over the centres.
const STRIDE: usize = 7919;

/// Made-up descriptors of length 1 around centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// Values of a descriptor.
    pub dim: usize,
    /// Centres; 0: none, noise alone.
    pub centres: usize,
}

impl Clusters {
    /// Images `[count, dim]`: number i is the noise of row i plus that of centre i mod `centres`, divided by its length.
    #[must_use]
    pub fn images(self, count: usize) -> Vec<f32> {
        self.rows(count, IMAGES, |row| row)
    }

    /// Queries `[count, dim]`, likewise; number q belongs to centre 7919 q mod `centres`.
    #[must_use]
    pub fn queries(self, count: usize) -> Vec<f32> {
        self.rows(count, QUERIES, |row| row * STRIDE)
    }

    /// Whether an image and a query are of the same centre.
    #[must_use]
    pub fn belong(self, query: usize, image: usize) -> bool {
        self.centres > 0 && query * STRIDE % self.centres == image % self.centres
    }

    fn rows(self, count: usize, stream: u64, number: impl Fn(usize) -> usize + Sync) -> Vec<f32> {
        let dim = self.dim;
        let mut rows = vec![0.0; count * dim];
        rows.par_chunks_mut(dim.max(1)).enumerate().for_each(|(row, to)| {
            to.copy_from_slice(&values((row * dim) as u64, dim, stream));
            if self.centres > 0 {
                let centre = number(row) % self.centres;
                let centre = values((centre * dim) as u64, dim, CENTRES);
                to.iter_mut()
                    .zip(centre)
                    .for_each(|(value, centre)| *value += centre);
            }
            let squares: f32 = to.iter().map(|value| value * value).sum();
            let norm = squares.sqrt().max(f32::MIN_POSITIVE);
            to.iter_mut().for_each(|value| *value /= norm);
        });
        rows
    }
}
