//! The selection of local features over scales, and their whitening.

use crate::case::{Case, Outputs};
use sightline::checkpoint::formula::uniform;
use sightline::descriptor::{Samples, WhiteningSettings, learn_shrinkage};
use sightline::local::{ScaleMap, strongest};
use sightline::search::Rows;
use std::collections::BTreeSet;

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    match case.name.as_str() {
        "how_select" => select(case, &mut out)?,
        "how_whiten" => whiten(case, &mut out)?,
        other => return Err(format!("the harness knows no case {other}")),
    }
    Ok(out)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn whole(value: &serde_json::Value) -> Result<usize, String> {
    let value = value.as_u64().ok_or("a parameter is no whole number")?;
    Ok(value as usize)
}

/// What follows the first point of the names of outputs, each once: `20` of `out.vecs.20`.
fn variants(case: &Case) -> BTreeSet<String> {
    let names = case.names("out.");
    let rest = names
        .iter()
        .filter_map(|name| name["out.".len()..].split_once('.'));
    rest.map(|(_, variant)| variant.to_owned()).collect()
}

fn select(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let params = &case.params;
    let (dim, seed) = (whole(&params["dim"])?, whole(&params["seed"])? as u64);
    // 'NAME<s>' of the features, then of the attentions, where <s> is the number of the scale.
    let input = params["input"].as_str().ok_or("the case states no input")?;
    let names: Vec<&str> = input.split('\'').skip(1).step_by(2).collect();
    let [features, attentions] = names[..] else {
        return Err(format!("the inputs are not two: {input}"));
    };
    let sizes = params["sizes_height_width"].as_array().ok_or("no sizes")?;
    let scales = params["scales"].as_array().ok_or("no scales")?;
    let mut inputs = Vec::new();
    for (index, (size, scale)) in sizes.iter().zip(scales).enumerate() {
        let (height, width) = (whole(&size[0])?, whole(&size[1])?);
        let scale = scale.as_f64().ok_or("a scale is no number")?;
        let draw = |name: &str, count| uniform(&name.replace("<s>", &index.to_string()), seed, count);
        let features = draw(features, dim * height * width);
        let attentions = draw(attentions, height * width);
        let features: Vec<f32> = features.into_iter().map(|value| value as f32).collect();
        let attentions: Vec<f32> = attentions
            .into_iter()
            .map(|value| (0.5 + 0.5 * value) as f32)
            .collect();
        inputs.push((scale, height, width, features, attentions));
    }
    let maps: Vec<ScaleMap<'_>> = inputs
        .iter()
        .map(|(scale, height, width, features, strengths)| ScaleMap {
            scale: *scale,
            height: *height,
            width: *width,
            features,
            strengths,
        })
        .collect();
    for variant in variants(case) {
        let most = match variant.as_str() {
            "all" => None,
            count => Some(count.parse().map_err(text)?),
        };
        let kept = strongest(&maps, most);
        let cells: Vec<u64> = kept.iter().flat_map(|one| [one.x as u64, one.y as u64]).collect();
        out.ints(&format!("locations.{variant}"), &[kept.len(), 2], &cells);
        let attentions = kept.iter().map(|one| one.strength).collect();
        out.f32(&format!("attentions.{variant}"), &[kept.len()], attentions);
        let scales = kept.iter().map(|one| one.scale.to_f32()).collect();
        out.f32(&format!("scales.{variant}"), &[kept.len()], scales);
        let values = kept
            .iter()
            .flat_map(|one| maps[one.map].descriptor(one.x, one.y))
            .collect();
        out.f32(&format!("vecs.{variant}"), &[kept.len(), dim], values);
    }
    Ok(())
}

fn whiten(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let dim = whole(&case.params["dim"])?;
    let keep = whole(&case.params["keep"])?;
    let rows = case.array("in.x")?.to_f32();
    let wide: Vec<f64> = rows.iter().map(|value| f64::from(*value)).collect();
    for variant in variants(case) {
        let shrinkage: f64 = variant.parse().map_err(text)?;
        let learned =
            learn_shrinkage(&Samples::rows(Rows::f32(&rows, dim)), shrinkage, None).map_err(text)?;
        out.f64("mean", &[dim], learned.mean.clone());
        let absolute = learned.matrix.iter().map(|value| value.abs()).collect();
        out.f64(
            &format!("abs_projection.{variant}"),
            &[learned.output_dim(), dim],
            absolute,
        );
        for (name, l2) in [("gram", true), ("raw_gram", false)] {
            let count = case.array(&format!("out.{name}.{variant}"))?.shape[0];
            let settings = WhiteningSettings {
                dims: Some(keep),
                l2,
                ..WhiteningSettings::default()
            };
            let whitening = learned.whitening("how", &settings).map_err(text)?;
            let white = whitening.apply_f64(&wide[..count * dim]).map_err(text)?;
            let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
            let gram = white
                .chunks_exact(keep)
                .flat_map(|a| white.chunks_exact(keep).map(move |b| product(a, b)))
                .collect();
            out.f64(&format!("{name}.{variant}"), &[count, count], gram);
        }
    }
    Ok(())
}
