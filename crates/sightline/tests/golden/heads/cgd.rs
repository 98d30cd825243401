//! CGD in both forms and the reference model: whole networks in test and training mode, and the heads alone.

use super::given::{input, on, plain, text, weights, whole};
use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline::nn::burn::module::Module;
use sightline::nn::burn::tensor::{Device, Tensor as BurnTensor};
use sightline::nn::{
    Architecture, BurnOps, HeadModule, Network, Ops, PlanRecorder, parameter_gradient, parameter_values,
    smoothed_cross_entropy,
};
use sightline::plan::{Executor, RtenExecutor, Tensor};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "cgd_pt_configs" => configurations(case),
        "cgd_tf_head" => branches(case),
        _ => network(case),
    }
}

/// Sightline's name of the case's network.
fn name(case: &Case) -> Result<String, String> {
    let params = &case.params;
    if let Some(letters) = params["gd_config"].as_str() {
        return Ok(format!("resnet50/{}", torch_head(params, letters)?));
    }
    let classes = whole(params, "categories_count")?;
    match params["model"].as_str() {
        Some("CGDImagesSimilarityComputer") => {
            Ok(format!("keras_resnet50:conv4_block3/cgd-tf-SMG-classes{classes}"))
        }
        Some("ImagesSimilarityComputer") => {
            let size = whole(params, "image_size")?;
            Ok(format!(
                "keras_resnet50/cgd-tf-reference-size{size}-classes{classes}"
            ))
        }
        _ => Err("the case names no model".into()),
    }
}

fn torch_head(params: &Json, letters: &str) -> Result<String, String> {
    let (length, classes) = (whole(params, "feature_dim")?, whole(params, "classes")?);
    Ok(format!("cgd-{letters}-out{length}-classes{classes}"))
}

/// A whole network, with Burn in the mode of the case, and its descriptors through its plan.
fn network(case: &Case) -> Result<Outputs, String> {
    let params = &case.params;
    let keras = params["model"].is_string();
    let architecture = Architecture::parse(&name(case)?).map_err(text)?;
    let weights = weights(case, &architecture.parameters())?;
    let network = Network::load(&architecture, &weights).map_err(text)?;
    let image = input(case)?;

    // What has a gradient in the file was computed in training mode.
    let trains = !case.names("out.grad_norm.").is_empty();
    let device = Device::flex();
    let device = if trains { device.autodiff() } else { device };
    let network = if trains { network.train() } else { network };
    let (mut frozen, mut training) = (BurnOps::default(), BurnOps::default());
    training.train_batch_norm = trains;
    // leftthomas keeps the batch norms of the trunk in test mode.
    let trunk = if keras { &mut training } else { &mut frozen };
    let (map, _) = network.maps(trunk, on(&image, &device), &mut |_, _| {});
    let (descriptor, classes) = network.head().forward_with_classes(&mut training, map);
    let classes = classes.ok_or("the network has no classes")?;
    let labels: Vec<usize> = serde_json::from_value(params["labels"].clone()).map_err(text)?;
    let smoothing = if keras { "label_smoothing" } else { "smoothing" };
    let (temperature, smoothing) = (number(params, "temperature")?, number(params, smoothing)?);
    let loss = smoothed_cross_entropy(classes.clone(), &labels, temperature, smoothing);

    let names = match keras {
        true => ["embeddings", "logits", "aux_loss"],
        false => ["descriptor", "classes", "class_loss"],
    };
    let mut outputs = Outputs::new();
    let mut give = |name: &str, tensor: Tensor| outputs.f32(name, &tensor.shape, tensor.data);
    give(names[0], plain(descriptor)?);
    give(names[1], plain(classes.clone())?);
    give("probabilities", plain(BurnOps::default().softmax(classes, 1))?);
    give(names[2], plain(loss.clone())?);
    if trains {
        let gradients = loss.backward();
        for full in case.names("out.grad_norm.") {
            let name = full.trim_start_matches("out.grad_norm.");
            let gradient = parameter_gradient(&network, &gradients, name);
            let gradient = gradient.ok_or_else(|| format!("{name} has no gradient"))?;
            let squares = gradient.data.iter().map(|value| f64::from(*value).powi(2));
            let norm = squares.sum::<f64>().sqrt() as f32;
            give(
                &format!("grad_norm.{name}"),
                Tensor::new(&[1], vec![norm]).map_err(text)?,
            );
        }
        for full in case.names("out.after.") {
            let name = full.trim_start_matches("out.after.");
            let values = parameter_values(&network, name);
            give(
                &format!("after.{name}"),
                values.ok_or_else(|| format!("there is no {name}"))?,
            );
        }
        return Ok(outputs);
    }
    case.compare(&outputs)
        .map_err(|difference| format!("computed by Burn: {difference}"))?;
    let mut plan = RtenExecutor::new(&network.record().map_err(text)?, 2).map_err(text)?;
    let (_, descriptor) = plan.run(&image).map_err(text)?.remove(0);
    outputs.f32(names[0], &descriptor.shape, descriptor.data);
    Ok(outputs)
}

