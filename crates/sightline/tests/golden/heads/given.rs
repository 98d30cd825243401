//! What the cases of the area give by formula: weights and inputs. And running a network by Burn and by its plan.

use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline::checkpoint::formula;
use sightline::nn::burn::tensor::{Device, Tensor as BurnTensor, TensorData};
use sightline::nn::{Wanted, Weights};
use sightline::plan::Tensor;

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A whole number of the parameters.
pub(crate) fn whole(params: &Json, key: &str) -> Result<usize, String> {
    let value = params[key].as_u64().ok_or(format!("the case lacks {key}"))?;
    Ok(value as usize)
}

/// A list of numbers of the parameters.
pub(crate) fn numbers(params: &Json, key: &str) -> Result<Vec<f64>, String> {
    serde_json::from_value(params[key].clone()).map_err(|error| format!("{key}: {error}"))
}

/// A number of the parameters.
pub(crate) fn number(params: &Json, key: &str) -> Result<f32, String> {
    let value = params[key].as_f64().ok_or(format!("the case lacks {key}"))?;
    Ok(value as f32)
}

/// Class labels, `params.labels`.
pub(crate) fn labels(case: &Case) -> Result<Vec<usize>, String> {
    serde_json::from_value(case.params["labels"].clone()).map_err(text)
}

/// The weights of a case, `params.weights`.
pub(crate) fn weights(case: &Case, wanted: &[Wanted]) -> Result<Weights<'static>, String> {
    weights_behind(case, wanted, "")
}

/// As [`weights`], of a part of a network, whose names in the case lack that prefix.
pub(crate) fn weights_behind(
    case: &Case,
    wanted: &[Wanted],
    prefix: &str,
) -> Result<Weights<'static>, String> {
    let mut weights = Weights::new();
    for wanted in wanted.iter().filter(|wanted| !wanted.optional) {
        let name = wanted.name.strip_prefix(prefix).unwrap_or(&wanted.name);
        let values = parameter(case, name, &wanted.shape)?;
        weights.insert(&wanted.name, &wanted.shape, values);
    }
    Ok(weights)
}

/// The values of one entry of `params.weights`.
pub(crate) fn parameter(case: &Case, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
    let rules = &case.params["weights"];
    let seed = rules["seed"].as_u64().ok_or("the weights have no seed")?;
    let count = shape.iter().product();
    if let Some(value) = rules["constant"][name].as_f64() {
        return Ok(vec![value as f32; count]);
    }
    let Some(pair) = rules["a_plus_b_u"].get(name) else {
        return Ok(formula::parameter(name, shape, seed));
    };
    let [a, b]: [f64; 2] = serde_json::from_value(pair.clone()).map_err(text)?;
    let u = formula::uniform(name, seed, count);
    Ok(u.into_iter().map(|u| (a + b * u) as f32).collect())
}

/// The input of a case, `params.input`.
pub(crate) fn input(case: &Case) -> Result<Tensor, String> {
    let shape = &case.params["input"]["shape"];
    input_of(case, serde_json::from_value(shape.clone()).map_err(text)?)
}

/// As [`input`], of that shape.
pub(crate) fn input_of(case: &Case, shape: Vec<usize>) -> Result<Tensor, String> {
    let params = &case.params["input"];
    let name = params["name"].as_str().ok_or("the input has no name")?;
    let seed = params["seed"].as_u64().ok_or("the input has no seed")?;
    let kind = params["kind"].as_str().ok_or("the input has no kind")?;
    // Some say the shape's letters beside.
    let kind = kind.split_once(", shape [").map_or(kind, |(kind, _)| kind);
    let image = formula::uniform(name, seed, shape.iter().product());
    let mut data: Vec<f32> = image.into_iter().map(|u| (1.5 * u) as f32).collect();
    if kind == "max(0, image)" {
        data.iter_mut().for_each(|value| *value = value.max(0.0));
    } else if let Some([factor, added]) = between(kind, ["", " (image + ", ")"]) {
        data.iter_mut()
            .for_each(|value| *value = factor as f32 * (*value + added as f32));
    } else if let Some([factor, first, shift]) =
        between(kind, ["sample b is ", " (b + ", ") image[b] - ", " b"])
    {
        for (index, sample) in samples(&mut data, &shape).enumerate() {
            let b = index as f64;
            let (scale, shift) = ((factor * (b + first)) as f32, (shift * b) as f32);
            sample
                .iter_mut()
                .for_each(|value| *value = scale * *value - shift);
        }
    } else if let Some([first, divisor]) = between(
        kind,
        ["sample b is image[b] (b + ", ") / ", ", channels-first here"],
    ) {
        for (b, sample) in samples(&mut data, &shape).enumerate() {
            let factor = ((b as f64 + first) / divisor) as f32;
            sample.iter_mut().for_each(|value| *value *= factor);
        }
    } else if let Some(rest) = kind.strip_prefix("max(0, image), channels 0, ") {
        let (step, _) = rest
            .split_once(", ")
            .ok_or("the kind names no step of channels")?;
        let step: usize = step.parse().map_err(text)?;
        let plane = shape.get(2..).map_or(1, |axes| axes.iter().product());
        data.iter_mut().for_each(|value| *value = value.max(0.0));
        for sample in samples(&mut data, &shape) {
            for channel in sample.chunks_mut(plane).step_by(step) {
                channel.fill(0.0);
            }
        }
    } else if kind != "image" {
        return Err(format!("an input of the kind `{kind}` is not known"));
    }
    Tensor::new(&shape, data).map_err(text)
}

