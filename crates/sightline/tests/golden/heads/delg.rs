//! DELG: both branches of the network, its margin classifier, and how local features are chosen from its maps.

use super::given::{after_training, input, labels, number, on, plain, text, weights, whole};
use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline::checkpoint::formula;
use sightline::extract::{Describe, Failure};
use sightline::image::decode::MAX_PIXELS;
use sightline::image::{ImageTensor, Recipe, RgbImage};
use sightline::local::{
    AttentionThreshold, CellGrid, DelgSelection, LocalFeatures, LocalNetwork, ReceptiveField, ScaleMap,
    Selection, suppress,
};
use sightline::nn::burn::module::Module;
use sightline::nn::burn::tensor::{Device, Tensor as BurnTensor};
use sightline::nn::{
    Architecture, AttentionBranch, BurnExecutor, BurnOps, CurricularClassifier, CurricularMargin, DelgModule,
    HeadModule, LocalMaps, Network, Ops, PlanRecorder, Weights, parameter_gradient, parameter_values,
    smoothed_cross_entropy,
};
use sightline::plan::{Executor, RtenExecutor};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "delg_nms" => suppressed(case),
        "delg_select" => selected(case),
        "delg_margin" => margin(case),
        "delg_extractor" => extracted(case),
        _ => branches(case),
    }
}

/// The rows of an `[N, 4]` input.
fn boxes(case: &Case) -> Result<Vec<[f32; 4]>, String> {
    let values = case.array("in.boxes")?.to_f32();
    Ok(values.as_chunks::<4>().0.to_vec())
}

fn suppressed(case: &Case) -> Result<Outputs, String> {
    let scores = case.array("in.scores")?.to_f32();
    let top = whole(&case.params, "top_k")?;
    let kept = suppress(&boxes(case)?, &scores, number(&case.params, "overlap")?, top);
    let keep: Vec<i64> = kept.as_published(top).iter().map(|at| *at as i64).collect();
    let mut outputs = Outputs::new();
    outputs.ints("keep", &[keep.len()], &keep);
    outputs.ints("count", &[1], &[kept.count as i64]);
    Ok(outputs)
}

/// The features of one map in the order of its positions, none suppressed.
fn selected(case: &Case) -> Result<Outputs, String> {
    let (features, strengths) = (case.array("in.features")?, case.array("in.scores")?);
    let field = ReceptiveField {
        size: number(&case.params, "rf")?,
        stride: number(&case.params, "stride")?,
        padding: number(&case.params, "padding")?,
    };
    let rule = DelgSelection {
        threshold: threshold(&case.params)?,
        field,
        overlap: f32::INFINITY,
        most: usize::MAX,
        ..DelgSelection::default()
    };
    let (values, strengths_of_map) = (features.to_f32(), strengths.to_f32());
    let map = ScaleMap {
        scale: case.params["scale"].as_f64().ok_or("the case has no scale")?,
        height: features.shape[2],
        width: features.shape[3],
        features: &values,
        strengths: &strengths_of_map,
    };
    let found = rule.select(&[map], [0, 0]);
    let mut order: Vec<usize> = (0..found.boxes.len()).collect();
    order.sort_by(|a, b| {
        let at = |index: &usize| found.boxes[*index];
        (at(a)[0], at(a)[1]).partial_cmp(&(at(b)[0], at(b)[1])).unwrap()
    });
    let (count, all) = (order.len(), &found.features);
    let mut outputs = Outputs::new();
    let boxes = order.iter().flat_map(|at| found.boxes[*at]).collect();
    outputs.f32("boxes", &[count, 4], boxes);
    let centres = order
        .iter()
        .flat_map(|at| [all.places[*at][1], all.places[*at][0]]);
    outputs.f32("centres", &[count, 2], centres.collect());
    let scores = order.iter().map(|at| all.strengths[*at]).collect();
    outputs.f32("scores", &[count], scores);
    let rows = order.iter().flat_map(|at| all.descriptor(*at)).copied();
    outputs.f32("features", &[count, all.dim], rows.collect());
    Ok(outputs)
}

fn threshold(params: &Json) -> Result<AttentionThreshold, String> {
    Ok(AttentionThreshold {
        first: f64::from(number(params, "threshold")?),
        ..AttentionThreshold::default()
    })
}