/// Every combination of leftthomas's descriptors on the same map.
fn configurations(case: &Case) -> Result<Outputs, String> {
    let configurations: Vec<String> = serde_json::from_value(case.params["configs"].clone()).map_err(text)?;
    let map = input(case)?;
    let (mut by_burn, mut by_plan) = (Outputs::new(), Outputs::new());
    for letters in configurations {
        let head = torch_head(&case.params, &letters)?;
        let module = head_module(case, &format!("resnet50/{head}"), map.shape[1])?;
        let (descriptor, classes) = classified(&module, &map);
        let names = [format!("descriptor_{letters}"), format!("classes_{letters}")];
        for (name, tensor) in names.iter().zip([descriptor, classes.ok_or("no classes")?]) {
            let tensor = plain(tensor)?;
            by_burn.f32(name, &tensor.shape, tensor.data);
        }
        let mut recorder = PlanRecorder::new(map.shape[1]);
        let (descriptor, classes) = module.forward_with_classes(&mut recorder.0, recorder.1);
        recorder.0.output(&names[0], descriptor);
        recorder.0.output(&names[1], classes.ok_or("no classes")?);
        run_plan(recorder.0, &map, &mut by_plan)?;
    }
    super::given::both(case, &by_burn, by_plan)
}

/// The TensorFlow project's branches on a given map.
fn branches(case: &Case) -> Result<Outputs, String> {
    let classes = whole(&case.params, "categories_count")?;
    let map = input(case)?;
    let name = format!("keras_resnet50:conv4_block3/cgd-tf-SMG-classes{classes}");
    let module = head_module(case, &name, map.shape[1])?;
    let HeadModule::CgdTf(head) = &module else {
        return Err("the head is of another kind".into());
    };
    let names = ["spoc", "mac", "gem"];
    let mut by_burn = Outputs::new();
    let mut give = |name: &str, tensor: BurnTensor<2>| {
        let tensor = plain(tensor)?;
        by_burn.f32(name, &tensor.shape, tensor.data);
        Ok::<(), String>(())
    };
    let (embeddings, logits) = classified(&module, &map);
    give("embeddings", embeddings)?;
    give("logits", logits.ok_or("no classes")?)?;
    let on_device = on(&map, &Device::flex());
    for (name, branch) in names
        .iter()
        .zip(head.branches(&mut BurnOps::default(), &on_device))
    {
        give(name, branch)?;
    }
    let (mut recorder, value) = PlanRecorder::new(map.shape[1]);
    let (embeddings, logits) = module.forward_with_classes(&mut recorder, value);
    recorder.output("embeddings", embeddings);
    recorder.output("logits", logits.ok_or("no classes")?);
    for (name, branch) in names.iter().zip(head.branches(&mut recorder, &value)) {
        recorder.output(name, branch);
    }
    let mut by_plan = Outputs::new();
    run_plan(recorder, &map, &mut by_plan)?;
    super::given::both(case, &by_burn, by_plan)
}

/// The head of a network alone, behind a map of that many channels.
fn head_module(case: &Case, name: &str, channels: usize) -> Result<HeadModule, String> {
    let architecture = Architecture::parse(name).map_err(text)?;
    let head = architecture.head();
    let weights = weights(case, &HeadModule::parameters(head, channels))?;
    HeadModule::load(head, channels, &weights).map_err(text)
}

fn classified(module: &HeadModule, map: &Tensor) -> (BurnTensor<2>, Option<BurnTensor<2>>) {
    module.forward_with_classes(&mut BurnOps::default(), on(map, &Device::flex()))
}

/// Runs a recorded head on a map; the outputs under their names.
fn run_plan(recorder: PlanRecorder, map: &Tensor, outputs: &mut Outputs) -> Result<(), String> {
    let plan = recorder.finish().map_err(text)?;
    for (name, tensor) in RtenExecutor::new(&plan, 2)
        .map_err(text)?
        .run(map)
        .map_err(text)?
    {
        outputs.f32(&name, &tensor.shape, tensor.data);
    }
    Ok(())
}

fn number(params: &Json, key: &str) -> Result<f32, String> {
    let value = params[key].as_f64();
    Ok(value.ok_or(format!("the case lacks {key}"))? as f32)
}
