//! The toy sets of local descriptors that the cases of ASMK share.

use crate::case::Case;
use serde_json::Value as Json;
use sightline::checkpoint::formula::uniform;
use sightline::local::Codebook;
use sightline::search::Rows;

/// Local descriptors of some images, and the images' ids.
pub(crate) struct Toy {
    pub(crate) dim: usize,
    pub(crate) images: Vec<(usize, Vec<f32>)>,
}

impl Toy {
    /// The set of a tag, of so many images as the parameter `count` says.
    pub(crate) fn new(case: &Case, tag: &str, count: &str) -> Result<Self, String> {
        let (name, seed) = (text(case, "name")?, whole(case, "seed")? as u64);
        let [features, dim, classes] = ["features", "dim", "classes"].map(|key| whole(case, key));
        let (features, dim, classes) = (features?, dim?, classes?);
        let noise = case.params["noise"].as_f64().ok_or("no noise")?;
        let count = whole(case, count)?;
        let base = uniform(&format!("{name}.base"), seed, classes * features * dim);
        let other = uniform(&format!("{name}.{tag}"), seed, count * features * dim);
        let ids = case.params["image_ids"].as_array().filter(|_| tag == "noise");
        let images = (0..count)
            .map(|image| {
                let id = match ids {
                    Some(ids) => ids.get(image).and_then(Json::as_u64).ok_or("too few ids")? as usize,
                    None => image,
                };
                let values = (features - 3 * image % 7) * dim;
                let base = &base[image % classes * features * dim..][..values];
                let noise = base
                    .iter()
                    .zip(&other[image * features * dim..])
                    .map(|(base, other)| (base + noise * other) as f32);
                Ok((id, noise.collect()))
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { dim, images })
    }

    pub(crate) fn rows(&self) -> Vec<Rows<'_>> {
        self.images
            .iter()
            .map(|(_, values)| Rows::f32(values, self.dim))
            .collect()
    }
}

pub(crate) fn codebook(case: &Case) -> Result<Codebook, String> {
    let (name, seed) = (text(case, "name")?, whole(case, "seed")? as u64);
    let dim = whole(case, "dim")?;
    let values = uniform(&format!("{name}.codebook"), seed, whole(case, "words")? * dim);
    let values = values.into_iter().map(|value| value as f32).collect();
    Codebook::new(dim, values).map_err(|error| error.to_string())
}

pub(crate) fn text<'a>(case: &'a Case, key: &str) -> Result<&'a str, String> {
    case.params[key].as_str().ok_or(format!("no parameter {key}"))
}

pub(crate) fn whole(case: &Case, key: &str) -> Result<usize, String> {
    let value = case.params[key].as_u64().ok_or(format!("no parameter {key}"))?;
    Ok(value as usize)
}

pub(crate) fn truth(case: &Case, key: &str) -> Result<bool, String> {
    case.params[key].as_bool().ok_or(format!("no parameter {key}"))
}
