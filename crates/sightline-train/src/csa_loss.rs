//! CSA's two losses (Ouyang et al., NeurIPS 2021; MCC-WH/CSA, `train.py` and `network/RerankTransformer.py`), each with its gradient.

use rayon::prelude::*;

/// Below this length a vector is divided by it in place of its own.
const LEAST_LENGTH: f64 = 1e-12;
/// Squared distances are cut to this range, outside of which they have no gradient.
const SQUARES: (f64, f64) = (1e-4, 1e4);

/// A loss and its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Valued {
    /// The mean over the batch.
    pub value: f64,
    /// Its derivative by each number that the loss was given, in their order.
    pub gradient: Vec<f32>,
}

/// What the two losses count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossWeights {
    /// Of [`contrastive`].
    pub contrastive: f64,
    /// Of [`feature_distance`] (`alpha`).
    pub distance: f64,
}

impl LossWeights {
    /// The original's: the contrastive loss plus `alpha` times the other.
    pub fn alpha(alpha: f64) -> Self {
        Self {
            contrastive: 1.0,
            distance: alpha,
        }
    }
}

/// The losses of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CsaLosses {
    /// [`contrastive`].
    pub contrastive: f64,
    /// [`feature_distance`], which the original calls MSE.
    pub distance: f64,
    /// Their weighted sum.
    pub total: f64,
}

/// How much of what a network finds similar to the query is relevant to it: the mean over N lists of -ln(Σ e l / Σ e), with e the
/// `exp_sim` `[N, T]` of all T tokens and l 1 for the `relevant` ones `[N, T]`. Gradient: by `exp_sim`.
///
/// The query is among its own tokens, so the least possible value is not 0. Infinite for a list without a relevant token.
pub fn contrastive(exp_sim: &[f32], relevant: &[bool], tokens: usize) -> Valued {
    let tokens = tokens.max(1);
    let count = (exp_sim.len() / tokens) as f64;
    let mut value = 0.0;
    let mut gradient = Vec::with_capacity(exp_sim.len());
    for (list, relevant) in exp_sim.chunks(tokens).zip(relevant.chunks(tokens)) {
        let all: f64 = list.iter().map(|e| f64::from(*e)).sum();
        let chosen = list.iter().zip(relevant).filter(|(_, relevant)| **relevant);
        let chosen: f64 = chosen.map(|(e, _)| f64::from(*e)).sum();
        value -= (chosen / all).ln() / count;
        gradient.extend(relevant.iter().map(|relevant| {
            let by_chosen = if *relevant { 1.0 / chosen } else { 0.0 };
            ((1.0 / all - by_chosen) / count) as f32
        }));
    }
    Valued { value, gradient }
}

/// How far what the network remembers of the tokens is from what it was given: the mean over all N·T tokens of the distance between
/// their affinity and their aligned feature, both divided by their lengths. Both are `[N, L, T]`. Gradient: by `aligned`.
///
/// The original calls it MSE. A squared distance is cut to 1e-4 .. 1e4 before its root.
pub fn feature_distance(affinity: &[f32], aligned: &[f32], anchors: usize, tokens: usize) -> Valued {
    let (anchors, tokens) = (anchors.max(1), tokens.max(1));
    let size = anchors * tokens;
    let count = (aligned.len() / anchors) as f64;
    let lists: Vec<(f64, Vec<f32>)> = aligned
        .par_chunks(size)
        .zip(affinity.par_chunks(size))
        .map(|(aligned, affinity)| distances(affinity, aligned, tokens, count))
        .collect();
    Valued {
        value: lists.iter().map(|(value, _)| value).sum(),
        gradient: lists.into_iter().flat_map(|(_, gradient)| gradient).collect(),
    }
}

/// What one list `[L, T]` adds to the mean over `count` tokens, and its gradient.
fn distances(affinity: &[f32], aligned: &[f32], tokens: usize, count: f64) -> (f64, Vec<f32>) {
    // For each token: the squares of both lengths and the product of both vectors.
    let mut sums = vec![[0.0_f64; 3]; tokens];
    for (a, y) in affinity.chunks(tokens).zip(aligned.chunks(tokens)) {
        for ((a, y), [aa, yy, ay]) in a.iter().zip(y).zip(&mut sums) {
            let (a, y) = (f64::from(*a), f64::from(*y));
            *aa += a * a;
            *yy += y * y;
            *ay += a * y;
        }
    }
    let lengths: Vec<[f64; 2]> = sums
        .iter()
        .map(|[aa, yy, _]| [aa, yy].map(|square| length(*square)))
        .collect();
    let mut squares = vec![0.0_f64; tokens];
    for (a, y) in affinity.chunks(tokens).zip(aligned.chunks(tokens)) {
        for (((a, y), [a_length, y_length]), square) in a.iter().zip(y).zip(&lengths).zip(&mut squares) {
            *square += (f64::from(*a) / a_length - f64::from(*y) / y_length).powi(2);
        }
    }
    let (least, most) = SQUARES;
    let value = squares
        .iter()
        .map(|square| square.clamp(least, most).sqrt())
        .sum::<f64>()
        / count;

    // With the unit vectors u and v the distance has the gradient (v - u) / distance by v, of which the division by the length of the
    // aligned feature leaves what is across it. The gradient is `by_u` times u plus `by_v` times v, over that length.
    let factors: Vec<[f64; 2]> = sums
        .iter()
        .zip(&lengths)
        .zip(&squares)
        .map(|(([_, yy, ay], [a_length, y_length]), square)| {
            if !(least..=most).contains(square) && !square.is_nan() {
                return [0.0; 2];
            }
            let factor = 1.0 / (square.sqrt() * count * y_length);
            // A length that was replaced is a constant.
            let along = if yy.sqrt() >= LEAST_LENGTH {
                let v = yy.sqrt() / y_length;
                v * v - ay / (a_length * y_length)
            } else {
                0.0
            };
            [-factor / a_length, factor * (1.0 - along) / y_length]
        })
        .collect();
    let mut gradient = Vec::with_capacity(aligned.len());
    for (a, y) in affinity.chunks(tokens).zip(aligned.chunks(tokens)) {
        let both = a.iter().zip(y).zip(&factors);
        gradient
            .extend(both.map(|((a, y), [by_a, by_y])| (by_a * f64::from(*a) + by_y * f64::from(*y)) as f32));
    }
    (value, gradient)
}