/// The samples of a batch of that shape.
fn samples<'a>(data: &'a mut [f32], shape: &[usize]) -> std::slice::ChunksMut<'a, f32> {
    let size = data.len() / shape[0].max(1);
    data.chunks_mut(size.max(1))
}

/// The numbers between those texts, where the whole text is made of them.
fn between<const N: usize, const M: usize>(whole: &str, texts: [&str; N]) -> Option<[f64; M]> {
    let mut rest = whole.strip_prefix(texts[0])?;
    let mut found = [0.0; M];
    for (number, text) in found.iter_mut().zip(&texts[1..]) {
        let (digits, after) = rest.split_once(text)?;
        *number = digits.trim().parse().ok()?;
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// What Burn computed must agree with the file, then what the plan did is given.
pub(crate) fn both(case: &Case, by_burn: &Outputs, by_plan: Outputs) -> Result<Outputs, String> {
    case.compare(by_burn)
        .map_err(|difference| format!("computed by Burn: {difference}"))?;
    Ok(by_plan)
}

/// A tensor on Burn's CPU device, or where gradients are kept.
pub(crate) fn on<const D: usize>(tensor: &Tensor, device: &Device) -> BurnTensor<D> {
    let data = TensorData::new(tensor.data.clone(), tensor.shape.clone());
    BurnTensor::from_data(data, device)
}

/// The values of one of Burn's tensors.
pub(crate) fn plain<const D: usize>(tensor: BurnTensor<D>) -> Result<Tensor, String> {
    let shape = tensor.dims();
    let values = tensor.into_data().try_to_vec::<f32>();
    let values = values.map_err(|error| format!("{error:?}"))?;
    Tensor::new(&shape, values).map_err(text)
}

/// What a case wants of gradients (their lengths) and of statistics after the pass, by names that lack `prefix`, from the
/// modules that have them.
pub(crate) fn after_training(
    case: &Case,
    outputs: &mut Outputs,
    prefix: &str,
    gradient: &dyn Fn(&str) -> Option<Tensor>,
    values: &dyn Fn(&str) -> Option<Tensor>,
) -> Result<(), String> {
    for full in case.names("out.grad_norm.") {
        let name = full.trim_start_matches("out.grad_norm.");
        let gradient = gradient(&format!("{prefix}{name}"));
        let gradient = gradient.ok_or_else(|| format!("{name} has no gradient"))?;
        let squares = gradient.data.iter().map(|value| f64::from(*value).powi(2));
        let norm = squares.sum::<f64>().sqrt() as f32;
        outputs.f32(&format!("grad_norm.{name}"), &[1], vec![norm]);
    }
    for full in case.names("out.after.") {
        let name = full.trim_start_matches("out.after.");
        let values = values(&format!("{prefix}{name}"));
        let values = values.ok_or_else(|| format!("there is no {name}"))?;
        outputs.f32(&format!("after.{name}"), &values.shape, values.data);
    }
    Ok(())
}

/// The mean over all places of a map, `[N, C, H, W]` -> `[N, C]`.
pub(crate) fn mean_of_map(map: &Tensor) -> Tensor {
    let places: usize = map.shape[2..].iter().product();
    let mean = |plane: &[f32]| {
        let sum: f64 = plane.iter().map(|value| f64::from(*value)).sum();
        (sum / places as f64) as f32
    };
    Tensor {
        shape: map.shape[..2].to_vec(),
        data: map.data.chunks(places.max(1)).map(mean).collect(),
    }
}
