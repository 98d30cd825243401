//! HOW's global descriptor: local features of all scales, weighted by their strengths and added.

/// One scale of HOW's pooling (`functional.py` `weighted_spoc`): the sum over places of the features times their strengths,
/// and the largest strength, for [`how_over_scales`]. `features` `[D, places]` and `strengths` `[places]` are the maps of one
/// picture, row by row.
#[must_use]
pub fn how_sum(features: &[f32], strengths: &[f32]) -> (Vec<f64>, f64) {
    let weighted = |feature: &[f32]| {
        let products = feature.iter().zip(strengths);
        products.map(|(x, s)| f64::from(*x) * f64::from(*s)).sum()
    };
    let sums = features
        .chunks_exact(strengths.len().max(1))
        .map(weighted)
        .collect();
    let largest = strengths.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (sums, f64::from(largest))
}

/// HOW's pooling over scales (`how_net.py` `forward_global`, `functional.py` `weighted_spoc`): `sums` are, for each scale, the sum
/// over places of the reduced features times the attention, and `largest` the largest attention of each scale. The attentions
/// are divided by the largest of all scales, the sums added (larger scales have more places and weigh more), and the whole
/// divided by (norm + 1e-6).
#[must_use]
pub fn how_over_scales(sums: &[&[f64]], largest: &[f64]) -> Vec<f32> {
    let dim = sums.iter().map(|sum| sum.len()).min().unwrap_or(0);
    let most = largest.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let pooled: Vec<f64> = (0..dim)
        .map(|i| sums.iter().map(|sum| sum[i] / most).sum())
        .collect();
    let norm = pooled.iter().map(|x| x * x).sum::<f64>().sqrt() + 1e-6;
    pooled.into_iter().map(|x| (x / norm) as f32).collect()
}

/// Pools passes of the form that [`ScalePooling::How`](crate::ScalePooling::How) states.
pub(crate) fn pool(passes: &[&[f32]]) -> Vec<f32> {
    let split = |pass: &&[f32]| {
        let (largest, sums) = pass.split_last()?;
        let sums: Vec<f64> = sums.iter().map(|x| f64::from(*x)).collect();
        Some((sums, f64::from(*largest)))
    };
    let (sums, largest): (Vec<Vec<f64>>, Vec<f64>) = passes.iter().filter_map(split).unzip();
    let sums: Vec<&[f64]> = sums.iter().map(Vec::as_slice).collect();
    how_over_scales(&sums, &largest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScalePooling;

    #[test]
    fn how_adds_and_normalises() {
        let got = how_over_scales(&[&[3.0, 0.0], &[0.0, 4.0]], &[1.0, 2.0]);
        assert!(
            (got[0] - 0.6).abs() < 1e-5 && (got[1] - 0.8).abs() < 1e-5,
            "{got:?}"
        );
        assert!(how_over_scales(&[], &[]).is_empty());
    }

    #[test]
    fn strong_places_weigh_more() {
        // Two features at three places.
        let (sums, largest) = how_sum(&[1.0, 2.0, 0.0, -1.0, 0.0, 0.5], &[3.0, 0.0, 4.0]);
        assert_eq!((sums, largest), (vec![3.0, -1.0], 4.0));
        assert_eq!(how_sum(&[], &[]).0, [0.0; 0]);
    }

    #[test]
    fn a_pass_ends_with_its_largest_strength() {
        let passes: [&[f32]; 2] = [&[3.0, 0.0, 1.0], &[0.0, 4.0, 2.0]];
        let pooled = ScalePooling::How.pool(&passes, &[1.0, 0.5]);
        assert!((pooled[0] - 0.6).abs() < 1e-5 && pooled.len() == 2, "{pooled:?}");
        // At scale 1 alone the network's own descriptor is meant.
        assert_eq!(
            ScalePooling::How.pool(&[&[0.5, 0.5, 2.0]], &[1.0]),
            [0.5, 0.5, 2.0]
        );
        assert!(!ScalePooling::How.takes_local_maps(&[1.0]));
        assert!(ScalePooling::How.takes_local_maps(&[0.5]));
    }
}
