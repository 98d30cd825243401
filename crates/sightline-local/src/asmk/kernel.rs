//! The match kernel: how much an entry of a word adds to its image's score (`kernel.py`, `functional.py` of
//! jenicek/asmk).

use super::bits::BITS;
use super::hamming::Runnable;

/// Threshold and exponent of the similarity of two aggregated vectors.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct MatchKernel {
    /// Exponent, a plain power: a negative similarity (which needs a negative threshold) keeps its sign for odd
    /// exponents, loses it for even ones, and is NaN for fractional ones.
    pub alpha: f32,
    /// Least similarity that counts; one exactly at it does.
    pub threshold: f32,
}

impl Default for MatchKernel {
    /// HOW's: exponent 3, threshold 0.
    fn default() -> Self {
        Self {
            alpha: 3.0,
            threshold: 0.0,
        }
    }
}

impl MatchKernel {
    /// What a similarity in [-1, 1] counts; nothing below the threshold.
    #[must_use]
    pub fn value(&self, similarity: f32) -> Option<f32> {
        (similarity >= self.threshold).then(|| similarity.powf(self.alpha))
    }

    /// What a binary code counts that differs in 0, 1, ... bits, of `words` packed words; 0 below the threshold. There are
    /// only so many similarities, so no power is taken while searching.
    #[must_use]
    pub fn table(&self, words: usize) -> Vec<f32> {
        let bits = BITS * words;
        (0..=bits)
            .map(|differing| {
                self.value(binary_similarity(differing as u32, words))
                    .unwrap_or(0.0)
            })
            .collect()
    }

    /// The entries of one word that count for a query's vector, and what they count: their numbers and values, in order.
    ///
    /// `entries` holds vectors of the same length as `query` ([n, D]).
    #[must_use]
    pub fn matches(&self, query: Vectors<'_>, entries: Vectors<'_>) -> (Vec<usize>, Vec<f32>) {
        let similarities: Vec<f32> = match (query, entries) {
            (Vectors::Binary(query), Vectors::Binary(entries)) => {
                let mut differing = vec![0; entries.len() / query.len().max(1)];
                Runnable::best().distances(query, entries, &mut differing);
                differing
                    .iter()
                    .map(|bits| binary_similarity(u32::from(*bits), query.len()))
                    .collect()
            }
            (Vectors::Float(query), Vectors::Float(entries)) => entries
                .chunks_exact(query.len().max(1))
                .map(|entry| inner_product(query, entry))
                .collect(),
            // A code and a vector have nothing in common.
            _ => Vec::new(),
        };
        similarities
            .into_iter()
            .enumerate()
            .filter_map(|(entry, similarity)| Some((entry, self.value(similarity)?)))
            .unzip()
    }
}

/// Aggregated vectors, one after another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Vectors<'a> {
    /// Packed signs, ceil(D / 32) words each.
    Binary(&'a [u32]),
    /// Values of length about 1, D each.
    Float(&'a [f32]),
}

/// Similarity in [-1, 1] of two codes of `words` packed words that differ in so many bits; padding counts as equal.
fn binary_similarity(differing: u32, words: usize) -> f32 {
    -2.0 * (differing as f32 / (BITS * words) as f32) + 1.0
}

/// Sixteen sums side by side, then added in order: quick in plain code, and the same on every machine.
pub(crate) fn inner_product(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_at_the_threshold_counts() {
        let kernel = MatchKernel {
            alpha: 2.0,
            threshold: 0.5,
        };
        assert_eq!(kernel.value(0.5), Some(0.25));
        assert_eq!(kernel.value(0.499), None);
        assert_eq!(kernel.table(1)[8..10], [0.25, 0.0]);
    }

    #[test]
    fn a_negative_similarity_takes_the_plain_power() {
        let power = |alpha| {
            let kernel = MatchKernel {
                alpha,
                threshold: -1.0,
            };
            kernel.value(-0.5)
        };
        assert_eq!((power(3.0), power(2.0)), (Some(-0.125), Some(0.25)));
        assert!(power(2.5).is_some_and(f32::is_nan));
    }
}
