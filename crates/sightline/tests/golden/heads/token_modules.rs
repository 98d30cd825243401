//! Parts of the Token project's networks alone: its refinement, its VLAD layer, R-MAC pooling, the margin classifier.

use super::given::{
    after_training, both, input, input_of, labels, number, on, plain, text, weights_behind, whole,
};
use crate::case::{Case, Outputs};
use sightline::checkpoint::formula;
use sightline::nn::burn::module::Module;
use sightline::nn::burn::tensor::{Device, Tensor as BurnTensor};
use sightline::nn::{
    ArcFace, Architecture, BurnOps, HeadModule, PlanRecorder, Weights, parameter_gradient, parameter_values,
    rmac, smoothed_cross_entropy,
};
use sightline::plan::{Executor, RtenExecutor, Tensor};

/// `Token_Refine` on a map.
pub(crate) fn refinement(case: &Case) -> Result<Outputs, String> {
    let of = |key: &str| whole(&case.params, key);
    let (tokens, width, heads) = (of("num_object")?, of("mid_dim")?, of("num_heads")?);
    head_alone(case, &format!("token-l{tokens}-d{width}-h{heads}"), "tr.")
}

/// `VLADLayer` on a map.
pub(crate) fn vlad_layer(case: &Case) -> Result<Outputs, String> {
    let of = |key: &str| whole(&case.params, key);
    let (clusters, width) = (of("num_clusters")?, of("dim")?);
    head_alone(case, &format!("token-netvlad-k{clusters}-d{width}"), "vlad.")
}

/// A head on a map, whose names in the case lack `prefix`: by Burn, and in test mode through its plan.
fn head_alone(case: &Case, name: &str, prefix: &str) -> Result<Outputs, String> {
    let map = input(case)?;
    let channels = map.shape[1];
    let architecture = Architecture::parse(&format!("resnet50/{name}")).map_err(text)?;
    let wanted = HeadModule::parameters(architecture.head(), channels);
    let weights = weights_behind(case, &wanted, prefix)?;
    let head = HeadModule::load(architecture.head(), channels, &weights).map_err(text)?;

    let trains = case.name.ends_with("_train");
    let mut ops = BurnOps {
        train_batch_norm: trains,
        ..BurnOps::default()
    };
    let mut shown: Vec<(String, BurnTensor<4>)> = Vec::new();
    head.forward(&mut ops, on(&map, &Device::flex()), &mut |name, value| {
        shown.push((name.to_owned(), value.clone()));
    });
    let mut by_burn = Outputs::new();
    for (name, value) in shown {
        give(&mut by_burn, &name, plain(value)?);
    }
    after_training(case, &mut by_burn, prefix, &|_| None, &|name| {
        parameter_values(&head, name)
    })?;
    if trains {
        return Ok(by_burn);
    }
    let (mut recorder, image) = PlanRecorder::new(channels);
    let mut shown = Vec::new();
    head.forward(&mut recorder, image, &mut |name, value| {
        shown.push((name.to_owned(), *value));
    });
    for (name, value) in shown {
        recorder.output(&name, value);
    }
    let plan = recorder.finish().map_err(text)?;
    let mut executor = RtenExecutor::new(&plan, 2).map_err(text)?;
    let mut by_plan = Outputs::new();
    for (name, value) in executor.run(&map).map_err(text)? {
        give(&mut by_plan, &name, value);
    }
    both(case, &by_burn, by_plan)
}

/// What a head shows, in the shapes of the original: rows of tokens or features, and the mean of the regulariser.
fn give(outputs: &mut Outputs, name: &str, value: Tensor) {
    let [batch, channels, rows, ..] = value.shape[..] else {
        return;
    };
    match name {
        "tr" => outputs.f32("out", &[batch, channels], value.data),
        "vlad" => outputs.f32("vlad", &[batch, channels], value.data),
        "regularisation" => {
            let mean = value.data.iter().sum::<f32>() / batch as f32;
            outputs.f32(name, &[1], vec![mean]);
        }
        _ => {
            let at = |index: usize| {
                let (picture, rest) = (index / (rows * channels), index % (rows * channels));
                value.data[(picture * channels + rest % channels) * rows + rest / channels]
            };
            let data = (0..value.data.len()).map(at).collect();
            outputs.f32(name, &[batch, rows, channels], data);
        }
    }
}

