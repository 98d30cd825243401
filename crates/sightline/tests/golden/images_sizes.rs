//! Cases of the area `images` that fix sizes and positions alone.

use super::text;
use crate::case::{Case, Outputs};
use sightline::image::crop::Centre;
use sightline::image::recipe::{delg_size, torchvision_size};
use sightline::image::resize::{Filter, thumbnail_size};
use sightline::image::transforms::{Scale, ScaleSize};

/// Rows of `N` whole numbers.
fn rows<const N: usize>(case: &Case, name: &str) -> Result<Vec<[u32; N]>, String> {
    let values: Vec<u32> = case.array(name)?.to_ints()?;
    let row = |chunk: &[u32]| chunk.try_into().map_err(|_| format!("{name} has no rows of {N}"));
    values.chunks(N).map(row).collect()
}

pub(crate) fn thumbnails(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let requests = case.array("in.request_wh")?.to_f64();
    let mut sizes = Vec::new();
    for ([width, height], request) in rows(case, "in.size_wh")?.into_iter().zip(requests.chunks(2)) {
        let size = thumbnail_size((width, height), (request[0], request[1])).map_err(text)?;
        sizes.extend([size.0, size.1]);
    }
    out.ints("size_wh", &[sizes.len() / 2, 2], &sizes);
    Ok(())
}

pub(crate) fn dirtorch(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let arguments = case.array("in.arg")?.to_f64();
    let floats: Vec<u8> = case.array("in.arg_is_float")?.to_ints()?;
    let flags = rows::<3>(case, "in.largest_up_down")?;
    let (mut targets, mut finals) = (Vec::new(), Vec::new());
    for (index, [width, height]) in rows(case, "in.size_wh")?.into_iter().enumerate() {
        let argument = arguments[index];
        let [largest, up, down] = flags[index].map(|flag| flag != 0);
        let scale = Scale {
            size: if floats[index] != 0 {
                ScaleSize::Factor(argument)
            } else {
                ScaleSize::Side(argument as i64)
            },
            interpolation: Filter::Bilinear,
            largest,
            can_upscale: up,
            can_downscale: down,
        };
        let (target, result) = (scale.target((width, height)), scale.result((width, height)));
        targets.extend([target.0, target.1]);
        finals.extend([result.0, result.1]);
    }
    out.ints("target_wh", &[targets.len() / 2, 2], &targets);
    out.ints("final_wh", &[finals.len() / 2, 2], &finals);
    Ok(())
}

pub(crate) fn torchvision(case: &Case, out: &mut Outputs) -> Result<(), String> {
    sizes_and_crops(case, out, torchvision_size, |size, crop| {
        // Where the crop is larger than the picture, the case holds -1 instead of a position.
        let fits = u64::from(crop) <= size.0.min(size.1);
        let at = |side: u64| {
            if fits {
                Centre::Torchvision.offset(side as u32, crop)
            } else {
                -1
            }
        };
        (at(size.0), at(size.1))
    })
}

pub(crate) fn delg(case: &Case, out: &mut Outputs) -> Result<(), String> {
    sizes_and_crops(case, out, delg_size, |size, crop| {
        let at = |side: u64| Centre::Delg.offset(side as u32, crop);
        (at(size.0), at(size.1))
    })
}

/// The scaled size (width, height), and left and top of a crop from its middle.
fn sizes_and_crops(
    case: &Case,
    out: &mut Outputs,
    resized: fn((u32, u32), u32) -> (u64, u64),
    position: impl Fn((u64, u64), u32) -> (i64, i64),
) -> Result<(), String> {
    let (mut sizes, mut corners) = (Vec::new(), Vec::new());
    for [width, height, size, crop] in rows(case, "in.wh_size_crop")? {
        let size = resized((width, height), size);
        let (left, top) = position(size, crop);
        sizes.extend([size.0, size.1]);
        corners.extend([top, left]);
    }
    out.ints("wh", &[sizes.len() / 2, 2], &sizes);
    out.ints("crop_top_left", &[corners.len() / 2, 2], &corners);
    Ok(())
}
