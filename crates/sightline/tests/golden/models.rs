//! Area `models`: whole networks with formula weights. So far the ResNet networks: dirtorch's `*_rmac` and
//! classifiers, cirtorch's with all their options, and Sightline's own.

use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline_checkpoint::formula;
use sightline_nn::{
    Architecture, CirtorchHead, DESCRIPTOR, DirtorchHead, Head, Network, PoolingKind, RegionalPooling,
    Weights,
};
use sightline_plan::{Executor, RtenExecutor, Tensor};

/// Runs a case through the recorded plan.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let (network, image) = network_and_image(case)?;
    // A network that pools over regions is recorded for the size of its input.
    let size = network
        .architecture()
        .head
        .depends_on_size()
        .then(|| [image.shape[2], image.shape[3]]);
    let plan = network
        .record_with_stages(size)
        .map_err(|error| error.to_string())?;
    let mut executor = RtenExecutor::new(&plan, 2).map_err(|error| error.to_string())?;
    let named = executor.run(&image).map_err(|error| error.to_string())?;
    Ok(outputs(&named))
}

/// The network of a case and its input, `[N, 3, H, W]`.
pub(crate) fn network_and_image(case: &Case) -> Result<(Network, Tensor), String> {
    let architecture = architecture(case)?;
    let mut weights = Weights::new();
    for wanted in architecture.parameters() {
        // The toolkit's own network has a power that the case's names do not include.
        if !wanted.optional {
            let values = parameter(&case.params["weights"], &wanted.name, &wanted.shape)?;
            weights.insert(&wanted.name, &wanted.shape, values);
        }
    }
    let network = Network::load(&architecture, &weights).map_err(|error| error.to_string())?;
    Ok((network, image(&case.params["image"])?))
}

/// `desc`, the three outputs of every stage, and the vectors of regions.
pub(crate) fn outputs(named: &[(String, Tensor)]) -> Outputs {
    let mut outputs = Outputs::new();
    for (name, tensor) in named {
        if name == DESCRIPTOR {
            outputs.f32("desc", &tensor.shape, tensor.data.clone());
            continue;
        }
        if name == "regions" {
            regions(&mut outputs, tensor);
            continue;
        }
        let shape: Vec<i64> = tensor.shape.iter().map(|axis| *axis as i64).collect();
        outputs.ints(&format!("stage.{name}.shape"), &[shape.len()], &shape);
        outputs.f32(&format!("stage.{name}.stat"), &[4], statistics(&tensor.data));
        let count = tensor.data.len();
        let sample = formula::uniform(&format!("sample.{name}"), 0, 64)
            .into_iter()
            .map(|u| tensor.data[((u + 1.0) / 2.0 * count as f64).floor() as usize])
            .collect();
        outputs.f32(&format!("stage.{name}.sample"), &[64], sample);
    }
    outputs
}

/// The first 32 components of the vector of each region, and the whole of the last one; of one picture.
fn regions(outputs: &mut Outputs, tensor: &Tensor) {
    let [_, channels, count, _] = tensor.shape[..] else {
        return;
    };
    let vector = |region: usize, length: usize| (0..length).map(move |c| tensor.data[c * count + region]);
    let shown = channels.min(32);
    let all = (0..count).flat_map(|region| vector(region, shown)).collect();
    outputs.f32("regions", &[count, shown], all);
    let last = vector(count - 1, channels).collect();
    outputs.f32("last_region", &[channels], last);
}

fn architecture(case: &Case) -> Result<Architecture, String> {
    let name = case.params["arch"]
        .as_str()
        .ok_or("the case names no architecture")?;
    if name.contains('/') {
        return Architecture::parse(name).map_err(|error| error.to_string());
    }
    let options = &case.params["options"];
    let base = name.strip_suffix("_rmac");
    let mut architecture =
        Architecture::parse(&format!("{}/gem", base.unwrap_or(name))).map_err(|error| error.to_string())?;
    architecture.head = if case.name.starts_with("cir_") {
        cirtorch(options)?
    } else if base.is_some() {
        dirtorch(options)?
    } else {
        let classes = options["out_dim"].as_u64().map(|count| count as usize);
        Head::Classifier { classes }
    };
    Ok(architecture)
}

fn dirtorch(options: &Json) -> Result<Head, String> {
    let number = |key: &str| options[key].as_f64().map(|value| value as f32);
    let mut head = DirtorchHead::new(match options["pooling"].as_str() {
        None => PoolingKind::Gem { p: 3.0 },
        Some(name) if name.starts_with("gem") => PoolingKind::Gem { p: 3.0 },
        Some("max") => PoolingKind::Mac,
        Some("avg") => PoolingKind::Spoc,
        Some(other) => return Err(format!("there is no pooling {other}")),
    });
    head.out_dim = options["out_dim"].as_u64().map(|count| count as usize);
    head.norm_features = options["norm_features"].as_bool().unwrap_or(false);
    head.center_bias = number("center_bias").unwrap_or(0.0);
    head.without_fc = options["without_fc"].as_bool().unwrap_or(false);
    Ok(Head::Dirtorch(head))
}

fn cirtorch(options: &Json) -> Result<Head, String> {
    let has = |key: &str| options[key].as_bool().unwrap_or(false);
    let mut head = CirtorchHead::new(match options["pooling"].as_str() {
        Some("gem") => PoolingKind::Gem { p: 3.0 },
        Some("gemmp") => PoolingKind::GemPerChannel { p: 3.0 },
        Some("mac") => PoolingKind::Mac,
        Some("spoc") => PoolingKind::Spoc,
        Some("rmac") => PoolingKind::Rmac { levels: 3 },
        other => return Err(format!("there is no pooling {other:?}")),
    });
    head.local_whitening = has("local_whitening");
    head.regional = has("regional").then_some(RegionalPooling::LEVELS);
    head.whitening = has("whitening");
    Ok(Head::Cirtorch(head))
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
    let shape: Vec<usize> =
        serde_json::from_value(params["shape"].clone()).map_err(|error| error.to_string())?;
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
    Tensor::new(&shape, data).map_err(|error| error.to_string())
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
