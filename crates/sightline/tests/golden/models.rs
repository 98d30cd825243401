//! Area `models`: whole networks with formula weights, by Burn and through the recorded plan.

use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline::checkpoint::formula;
use sightline::descriptor::ScalePooling;
use sightline::image::ImageTensor;
use sightline::image::torch_resize::{Coordinates, scale};
use sightline::nn::burn::tensor::{Tensor as BurnTensor, TensorData};
use sightline::nn::{
    Architecture, Block, BlockShape, BurnExecutor, BurnOps, Device, Network, PlanRecorder, Wanted, Weights,
};
use sightline::plan::{DESCRIPTOR, Executor, RtenExecutor, Tensor};

/// Computes a case with Burn, which must agree with the file, and gives what the recorded plan yields.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    if case.has("out.map") {
        return block(case);
    }
    let architecture = Architecture::parse(&name(case)?).map_err(text)?;
    let weights = weights(case, &architecture.parameters())?;
    let network = Network::load(&architecture, &weights).map_err(text)?;
    let image = image(&case.params["image"])?;
    let last_map = architecture.last_map();
    let compute = |executor: &mut dyn Executor| match case.params.get("scales") {
        Some(scales) => extracted(case, executor, &image, scales, &last_map),
        None => stages(case, &executor.run(&image).map_err(text)?),
    };
    let maps = match case.params.get("scales") {
        Some(_) => vec![last_map.clone()],
        None => stage_names(case),
    };
    let maps: Vec<&str> = maps.iter().map(String::as_str).collect();

    let device = Device::flex();
    let mut burn = BurnExecutor::new(network.on(&device), &device).with_maps(&maps);
    case.compare(&compute(&mut burn)?)
        .map_err(|difference| format!("computed by Burn: {difference}"))?;
    // A network that pools over regions is recorded for the size of its input.
    let size = [image.shape[2], image.shape[3]];
    let size = architecture.head().depends_on_size().then_some(size);
    let plan = network.record_with_maps(size, &maps).map_err(text)?;
    compute(&mut RtenExecutor::new(&plan, 2).map_err(text)?)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The stages whose maps the case describes, and the vectors of regions.
fn stage_names(case: &Case) -> Vec<String> {
    let names = case.names("out.stage.");
    let stages = names.iter().filter_map(|name| {
        let name = name.strip_prefix("out.stage.")?;
        name.strip_suffix(".shape")
    });
    let regions = case.has("out.regions").then_some("regions");
    stages.chain(regions).map(str::to_owned).collect()
}

/// `desc`, the three outputs of every stage, and the vectors of regions.
fn stages(case: &Case, named: &[(String, Tensor)]) -> Result<Outputs, String> {
    let mut outputs = Outputs::new();
    for (name, tensor) in named {
        if name == DESCRIPTOR {
            outputs.f32("desc", &tensor.shape, tensor.data.clone());
            continue;
        }
        if name == "regions" {
            regions(case, &mut outputs, tensor)?;
            continue;
        }
        let shape: Vec<i64> = tensor.shape.iter().map(|axis| *axis as i64).collect();
        outputs.ints(&format!("stage.{name}.shape"), &[shape.len()], &shape);
        outputs.f32(&format!("stage.{name}.stat"), &[4], statistics(&tensor.data));
        let count = tensor.data.len();
        let samples = length(case, &format!("out.stage.{name}.sample"))?;
        let sample = formula::uniform(&format!("sample.{name}"), 0, samples)
            .into_iter()
            .map(|u| tensor.data[((u + 1.0) / 2.0 * count as f64).floor() as usize])
            .collect();
        outputs.f32(&format!("stage.{name}.sample"), &[samples], sample);
    }
    Ok(outputs)
}

/// Length of the last axis of what the file expects.
fn length(case: &Case, name: &str) -> Result<usize, String> {
    let shape = &case.array(name)?.shape;
    shape.last().copied().ok_or(format!("{name} has no axis"))
}

