//! Cases of the area `images` that go through recipes and transform texts.

use super::{colour, items, number, numbers, put, put_interleaved, put_tensor, text};
use crate::case::{Case, Outputs};
use serde_json::{Value as Json, json};
use sightline::image::crop::{Corners, crop_within};
use sightline::image::decode::MAX_PIXELS;
use sightline::image::normalise::{IMAGENET_MEAN, IMAGENET_STD, denormalised, normalised, to_tensor};
use sightline::image::recipe::{Prepared, Recipe};
use sightline::image::transforms::{Names, Transforms};
use sightline::image::{ImageTensor, RgbImage};

/// A named recipe with values set by path.
fn recipe(name: &str, changes: &[(&str, Json)]) -> Result<Recipe, String> {
    let mut recipe = Recipe::named(name).map_err(text)?;
    for (path, value) in changes {
        recipe.set(path, value.clone()).map_err(text)?;
    }
    Ok(recipe)
}

fn prepared(recipe: &Recipe, image: RgbImage) -> Result<Prepared, String> {
    recipe.prepared_pixels(image, None, MAX_PIXELS).map_err(text)
}

fn only(prepared: &Prepared) -> Result<ImageTensor, String> {
    prepared.tensors().first().cloned().ok_or("no tensor".into())
}

/// The values of a list of three numbers.
fn three(value: &Json) -> Result<Vec<f64>, String> {
    Ok(numbers::<3>(value)?.to_vec())
}

pub(crate) fn transforms(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    let names = Names {
        mean: three(&case.params["mean"])?,
        std: three(&case.params["std"])?,
        ..Names::default()
    };
    for (index, item) in items(&case.params, "texts")?.iter().enumerate() {
        let line = item.as_str().ok_or("a transform text is no text")?;
        let read = Transforms::parse(line, &names).map_err(text)?;
        let tensor = read.tensor(&image, None, MAX_PIXELS).map_err(text)?;
        // What the card shows must mean the same.
        let again = Transforms::parse(&read.to_string(), &Names::default()).map_err(text)?;
        if again.tensor(&image, None, MAX_PIXELS).map_err(text)? != tensor {
            return Err(format!("{line:?} spelled out as {read} gives something else"));
        }
        put_tensor(out, &index.to_string(), tensor);
    }
    Ok(())
}

/// As the README says, only "works" and "does not" are told apart.
pub(crate) fn bad_transforms(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    let expected: Vec<u8> = case.array("out.status")?.to_ints()?;
    let mut wrong = Vec::new();
    for (item, expected) in items(&case.params, "texts")?.iter().zip(expected) {
        let line = item.as_str().ok_or("a transform text is no text")?;
        let read = Transforms::parse(line, &Names::default());
        let works = read
            .and_then(|read| read.tensor(&image, None, MAX_PIXELS))
            .is_ok();
        if works != (expected == 0) {
            wrong.push(format!(
                "{line:?} {}",
                if works { "works" } else { "does not work" }
            ));
        }
    }
    let verdict = if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join(", "))
    };
    out.verdict("status", verdict);
    Ok(())
}

pub(crate) fn crop_to_bbox(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    for (index, item) in items(&case.params, "bbox_margin_min_size")?.iter().enumerate() {
        let [left, top, right, bottom, margin, least] = numbers(item)?;
        let line = format!("CropToBbox({margin:?}, {})", least as i64);
        let read = Transforms::parse(&line, &Names::default()).map_err(text)?;
        let cropped = read
            .pixels(&image, Some([left, top, right, bottom]), MAX_PIXELS)
            .map_err(text)?;
        put(out, &index.to_string(), &cropped.image);
        let bbox = cropped.bbox.ok_or("the box is lost")?.map(|corner| corner as i64);
        out.ints(&format!("{index}.bbox"), &[4], &bbox);
    }
    Ok(())
}