/// The margin classifier alone, one pass for each of the file's logits.
fn margin(case: &Case) -> Result<Outputs, String> {
    let x = case.array("in.x")?;
    let (dim, classes) = (x.shape[1], case.array("out.logits0")?.shape[1]);
    let seed = whole(&case.params, "seed")? as u64;
    let name = "desc_cls";
    let mut given = Weights::new();
    let weight = format!("{name}.weight");
    given.insert(
        &weight,
        &[classes, dim],
        formula::parameter(&weight, &[classes, dim], seed),
    );
    given.insert(&format!("{name}.t"), &[1], vec![0.0]);
    let classifier = CurricularClassifier::load(&given, name, classes, dim)
        .map_err(text)?
        .train();
    let settings = CurricularMargin {
        scale: number(&case.params, "s")?,
        margin: number(&case.params, "m")?,
    };
    let (labels, device) = (labels(case)?, Device::flex().autodiff());
    let mut outputs = Outputs::new();
    for pass in 0..case.names("out.logits").len() {
        let input = sightline::plan::Tensor::new(&x.shape, x.to_f32()).map_err(text)?;
        let input = on::<2>(&input, &device).require_grad();
        let logits = classifier
            .logits(input.clone(), &labels, settings)
            .map_err(text)?;
        let gradients = cross_entropy(logits.clone(), &labels).backward();
        let gradient = input.grad(&gradients).ok_or("x has no gradient")?;
        give(&mut outputs, &format!("logits{pass}"), logits)?;
        give(&mut outputs, &format!("grad_x{pass}"), gradient)?;
        give(&mut outputs, &format!("t{pass}"), classifier.t.value_sync())?;
    }
    Ok(outputs)
}

fn give<const D: usize>(outputs: &mut Outputs, name: &str, tensor: BurnTensor<D>) -> Result<(), String> {
    let tensor = plain(tensor)?;
    outputs.f32(name, &tensor.shape, tensor.data);
    Ok(())
}

/// The mean cross-entropy.
fn cross_entropy(logits: BurnTensor<2>, labels: &[usize]) -> BurnTensor<1> {
    smoothed_cross_entropy(logits, labels, 1.0, 0.0)
}

/// The network of a case; without classes where the case names none.
fn network(case: &Case) -> Result<Network, String> {
    let params = &case.params;
    let depth = params["depth"].as_u64().unwrap_or(50);
    let length = params["reduction_dim"].as_u64().unwrap_or(512);
    let classes = params["classes"].as_u64();
    let classes = classes.map_or(String::new(), |classes| format!("-classes{classes}"));
    let name = format!("resnet{depth}/delg-out{length}{classes}");
    let architecture = Architecture::parse(&name).map_err(text)?;
    Network::load(&architecture, &weights(case, &architecture.parameters())?).map_err(text)
}

/// What both branches make of a picture.
struct Branches<O: Ops> {
    global: O::T<2>,
    attention: O::T<4>,
    mean: O::T<2>,
}

impl<O: Ops> Branches<O> {
    fn of(network: &Network, module: &DelgModule, ops: &mut O, image: O::T<4>) -> Result<Self, String> {
        let (map, early) = network.maps(ops, image, &mut |_, _| {});
        let local = module.local(ops, early.ok_or("the network has no map for its local branch")?);
        let attention = local.strengths.clone();
        Ok(Self {
            global: module.global(ops, map),
            attention,
            mean: AttentionBranch::mean(ops, local),
        })
    }
}

/// Both branches, in test or in training mode, with Burn; in test mode also through plans.
fn branches(case: &Case) -> Result<Outputs, String> {
    let network = network(case)?;
    let trains = !case.names("out.grad_norm.").is_empty();
    let device = Device::flex();
    let device = if trains { device.autodiff() } else { device };
    let network = if trains { network.train() } else { network };
    let HeadModule::Delg(module) = network.head() else {
        return Err("the head is of another kind".into());
    };
    let classifiers = module.classifiers.as_ref().ok_or("the network has no classes")?;
    let (image, labels) = (input(case)?, labels(case)?);
    let mut ops = BurnOps {
        train_batch_norm: trains,
        ..BurnOps::default()
    };
    let made = Branches::of(&network, module, &mut ops, on(&image, &device))?;
    let settings = CurricularMargin {
        scale: number(&case.params, "scale")?,
        margin: number(&case.params, "margin")?,
    };
    let global_logits = classifiers
        .global
        .logits(made.global.clone(), &labels, settings)
        .map_err(text)?;
    let local_logits = classifiers.local.forward(&mut ops, made.mean.clone());
    let global_loss = cross_entropy(global_logits.clone(), &labels);
    let local_loss = cross_entropy(local_logits.clone(), &labels);
    let mut outputs = Outputs::new();
    give(&mut outputs, "global_logits", global_logits)?;
    give(&mut outputs, "local_logits", local_logits)?;
    give(&mut outputs, "global_loss", global_loss.clone())?;
    give(&mut outputs, "local_loss", local_loss.clone())?;
    give(&mut outputs, "t", classifiers.global.t.value_sync())?;
    give(&mut outputs, "global", made.global)?;
    give(&mut outputs, "attention", made.attention)?;
    give(&mut outputs, "local_mean", made.mean)?;
    if trains {
        // The local branch sends no gradient into the trunk, so one pass back serves both losses.
        let gradients = (global_loss + local_loss).backward();
        let gradient = |name: &str| parameter_gradient(&network, &gradients, name);
        after_training(case, &mut outputs, "", &gradient, &|name| {
            parameter_values(&network, name)
        })?;
        return Ok(outputs);
    }
    case.compare(&outputs)
        .map_err(|difference| format!("computed by Burn: {difference}"))?;

    let descriptors = network.record().map_err(text)?;
    let global = RtenExecutor::new(&descriptors, 2)
        .map_err(text)?
        .run(&image)
        .map_err(text)?
        .remove(0)
        .1;
    outputs.f32("global", &global.shape, global.data);
    let (mut recorder, picture) = PlanRecorder::new(3);
    let LocalMaps { features, strengths } = network
        .forward_local(&mut recorder, picture)
        .ok_or("the network has no local features")?;
    recorder.output("attention", strengths);
    let mean = AttentionBranch::mean(&mut recorder, LocalMaps { features, strengths });
    recorder.output("local_mean", mean);
    let plan = recorder.finish().map_err(text)?;
    for (name, tensor) in RtenExecutor::new(&plan, 2)
        .map_err(text)?
        .run(&image)
        .map_err(text)?
    {
        outputs.f32(&name, &tensor.shape, tensor.data);
    }
    Ok(outputs)
}

