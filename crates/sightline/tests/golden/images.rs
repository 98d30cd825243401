//! Golden area `images`: the dispatch, and the resizing of bytes as Pillow and OpenCV do it.

#[path = "images_recipes.rs"]
mod recipes;
#[path = "images_sizes.rs"]
mod sizes;

use crate::case::{Case, Outputs};
use crate::images_decode;
use serde_json::Value as Json;
use sightline::checkpoint::formula::uniform;
use sightline::image::cv2_resize::{Target, area, linear, linear_floats, linear_gray};
use sightline::image::resize::{
    Filter, reduce, reduce_gray, resize, resize_gray, resize_reducing_gap, thumbnail,
};
use sightline::image::torch_resize::{self, Coordinates};
use sightline::image::{GrayImage, ImageTensor, RgbImage};

/// Computes every output of one case of the area.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    if images_decode::handles(case) {
        return images_decode::run(case);
    }
    match case.name.as_str() {
        "pillow_resize_gray" => pillow_gray(case, &mut out)?,
        "pillow_resize_region" => pillow_region(case, &mut out)?,
        "pillow_resize_reducing_gap" => pillow_reducing_gap(case, &mut out)?,
        "pillow_reduce" => pillow_reduce(case, &mut out)?,
        "pillow_thumbnail" => pillow_thumbnail(case, &mut out)?,
        "pillow_thumbnail_sizes" => sizes::thumbnails(case, &mut out)?,
        name if name.starts_with("pillow_resize_") => pillow_resize(case, &mut out)?,
        "cv2_linear_u8" => cv2_linear_bytes(case, &mut out)?,
        "cv2_linear_f32" => cv2_linear_floats(case, &mut out)?,
        "cv2_area_u8" => cv2_area(case, &mut out)?,
        "torch_multiscale" => torch_multiscale(case, &mut out)?,
        "superglobal_multiscale" => superglobal_multiscale(case, &mut out)?,
        "dirtorch_scale_sizes" => sizes::dirtorch(case, &mut out)?,
        "torchvision_resize_sizes" => sizes::torchvision(case, &mut out)?,
        "delg_scale_sizes" => sizes::delg(case, &mut out)?,
        "dirtorch_trfs" => recipes::transforms(case, &mut out)?,
        "dirtorch_trfs_bad" => recipes::bad_transforms(case, &mut out)?,
        "dirtorch_crop_to_bbox" => recipes::crop_to_bbox(case, &mut out)?,
        "dirtorch_query_roi" => recipes::query_regions(case, &mut out)?,
        "cirtorch_images_from_list" => recipes::cirtorch(case, &mut out)?,
        "cirtorch_thumbnail_jpeg" => recipes::cirtorch_thumbnails(case, &mut out)?,
        "token_val_transform" => recipes::token_validation(case, &mut out)?,
        "cgd_pytorch_test_transform" => recipes::cgd_pytorch(case, &mut out)?,
        "cgd_tf_input" => recipes::cgd_tensorflow(case, &mut out)?,
        "delg_extractor_input" => recipes::delg_extractor(case, &mut out)?,
        "delg_val_input" => recipes::delg_validation(case, &mut out)?,
        "superglobal_query_input" => recipes::superglobal_query(case, &mut out)?,
        "normalize_values" => recipes::normalised_values(&mut out)?,
        name => return Err(format!("there is no computation of the name {name}")),
    }
    Ok(out)
}

/// An error as text.
fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A parameter's items.
fn items<'a>(params: &'a Json, key: &str) -> Result<&'a Vec<Json>, String> {
    params[key]
        .as_array()
        .ok_or_else(|| format!("the case has no list {key}"))
}

fn number(value: &Json) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| format!("{value} is no number"))
}

fn numbers<const N: usize>(value: &Json) -> Result<[f64; N], String> {
    let list = value.as_array().ok_or_else(|| format!("{value} is no list"))?;
    let values: Vec<f64> = list.iter().map(number).collect::<Result<_, _>>()?;
    values
        .try_into()
        .map_err(|_| format!("{value} has not {N} numbers"))
}

/// (width, height), or whatever pair of pixels.
fn pair(value: &Json) -> Result<(u32, u32), String> {
    let [a, b] = numbers::<2>(value)?;
    Ok((a as u32, b as u32))
}

fn filter(value: &Json) -> Result<Filter, String> {
    match (value.as_str(), value.as_i64()) {
        (Some(name), _) => name.parse().map_err(text),
        (_, Some(number)) => Filter::from_number(number).ok_or(format!("there is no filter {number}")),
        _ => Err(format!("{value} is no filter")),
    }
}

