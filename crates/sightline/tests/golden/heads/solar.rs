//! SOLAR: its network, one block of second-order attention, and its descriptor of patches.

use super::given::{both, input, mean_of_map, numbers, on, plain, text, weights, whole};
use crate::case::{Case, Outputs};
use sightline::descriptor::ScalePooling;
use sightline::image::ImageTensor;
use sightline::image::torch_resize::{Coordinates, scale};
use sightline::nn::{
    Architecture, BatchNorm, BurnExecutor, BurnOps, Device, Network, PlanRecorder, SecondOrderAttention,
    SolarLocal, Weights,
};
use sightline::plan::{DESCRIPTOR, Executor, RtenExecutor, Tensor};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "solar_global_eval" => global(case),
        "solar_soa_eval" => block(case, false),
        "solar_soa_train" => block(case, true),
        "solar_local_eval" => patches(case, false),
        "solar_local_train" => patches(case, true),
        name => Err(format!("the harness does not know the case {name}")),
    }
}

/// The layers that attention follows, which the original writes as a text of digits.
fn attention(case: &Case) -> Result<Vec<usize>, String> {
    let layers = case.params["soa_layers"]
        .as_str()
        .ok_or("the case lacks soa_layers")?;
    let digit = |digit: char| digit.to_digit(10).map(|digit| digit as usize);
    layers
        .chars()
        .map(|layer| digit(layer).ok_or(format!("`{layer}` is no layer")))
        .collect()
}

fn global(case: &Case) -> Result<Outputs, String> {
    let trunk = case.params["arch"].as_str().ok_or("the case names no trunk")?;
    let blocks: String = attention(case)?
        .into_iter()
        .map(|layer| format!("-soa{layer}"))
        .collect();
    let architecture = Architecture::parse(&format!("{trunk}/solar{blocks}")).map_err(text)?;
    let weights = weights(case, &architecture.parameters())?;
    let network = Network::load(&architecture, &weights).map_err(text)?;
    let drawing = network.drawing();
    let device = Device::flex();
    let last = architecture.last_map();
    // Attention that the case wants drawn, by its number.
    let drawn: Vec<(String, String)> = case
        .names("out.draw_attention")
        .into_iter()
        .map(|name| {
            let output = name.trim_start_matches("out.").to_owned();
            let number = output.trim_start_matches("draw_attention").to_owned();
            (output, format!("soa{number}.attention"))
        })
        .collect();
    let maps: Vec<&str> = drawn.iter().map(|(_, map)| map.as_str()).collect();

    let mut burn = BurnExecutor::new(network.on(&device), &device).with_maps(&[&last]);
    let mut burn_drawing = BurnExecutor::new(drawing.on(&device), &device).with_maps(&maps);
    let by_burn = described(case, &mut burn, &mut burn_drawing, &drawn)?;
    let plan = network.record_with_maps(None, &[&last]).map_err(text)?;
    let plan_drawing = drawing.record_with_maps(None, &maps).map_err(text)?;
    let mut plan = RtenExecutor::new(&plan, 2).map_err(text)?;
    let mut plan_drawing = RtenExecutor::new(&plan_drawing, 2).map_err(text)?;
    both(
        case,
        &by_burn,
        described(case, &mut plan, &mut plan_drawing, &drawn)?,
    )
}

/// What the network yields at scale 1, over the case's scales, and drawn.
fn described(
    case: &Case,
    executor: &mut dyn Executor,
    drawing: &mut dyn Executor,
    drawn: &[(String, String)],
) -> Result<Outputs, String> {
    let pictures = input(case)?;
    let mut out = Outputs::new();
    for (name, tensor) in executor.run(&pictures).map_err(text)? {
        if name == DESCRIPTOR {
            out.f32("descriptor", &tensor.shape, tensor.data);
        } else {
            let mean = mean_of_map(&tensor);
            out.f32("features_mean", &mean.shape, mean.data);
        }
    }
    let scales = numbers(&case.params, "scales")?;
    let msp = case.params["msp"].as_f64().ok_or("the case lacks msp")?;
    let [count, channels, height, width] = pictures.shape[..] else {
        return Err("the input does not have four axes".into());
    };
    let mut pooled = Vec::new();
    for values in pictures.data.chunks(channels * height * width) {
        let picture = ImageTensor::new(channels, height, width, values.to_vec()).ok_or("no picture")?;
        let passes: Vec<Vec<f32>> = scales
            .iter()
            .map(|factor| {
                let scaled = match *factor {
                    1.0 => picture.clone(),
                    factor => scale(&picture, factor, Coordinates::Given).map_err(text)?,
                };
                let shape = [1, channels, scaled.height, scaled.width];
                let outputs = executor.run(&Tensor::new(&shape, scaled.data).map_err(text)?);
                let found = outputs
                    .map_err(text)?
                    .into_iter()
                    .find(|(name, _)| name == DESCRIPTOR);
                found
                    .map(|(_, tensor)| tensor.data)
                    .ok_or("no descriptor".to_owned())
            })
            .collect::<Result<_, String>>()?;
        let passes: Vec<&[f32]> = passes.iter().map(Vec::as_slice).collect();
        pooled.extend(ScalePooling::Cirtorch { msp }.pool(&passes, &scales));
    }
    out.f32("multiscale", &[count, pooled.len() / count.max(1)], pooled);

    let outputs = drawing.run(&pictures).map_err(text)?;
    for (output, map) in drawn {
        let found = outputs.iter().find(|(name, _)| name == map);
        let (_, tensor) = found.ok_or(format!("{map} was not drawn"))?;
        out.f32(output, &one_axis_less(tensor), tensor.data.clone());
    }
    Ok(out)
}

