//! Offline diffusion: what flows from one image to those around it, a sparse row for each image.

use super::conjugate_gradients::{ConjugateGradients, Steps};
use super::laplacian::Laplacian;

/// Place of an image that is not in the list at hand.
const OUTSIDE: u32 = u32::MAX;
/// Place of an image of the list that no joined rows have led to yet.
const UNSEEN: u32 = u32::MAX - 1;

/// Computes rows of the offline matrix, one after the other; one for each thread.
///
/// Memory: 4 bytes for each image, 8 for each entry of the largest part of the Laplacian so far.
#[derive(Debug)]
pub struct OfflineRows<'a> {
    laplacian: &'a Laplacian,
    steps: Steps,
    /// Where each image stands among `seen`.
    places: Vec<u32>,
    /// The images of the list that can be reached from the first.
    seen: Vec<u32>,
    starts: Vec<usize>,
    /// Places and values of the part of the Laplacian among `seen`, off the diagonal. Single precision holds them exactly.
    entries: Vec<(u32, f32)>,
    right: Vec<f64>,
    solver: ConjugateGradients,
}

impl<'a> OfflineRows<'a> {
    /// For the rows of one [`Laplacian::offline`].
    #[must_use]
    pub fn new(laplacian: &'a Laplacian, steps: Steps) -> Self {
        Self {
            laplacian,
            steps,
            places: vec![OUTSIDE; laplacian.count()],
            seen: Vec::new(),
            starts: Vec::new(),
            entries: Vec::new(),
            right: Vec::new(),
            solver: ConjugateGradients::default(),
        }
    }

    /// The row of the image that is first in `list` (images that exist): the Laplacian among the images of the list, solved for 1 at the first and 0 elsewhere
    /// by a few steps of conjugate gradients in double precision, as `get_offline_result` of fyang93/diffusion.
    ///
    /// Gives images and values in no particular order; those that are not given are 0. What joined rows within the list do not
    /// lead to stays exactly 0 and is left out of the computation.
    pub fn row(&mut self, list: &[u32]) -> Vec<(u32, f32)> {
        let Some(first) = list.first() else {
            return Vec::new();
        };
        for image in list {
            self.places[*image as usize] = UNSEEN;
        }
        self.gather(*first);
        for image in list {
            self.places[*image as usize] = OUTSIDE;
        }
        self.right.clear();
        self.right.resize(self.seen.len(), 0.0);
        self.right[0] = 1.0;
        let (starts, entries) = (&self.starts, &self.entries);
        let solved = self.solver.solve(self.steps, &self.right, |x, out| {
            multiply(starts, entries, x, out);
        });
        let values = solved.iter().map(|value| *value as f32);
        self.seen.iter().copied().zip(values).collect()
    }

    /// Numbers the images that joined rows lead to, in that order, and copies the part of the Laplacian among them.
    fn gather(&mut self, first: u32) {
        self.seen.clear();
        self.seen.push(first);
        self.places[first as usize] = 0;
        self.starts.clear();
        self.starts.push(0);
        let mut end = 0;
        while let Some(image) = self.seen.get(self.starts.len() - 1) {
            let row = self.laplacian.row(*image as usize);
            if self.entries.len() < end + row.len() {
                self.entries.resize(end + row.len(), (0, 0.0));
            }
            for (column, value) in row {
                let place = &mut self.places[column as usize];
                if *place == UNSEEN {
                    *place = self.seen.len() as u32;
                    self.seen.push(column);
                }
                // Written over by the next where it is outside: a processor cannot guess which are.
                self.entries[end] = (*place, value as f32);
                end += usize::from(*place != OUTSIDE);
            }
            self.starts.push(end);
        }
    }
}

/// The product of `I +` the entries with `x`.
fn multiply(starts: &[usize], entries: &[(u32, f32)], x: &[f64], out: &mut [f64]) {
    const LANES: usize = 4;
    for ((out, own), ends) in out.iter_mut().zip(x).zip(starts.windows(2)) {
        let row = &entries[ends[0]..ends[1]];
        let term = |(place, value): &(u32, f32)| f64::from(*value) * x[*place as usize];
        // Several sums at once, since a sum waits for the one before.
        let mut lanes = [0.0; LANES];
        let chunks = row.chunks_exact(LANES);
        let rest: f64 = chunks.remainder().iter().map(term).sum();
        for chunk in chunks {
            for (lane, entry) in lanes.iter_mut().zip(chunk) {
                *lane += term(entry);
            }
        }
        *out = own + ((lanes[0] + lanes[2]) + (lanes[1] + lanes[3])) + rest;
    }
}

/// Divides the values of a row by its length.
pub fn normalise(row: &mut [(u32, f32)]) {
    let square: f64 = row.iter().map(|(_, value)| f64::from(*value).powi(2)).sum();
    if square > 0.0 {
        let length = square.sqrt();
        row.iter_mut()
            .for_each(|(_, value)| *value = (f64::from(*value) / length) as f32);
    }
}
