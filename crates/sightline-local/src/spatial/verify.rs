//! Two pictures' features: which match, and how many of the matches agree.

use super::matching::{Match, Matching, by_quality};
use super::model::{ModelKind, PointMatch};
use super::robust::{RobustFit, RobustSettings, robust_fit};
use crate::{LocalFeatures, LocalView};
use sightline_search::{Rows, SearchError};

/// What of a picture's local features is compared.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Descriptors `[M, D]`.
    pub descriptors: Rows<'a>,
    /// Their places, x and y in pixels, `[M]`.
    pub places: &'a [[f32; 2]],
}

impl<'a> From<&'a LocalFeatures> for Placed<'a> {
    fn from(features: &'a LocalFeatures) -> Self {
        Self {
            descriptors: Rows::f32(&features.descriptors, features.dim),
            places: &features.places,
        }
    }
}

impl<'a> From<LocalView<'a>> for Placed<'a> {
    fn from(features: LocalView<'a>) -> Self {
        Self {
            descriptors: features.descriptors,
            places: features.places,
        }
    }
}

/// How two pictures are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verification {
    /// Which features match.
    pub matching: Matching,
    /// Which map they have to agree on.
    pub model: RobustSettings,
}

impl Default for Verification {
    /// Mutual nearest neighbours and a homography to 12 pixels: places of features are known to a cell of the network's
    /// map, 16 pixels or more.
    fn default() -> Self {
        Self {
            matching: Matching {
                mutual: true,
                ..Matching::default()
            },
            model: RobustSettings {
                threshold: 12.0,
                ..RobustSettings::of(ModelKind::Homography)
            },
        }
    }
}

impl Verification {
    /// DELG's: its matches, a homography to 20 pixels, always 1000 samples.
    #[must_use]
    pub fn delg() -> Self {
        Self {
            matching: Matching::DELG,
            model: RobustSettings {
                threshold: 20.0,
                confidence: 1.0,
                max_samples: 1000,
                ..RobustSettings::of(ModelKind::Homography)
            },
        }
    }

    /// DELF's: its matches, an affine map to 10 pixels, always 1000 samples.
    #[must_use]
    pub fn delf() -> Self {
        Self {
            matching: Matching::DELF,
            model: RobustSettings {
                threshold: 10.0,
                confidence: 1.0,
                max_samples: 1000,
                ..RobustSettings::of(ModelKind::Affine)
            },
        }
    }

    /// Compares two pictures. Places, and with them the threshold, are in pixels of the prepared pictures.
    ///
    /// # Errors
    /// Descriptors of different length.
    pub fn verify<'a>(
        &self,
        first: impl Into<Placed<'a>>,
        second: impl Into<Placed<'a>>,
    ) -> Result<Verified, SearchError> {
        let (first, second) = (first.into(), second.into());
        let matches = if first.places.is_empty() || second.places.is_empty() {
            Vec::new()
        } else {
            self.matching.matches(first.descriptors, second.descriptors)?
        };
        // A feature without a place is nowhere, and agrees with nothing.
        let place = |places: &[[f32; 2]], feature: u32| {
            places
                .get(feature as usize)
                .map_or([f64::NAN; 2], |place| place.map(f64::from))
        };
        let places: Vec<PointMatch> = matches
            .iter()
            .map(|found| PointMatch {
                from: place(first.places, found.first),
                to: place(second.places, found.second),
            })
            .collect();
        let fit = robust_fit(&places, &by_quality(&matches), &self.model);
        Ok(Verified { matches, fit })
    }
}

/// What two pictures have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The matches, by ascending feature of the first picture.
    pub matches: Vec<Match>,
    /// The map that most of them agree on, and which they are; none where there is none.
    pub fit: Option<RobustFit>,
}

impl Verified {
    /// The matches that agree with the map.
    pub fn inliers(&self) -> impl Iterator<Item = &Match> {
        let agreeing = self.fit.as_ref().map_or(&[][..], |fit| &fit.inliers);
        agreeing.iter().map(|&index| &self.matches[index as usize])
    }

    /// How many matches agree: 0 where there is no map.
    #[must_use]
    pub fn score(&self) -> u32 {
        self.fit.as_ref().map_or(0, |fit| fit.inliers.len() as u32)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Features with descriptors of their own, at places on a grid that is moved by `shift`.
    fn features(count: usize, shift: f32) -> LocalFeatures {
        let dim = count;
        let mut descriptors = vec![0.0; count * dim];
        for feature in 0..count {
            descriptors[feature * dim + feature] = 1.0;
        }
        let place = |feature: usize| [(feature % 5) as f32 * 40.0 + shift, (feature / 5) as f32 * 30.0];
        LocalFeatures {
            dim,
            descriptors,
            strengths: vec![1.0; count],
            places: (0..count).map(place).collect(),
            scales: vec![1.0; count],
            size: [480, 640],
        }
    }

    #[test]
    fn a_shifted_picture_agrees_everywhere() {
        let (first, second) = (features(20, 0.0), features(20, 17.0));
        for verification in [
            Verification::default(),
            Verification::delg(),
            Verification::delf(),
        ] {
            let verified = verification.verify(&first, &second).unwrap();
            assert_eq!((verified.score(), verified.inliers().count()), (20, 20));
            let mapped = verified.fit.unwrap().model.apply([100.0, 50.0]).unwrap();
            assert!((mapped[0] - 117.0).abs() < 1e-3 && (mapped[1] - 50.0).abs() < 1e-3);
        }
    }

    #[test]
    fn few_matches_and_none_count_nothing() {
        let verified = |count| {
            let (first, second) = (features(count, 0.0), features(count, 3.0));
            Verification::delg().verify(&first, &second).unwrap().score()
        };
        assert_eq!((verified(0), verified(4)), (0, 0));
    }

    #[test]
    fn descriptors_of_different_length_are_an_error() {
        assert!(
            Verification::delg()
                .verify(&features(5, 0.0), &features(6, 0.0))
                .is_err()
        );
    }
}