/// What a vector with that square is divided by.
fn length(square: f64) -> f64 {
    square.sqrt().max(LEAST_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The derivative of `loss` by each value, by small steps.
    fn by_differences(values: &[f32], loss: impl Fn(&[f32]) -> f64) -> Vec<f64> {
        let step = |index: usize, by: f32| {
            let mut moved = values.to_vec();
            moved[index] += by;
            (f64::from(moved[index]), loss(&moved))
        };
        (0..values.len())
            .map(|index| {
                let [(below, low), (above, high)] = [-1e-3, 1e-3].map(|by| step(index, by));
                (high - low) / (above - below)
            })
            .collect()
    }

    fn close(got: &[f32], want: &[f64]) {
        for (got, want) in got.iter().zip(want) {
            assert!(
                (f64::from(*got) - want).abs() < 1e-4 * (1.0 + want.abs()),
                "{got} {want}"
            );
        }
    }

    #[test]
    fn contrastive_by_hand() {
        let loss = contrastive(&[1.0, 3.0, 2.0, 2.0], &[true, false, true, true], 2);
        assert!((loss.value - 4.0_f64.ln() / 2.0).abs() < 1e-12);
        assert_eq!(loss.gradient, [-0.375, 0.125, 0.0, 0.0]);
        assert!(contrastive(&[1.0, 1.0], &[false, false], 2).value.is_infinite());
    }

    #[test]
    fn near_and_empty_features_have_no_direction() {
        // The same direction: the root of the least square, and no gradient.
        let loss = feature_distance(&[1.0, 2.0], &[2.0, 4.0], 2, 1);
        assert_eq!((loss.value, loss.gradient), (0.01, vec![0.0, 0.0]));
        // Nothing was remembered: the unit affinity's length, and a gradient that is as large as the division makes it.
        let loss = feature_distance(&[3.0, 4.0], &[0.0, 0.0], 2, 1);
        assert!((loss.value - 1.0).abs() < 1e-12);
        close(&loss.gradient, &[-0.6e12, -0.8e12]);
        assert!(
            feature_distance(&[1.0, 2.0], &[f32::NAN, 4.0], 2, 1)
                .value
                .is_nan()
        );
    }

    proptest! {
        #[test]
        fn gradients_are_those_of_small_steps(
            (anchors, tokens) in (2_usize..6, 1_usize..5),
            seed in proptest::collection::vec(-1.0_f32..1.0, 2 * 2 * 5 * 4),
            relevant in proptest::collection::vec(any::<bool>(), 8),
        ) {
            let size = 2 * anchors * tokens;
            let (mut affinity, mut aligned) = (seed[..size].to_vec(), seed[80 - size..].to_vec());
            // The first anchor keeps them long and apart: where the distance is least the slope jumps.
            for index in (0..size).filter(|index| index / tokens % anchors == 0) {
                affinity[index] = 1.0 + affinity[index] / 2.0;
                aligned[index] = -1.0 + aligned[index] / 2.0;
            }
            let (affinity, aligned) = (&affinity[..], &aligned[..]);
            let loss = feature_distance(affinity, aligned, anchors, tokens);
            // Of each token by itself.
            let column = |values: &[f32], list: usize, token: usize| -> Vec<f32> {
                (0..anchors).map(|anchor| values[(list * anchors + anchor) * tokens + token]).collect()
            };
            let singly = (0..2 * tokens).map(|index| {
                let of = |values| column(values, index / tokens, index % tokens);
                feature_distance(&of(affinity), &of(aligned), anchors, 1).value
            });
            let mean = singly.sum::<f64>() / (2 * tokens) as f64;
            prop_assert!((loss.value - mean).abs() < 1e-12);
            close(&loss.gradient, &by_differences(aligned, |y| feature_distance(affinity, y, anchors, tokens).value));

            let exp_sim: Vec<f32> = seed[..2 * tokens].iter().map(|c| (c / 2.0).exp()).collect();
            let mut relevant = relevant[..2 * tokens].to_vec();
            (relevant[0], relevant[tokens]) = (true, true);
            let loss = contrastive(&exp_sim, &relevant, tokens);
            close(&loss.gradient, &by_differences(&exp_sim, |e| contrastive(e, &relevant, tokens).value));
        }
    }
}
