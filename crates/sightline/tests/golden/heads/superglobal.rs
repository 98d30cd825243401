//! SuperGlobal: its parts alone, and the network with parts switched on and off.

use super::given::{number, on, plain, text, weights, whole};
use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline::checkpoint::formula;
use sightline::descriptor::{ScalePooling, superglobal_power, superglobal_scales};
use sightline::image::ImageTensor;
use sightline::image::torch_resize::{Coordinates, scale};
use sightline::nn::burn::tensor::Device;
use sightline::nn::{
    Architecture, BurnExecutor, BurnOps, Network, Ops, PlanRecorder, gem_fixed, regional_gem, relup,
};
use sightline::plan::{Executor, RtenExecutor, Tensor};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.params.get("variants") {
        Some(_) => network(case),
        None => modules(case),
    }
}

/// The formula image of `params.input`.
fn image(params: &Json) -> Result<Tensor, String> {
    let input = &params["input"];
    let shape: Vec<usize> = serde_json::from_value(input["shape"].clone()).map_err(text)?;
    let name = input["name"].as_str().ok_or("the input has no name")?;
    let u = formula::uniform(name, whole(input, "seed")? as u64, shape.iter().product());
    Tensor::new(&shape, u.into_iter().map(|u| (1.5 * u) as f32).collect()).map_err(text)
}

/// The image as the kind says: `max(0, image); relup takes 0.02 image itself`.
fn maps(params: &Json) -> Result<(Tensor, Tensor), String> {
    let kind = params["input"]["kind"].as_str().ok_or("the input has no kind")?;
    let unknown = || format!("an input of the kind `{kind}` is not known");
    let factor = kind
        .strip_prefix("max(0, image); relup takes ")
        .ok_or_else(unknown)?;
    let factor = factor.strip_suffix(" image itself").ok_or_else(unknown)?;
    let factor: f64 = factor.parse().map_err(text)?;
    let image = image(params)?;
    let each = |change: &dyn Fn(f32) -> f32| Tensor {
        shape: image.shape.clone(),
        data: image.data.iter().map(|value| change(*value)).collect(),
    };
    Ok((each(&|x| x.max(0.0)), each(&|x| factor as f32 * x)))
}

/// The numbers of the parts.
struct Numbers {
    relup: f32,
    rgem: (f32, usize),
    gemp: (f32, f32),
}

