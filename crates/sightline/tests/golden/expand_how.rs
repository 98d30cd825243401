//! The case of area `expand` whose pooling is HOW's head over several scales.

use crate::case::{Case, Outputs};
use crate::expand::{features, image, number, numbers, parameter, plane, resized, run_plan, text, whole};
use sightline::descriptor::{how_over_scales, how_sum};
use sightline::image::torch_resize::Coordinates;
use sightline::nn::{Architecture, HeadModule, PlanRecorder, Weights};
use sightline::plan::{Executor as _, RtenExecutor, Tensor};

/// The tiny network's map, then HOW's head, at each scale of each set of scales.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    let (mut plan, map) = features(case)?;
    plan.output("map", map);
    let mut head = head(case)?;
    let image = image(case)?;
    let sets = case.params["scales"]
        .as_object()
        .ok_or("the case has no scales")?;
    for (name, scales) in sets {
        let (mut sums, mut largest) = (Vec::new(), Vec::new());
        for factor in numbers(scales)? {
            let tensor = resized(&image, factor, Coordinates::Recomputed)?;
            let (_, map) = run_plan(&plan, &tensor)?.into_iter().next().ok_or("no map")?;
            let outputs: Vec<(String, Tensor)> = head.run(&map).map_err(text)?;
            let [(_, features), (_, strengths)] = &outputs[..] else {
                return Err("an output is missing".into());
            };
            let (sum, most) = how_sum(&features.data, &strengths.data);
            sums.push(sum);
            largest.push(most);
        }
        let sums: Vec<&[f64]> = sums.iter().map(Vec::as_slice).collect();
        let pooled = how_over_scales(&sums, &largest);
        out.f32(name, &[pooled.len()], pooled);
    }
    let factor = number(&case.params["resized_scale"])?;
    plane(
        &mut out,
        "resized",
        &resized(&image, factor, Coordinates::Recomputed)?,
    );
    Ok(out)
}

/// HOW's head behind the tiny network.
fn head(case: &Case) -> Result<RtenExecutor, String> {
    let mut weights = Weights::new();
    for name in ["dim_reduction.weight", "dim_reduction.bias"] {
        let (shape, values) = parameter(case, name)?;
        weights.insert(name, &shape, values);
    }
    let (shape, _) = parameter(case, "dim_reduction.weight")?;
    let side = whole(&case.params["smoothing"])?;
    let name = format!("resnet18/how-out{}-smooth{side}", shape[0]);
    let head = Architecture::parse(&name).map_err(text)?;
    let module = HeadModule::load(head.head(), shape[1], &weights).map_err(text)?;
    let (mut recorder, map) = PlanRecorder::new(shape[1]);
    let maps = module
        .local(&mut recorder, map, None)
        .ok_or("no local features")?;
    recorder.output("features", maps.features);
    recorder.output("strengths", maps.strengths);
    RtenExecutor::new(&recorder.finish().map_err(text)?, 1).map_err(text)
}
