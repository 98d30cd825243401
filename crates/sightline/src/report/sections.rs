//! From rankings and a ground truth to the sections of a report page.

use super::{Answer, QuerySection, Verdict};
use sightline_dataset::{Dataset, Truth};
use sightline_eval::Evaluation;
use sightline_image::decode::{DecodeOptions, Orientation, Truncated, decode};
use sightline_image::encode;
use sightline_image::resize::{self, Filter};
use sightline_search::Hit;

/// Longer side of a thumbnail in pixels.
const THUMBNAIL: u32 = 192;

/// A small JPEG of a picture file, upright; empty where the file cannot be decoded.
pub fn thumbnail(file: &[u8], max_pixels: u64) -> Vec<u8> {
    let options = DecodeOptions {
        max_pixels,
        truncated: Truncated::Tolerate,
        orientation: Orientation::Apply,
    };
    let Ok(picture) = decode(file, &options) else {
        return Vec::new();
    };
    let side = f64::from(THUMBNAIL);
    let small = resize::thumbnail(&picture, (side, side), Filter::Bicubic).unwrap_or(picture);
    encode::jpeg(&small, 82).unwrap_or_default()
}

/// What the ground truth says of `image` as an answer to `query`.
pub fn verdict(dataset: &Dataset, query: usize, image: usize) -> Verdict {
    let listed = |list: &[u32]| list.iter().any(|index| *index as usize == image);
    match &dataset.truth {
        Truth::Revisited(lists) => match lists.get(query) {
            Some(lists) if listed(&lists.easy) || listed(&lists.hard) => Verdict::Right,
            Some(lists) if listed(&lists.junk) => Verdict::Junk,
            _ => Verdict::Wrong,
        },
        Truth::Classic(lists) => match lists.get(query) {
            Some(lists) if listed(&lists.ok) => Verdict::Right,
            Some(lists) if listed(&lists.junk) => Verdict::Junk,
            _ => Verdict::Wrong,
        },
        Truth::Labels { images, queries, .. } => {
            let asked = queries.as_ref().unwrap_or(images).get(query);
            if asked.is_some() && asked == images.get(image) {
                Verdict::Right
            } else {
                Verdict::Wrong
            }
        }
        Truth::None => Verdict::Unjudged,
    }
}

/// One section a query. `hits` index the data set's images; `query_picture` and `image_picture` give thumbnails.
pub fn sections(
    dataset: &Dataset,
    evaluation: Option<&Evaluation>,
    hits: &[Vec<Hit>],
    query_picture: &dyn Fn(usize) -> Vec<u8>,
    image_picture: &dyn Fn(usize) -> Vec<u8>,
) -> Vec<QuerySection> {
    let name = |query: usize| match dataset.queries.get(query) {
        Some(query) => query.name.clone(),
        None => dataset.images.get(query).cloned().unwrap_or_default(),
    };
    let answer = |query: usize, hit: &Hit| Answer {
        name: dataset.images.get(hit.index).cloned().unwrap_or_default(),
        score: hit.score,
        verdict: verdict(dataset, query, hit.index),
        thumbnail: image_picture(hit.index),
    };
    hits.iter()
        .enumerate()
        .map(|(query, hits)| QuerySection {
            name: name(query),
            average_precision: evaluation
                .and_then(|all| all.queries.get(query))
                .and_then(|result| result.ap),
            judged: evaluation.is_some(),
            thumbnail: query_picture(query),
            answers: hits.iter().map(|hit| answer(query, hit)).collect(),
        })
        .collect()
}
