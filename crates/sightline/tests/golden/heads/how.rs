//! HOW: its head, its networks, and how its reduction layer starts.

use super::given::{both, input, numbers, on, plain, text, weights, whole};
use crate::case::{Case, Outputs};
use sightline::descriptor::{Samples, how_over_scales, how_sum, learn_shrinkage};
use sightline::image::ImageTensor;
use sightline::image::torch_resize::{Coordinates, scale};
use sightline::local::{ScaleMap, Selected, largest_strength, strongest};
use sightline::nn::{Architecture, BurnExecutor, BurnOps, Device, HeadModule, Network, PlanRecorder};
use sightline::plan::{Executor, RtenExecutor, Tensor};

/// Features and strengths of a picture at one scale.
type Maps = (Tensor, Tensor);

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "how_whitening" => whitening(case),
        "how_head" => head(case),
        _ => network(case),
    }
}

/// Rows are defined up to their sign.
fn whitening(case: &Case) -> Result<Outputs, String> {
    let descriptors = case.array("in.descriptors")?;
    let (rows, length) = (descriptors.to_f64(), descriptors.shape[1]);
    let shrinkage = case.params["shrinkage"]
        .as_f64()
        .ok_or("the case lacks shrinkage")?;
    let dim = whole(&case.params, "dim")?;
    let learned = learn_shrinkage(&Samples::f64(&rows, length), shrinkage, Some(dim)).map_err(text)?;
    let (weight, bias) = learned.layer();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let column = |index: usize| {
        weight
            .iter()
            .skip(index)
            .step_by(length)
            .copied()
            .collect::<Vec<f64>>()
    };
    let columns: Vec<Vec<f64>> = (0..length).map(column).collect();
    let mut out = Outputs::new();
    let norms = weight.chunks(length).map(|row| dot(row, row).sqrt()).collect();
    out.f64("row_norm", &[dim], norms);
    let products = columns
        .iter()
        .flat_map(|a| columns.iter().map(move |b| dot(a, b)));
    out.f64("wtw", &[length, length], products.collect());
    out.f64(
        "wtb",
        &[length],
        columns.iter().map(|column| dot(column, &bias)).collect(),
    );
    out.f64(
        "abs_weight",
        &[dim, length],
        weight.iter().map(|value| value.abs()).collect(),
    );
    out.f64("mean", &[length], learned.mean);
    Ok(out)
}

/// Sightline's name of the head of a case.
fn head_name(case: &Case) -> Result<String, String> {
    let (dim, side) = (
        whole(&case.params, "dim")?,
        whole(&case.params, "smoothing_kernel")?,
    );
    Ok(format!("how-out{dim}-smooth{side}"))
}

/// The head with a map in place of a picture.
fn head(case: &Case) -> Result<Outputs, String> {
    let map = input(case)?;
    let channels = map.shape[1];
    // The head's parameters are those of any network that it follows.
    let architecture = Architecture::parse(&format!("resnet18/{}", head_name(case)?)).map_err(text)?;
    let wanted = HeadModule::parameters(architecture.head(), channels);
    let module = HeadModule::load(architecture.head(), channels, &weights(case, &wanted)?).map_err(text)?;

    let (mut recorder, value) = PlanRecorder::new(channels);
    let maps = module
        .local(&mut recorder, value, None)
        .ok_or("no local features")?;
    recorder.output(Network::LOCAL, maps.features);
    recorder.output(Network::STRENGTH, maps.strengths);
    let mut plan = RtenExecutor::new(&recorder.finish().map_err(text)?, 2).map_err(text)?;
    let by_plan = outputs(case, &map, &mut |picture| local(&mut plan, picture))?;
    let by_burn = outputs(case, &map, &mut |picture| {
        let picture = on::<4>(picture, &Device::flex());
        let maps = module
            .local(&mut BurnOps::default(), picture, None)
            .ok_or("no local features")?;
        Ok((plain(maps.features)?, plain(maps.strengths)?))
    })?;
    both(case, &by_burn, by_plan)
}

