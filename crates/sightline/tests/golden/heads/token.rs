//! Whole networks of the Token project: in test mode by Burn and through the recorded plan, in training mode by Burn.

use super::given::{
    after_training, both, input, labels, mean_of_map, number, numbers, on, parameter, plain, text, weights,
    whole,
};
use crate::case::{Case, Outputs};
use sightline::descriptor::ScalePooling;
use sightline::image::ImageTensor;
use sightline::image::torch_resize::{Coordinates, scale};
use sightline::nn::burn::module::Module;
use sightline::nn::burn::tensor::{Device, Tensor as BurnTensor};
use sightline::nn::{
    ArcFace, Architecture, BurnExecutor, BurnOps, Network, Weights, parameter_gradient, parameter_values,
    smoothed_cross_entropy,
};
use sightline::plan::{DESCRIPTOR, Executor, RtenExecutor, Tensor};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let name = format!("{}/{}", text_of(case, "arch")?, head(case)?);
    let architecture = Architecture::parse(&name).map_err(text)?;
    let weights = weights(case, &architecture.parameters())?;
    let network = Network::load(&architecture, &weights).map_err(text)?;
    let image = input(case)?;
    if case.params.get("labels").is_some() {
        return train(case, &network, &image);
    }
    let last_map = architecture.last_map();
    let maps = [last_map.as_str(), "tr", "pooled", "attention"];
    let compute = |executor: &mut dyn Executor| {
        let mut outputs = Outputs::new();
        for (name, tensor) in executor.run(&image).map_err(text)? {
            match name.as_str() {
                name if name == last_map => {
                    let mean = mean_of_map(&tensor);
                    outputs.f32("trunk_mean", &mean.shape, mean.data);
                }
                "tr" | "pooled" => outputs.f32(&name, &tensor.shape[..2], tensor.data),
                _ => outputs.f32(&name, &tensor.shape, tensor.data),
            }
        }
        if case.params.get("scales").is_some() {
            let pooled = over_scales(case, executor, &image)?;
            outputs.f32("multiscale", &pooled.shape, pooled.data);
        }
        Ok::<Outputs, String>(outputs)
    };
    let device = Device::flex();
    let by_burn = compute(&mut BurnExecutor::new(network.on(&device), &device).with_maps(&maps))?;
    let size = [image.shape[2], image.shape[3]];
    let size = architecture.head().depends_on_size().then_some(size);
    let plan = network.record_with_maps(size, &maps).map_err(text)?;
    let by_plan = compute(&mut RtenExecutor::new(&plan, 2).map_err(text)?)?;
    both(case, &by_burn, by_plan)
}

fn text_of<'a>(case: &'a Case, key: &str) -> Result<&'a str, String> {
    case.params[key].as_str().ok_or(format!("the case lacks {key}"))
}

/// Sightline's name of the head that `params.model` builds, such as `DELG(outputdim=48, reduction_dim=16)`.
fn head(case: &Case) -> Result<String, String> {
    let model = text_of(case, "model")?;
    let (class, arguments) = model.split_once('(').unwrap_or((model, ""));
    let length = arguments.trim_end_matches(')').split(',').next().unwrap_or("");
    let length = length.rsplit('=').next().unwrap_or("").trim();
    let option = |letter: &str| match length {
        "" => String::new(),
        length => format!("-{letter}{length}"),
    };
    Ok(match class {
        "Token" => format!("token{}", option("d")),
        "NetVLAD" => format!("token-netvlad{}", option("d")),
        // These two leave the length out of account.
        "SOLAR" => "token-solar".to_owned(),
        "RMAC" => format!(
            "token-rmac-l{}-eps{}",
            whole(&case.params, "L")?,
            number(&case.params, "eps")?
        ),
        "DELG" => format!(
            "token-delg{}-r{}",
            option("out"),
            whole(&case.params, "reduction_dim")?
        ),
        other => return Err(format!("there is no network {other}")),
    })
}

/// The project's test at several scales, picture by picture.
fn over_scales(case: &Case, executor: &mut dyn Executor, images: &Tensor) -> Result<Tensor, String> {
    let scales = numbers(&case.params, "scales")?;
    let (c, h, w) = (images.shape[1], images.shape[2], images.shape[3]);
    let mut data = Vec::new();
    for values in images.data.chunks(c * h * w) {
        let picture = ImageTensor::new(c, h, w, values.to_vec()).ok_or("the image has no values")?;
        let mut passes = Vec::new();
        for factor in &scales {
            let scaled = match *factor {
                1.0 => picture.clone(),
                factor => scale(&picture, factor, Coordinates::Given).map_err(text)?,
            };
            let shape = [1, c, scaled.height, scaled.width];
            let outputs = executor
                .run(&Tensor::new(&shape, scaled.data).map_err(text)?)
                .map_err(text)?;
            let descriptor = outputs.into_iter().find(|(name, _)| name == DESCRIPTOR);
            passes.push(descriptor.ok_or("no descriptor")?.1.data);
        }
        let passes: Vec<&[f32]> = passes.iter().map(Vec::as_slice).collect();
        data.extend(ScalePooling::Token.pool(&passes, &scales));
    }
    let count = images.shape[0];
    Tensor::new(&[count, data.len() / count], data).map_err(text)
}

/// One pass in training mode, and what the classifiers make of it.
fn train(case: &Case, network: &Network, image: &Tensor) -> Result<Outputs, String> {
    let labels = labels(case)?;
    let device = Device::flex().autodiff();
    let network = network.clone().train();
    let mut ops = BurnOps {
        train_batch_norm: true,
        ..BurnOps::default()
    };
    let mut shown: Vec<(String, BurnTensor<4>)> = Vec::new();
    network.forward(&mut ops, on(image, &device), &mut |name, map| {
        if ["tr", "whiten", "local"].contains(&name) {
            shown.push((name.to_owned(), map.clone()));
        }
    });
    let two = case.params.get("local_margin").is_some();
    let mut outputs = Outputs::new();
    let mut trained = Vec::new();
    for (name, vectors) in shown {
        let (kind, classifier) = match name.as_str() {
            "local" => ("local_", "classifier_block4"),
            _ if two => ("global_", "classifier_block5"),
            _ => ("", "classifier"),
        };
        let [batch, dim, ..] = vectors.dims();
        let of = |key: &str| number(&case.params, &format!("{kind}{key}"));
        let (classes, weight) = (whole(&case.params, "classes")?, format!("{classifier}.weight"));
        let mut given = Weights::new();
        given.insert(
            &weight,
            &[classes, dim],
            parameter(case, &weight, &[classes, dim])?,
        );
        let arcface = ArcFace::load(&given, classifier, [classes, dim], of("margin")?, of("scale")?);
        let arcface = arcface.map_err(text)?.train();
        let logits = arcface.forward(vectors.reshape([batch, dim]), &labels);
        let loss = smoothed_cross_entropy(logits.clone(), &labels, 1.0, 0.0);
        let (values, sum) = (plain(logits)?, plain(loss.clone())?);
        outputs.f32(&format!("{kind}logits"), &values.shape, values.data);
        outputs.f32(&format!("{kind}loss"), &[1], sum.data);
        trained.push((arcface, loss));
    }
    let (arcface, loss) = trained.pop().ok_or("the network shows nothing to classify")?;
    let gradients = loss.backward();
    after_training(
        case,
        &mut outputs,
        "",
        &|name| {
            parameter_gradient(&network, &gradients, name)
                .or_else(|| parameter_gradient(&arcface, &gradients, name))
        },
        &|name| parameter_values(&network, name),
    )?;
    Ok(outputs)
}
