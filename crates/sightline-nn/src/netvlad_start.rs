//! Where NetVLAD's layer starts from: centres found by k-means, and descriptors of the training pictures (Nanne/pytorch-NetVlad,
//! `NetVLAD.init_params` of `netvlad.py`).

use crate::weights::Weights;

/// The share that the second nearest centre is to have at the start.
const SECOND: f64 = 0.01;

/// NetVLAD's layer before training.
#[derive(Clone, Debug, PartialEq)]
pub struct NetvladStart {
    /// How sharply features are assigned. Version 2 may yield negative ones; see [`NetvladStart::version2`].
    pub alpha: f64,
    /// Weight of the assignment, `[K, C]`.
    pub weight: Vec<f32>,
    /// Bias of the assignment, `[K]`, in version 2.
    pub bias: Option<Vec<f32>>,
    /// The centres as they were given, `[K, C]`.
    pub centroids: Vec<f32>,
    dim: usize,
}

/// Why NetVLAD's layer cannot start from what was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetvladStartError {
    /// Too little to compare.
    #[error(
        "NetVLAD's layer starts from at least two centres and two descriptors of the same length, and {centres} and \
         {descriptors} values were given for a length of {dim}. Give whole rows."
    )]
    Shape {
        /// Values of the centres.
        centres: usize,
        /// Values of the descriptors.
        descriptors: usize,
        /// Length of each.
        dim: usize,
    },
    /// A mean difference of zero, or values that are no numbers.
    #[error(
        "NetVLAD's layer cannot start from these centres: its descriptors lie as near to the second centre as to the first, or \
         some values are no finite numbers. Give other centres or descriptors."
    )]
    NoDifference,
}

impl NetvladStart {
    /// Version 1: the assignment's weight is α ĉ with ĉ the centres divided by their lengths, and α such that the second best
    /// centre of a descriptor is weighted 0.01 of the best on average. `centres` `[K, C]`, `descriptors` `[M, C]`, row by row.
    ///
    /// # Errors
    /// When there are fewer than two of either, or α is no number.
    pub fn version1(centres: &[f32], descriptors: &[f32], dim: usize) -> Result<Self, NetvladStartError> {
        check(centres, descriptors, dim)?;
        let directions: Vec<f64> = centres
            .chunks_exact(dim)
            .flat_map(|centre| {
                let length = length(centre);
                centre.iter().map(move |value| f64::from(*value) / length)
            })
            .collect();
        let lead = |descriptor: &[f32]| {
            let products = directions.chunks_exact(dim).map(|direction| {
                let pairs = direction.iter().zip(descriptor);
                pairs.map(|(a, b)| a * f64::from(*b)).sum::<f64>()
            });
            let none = f64::NEG_INFINITY;
            let best = products.fold([none; 2], |[first, second], product| {
                [first.max(product), second.max(first.min(product))]
            });
            best[0] - best[1]
        };
        let alpha = alpha(descriptors.chunks_exact(dim).map(lead))?;
        Ok(Self {
            alpha,
            weight: directions.iter().map(|value| (alpha * value) as f32).collect(),
            bias: None,
            centroids: centres.to_vec(),
            dim,
        })
    }

    /// Version 2: weight 2 α c and bias -α ‖c‖, α from the two descriptors that lie nearest to each centre.
    ///
    /// The original means the difference of their squared distances, but takes that of the squares of their *indices* among the
    /// descriptors, and forgets to square the length in the bias. Published networks started so, and so does this; α may then
    /// be negative.
    ///
    /// # Errors
    /// As [`NetvladStart::version1`].
    pub fn version2(centres: &[f32], descriptors: &[f32], dim: usize) -> Result<Self, NetvladStartError> {
        check(centres, descriptors, dim)?;
        let difference = |centre: &[f32]| {
            let distance = |descriptor: &[f32]| {
                let pairs = centre.iter().zip(descriptor);
                pairs
                    .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                    .sum::<f64>()
            };
            let mut nearest = [(f64::INFINITY, 0); 2];
            for (index, descriptor) in descriptors.chunks_exact(dim).enumerate() {
                let one = (distance(descriptor), index);
                if one.0 < nearest[0].0 {
                    nearest = [one, nearest[0]];
                } else if one.0 < nearest[1].0 {
                    nearest[1] = one;
                }
            }
            let [first, second] = nearest.map(|(_, index)| index as f64);
            second * second - first * first
        };
        let alpha = alpha(centres.chunks_exact(dim).map(difference))?;
        let bias = centres
            .chunks_exact(dim)
            .map(|centre| (-alpha * length(centre)) as f32);
        Ok(Self {
            alpha,
            weight: centres
                .iter()
                .map(|value| (2.0 * alpha * f64::from(*value)) as f32)
                .collect(),
            bias: Some(bias.collect()),
            centroids: centres.to_vec(),
            dim,
        })
    }

    /// Puts the layer among the weights of a network, under the names of its files.
    pub fn write(&self, weights: &mut Weights<'_>) {
        let clusters = self.centroids.len() / self.dim;
        weights.insert(
            "pool.conv.weight",
            &[clusters, self.dim, 1, 1],
            self.weight.clone(),
        );
        if let Some(bias) = &self.bias {
            weights.insert("pool.conv.bias", &[clusters], bias.clone());
        }
        weights.insert("pool.centroids", &[clusters, self.dim], self.centroids.clone());
    }
}

fn check(centres: &[f32], descriptors: &[f32], dim: usize) -> Result<(), NetvladStartError> {
    let two_rows = |values: &[f32]| dim > 0 && values.len() >= 2 * dim && values.len().is_multiple_of(dim);
    if two_rows(centres) && two_rows(descriptors) {
        return Ok(());
    }
    Err(NetvladStartError::Shape {
        centres: centres.len(),
        descriptors: descriptors.len(),
        dim,
    })
}

fn length(row: &[f32]) -> f64 {
    row.iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// -ln 0.01 over the mean.
fn alpha(differences: impl ExactSizeIterator<Item = f64>) -> Result<f64, NetvladStartError> {
    let count = differences.len() as f64;
    let alpha = -SECOND.ln() / (differences.sum::<f64>() / count);
    if alpha.is_finite() {
        Ok(alpha)
    } else {
        Err(NetvladStartError::NoDifference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_start_from_is_refused() {
        let rows = [1.0, 0.0, 0.0, 1.0];
        assert!(matches!(
            NetvladStart::version1(&rows, &rows[..3], 2),
            Err(NetvladStartError::Shape { .. })
        ));
        assert!(NetvladStart::version2(&[], &rows, 0).is_err());
        // As near to one as to the other.
        let between = [1.0, 1.0, 2.0, 2.0];
        assert_eq!(
            NetvladStart::version1(&rows, &between, 2),
            Err(NetvladStartError::NoDifference)
        );
        let start = NetvladStart::version1(&rows, &rows, 2).unwrap();
        assert!((start.alpha - 100.0_f64.ln()).abs() < 1e-12);
    }
}