fn network(case: &Case) -> Result<Outputs, String> {
    let trunk = case.params["arch"].as_str().ok_or("the case names no trunk")?;
    let stage = match whole(&case.params, "skip_layer")? {
        0 => String::new(),
        skipped => format!(":layer{}", 4_usize.saturating_sub(skipped)),
    };
    let architecture = Architecture::parse(&format!("{trunk}{stage}/{}", head_name(case)?)).map_err(text)?;
    let weights = weights(case, &architecture.parameters())?;
    let network = Network::load(&architecture, &weights).map_err(text)?;
    let picture = input(case)?;
    let device = Device::flex();

    let mut plan = RtenExecutor::new(&network.record_local().map_err(text)?, 2).map_err(text)?;
    let mut by_plan = outputs(case, &picture, &mut |picture| local(&mut plan, picture))?;
    let mut burn = BurnExecutor::local(network.on(&device), &device).map_err(text)?;
    let mut by_burn = outputs(case, &picture, &mut |picture| local(&mut burn, picture))?;

    // At scale 1 the descriptor is that of the plan.
    let descriptor = |executor: &mut dyn Executor, out: &mut Outputs| -> Result<(), String> {
        let (_, descriptor) = executor.run(&picture).map_err(text)?.remove(0);
        out.f32("global_1", &descriptor.shape, descriptor.data);
        Ok(())
    };
    descriptor(&mut BurnExecutor::new(network.on(&device), &device), &mut by_burn)?;
    let plan = network.record().map_err(text)?;
    descriptor(&mut RtenExecutor::new(&plan, 2).map_err(text)?, &mut by_plan)?;
    both(case, &by_burn, by_plan)
}

fn local(executor: &mut dyn Executor, picture: &Tensor) -> Result<Maps, String> {
    let mut outputs = executor
        .run(picture)
        .map_err(text)?
        .into_iter()
        .map(|(_, tensor)| tensor);
    outputs
        .next()
        .zip(outputs.next())
        .ok_or("an output is missing".to_owned())
}

/// What a case expects of the maps at its scales.
fn outputs(
    case: &Case,
    picture: &Tensor,
    local: &mut dyn FnMut(&Tensor) -> Result<Maps, String>,
) -> Result<Outputs, String> {
    let scales = numbers(&case.params, "scales")?;
    let [_, channels, height, width] = picture.shape[..] else {
        return Err("the input does not have four axes".into());
    };
    let image = ImageTensor::new(channels, height, width, picture.data.clone()).ok_or("no picture")?;
    let maps: Vec<Maps> = scales
        .iter()
        .map(|factor| {
            let scaled = scale(&image, *factor, Coordinates::Recomputed).map_err(text)?;
            let shape = [1, scaled.channels, scaled.height, scaled.width];
            local(&Tensor::new(&shape, scaled.data).map_err(text)?)
        })
        .collect::<Result<_, _>>()?;
    let mut out = Outputs::new();
    let (sums, largest): (Vec<Vec<f64>>, Vec<f64>) = maps
        .iter()
        .map(|(features, strengths)| how_sum(&features.data, &strengths.data))
        .unzip();
    let sums: Vec<&[f64]> = sums.iter().map(Vec::as_slice).collect();
    let global = how_over_scales(&sums, &largest);
    out.f32("global", &[1, global.len()], global);

    let views: Vec<ScaleMap<'_>> = maps
        .iter()
        .zip(&scales)
        .map(|(maps, scale)| view(maps, *scale))
        .collect();
    let largest = largest_strength(&views);
    for (index, (view, (features, _))) in views.iter().zip(&maps).enumerate() {
        let relative = view.strengths.iter().map(|strength| strength / largest).collect();
        out.f32(&format!("mask{index}"), &[view.height, view.width], relative);
        out.f32(&format!("map{index}"), &features.shape, features.data.clone());
    }
    let most = case.params["features_num"].as_u64().map(|most| most as usize);
    let kept = strongest(&views, most);
    let (count, dim) = (
        kept.len(),
        maps.first().map_or(0, |(features, _)| features.shape[1]),
    );
    let each = |one: &Selected| views[one.map].descriptor(one.x, one.y);
    let places: Vec<i64> = kept.iter().flat_map(|one| [one.x as i64, one.y as i64]).collect();
    let strengths: Vec<f32> = kept.iter().map(|one| one.strength / largest).collect();
    let found: Vec<f32> = kept.iter().map(|one| one.scale.to_f32()).collect();
    let descriptors: Vec<f32> = kept.iter().flat_map(each).collect();
    for ending in ["", "_sorted"] {
        out.f32(&format!("desc{ending}"), &[count, dim], descriptors.clone());
        out.f32(&format!("strength{ending}"), &[count], strengths.clone());
        out.ints(&format!("location{ending}"), &[count, 2], &places);
        out.f32(&format!("scale{ending}"), &[count], found.clone());
    }
    Ok(out)
}

fn view((features, strengths): &Maps, scale: f64) -> ScaleMap<'_> {
    ScaleMap {
        scale,
        height: features.shape[2],
        width: features.shape[3],
        features: &features.data,
        strengths: &strengths.data,
    }
}
