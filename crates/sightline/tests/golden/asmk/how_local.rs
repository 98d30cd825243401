//! HOW's local features outside its network: which are kept, and how they are whitened.

use super::toy::{text, whole};
use crate::case::{Case, Outputs};
use sightline::checkpoint::formula::uniform;
use sightline::descriptor::{Samples, WhiteningSettings, learn_shrinkage};
use sightline::local::{ScaleMap, strongest};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "how_select" => selected(case),
        _ => whitened(case),
    }
}

fn said(error: impl ToString) -> String {
    error.to_string()
}

/// The strongest features, as many as the outputs' names say (`scales.20`, `scales.all`).
fn selected(case: &Case) -> Result<Outputs, String> {
    let (dim, seed) = (whole(case, "dim")?, whole(case, "seed")? as u64);
    let scales: Vec<f64> = serde_json::from_value(case.params["scales"].clone()).map_err(said)?;
    let sizes: Vec<[usize; 2]> =
        serde_json::from_value(case.params["sizes_height_width"].clone()).map_err(said)?;
    let input = text(case, "input")?;
    let names: Vec<&str> = input.split('\'').skip(1).step_by(2).collect();
    let [features, strengths] = names[..] else {
        return Err("the input does not name features and strengths".into());
    };
    // The strengths are a + b u.
    let line = input.split_once("attention s: f32(").and_then(|(_, rest)| {
        let (sum, _) = rest.split_once("*uniform")?;
        let (a, b) = sum.split_once('+')?;
        Some((a.trim().parse::<f64>().ok()?, b.trim().parse::<f64>().ok()?))
    });
    let (a, b) = line.ok_or("the strengths are not understood")?;
    let values = |name: &str, map: usize, count: usize, a: f64, b: f64| -> Vec<f32> {
        let u = uniform(&name.replace("<s>", &map.to_string()), seed, count);
        u.into_iter().map(|u| (a + b * u) as f32).collect()
    };
    let data: Vec<(Vec<f32>, Vec<f32>)> = sizes
        .iter()
        .enumerate()
        .map(|(map, [height, width])| {
            let cells = height * width;
            (
                values(features, map, dim * cells, 0.0, 1.0),
                values(strengths, map, cells, a, b),
            )
        })
        .collect();
    let maps: Vec<ScaleMap<'_>> = scales
        .iter()
        .zip(&sizes)
        .zip(&data)
        .map(|((scale, [height, width]), (features, strengths))| ScaleMap {
            scale: *scale,
            height: *height,
            width: *width,
            features,
            strengths,
        })
        .collect();
    let mut out = Outputs::new();
    for full in case.names("out.scales.") {
        let most = full.trim_start_matches("out.scales.");
        let limit = match most {
            "all" => None,
            number => Some(number.parse().map_err(said)?),
        };
        let kept = strongest(&maps, limit);
        let count = kept.len();
        let places: Vec<i64> = kept.iter().flat_map(|one| [one.x as i64, one.y as i64]).collect();
        out.ints(&format!("locations.{most}"), &[count, 2], &places);
        let strengths = kept.iter().map(|one| one.strength).collect();
        out.f32(&format!("attentions.{most}"), &[count], strengths);
        let scales = kept.iter().map(|one| one.scale.to_f32()).collect();
        out.f32(&format!("scales.{most}"), &[count], scales);
        let rows = kept.iter().flat_map(|one| maps[one.map].descriptor(one.x, one.y));
        out.f32(&format!("vecs.{most}"), &[count, dim], rows.collect());
    }
    Ok(out)
}

/// Whitenings of the shrinkages that the outputs' names say; what does not depend on the signs of their axes.
fn whitened(case: &Case) -> Result<Outputs, String> {
    let x = case.array("in.x")?;
    let (values, dim) = (x.to_f64(), x.shape[1]);
    let keep = whole(case, "keep")?;
    let digits: String = text(case, "applied_to")?
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let count: usize = digits.parse().map_err(said)?;
    let first = values
        .get(..count * dim)
        .ok_or("there are fewer rows than it is applied to")?;
    let mut out = Outputs::new();
    for full in case.names("out.abs_projection.") {
        let name = full.trim_start_matches("out.abs_projection.");
        let shrinkage = name.parse().map_err(said)?;
        let learned = learn_shrinkage(&Samples::f64(&values, dim), shrinkage, None).map_err(said)?;
        let projection = learned.matrix.iter().map(|value| value.abs()).collect();
        out.f64(
            &format!("abs_projection.{name}"),
            &[learned.output_dim(), dim],
            projection,
        );
        for (kind, l2) in [("gram", true), ("raw_gram", false)] {
            let settings = WhiteningSettings {
                dims: Some(keep),
                l2,
                ..WhiteningSettings::default()
            };
            let whitening = learned.whitening("case", &settings).map_err(said)?;
            let rows = whitening.apply_f64(first).map_err(said)?;
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let products = rows
                .chunks(keep)
                .flat_map(|a| rows.chunks(keep).map(move |b| dot(a, b)));
            out.f64(&format!("{kind}.{name}"), &[count, count], products.collect());
        }
        out.f64("mean", &[dim], learned.mean);
    }
    Ok(out)
}