fn factor(case: &Case, key: &str) -> Result<Vec<f64>, String> {
    items(&case.params, key)?.iter().map(number).collect()
}

/// An input's shape and its values in [-1, 1).
fn uniform_input(input: &Json, formula: &str) -> Result<(Vec<usize>, Vec<f64>), String> {
    if input["formula"] != formula {
        return Err(format!(
            "the input is of the formula {} instead of {formula}",
            input["formula"]
        ));
    }
    let shape: Vec<usize> = items(input, "shape")?
        .iter()
        .filter_map(Json::as_u64)
        .map(|side| side as usize)
        .collect();
    let name = input["name"].as_str().ok_or("the input has no name")?;
    let seed = input["seed"].as_u64().ok_or("the input has no seed")?;
    let count = shape.iter().product();
    Ok((shape, uniform(name, seed, count)))
}

/// A byte picture: height x width x 3.
fn colour(input: &Json) -> Result<RgbImage, String> {
    let (shape, values) = uniform_input(input, "u8")?;
    let [height, width, 3] = shape[..] else {
        return Err(format!("{shape:?} is no colour picture"));
    };
    let data = values
        .iter()
        .map(|value| (128.0 * (value + 1.0)).floor() as u8)
        .collect();
    RgbImage::new(width as u32, height as u32, data).ok_or("the picture has no size".into())
}

fn first_channel(image: &RgbImage) -> GrayImage {
    let data = image.data.iter().step_by(3).copied().collect();
    GrayImage {
        width: image.width,
        height: image.height,
        data,
    }
}

/// A network input: 1 x channels x height x width, 1.5 u.
fn network_input(input: &Json) -> Result<ImageTensor, String> {
    let (shape, values) = uniform_input(input, "image")?;
    let [1, channels, height, width] = shape[..] else {
        return Err(format!("{shape:?} is no network input"));
    };
    let data = values.iter().map(|value| (1.5 * value) as f32).collect();
    ImageTensor::new(channels, height, width, data).ok_or("the input has no size".into())
}

fn put(out: &mut Outputs, name: &str, image: &RgbImage) {
    out.ints(
        name,
        &[image.height as usize, image.width as usize, 3],
        &image.data,
    );
}

fn put_gray(out: &mut Outputs, name: &str, image: &GrayImage) {
    out.ints(name, &[image.height as usize, image.width as usize], &image.data);
}

fn put_tensor(out: &mut Outputs, name: &str, tensor: ImageTensor) {
    out.f32(name, &[tensor.channels, tensor.height, tensor.width], tensor.data);
}

/// A float picture, channel after channel, as height x width x channel.
fn put_interleaved(out: &mut Outputs, name: &str, tensor: &ImageTensor) {
    let pixels = tensor.height * tensor.width;
    let data = (0..pixels)
        .flat_map(|pixel| (0..tensor.channels).map(move |channel| tensor.data[channel * pixels + pixel]))
        .collect();
    out.f32(name, &[tensor.height, tensor.width, tensor.channels], data);
}

fn pillow_resize(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    let filter = filter(&case.params["filter"])?;
    for (index, size) in items(&case.params, "sizes_wh")?.iter().enumerate() {
        put(
            out,
            &index.to_string(),
            &resize(&image, pair(size)?, filter, None).map_err(text)?,
        );
    }
    Ok(())
}

fn pillow_gray(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (shape, values) = uniform_input(&case.params["input"], "bw8")?;
    let [height, width] = shape[..] else {
        return Err(format!("{shape:?} is no gray picture"));
    };
    let data = values
        .iter()
        .map(|value| if *value >= 0.0 { 255 } else { 0 })
        .collect();
    let image = GrayImage::new(width as u32, height as u32, data).ok_or("the picture has no size")?;
    for filter in Filter::ALL {
        for (index, size) in items(&case.params, "sizes_wh")?.iter().enumerate() {
            let resized = resize_gray(&image, pair(size)?, filter, None).map_err(text)?;
            put_gray(out, &format!("{filter}.{index}"), &resized);
        }
    }
    Ok(())
}

fn pillow_region(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    for filter in Filter::ALL {
        for (index, item) in items(&case.params, "size_wh_and_box")?.iter().enumerate() {
            let region = numbers(&item[1])?;
            let resized = resize(&image, pair(&item[0])?, filter, Some(region)).map_err(text)?;
            put(out, &format!("{filter}.{index}"), &resized);
        }
    }
    Ok(())
}

