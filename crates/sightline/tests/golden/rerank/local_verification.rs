//! DELG's matches of local features, and how many agree on a homography.

use crate::case::{Array, Case, Outputs};
use crate::expand::{number, numbers, text, whole};
use sightline::local::spatial::{Matching, Placed, RobustSettings, Verification};
use sightline::search::Rows;

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let params = &case.params;
    let by_distance = Matching {
        max_distance: Some(number(&params["max_distance"])?),
        ..Matching::DELG
    };
    let by_ratio = Matching {
        ratio: Some(number(&params["ratio_threshold"])?),
        max_distance: None,
        ..Matching::DELG
    };
    let verification = Verification {
        matching: by_distance,
        model: RobustSettings {
            threshold: number(&params["max_reprojection_error"])?,
            confidence: number(&params["confidence"])?,
            max_samples: whole(&params["iterations"])?,
            ..Verification::delg().model
        },
    };
    let planted = numbers(&params["planted"])?;
    let query = Features::all(
        case.array("in.query_descriptors")?,
        case.array("in.query_keypoints")?,
    )?;
    let images = Features::all(case.array("in.descriptors")?, case.array("in.keypoints")?)?;
    let query = query.first().ok_or("the query has no features")?;
    let mut out = Outputs::new();
    let (mut counts, mut inliers) = (Vec::new(), Vec::new());
    for (index, image) in images.iter().enumerate() {
        for (name, rule) in [("pairs", by_distance), ("ratio_pairs", by_ratio)] {
            let matches = rule
                .matches(query.placed().descriptors, image.placed().descriptors)
                .map_err(text)?;
            let pairs = matches.iter().flat_map(|found| {
                let (from, to) = (
                    query.places[found.first as usize],
                    image.places[found.second as usize],
                );
                [from[0], from[1], to[0], to[1]]
            });
            out.f32(&format!("{name}{index}"), &[matches.len(), 4], pairs.collect());
            counts.push(matches.len() as i64);
        }
        if planted.get(index).is_some_and(|planted| *planted > 0.0) {
            let verified = verification
                .verify(query.placed(), image.placed())
                .map_err(text)?;
            inliers.push(verified.score() as f32);
        }
    }
    out.ints("putative_counts", &[images.len(), 2], &counts);
    out.f32("inliers", &[inliers.len()], inliers);
    Ok(out)
}

/// Local features of one picture.
struct Features {
    descriptors: Vec<f32>,
    places: Vec<[f32; 2]>,
    dim: usize,
}

impl Features {
    /// Of `[M, D]` and `[M, 2]`, or of several pictures with a leading axis.
    fn all(descriptors: &Array, places: &Array) -> Result<Vec<Self>, String> {
        let [.., count, dim] = descriptors.shape[..] else {
            return Err("descriptors have no two axes".into());
        };
        let (values, points) = (descriptors.to_f32(), places.to_f32());
        let pictures = values.chunks(count * dim).zip(points.chunks(count * 2));
        Ok(pictures
            .map(|(values, points)| Self {
                descriptors: values.to_vec(),
                places: points.chunks_exact(2).map(|point| [point[0], point[1]]).collect(),
                dim,
            })
            .collect())
    }

    fn placed(&self) -> Placed<'_> {
        Placed {
            descriptors: Rows::f32(&self.descriptors, self.dim),
            places: &self.places,
        }
    }
}