/// The first components of the vector of each region, as many as the file has, and the whole of the last one; of one picture.
fn regions(case: &Case, outputs: &mut Outputs, tensor: &Tensor) -> Result<(), String> {
    let [_, channels, count, _] = tensor.shape[..] else {
        return Err(format!("the regions have the shape {:?}", tensor.shape));
    };
    let vector = |region: usize, length: usize| (0..length).map(move |c| tensor.data[c * count + region]);
    let shown = channels.min(length(case, "out.regions")?);
    let all = (0..count).flat_map(|region| vector(region, shown)).collect();
    outputs.f32("regions", &[count, shown], all);
    let last = vector(count - 1, channels).collect();
    outputs.f32("last_region", &[channels], last);
    Ok(())
}

/// cirtorch's extraction over several scales, and its local vectors.
fn extracted(
    case: &Case,
    executor: &mut dyn Executor,
    image: &Tensor,
    scales: &Json,
    last_map: &str,
) -> Result<Outputs, String> {
    let scales: Vec<f64> = serde_json::from_value(scales.clone()).map_err(text)?;
    let power = case.params["p"].as_f64().ok_or("the case has no p")?;
    let rows = case.params["local_rows"].as_u64().unwrap_or(0) as usize;
    let (c, h, w) = (image.shape[1], image.shape[2], image.shape[3]);
    let mut found: [Vec<f32>; 4] = Default::default();
    let mut local = None;
    let mut width = 0;
    for values in image.data.chunks(c * h * w) {
        let picture = ImageTensor::new(c, h, w, values.to_vec()).ok_or("the image has no values")?;
        let mut run = |picture: &ImageTensor| -> Result<(Vec<f32>, Tensor), String> {
            let shape = [1, picture.channels, picture.height, picture.width];
            let input = Tensor::new(&shape, picture.data.clone()).map_err(text)?;
            let mut outputs = executor.run(&input).map_err(text)?;
            let (_, descriptor) = outputs.pop().ok_or("no output")?;
            let (_, map) = outputs
                .pop()
                .filter(|(name, _)| name == last_map)
                .ok_or("no map")?;
            Ok((descriptor.data, map))
        };
        let mut passes = |coordinates: Coordinates| -> Result<Vec<Vec<f32>>, String> {
            let scaled = scales.iter().map(|factor| match *factor {
                1.0 => Ok(picture.clone()),
                factor => scale(&picture, factor, coordinates).map_err(text),
            });
            scaled.map(|picture| Ok(run(&picture?)?.0)).collect()
        };
        let given = passes(Coordinates::Given)?;
        let ratio = passes(Coordinates::Recomputed)?;
        let pool = |passes: &[Vec<f32>], msp: f64| {
            let passes: Vec<&[f32]> = passes.iter().map(Vec::as_slice).collect();
            ScalePooling::Cirtorch { msp }.pool(&passes, &scales)
        };
        let (single, map) = run(&picture)?;
        width = single.len();
        let pooled = [
            single,
            pool(&given, 1.0),
            pool(&given, power),
            pool(&ratio, power),
        ];
        for (all, one) in found.iter_mut().zip(pooled) {
            all.extend(one);
        }
        let pixels = map.data.len() / map.shape[1];
        // Of the first picture.
        local.get_or_insert_with(|| {
            let rows = rows.min(pixels);
            let vectors = (0..rows).flat_map(|pixel| local_vector(&map.data, pixels, pixel));
            ([rows, map.shape[1]], vectors.collect::<Vec<f32>>())
        });
    }
    let mut outputs = Outputs::new();
    for (name, values) in ["ss", "ms", "ms_p", "ms_p_ratio"].into_iter().zip(found) {
        outputs.f32(name, &[values.len() / width.max(1), width], values);
    }
    if let Some((shape, local)) = local {
        outputs.f32("local", &shape, local);
    }
    Ok(outputs)
}