/// `[N, 1, P, P]` -> `[N, P, P]`.
fn one_axis_less(tensor: &Tensor) -> [usize; 3] {
    [tensor.shape[0], tensor.shape[2], tensor.shape[3]]
}

fn block(case: &Case, train: bool) -> Result<Outputs, String> {
    let channels = whole(&case.params, "channels")?;
    let mid = channels / whole(&case.params, "k")?;
    let weights = weights(case, &SecondOrderAttention::parameters(channels, mid))?;
    let load = || SecondOrderAttention::load(&weights, channels, mid).map_err(text);
    let map = input(case)?;
    let powers = [
        ("z", SecondOrderAttention::POWER),
        ("z_draw", SecondOrderAttention::DRAWING_POWER),
    ];

    let mut by_burn = Outputs::new();
    for (name, power) in powers {
        let block = load()?;
        let mut ops = BurnOps {
            train_batch_norm: train,
            ..BurnOps::default()
        };
        let seen = block.forward(&mut ops, on::<4>(&map, &Device::flex()), power);
        let z = plain(seen.map)?;
        by_burn.f32(name, &z.shape, z.data);
        if power == SecondOrderAttention::POWER {
            let attention = plain(seen.attention)?;
            by_burn.f32("attention", &one_axis_less(&attention), attention.data);
            for (part, norm) in [("f", &block.f.norm), ("g", &block.g.norm)] {
                statistics(&mut by_burn, &format!("{part}.1"), norm)?;
            }
        }
    }
    if train {
        // A plan is always in test mode.
        return Ok(by_burn);
    }
    let mut by_plan = Outputs::new();
    for (name, power) in powers {
        let (mut recorder, value) = PlanRecorder::new(channels);
        let seen = load()?.forward(&mut recorder, value, power);
        recorder.output("map", seen.map);
        recorder.output("attention", seen.attention);
        let plan = recorder.finish().map_err(text)?;
        let mut outputs = RtenExecutor::new(&plan, 2)
            .map_err(text)?
            .run(&map)
            .map_err(text)?;
        let (_, attention) = outputs.pop().ok_or("no attention")?;
        let (_, z) = outputs.pop().ok_or("no map")?;
        by_plan.f32(name, &z.shape, z.data);
        if power == SecondOrderAttention::POWER {
            by_plan.f32("attention", &one_axis_less(&attention), attention.data);
        }
    }
    both(case, &by_burn, by_plan)
}

/// The running statistics of a batch norm after the pass.
fn statistics(out: &mut Outputs, name: &str, norm: &BatchNorm) -> Result<(), String> {
    for (what, state) in [("mean", &norm.running_mean), ("var", &norm.running_variance)] {
        let values = plain(state.value_sync())?;
        out.f32(
            &format!("after.{name}.running_{what}"),
            &values.shape,
            values.data,
        );
    }
    Ok(())
}

fn patches(case: &Case, train: bool) -> Result<Outputs, String> {
    let weights: Weights<'_> = weights(case, &SolarLocal::parameters(&attention(case)?))?;
    let network = SolarLocal::load(&weights).map_err(text)?;
    let patches = input(case)?;
    let mut ops = BurnOps {
        train_batch_norm: train,
        ..BurnOps::default()
    };
    let descriptor = plain(network.forward(&mut ops, on::<4>(&patches, &Device::flex())))?;
    let mut by_burn = Outputs::new();
    by_burn.f32("descriptor", &descriptor.shape, descriptor.data);
    for (index, layer) in network.layers.iter().enumerate() {
        let place = if index == 0 { 2 } else { 1 };
        statistics(&mut by_burn, &format!("layer{}.{place}", index + 1), &layer.norm)?;
    }
    if train {
        return Ok(by_burn);
    }
    let plan = network.record().map_err(text)?;
    let outputs = RtenExecutor::new(&plan, 2)
        .map_err(text)?
        .run(&patches)
        .map_err(text)?;
    let (_, descriptor) = outputs.into_iter().next().ok_or("no descriptor")?;
    let mut by_plan = Outputs::new();
    by_plan.f32("descriptor", &descriptor.shape, descriptor.data);
    both(case, &by_burn, by_plan)
}