fn pillow_reducing_gap(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    for (index, item) in items(&case.params, "size_filter_gap")?.iter().enumerate() {
        let (size, filter, gap) = (pair(&item[0])?, filter(&item[1])?, number(&item[2])?);
        put(
            out,
            &index.to_string(),
            &resize_reducing_gap(&image, size, filter, None, gap).map_err(text)?,
        );
    }
    Ok(())
}

fn pillow_reduce(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    for (index, factors) in items(&case.params, "factors")?.iter().enumerate() {
        put(
            out,
            &index.to_string(),
            &reduce(&image, pair(factors)?, None).map_err(text)?,
        );
    }
    let region = numbers::<4>(&case.params["box"])?.map(|corner| corner as u32);
    let factors = pair(&case.params["factor_box"])?;
    put(out, "box", &reduce(&image, factors, Some(region)).map_err(text)?);
    // These factors are the case's own: only its description names them.
    let factors = if case.params["factor_gray"].is_null() {
        (3, 5)
    } else {
        pair(&case.params["factor_gray"])?
    };
    put_gray(
        out,
        "gray",
        &reduce_gray(&first_channel(&image), factors, None).map_err(text)?,
    );
    Ok(())
}

fn pillow_thumbnail(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    for (index, item) in items(&case.params, "request_wh_and_filter")?.iter().enumerate() {
        let [x, y] = numbers(&item[0])?;
        put(
            out,
            &index.to_string(),
            &thumbnail(&image, (x, y), filter(&item[1])?).map_err(text)?,
        );
    }
    Ok(())
}

fn cv2_linear_bytes(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    let sizes = items(&case.params, "sizes_wh")?;
    for (index, size) in sizes.iter().enumerate() {
        let (width, height) = pair(size)?;
        put(
            out,
            &index.to_string(),
            &linear(&image, Target::Size(width, height)).map_err(text)?,
        );
    }
    for (index, factor) in factor(case, "fx")?.into_iter().enumerate() {
        put(
            out,
            &format!("fx.{index}"),
            &linear(&image, Target::Factor(factor)).map_err(text)?,
        );
    }
    let (width, height) = pair(&sizes[0])?;
    let gray = linear_gray(&first_channel(&image), Target::Size(width, height)).map_err(text)?;
    put_gray(out, "gray", &gray);
    let (height, width) = pair(&case.params["half_crop_hw"])?;
    let corner = [0, 0, i64::from(width), i64::from(height)];
    let corner = sightline::image::crop::crop(&image, corner).map_err(text)?;
    put(
        out,
        "half",
        &linear(&corner, Target::Size(width / 2, height / 2)).map_err(text)?,
    );
    Ok(())
}

fn cv2_linear_floats(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    let planes = (0..3).flat_map(|channel| image.data.iter().skip(channel).step_by(3));
    let data = planes.map(|byte| f32::from(*byte)).collect();
    let image = ImageTensor::new(3, image.height as usize, image.width as usize, data).ok_or("no picture")?;
    for (index, size) in items(&case.params, "sizes_wh")?.iter().enumerate() {
        let (width, height) = pair(size)?;
        let resized = linear_floats(&image, Target::Size(width, height)).map_err(text)?;
        put_interleaved(out, &index.to_string(), &resized);
    }
    Ok(())
}

fn cv2_area(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let image = colour(&case.params["input"])?;
    for (index, factor) in factor(case, "fx")?.into_iter().enumerate() {
        put(
            out,
            &index.to_string(),
            &area(&image, Target::Factor(factor)).map_err(text)?,
        );
    }
    let (width, height) = pair(&case.params["size_wh"])?;
    put(
        out,
        "size",
        &area(&image, Target::Size(width, height)).map_err(text)?,
    );
    Ok(())
}

fn torch_multiscale(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let tensor = network_input(&case.params["input"])?;
    for (index, factor) in factor(case, "scales")?.into_iter().enumerate() {
        for (name, coordinates) in [
            ("given", Coordinates::Given),
            ("recomputed", Coordinates::Recomputed),
        ] {
            let scaled = torch_resize::scale(&tensor, factor, coordinates).map_err(text)?;
            put_tensor(out, &format!("{name}.{index}"), scaled);
        }
    }
    Ok(())
}

fn superglobal_multiscale(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let tensor = network_input(&case.params["input"])?;
    for (index, factor) in factor(case, "scales")?.into_iter().enumerate() {
        let plain = torch_resize::scale(&tensor, factor, Coordinates::Recomputed).map_err(text)?;
        let size = (plain.height, plain.width);
        put_tensor(out, &format!("plain.{index}"), plain);
        let smooth = torch_resize::resize_antialias(&tensor, size).map_err(text)?;
        put_tensor(out, &format!("antialias.{index}"), smooth);
    }
    Ok(())
}
