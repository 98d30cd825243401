//! The local features of one image as one vector for each word that they fall into (`kernel.py` of jenicek/asmk).

use super::bits::{pack, packed_len};
use super::kernel::Vectors;

/// Keeps a zero residual from being divided by zero, as the original does.
const NORM_EPSILON: f32 = 1e-6;

/// One image: a vector for each word that its features fall into.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregated {
    /// Words, ascending and distinct.
    pub words: Vec<u32>,
    /// A vector for each word, one after another: packed signs, or the bits of 32-bit floats.
    pub units: Vec<u32>,
}

/// Units of 32 bits that a vector takes: signs of `dim` values, or the values themselves.
#[must_use]
pub const fn units_of(binary: bool, dim: usize) -> usize {
    if binary { packed_len(dim) } else { dim }
}

impl Aggregated {
    /// The vectors as signs or values.
    #[must_use]
    pub fn vectors(&self, binary: bool) -> Vectors<'_> {
        as_vectors(&self.units, binary)
    }
}

/// Units as the vectors that they are.
pub(crate) fn as_vectors(units: &[u32], binary: bool) -> Vectors<'_> {
    if binary {
        Vectors::Binary(units)
    } else {
        Vectors::Float(bytemuck::cast_slice(units))
    }
}

/// Sums, for each word, the residuals of the features that have it among their words, and takes the signs of the sum
/// (`binary`) or divides it by its length.
///
/// `descriptors`: [n, dim]; `assigned`: the words of each feature, [n, multiple], each below the number of centroids;
/// `centroids`: [words, dim]. Sums are made in 32-bit floats, features in order. A feature that names a word twice counts
/// once in it, and one whose word does not exist counts nowhere.
#[must_use]
pub fn aggregate(
    descriptors: &[f32],
    dim: usize,
    assigned: &[u32],
    multiple: usize,
    centroids: &[f32],
    binary: bool,
) -> Aggregated {
    let mut pairs: Vec<(u32, u32)> = assigned
        .iter()
        .enumerate()
        .map(|(place, word)| (*word, (place / multiple.max(1)) as u32))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut out = Aggregated::default();
    let mut sum = vec![0.0_f32; dim];
    for of_word in pairs.chunk_by(|a, b| a.0 == b.0) {
        let word = of_word[0].0;
        let Some(centroid) = row(centroids, dim, word) else {
            continue;
        };
        sum.fill(0.0);
        for (_, feature) in of_word {
            let Some(descriptor) = row(descriptors, dim, *feature) else {
                continue;
            };
            for ((sum, x), c) in sum.iter_mut().zip(descriptor).zip(centroid) {
                *sum += x - c;
            }
        }
        out.words.push(word);
        if binary {
            pack(&sum, &mut out.units);
        } else {
            let norm = length(&sum) + NORM_EPSILON;
            out.units.extend(sum.iter().map(|value| (value / norm).to_bits()));
        }
    }
    out
}

/// The row of that number, if there is one.
fn row(rows: &[f32], dim: usize, index: u32) -> Option<&[f32]> {
    let start = (index as usize).checked_mul(dim)?;
    rows.get(start..start.checked_add(dim)?)
}

fn length(vector: &[f32]) -> f32 {
    vector
        .iter()
        .map(|value| f64::from(*value) * f64::from(*value))
        .sum::<f64>()
        .sqrt() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_counts_in_each_of_its_words() {
        let centroids = [0.0, 0.0, 1.0, 1.0, 5.0, 5.0];
        let descriptors = [2.0, 0.0, 0.0, 3.0];
        let got = aggregate(&descriptors, 2, &[1, 0, 1, 2], 2, &centroids, true);
        assert_eq!(got.words, [0, 1, 2]);
        // Word 0: (2, 0); word 1: (1, -1) + (-1, 2); word 2: (-5, -2).
        assert_eq!(got.units, [0b10 << 30, 0b01 << 30, 0]);
        let got = aggregate(&descriptors, 2, &[1, 0, 1, 2], 2, &centroids, false);
        let Vectors::Float(values) = got.vectors(false) else {
            return assert!(!got.words.is_empty());
        };
        assert_eq!(values[..4], [2.0 / (2.0 + 1e-6), 0.0, 0.0, 1.0 / (1.0 + 1e-6)]);
    }

    #[test]
    fn an_image_without_features_gives_nothing_and_a_zero_residual_a_zero_vector() {
        assert_eq!(
            aggregate(&[], 2, &[], 1, &[0.0, 0.0], true),
            Aggregated::default()
        );
        let got = aggregate(&[3.0, 4.0], 2, &[0], 1, &[3.0, 4.0], false);
        assert_eq!((got.words, got.units), (vec![0], vec![0, 0]));
    }
}