/// The complete extractor of local features, from a picture, by Burn and through the plan.
fn extracted(case: &Case) -> Result<Outputs, String> {
    let network = network(case)?;
    let device = Device::flex();
    let mut burn = BurnExecutor::local(network.on(&device), &device).map_err(text)?;
    case.compare(&features(case, &mut burn)?)
        .map_err(|difference| format!("computed by Burn: {difference}"))?;
    let plan = network.record_local().map_err(text)?;
    features(case, &mut RtenExecutor::new(&plan, 2).map_err(text)?)
}

fn features(case: &Case, executor: &mut dyn Executor) -> Result<Outputs, String> {
    let params = &case.params;
    let scales: Vec<f64> = serde_json::from_value(params["scales"].clone()).map_err(text)?;
    let rule = DelgSelection {
        threshold: threshold(params)?,
        overlap: number(params, "iou")?,
        most: whole(params, "top_k")?,
        repeat_first: true,
        ..DelgSelection::default()
    };
    let recipe = Recipe::named("delg").map_err(text)?;
    let prepared = recipe
        .prepared_pixels(picture(params)?, None, MAX_PIXELS)
        .map_err(text)?;
    let tensors: Vec<ImageTensor> = LocalNetwork::prepared_scales(&scales)
        .into_iter()
        .map(|scale| Ok(recipe.scaled(&prepared, scale).map_err(text)?.remove(0)))
        .collect::<Result<_, String>>()?;
    // Places are the middles of receptive fields, so the grid takes no part.
    let grid = CellGrid {
        stride: rule.field.stride,
        offset: 0.0,
    };
    let outputs = [Network::LOCAL, Network::STRENGTH];
    let mut local = LocalNetwork::new(executor, outputs, &scales, grid, Selection::Delg(rule));
    let row = local.describe(&[&tensors[..]]).map_err(|failure| match failure {
        Failure::Pictures(reason) => reason,
        Failure::All(error) => error.to_string(),
    })?;
    let found = LocalFeatures::from_row(&row[0], case.array("out.descriptors")?.shape[1]);
    let found = found.ok_or("the row holds no features")?;

    let mut outputs = Outputs::new();
    let places = found.places.iter().flat_map(|[x, y]| [*y, *x]).collect();
    outputs.f32("locations", &[found.len(), 2], places);
    outputs.f32("scores", &[found.len()], found.strengths.clone());
    let fourth: Vec<usize> = (0..found.len()).step_by(4).collect();
    let rows = fourth
        .iter()
        .flat_map(|at| found.descriptor(*at))
        .copied()
        .collect();
    outputs.f32("descriptors", &[fourth.len(), found.dim], rows);
    Ok(outputs)
}

/// The picture that the case spells out: floor(a + b u), u = uniform('name', [height, width, 3], seed), blue first.
fn picture(params: &Json) -> Result<RgbImage, String> {
    let spelled = params["picture"].as_str().ok_or("the case has no picture")?;
    let wrong = || format!("the picture `{spelled}` is not known");
    let part = |start: &str, end: &str| {
        let (_, rest) = spelled.split_once(start)?;
        Some(rest.split_once(end)?.0.trim())
    };
    let float = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok()).ok_or_else(wrong);
    let (middle, spread) = (float(part("floor(", "+"))?, float(part("+", "u)"))?);
    let name = part("'", "'").ok_or_else(wrong)?;
    let shape: Vec<usize> =
        serde_json::from_str(&format!("[{}]", part("[", "]").ok_or_else(wrong)?)).map_err(text)?;
    let seed: u64 = part("],", ")")
        .and_then(|text| text.parse().ok())
        .ok_or_else(wrong)?;
    let u = formula::uniform(name, seed, shape.iter().product());
    let bytes = u
        .into_iter()
        .map(|u| (middle + spread * u).floor() as u8)
        .collect();
    RgbImage::new(shape[1] as u32, shape[0] as u32, bytes).ok_or_else(wrong)
}