pub(crate) fn query_regions(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let recipe = recipe("dirtorch", &[])?;
    for (index, region) in items(&case.params, "rois")?.iter().enumerate() {
        let region = numbers(region)?;
        let cropped = recipe
            .pixels(case.bytes("in.file")?, Some(region), MAX_PIXELS)
            .map_err(text)?;
        put(out, &index.to_string(), &cropped);
    }
    Ok(())
}

/// cirtorch with its longer side set, or without resizing.
fn cirtorch_of_size(size: &Json) -> Result<Recipe, String> {
    match size {
        Json::Null => recipe("cirtorch", &[("resize.rule", json!("none"))]),
        size => recipe("cirtorch", &[("resize.size", size.clone())]),
    }
}

pub(crate) fn cirtorch(case: &Case, out: &mut Outputs) -> Result<(), String> {
    for (index, run) in items(&case.params, "runs")?.iter().enumerate() {
        let recipe = cirtorch_of_size(&run["imsize"])?;
        let file = run["file"].as_str().ok_or("a run has no file")?;
        let bytes = case.bytes(&format!("in.file.{file}"))?;
        let bbox = if run["bbx"].is_null() {
            None
        } else {
            Some(numbers(&run["bbx"])?)
        };
        put_tensor(
            out,
            &index.to_string(),
            recipe.prepare(bytes, bbox, MAX_PIXELS).map_err(text)?,
        );
    }
    Ok(())
}

pub(crate) fn cirtorch_thumbnails(case: &Case, out: &mut Outputs) -> Result<(), String> {
    for (index, size) in items(&case.params, "imsize")?.iter().enumerate() {
        let recipe = cirtorch_of_size(size)?;
        put(
            out,
            &index.to_string(),
            &recipe
                .pixels(case.bytes("in.file")?, None, MAX_PIXELS)
                .map_err(text)?,
        );
    }
    Ok(())
}

pub(crate) fn token_validation(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let imsize = number(&case.params["imsize"])?;
    let recipe = recipe(
        "token",
        &[
            (
                "resize",
                json!({"rule": "shorter-to", "size": (imsize * (8.0 / 7.0)) as u32, "filter": "bicubic", "reducing_gap": null}),
            ),
            ("crop", json!({"size": imsize as u32, "centre": "torchvision"})),
        ],
    )?;
    let image = colour(&case.params["input"])?;
    put_tensor(out, "x", only(&prepared(&recipe, image)?)?);
    Ok(())
}

pub(crate) fn cgd_pytorch(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let tensor = only(&prepared(&recipe("cgd", &[])?, colour(&case.params["input"])?)?)?;
    let step = number(&case.params["step"])? as usize;
    let mut data = Vec::new();
    for plane in tensor.data.chunks(tensor.width * tensor.height) {
        for row in plane.chunks(tensor.width).step_by(step) {
            data.extend(row.iter().step_by(step));
        }
    }
    let shape = [
        tensor.channels,
        tensor.height.div_ceil(step),
        tensor.width.div_ceil(step),
    ];
    out.f32("x", &shape, data);
    Ok(())
}

pub(crate) fn cgd_tensorflow(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let recipe = recipe("cgd-tf", &[("resize.size", case.params["target"].clone())])?;
    for (index, input) in items(&case.params, "inputs")?.iter().enumerate() {
        let tensor = only(&prepared(&recipe, colour(input)?)?)?;
        let back = denormalised(&tensor, recipe.mean, recipe.std).ok_or("no picture")?;
        put(out, &format!("{index}.back"), &back);
        // The bytes before normalisation, without truncation in between.
        let byte = |value: &f32| (255.0 * (f64::from(*value) + 0.5)).round() as f32;
        let bytes = ImageTensor {
            data: tensor.data.iter().map(byte).collect(),
            ..tensor.clone()
        };
        put(out, &format!("{index}.u8"), &interleaved(&bytes));
        put_interleaved(out, &format!("{index}.x"), &tensor);
    }
    Ok(())
}

