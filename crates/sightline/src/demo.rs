//! The demonstration: scenes drawn on the spot as a data set on disk.

use crate::Error;
use sightline_dataset::{Dataset, Truth};
use sightline_image::encode;
use sightline_scenes::{Collection, Role};
use std::path::Path;

/// Size of the drawn pictures.
const SIZE: (u32, u32) = (320, 240);

/// Draws `scenes` facades into `folder/png` and writes their ground truth beside it as `gnd_scenes.json`, in the form of the
/// revisited sets. `drawn` is called after every picture.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_scenes(
    folder: &Path,
    scenes: usize,
    seed: u64,
    drawn: &mut dyn FnMut(),
) -> Result<Dataset, Error> {
    let pictures = folder.join("png");
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    std::fs::create_dir_all(&pictures).map_err(io(&pictures))?;
    let collection = Collection::new(scenes, seed);
    for picture in &collection.pictures {
        let path = pictures.join(format!("{}.png", picture.name));
        let drawing = collection.draw(picture, SIZE.0, SIZE.1);
        let bytes = encode::png(&drawing).map_err(|error| Error::Picture {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        std::fs::write(&path, bytes).map_err(io(&path))?;
        drawn();
    }
    let dataset = collection.dataset();
    let path = folder.join("gnd_scenes.json");
    std::fs::write(&path, ground_truth(&dataset).to_string()).map_err(io(&path))?;
    Ok(dataset)
}

/// How many pictures `scenes` facades give.
pub fn picture_count(scenes: usize) -> usize {
    let of_one = Collection::new(1, 0).pictures;
    debug_assert!(of_one.iter().any(|picture| picture.role == Role::Query));
    scenes * of_one.len()
}

/// The JSON form of a revisited ground truth.
fn ground_truth(dataset: &Dataset) -> serde_json::Value {
    let names: Vec<&str> = dataset.queries.iter().map(|query| query.name.as_str()).collect();
    let lists = match &dataset.truth {
        Truth::Revisited(lists) => lists.as_slice(),
        _ => &[],
    };
    let whole = [0, 0, SIZE.0, SIZE.1];
    let gnd: Vec<_> = lists
        .iter()
        .map(|lists| {
            serde_json::json!({ "bbx": whole, "easy": lists.easy, "hard": lists.hard, "junk": lists.junk })
        })
        .collect();
    serde_json::json!({ "imlist": dataset.images, "qimlist": names, "gnd": gnd })
}