/// R-MAC pooling of maps of several shapes, which the names of the outputs say.
pub(crate) fn rmac_maps(case: &Case) -> Result<Outputs, String> {
    let of = |key: &str| whole(&case.params, key);
    let (batch, channels, levels) = (of("batch")?, of("channels")?, of("L")?);
    let epsilon = number(&case.params, "eps")?;
    let (mut by_burn, mut by_plan) = (Outputs::new(), Outputs::new());
    for full in case.names("out.rmac_") {
        let name = full.trim_start_matches("out.");
        let size = name
            .trim_start_matches("rmac_")
            .split_once('x')
            .ok_or("no size")?;
        let size: [usize; 2] = [size.0.parse().map_err(text)?, size.1.parse().map_err(text)?];
        let map = input_of(case, vec![batch, channels, size[0], size[1]])?;
        let pooled = rmac(
            &mut BurnOps::default(),
            on(&map, &Device::flex()),
            levels,
            epsilon,
        );
        let pooled = plain(pooled)?;
        by_burn.f32(name, &pooled.shape, pooled.data);
        let (mut recorder, image) = PlanRecorder::for_size(channels, size);
        let pooled = rmac(&mut recorder, image, levels, epsilon);
        recorder.output(name, pooled);
        let plan = recorder.finish().map_err(text)?;
        let mut executor = RtenExecutor::new(&plan, 2).map_err(text)?;
        let (_, pooled) = executor.run(&map).map_err(text)?.remove(0);
        by_plan.f32(name, &pooled.shape, pooled.data);
    }
    both(case, &by_burn, by_plan)
}

/// The margin classifier: logits, and the gradient of the mean loss of all samples.
pub(crate) fn arcface(case: &Case) -> Result<Outputs, String> {
    let array = case.array("in.x")?;
    let [samples, dim] = array.shape[..] else {
        return Err("in.x does not have two axes".into());
    };
    let labels = labels(case)?;
    let kept: Vec<usize> = serde_json::from_value(case.params["kept_rows"].clone()).map_err(text)?;
    let clipped: Vec<usize> = (0..samples).filter(|row| !kept.contains(row)).collect();
    let shape = &case.array("out.grad_w_all")?.shape;
    let seed = whole(&case.params, "seed")? as u64;
    let mut weights = Weights::new();
    let name = "classifier.weight";
    weights.insert(name, shape, formula::parameter(name, shape, seed));
    let (margin, scale) = (number(&case.params, "m")?, number(&case.params, "s")?);
    let arcface = ArcFace::load(&weights, "classifier", [shape[0], dim], margin, scale);
    let arcface = arcface.map_err(text)?.train();

    let x = Tensor::new(&array.shape, array.to_f32()).map_err(text)?;
    let x = on::<2>(&x, &Device::flex().autodiff()).require_grad();
    let logits = arcface.forward(x.clone(), &labels);
    let gradients = smoothed_cross_entropy(logits.clone(), &labels, 1.0, 0.0).backward();
    let rows = |tensor: &Tensor, rows: &[usize]| {
        let width = tensor.shape[1];
        let each = rows.iter().flat_map(|row| &tensor.data[row * width..][..width]);
        Tensor {
            shape: vec![rows.len(), width],
            data: each.copied().collect(),
        }
    };
    let all = plain(logits)?;
    let kept_logits = rows(&all, &kept);
    let of_kept: Vec<usize> = kept.iter().map(|row| labels[*row]).collect();
    let loss = smoothed_cross_entropy(on(&kept_logits, &Device::flex()), &of_kept, 1.0, 0.0);
    let slopes = plain(x.grad(&gradients).ok_or("x has no gradient")?)?;
    let of_weight = parameter_gradient(&arcface, &gradients, name).ok_or("the weight has no gradient")?;
    let mut outputs = Outputs::new();
    for (name, tensor) in [
        ("logits", kept_logits),
        ("logits_clipped", rows(&all, &clipped)),
        ("loss", plain(loss)?),
        ("grad_x", rows(&slopes, &kept)),
        ("grad_w_all", of_weight),
    ] {
        outputs.f32(name, &tensor.shape, tensor.data);
    }
    Ok(outputs)
}