/// The channels of one pixel over (their norm + 1e-6).
fn local_vector(map: &[f32], pixels: usize, pixel: usize) -> Vec<f32> {
    let values = map.iter().skip(pixel).step_by(pixels).map(|v| f64::from(*v));
    let norm = values.clone().map(|v| v * v).sum::<f64>().sqrt() + 1e-6;
    values.map(|value| (value / norm) as f32).collect()
}

/// One residual block of dirtorch, as a recorded plan and in Burn, which must agree with the file.
fn block(case: &Case) -> Result<Outputs, String> {
    let option = |key: &str| {
        let value = case.params["options"][key].as_u64();
        value
            .map(|value| value as usize)
            .ok_or(format!("the block has no {key}"))
    };
    let shape = BlockShape {
        inputs: option("inplanes")?,
        width: option("planes")?,
        outputs: 4 * option("planes")?,
        stride: option("stride")?,
        dilation: option("dilation")?,
        groups: 1,
        bottleneck: true,
    };
    let weights = weights(case, &Block::parameters("", shape))?;
    let block = Block::load(&weights, "", shape).map_err(text)?;
    let (mut recorder, input) = PlanRecorder::new(shape.inputs);
    let map = block.forward(&mut recorder, input);
    recorder.output("map", map);
    let plan = recorder.finish().map_err(text)?;
    let mut executor = RtenExecutor::new(&plan, 2).map_err(text)?;
    let image = image(&case.params["image"])?;
    let named = executor.run(&image).map_err(text)?;
    let mut outputs = Outputs::new();
    for (name, tensor) in named {
        outputs.f32(&name, &tensor.shape, tensor.data);
    }

    let input = TensorData::new(image.data, image.shape);
    let input = BurnTensor::<4>::from_data(input, &Device::flex());
    let map = block.forward(&mut BurnOps::default(), input);
    let shape = map.dims();
    let values = map.into_data().try_to_vec::<f32>();
    let mut by_burn = Outputs::new();
    by_burn.f32("map", &shape, values.map_err(|error| format!("{error:?}"))?);
    case.compare(&by_burn)
        .map_err(|difference| format!("computed by Burn: {difference}"))?;
    Ok(outputs)
}

/// Sightline's name for the network of a case.
fn name(case: &Case) -> Result<String, String> {
    let name = case.params["arch"]
        .as_str()
        .ok_or("the case names no architecture")?;
    let options = &case.params["options"];
    if name.contains('/') {
        Ok(name.to_owned())
    } else if case.name.starts_with("cir_") {
        Ok(format!("{name}/{}", cirtorch(options)?))
    } else {
        dirtorch(name, options)
    }
}

fn dirtorch(name: &str, options: &Json) -> Result<String, String> {
    let base = name.strip_suffix("_rmac").unwrap_or(name);
    let (trunk, head) = if let Some(trunk) = base.strip_suffix("_fpn") {
        (trunk, "dir-fpn")
    } else if let Some(trunk) = base.strip_suffix("_fpn0") {
        (trunk, "dir-fpn0")
    } else if base == name && name.starts_with("resnet") {
        (name, "classifier")
    } else {
        let head = match options["pooling"].as_str() {
            Some("max") => "dir-max",
            Some("avg") => "dir-avg",
            Some(other) if !other.starts_with("gem") => return Err(format!("there is no pooling {other}")),
            _ => "dir-gem",
        };
        (base, head)
    };
    let mut name = format!("{trunk}/{head}");
    if let Some(length) = options["out_dim"].as_u64() {
        name.push_str(&format!("-out{length}"));
    }
    if options["norm_features"] == true {
        name.push_str("-normfeatures");
    }
    let bias = options["center_bias"].as_f64().unwrap_or(0.0);
    // Negative ones are ignored, and the feature pyramid ignores all.
    if bias > 0.0 && !head.starts_with("dir-fpn") {
        name.push_str(&format!("-bias{bias}"));
    }
    if options["without_fc"] == true {
        name.push_str("-nofc");
    }
    Ok(name)
}

