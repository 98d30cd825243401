//! VLAD: one descriptor of a picture out of its local features and a codebook (Jégou and others 2010), with the
//! normalisations of Jégou and Chum 2012 and Arandjelović and Zisserman 2013.

use crate::codebook::{Codebook, CodebookError};
use crate::features::LocalFeatures;
use std::str::FromStr;

/// What is done to a VLAD before it is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VladNormalisation {
    /// Nothing: sums of residuals.
    Raw,
    /// Unit length.
    L2,
    /// sign(v) sqrt|v| of every value, then unit length.
    SsrL2,
    /// Each word's part to unit length, then the whole.
    #[default]
    IntraL2,
    /// Square roots, then the parts, then the whole.
    SsrIntraL2,
}

impl VladNormalisation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Raw, Self::L2, Self::SsrL2, Self::IntraL2, Self::SsrIntraL2];

    /// `raw`, `l2`, `ssr_l2`, `intra_l2` or `ssr_intra_l2`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::L2 => "l2",
            Self::SsrL2 => "ssr_l2",
            Self::IntraL2 => "intra_l2",
            Self::SsrIntraL2 => "ssr_intra_l2",
        }
    }
}

impl FromStr for VladNormalisation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name);
        let found = Self::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| {
            format!(
                "VLAD knows no normalisation \"{text}\": it is one of {}",
                names.join(", ")
            )
        })
    }
}

/// The VLAD of a picture's features, `[words · D]`, word after word: for each word the sum of x - c over the features x
/// that it is the nearest word c of, normalised. Descriptors are not normalised before. Zero stays zero (a picture
/// without features is all zeros).
///
/// # Errors
/// Where descriptors and words differ in length.
pub fn vlad(
    features: &LocalFeatures,
    codebook: &Codebook,
    normalisation: VladNormalisation,
) -> Result<Vec<f32>, CodebookError> {
    if features.dim != codebook.dim() {
        return Err(CodebookError::Dimension {
            descriptors: features.dim,
            words: codebook.dim(),
        });
    }
    let dim = codebook.dim();
    let mut sums = vec![0.0_f64; codebook.words() * dim];
    let words = codebook.quantise(&features.descriptors, 1)?;
    for (word, descriptor) in words.into_iter().zip(features.descriptors.chunks_exact(dim)) {
        let sum = &mut sums[word as usize * dim..][..dim];
        for ((sum, x), c) in sum.iter_mut().zip(descriptor).zip(codebook.word(word)) {
            *sum += f64::from(*x) - f64::from(*c);
        }
    }
    let (roots, parts) = match normalisation {
        VladNormalisation::Raw | VladNormalisation::L2 => (false, false),
        VladNormalisation::SsrL2 => (true, false),
        VladNormalisation::IntraL2 => (false, true),
        VladNormalisation::SsrIntraL2 => (true, true),
    };
    if roots {
        sums.iter_mut()
            .for_each(|value| *value = value.signum() * value.abs().sqrt());
    }
    if parts {
        sums.chunks_exact_mut(dim).for_each(to_unit_length);
    }
    if normalisation != VladNormalisation::Raw {
        to_unit_length(&mut sums);
    }
    Ok(sums.into_iter().map(|value| value as f32).collect())
}

/// Divides by the norm unless it is zero.
fn to_unit_length(values: &mut [f64]) {
    let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    if norm > 0.0 {
        values.iter_mut().for_each(|value| *value /= norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn features(dim: usize, descriptors: Vec<f32>) -> LocalFeatures {
        let count = descriptors.len() / dim;
        LocalFeatures {
            dim,
            descriptors,
            strengths: vec![1.0; count],
            places: vec![[0.0; 2]; count],
            scales: vec![1.0; count],
            size: [8, 8],
        }
    }

    #[test]
    fn residuals_are_summed_by_word() {
        let codebook = Codebook::new(2, vec![0.0, 0.0, 10.0, 0.0, 50.0, 50.0]).unwrap();
        let picture = features(2, vec![1.0, 0.0, 2.0, -4.0, 10.0, 2.0]);
        let of = |normalisation| vlad(&picture, &codebook, normalisation).unwrap();
        assert_eq!(of(VladNormalisation::Raw), [3.0, -4.0, 0.0, 2.0, 0.0, 0.0]);
        let half = 0.5_f32.sqrt();
        let want = [0.6 * half, -0.8 * half, 0.0, half, 0.0, 0.0];
        for (got, want) in of(VladNormalisation::IntraL2).into_iter().zip(want) {
            assert!((got - want).abs() < 1e-7, "{got} {want}");
        }
        let want = [
            3.0_f32.sqrt() / 3.0,
            -2.0 / 3.0,
            0.0,
            2.0_f32.sqrt() / 3.0,
            0.0,
            0.0,
        ];
        for (got, want) in of(VladNormalisation::SsrL2).into_iter().zip(want) {
            assert!((got - want).abs() < 1e-7, "{got} {want}");
        }
    }

    #[test]
    fn pictures_without_features_are_zero_and_others_refused() {
        let codebook = Codebook::new(2, vec![0.0; 4]).unwrap();
        for normalisation in VladNormalisation::ALL {
            assert_eq!(
                vlad(&features(2, vec![]), &codebook, normalisation).unwrap(),
                [0.0; 4]
            );
            assert_eq!(normalisation.name().parse(), Ok(normalisation));
        }
        assert!(vlad(&features(3, vec![1.0; 6]), &codebook, VladNormalisation::L2).is_err());
        assert!("intra".parse::<VladNormalisation>().is_err());
    }

    proptest! {
        #[test]
        fn lengths_are_one(values in prop::collection::vec(-9.0_f32..9.0, 3..60), words in 1..6_usize) {
            let descriptors = values[..values.len() / 3 * 3].to_vec();
            let centroids = (0..words * 3).map(|i| i as f32).collect();
            let codebook = Codebook::new(3, centroids).unwrap();
            for normalisation in [VladNormalisation::L2, VladNormalisation::SsrL2, VladNormalisation::IntraL2, VladNormalisation::SsrIntraL2] {
                let made = vlad(&features(3, descriptors.clone()), &codebook, normalisation).unwrap();
                let norm: f64 = made.iter().map(|v| f64::from(*v).powi(2)).sum();
                prop_assert!((norm - 1.0).abs() < 1e-5 || made.iter().all(|v| *v == 0.0), "{norm}");
            }
        }
    }
}