/// Regional GeM, GeM+ of it, GeM+ behind ReLUP; of `small` ReLUP alone.
fn parts<O: Ops>(ops: &mut O, map: O::T<4>, numbers: &Numbers) -> (O::T<4>, [(&'static str, O::T<2>); 2]) {
    let around = regional_gem(ops, map.clone(), numbers.rgem.0, numbers.rgem.1);
    let pooled = gem_fixed(ops, around.clone(), numbers.gemp.0, numbers.gemp.1);
    let floored = relup(ops, map, numbers.relup);
    let pooled_floored = gem_fixed(ops, floored, numbers.gemp.0, numbers.gemp.1);
    (around, [("gemp", pooled), ("gemp_relup", pooled_floored)])
}

fn modules(case: &Case) -> Result<Outputs, String> {
    let params = &case.params;
    let numbers = Numbers {
        relup: number(params, "relup")?,
        rgem: (number(&params["rgem"], "p")?, whole(&params["rgem"], "size")?),
        gemp: (number(&params["gemp"], "p")?, number(&params["gemp"], "eps")?),
    };
    let (map, small) = maps(params)?;
    let device = Device::flex();
    let mut by_burn = over_scales(case)?;
    let ops = &mut BurnOps::default();
    let floored = plain(relup(ops, on::<4>(&small, &device), numbers.relup))?;
    by_burn.f32("relup", &floored.shape, floored.data);
    let (around, pooled) = parts(ops, on(&map, &device), &numbers);
    let around = plain(around)?;
    by_burn.f32("rgem", &around.shape, around.data);
    for (name, rows) in pooled {
        give_rows(&mut by_burn, name, plain(rows)?);
    }
    case.compare(&by_burn)
        .map_err(|difference| format!("computed by Burn: {difference}"))?;

    let mut outputs = over_scales(case)?;
    let (mut recorder, value) = PlanRecorder::new(map.shape[1]);
    let floored = relup::<_, 4>(&mut recorder, value, numbers.relup);
    recorder.output("relup", floored);
    for (name, tensor) in run_plan(recorder, &small)? {
        outputs.f32(&name, &tensor.shape, tensor.data);
    }
    let (mut recorder, value) = PlanRecorder::new(map.shape[1]);
    let (around, pooled) = parts(&mut recorder, value, &numbers);
    recorder.output("rgem", around);
    pooled
        .into_iter()
        .for_each(|(name, rows)| recorder.output(name, rows));
    for (name, tensor) in run_plan(recorder, &map)? {
        match name.as_str() {
            "rgem" => outputs.f32(&name, &tensor.shape, tensor.data),
            _ => give_rows(&mut outputs, &name, tensor),
        }
    }
    Ok(outputs)
}

/// Rows `[N, C]` with the original's last axis of one.
fn give_rows(outputs: &mut Outputs, name: &str, rows: Tensor) {
    outputs.f32(name, &[&rows.shape[..], &[1]].concat(), rows.data);
}

fn run_plan(recorder: PlanRecorder, input: &Tensor) -> Result<Vec<(String, Tensor)>, String> {
    let plan = recorder.finish().map_err(text)?;
    RtenExecutor::new(&plan, 2)
        .map_err(text)?
        .run(input)
        .map_err(text)
}

/// Both forms of scale-GeM on lists of vectors: uniform('name', [scales, batch, length], seed).
fn over_scales(case: &Case) -> Result<Outputs, String> {
    let spelled = case.params["vectors"].as_str().ok_or("the case has no vectors")?;
    let wrong = || format!("the vectors `{spelled}` are not known");
    let parts: Vec<&str> = spelled.split(['(', '\'', '[', ']', ')']).map(str::trim).collect();
    let ["uniform", "", name, ",", shape, seed, "as float32"] = parts[..] else {
        return Err(wrong());
    };
    let shape: Vec<usize> = serde_json::from_str(&format!("[{shape}]")).map_err(text)?;
    let seed: u64 = seed.trim_matches([',', ' ']).parse().map_err(text)?;
    let [scales, batch, length] = shape[..] else {
        return Err(wrong());
    };
    let power = case.params["sgem_power"]
        .as_f64()
        .ok_or("the case has no power")?;
    let u = formula::uniform(name, seed, scales * batch * length);
    let vectors: Vec<f32> = u.into_iter().map(|u| u as f32).collect();
    // The original's smallest value is that of the whole batch.
    let smallest = vectors.iter().copied().fold(f32::INFINITY, f32::min);
    let (mut largest, mut powers) = (Vec::new(), Vec::new());
    for row in 0..batch {
        let of_scale = |scale: usize| &vectors[(scale * batch + row) * length..][..length];
        let passes: Vec<&[f32]> = (0..scales).map(of_scale).collect();
        largest.extend(ScalePooling::SuperglobalMax.combine(&passes, &vec![1.0; scales]));
        powers.extend(superglobal_power(&passes, power, f64::from(smallest)));
    }
    let mut outputs = Outputs::new();
    for (name, values) in [("sgem_max", largest), ("sgem_power", powers)] {
        let values = values.into_iter().map(|value| value as f32).collect();
        outputs.f32(name, &[batch, length], values);
    }
    Ok(outputs)
}

/// Every variant of the network, by Burn, which must agree with the file, and through its plan.
fn network(case: &Case) -> Result<Outputs, String> {
    let (mut by_burn, mut by_plan) = (Outputs::new(), Outputs::new());
    let variants = case.params["variants"]
        .as_object()
        .ok_or("the variants are no table")?;
    let image = image(&case.params)?;
    for (variant, options) in variants {
        let depth = whole(&case.params, "depth")?;
        let length = whole(&case.params, "reduction_dim")?;
        let off = ["relup", "rgem", "gemp"].map(|part| match options[part] == true {
            true => String::new(),
            false => format!("-no{part}"),
        });
        let name = format!("resnet{depth}/superglobal-out{length}{}", off.concat());
        let architecture = Architecture::parse(&name).map_err(text)?;
        let network =
            Network::load(&architecture, &weights(case, &architecture.parameters())?).map_err(text)?;
        let scales = superglobal_scales(whole(options, "scale")?).ok_or("no such number of scales")?;
        let pooling = match options["sgem"] == true {
            true => ScalePooling::SuperglobalMax,
            false => ScalePooling::SuperglobalMean,
        };
        let device = Device::flex();
        let mut burn = BurnExecutor::new(network.on(&device), &device);
        let mut plan = RtenExecutor::new(&network.record().map_err(text)?, 2).map_err(text)?;
        let executors: [(&mut dyn Executor, &mut Outputs); 2] =
            [(&mut burn, &mut by_burn), (&mut plan, &mut by_plan)];
        for (executor, outputs) in executors {
            let rows = described(executor, &image, scales, pooling)?;
            outputs.f32(variant, &[image.shape[0], rows.len() / image.shape[0]], rows);
        }
    }
    super::given::both(case, &by_burn, by_plan)
}

/// The descriptors over scales, before the last normalisation.
fn described(
    executor: &mut dyn Executor,
    image: &Tensor,
    scales: &[f64],
    pooling: ScalePooling,
) -> Result<Vec<f32>, String> {
    let [_, c, h, w] = image.shape[..] else {
        return Err("the image does not have four axes".into());
    };
    let mut rows = Vec::new();
    for values in image.data.chunks(c * h * w) {
        let picture = ImageTensor::new(c, h, w, values.to_vec()).ok_or("the image has no values")?;
        let mut passes = Vec::new();
        for factor in scales {
            let scaled = match *factor {
                1.0 => picture.clone(),
                factor => scale(&picture, factor, Coordinates::Recomputed).map_err(text)?,
            };
            let input = Tensor::new(&[1, c, scaled.height, scaled.width], scaled.data).map_err(text)?;
            passes.push(executor.run(&input).map_err(text)?.remove(0).1.data);
        }
        let passes: Vec<&[f32]> = passes.iter().map(Vec::as_slice).collect();
        rows.extend(
            pooling
                .combine(&passes, scales)
                .into_iter()
                .map(|value| value as f32),
        );
    }
    Ok(rows)
}