fn cirtorch(options: &Json) -> Result<String, String> {
    let pooling = options["pooling"].as_str().ok_or("the case names no pooling")?;
    let layers = [
        ("local_whitening", "-lw"),
        ("regional", "-r"),
        ("whitening", "-w"),
    ];
    let layers = layers.map(|(key, option)| if options[key] == true { option } else { "" });
    Ok(format!("cir-{pooling}{}", layers.concat()))
}

/// The weights of a case.
fn weights(case: &Case, wanted: &[Wanted]) -> Result<Weights<'static>, String> {
    let mut weights = Weights::new();
    for wanted in wanted {
        // The toolkit's own network has a power that the case's names do not include; `p` gives it.
        let values = match (wanted.optional, case.params["p"].as_f64()) {
            (true, Some(power)) => vec![power as f32; wanted.shape.iter().product()],
            _ => parameter(&case.params["weights"], &wanted.name, &wanted.shape)?,
        };
        weights.insert(&wanted.name, &wanted.shape, values);
    }
    Ok(weights)
}

/// A parameter by the formula, then the case's overrides and factors.
fn parameter(rules: &Json, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
    let seed = rules["seed"].as_u64().ok_or("the weights have no seed")?;
    let each = |key: &str| rules[key].as_array().into_iter().flatten();
    let matches = |rule: &Json| rule["name"].as_str().is_some_and(|glob| fits(glob, name));
    let number = |rule: &Json, key: &str| rule[key].as_f64().ok_or(format!("a rule lacks {key}"));
    let mut values = formula::parameter(name, shape, seed);
    for rule in each("override").filter(|rule| matches(rule)) {
        let (base, amp) = (number(rule, "base")?, number(rule, "amp")?);
        let u = formula::uniform(name, seed, values.len());
        values = u.into_iter().map(|u| (base + amp * u) as f32).collect();
    }
    for rule in each("scale").filter(|rule| matches(rule)) {
        if rule["axes"].as_u64() == Some(shape.len() as u64) {
            let factor = number(rule, "factor")? as f32;
            values.iter_mut().for_each(|value| *value *= factor);
        }
    }
    Ok(values)
}

/// Whether `name` matches `glob`, in which `*` stands for any characters.
fn fits(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len()).any(|skip| name.get(skip..).is_some_and(|name| fits(rest, name)))
        }),
    }
}

/// A formula image: a coarse grid, every cell repeated `block` times along both axes, cropped.
fn image(params: &Json) -> Result<Tensor, String> {
    let shape: Vec<usize> = serde_json::from_value(params["shape"].clone()).map_err(text)?;
    let [batch, channels, height, width] = shape[..] else {
        return Err("the image does not have four axes".into());
    };
    let name = params["name"].as_str().ok_or("the image has no name")?;
    let seed = params["seed"].as_u64().ok_or("the image has no seed")?;
    let block = params["block"].as_u64().ok_or("the image has no block")? as usize;
    let (rows, columns) = (height.div_ceil(block), width.div_ceil(block));
    let coarse = formula::uniform(name, seed, batch * channels * rows * columns);
    let mut data = Vec::with_capacity(batch * channels * height * width);
    for plane in coarse.chunks(rows * columns) {
        for y in 0..height {
            for x in 0..width {
                data.push((1.5 * plane[y / block * columns + x / block]) as f32);
            }
        }
    }
    Tensor::new(&shape, data).map_err(text)
}

/// Mean, population standard deviation, minimum, maximum.
fn statistics(values: &[f32]) -> Vec<f32> {
    let count = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let greatest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    vec![mean as f32, variance.sqrt() as f32, least, greatest]
}