fn interleaved(tensor: &ImageTensor) -> RgbImage {
    let pixels = tensor.width * tensor.height;
    let data =
        (0..pixels).flat_map(|pixel| [0, 1, 2].map(|channel| tensor.data[channel * pixels + pixel] as u8));
    RgbImage {
        width: tensor.width as u32,
        height: tensor.height as u32,
        data: data.collect(),
    }
}

pub(crate) fn delg_extractor(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let recipe = recipe("delg", &[])?;
    let prepared = prepared(&recipe, colour(&case.params["input"])?)?;
    put_scales(case, out, &recipe, &prepared)
}

/// One tensor per scale of the case.
fn put_scales(case: &Case, out: &mut Outputs, recipe: &Recipe, prepared: &Prepared) -> Result<(), String> {
    for (index, scale) in items(&case.params, "scales")?.iter().enumerate() {
        let scaled = recipe.scaled(prepared, number(scale)?).map_err(text)?;
        put_tensor(
            out,
            &index.to_string(),
            scaled.into_iter().next().ok_or("no tensor")?,
        );
    }
    Ok(())
}

pub(crate) fn delg_validation(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let recipe = recipe(
        "delg",
        &[
            (
                "resize",
                json!({"rule": "shorter-to-delg", "size": case.params["test_size"], "filter": "cv2-linear", "reducing_gap": null}),
            ),
            (
                "crop",
                json!({"size": case.params["train_size"], "centre": "delg"}),
            ),
        ],
    )?;
    // The input is a PNG's red, green, blue; `imread` gives them the other way round.
    let mut image = colour(&case.params["input"])?;
    image.data.chunks_exact_mut(3).for_each(|pixel| pixel.swap(0, 2));
    put_tensor(out, "x", only(&prepared(&recipe, image)?)?);
    Ok(())
}

pub(crate) fn superglobal_query(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let recipe = recipe("superglobal", &[("scales", json!("pixels-area-or-linear"))])?;
    let bbox = numbers(&case.params["bbx"])?;
    let prepared = recipe
        .prepared(case.bytes("in.file")?, Some(bbox), MAX_PIXELS)
        .map_err(text)?;
    put_scales(case, out, &recipe, &prepared)?;
    // The box alone, which `pixels` shows, must be the slice of the file's pixels.
    let whole = recipe
        .pixels(case.bytes("in.file")?, None, MAX_PIXELS)
        .map_err(text)?;
    let part = recipe
        .pixels(case.bytes("in.file")?, Some(bbox), MAX_PIXELS)
        .map_err(text)?;
    let slice = crop_within(&whole, Corners::Truncate.whole(bbox).map_err(text)?).map_err(text)?;
    if part == slice {
        Ok(())
    } else {
        Err("the box shown is not the slice of the picture".into())
    }
}

/// All bytes through each normalisation.
pub(crate) fn normalised_values(out: &mut Outputs) -> Result<(), String> {
    let data = (0..=255).flat_map(|byte| [byte; 3]).collect();
    let all = RgbImage {
        width: 256,
        height: 1,
        data,
    };
    let flat = |tensor: ImageTensor| ImageTensor { width: 256, ..tensor }.data;
    out.f32("totensor", &[256], flat(to_tensor(&all))[..256].to_vec());
    out.f32(
        "torchvision_rgb",
        &[3, 256],
        flat(normalised(&all, IMAGENET_MEAN, IMAGENET_STD)),
    );
    for (name, output, channels) in [
        ("superglobal", "delg_superglobal_bgr", 3),
        ("cgd-tf", "cgd_tf", 1),
    ] {
        let Recipe { mean, std, .. } = recipe(name, &[])?;
        let values = flat(normalised(&all, mean, std))[..256 * channels].to_vec();
        out.f32(output, if channels == 3 { &[3, 256] } else { &[256] }, values);
    }
    let delg = recipe("delg", &[])?;
    let floats = only(&prepared(&delg, all.clone())?)?;
    if floats.data == normalised(&all, delg.mean, delg.std).data {
        Ok(())
    } else {
        Err("floats are normalised otherwise than bytes".into())
    }
}
