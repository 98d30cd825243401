//! NetVLAD: where its layer starts from, and VGG-16 with it.

use super::given::{both, input, mean_of_map, on, plain, text, weights, whole};
use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline::checkpoint::formula;
use sightline::nn::{
    Architecture, BurnExecutor, BurnOps, Device, Head, HeadModule, NetvladStart, Network, PlanRecorder,
    Weights,
};
use sightline::plan::{DESCRIPTOR, Executor, RtenExecutor, Tensor};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "netvlad_vgg16" => network(case),
        _ => layer(case),
    }
}

/// The layer alone, started from the case's centres and descriptors.
fn layer(case: &Case) -> Result<Outputs, String> {
    let params = &case.params;
    let flag = |key: &str| params[key].as_bool().ok_or(format!("the case lacks {key}"));
    let (dim, clusters) = (whole(params, "dim")?, whole(params, "num_clusters")?);
    let biased = flag("vladv2")?;
    let (centres, descriptors) = (values(&params["centres"])?, values(&params["descriptors"])?);
    let start = if biased {
        NetvladStart::version2(&centres, &descriptors, dim)
    } else {
        NetvladStart::version1(&centres, &descriptors, dim)
    };
    let start = start.map_err(text)?;
    let mut weights = Weights::new();
    start.write(&mut weights);
    let options = [(biased, "-v2"), (!flag("normalize_input")?, "-raw")];
    let options: String = options
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, option)| option)
        .collect();
    let head = Architecture::parse(&format!("vgg16/netvlad-k{clusters}{options}")).map_err(text)?;
    let head: &Head = head.head();
    let module = HeadModule::load(head, dim, &weights).map_err(text)?;

    let map = input(case)?;
    let started = |vlad: Tensor| {
        let mut out = Outputs::new();
        out.f64("alpha", &[1], vec![start.alpha]);
        out.f32("conv_weight", &[clusters, dim], start.weight.clone());
        if let Some(bias) = &start.bias {
            out.f32("conv_bias", &[clusters], bias.clone());
        }
        out.f32("vlad", &vlad.shape, vlad.data);
        out
    };
    let by_burn = module.forward(
        &mut BurnOps::default(),
        on::<4>(&map, &Device::flex()),
        &mut |_, _| {},
    );
    let by_burn = started(plain(by_burn)?);
    let (mut recorder, value) = PlanRecorder::new(dim);
    let vlad = module.forward(&mut recorder, value, &mut |_, _| {});
    recorder.output("vlad", vlad);
    let plan = recorder.finish().map_err(text)?;
    let outputs = RtenExecutor::new(&plan, 2)
        .map_err(text)?
        .run(&map)
        .map_err(text)?;
    let (_, vlad) = outputs.into_iter().next().ok_or("no output")?;
    both(case, &by_burn, started(vlad))
}

/// `uniform('NAME', [ROWS, COLUMNS], SEED) as float32` or `unit_rows('NAME', [ROWS, COLUMNS], SEED)`.
fn values(spelled: &Json) -> Result<Vec<f32>, String> {
    let wrong = || format!("{spelled} is no formula of the harness");
    let spelled_out = spelled.as_str().ok_or_else(wrong)?;
    let (function, rest) = spelled_out.split_once('(').ok_or_else(wrong)?;
    let (arguments, _) = rest.split_once(')').ok_or_else(wrong)?;
    let arguments = format!("[{}]", arguments.replace('\'', "\""));
    let (name, shape, seed): (String, [usize; 2], u64) = serde_json::from_str(&arguments).map_err(text)?;
    let [rows, columns] = shape;
    let u = formula::uniform(&name, seed, rows * columns);
    let units = match function {
        "uniform" => u,
        "unit_rows" => u
            .chunks(columns)
            .flat_map(|row| {
                let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
                row.iter().map(move |value| value / length)
            })
            .collect(),
        _ => return Err(wrong()),
    };
    Ok(units.into_iter().map(|value| value as f32).collect())
}

fn network(case: &Case) -> Result<Outputs, String> {
    let clusters = whole(&case.params, "num_clusters")?;
    let architecture = Architecture::parse(&format!("vgg16/netvlad-k{clusters}")).map_err(text)?;
    let weights = weights(case, &architecture.parameters())?;
    let network = Network::load(&architecture, &weights).map_err(text)?;
    let last = architecture.last_map();
    let picture = input(case)?;
    let outputs = |executor: &mut dyn Executor| -> Result<Outputs, String> {
        let mut out = Outputs::new();
        for (name, tensor) in executor.run(&picture).map_err(text)? {
            if name == DESCRIPTOR {
                out.f32("vlad", &tensor.shape, tensor.data);
            } else {
                let mean = mean_of_map(&tensor);
                out.f32("map_mean", &mean.shape, mean.data);
            }
        }
        Ok(out)
    };
    let device = Device::flex();
    let by_burn = outputs(&mut BurnExecutor::new(network.on(&device), &device).with_maps(&[&last]))?;
    let plan = network.record_with_maps(None, &[&last]).map_err(text)?;
    let by_plan = outputs(&mut RtenExecutor::new(&plan, 2).map_err(text)?)?;
    both(case, &by_burn, by_plan)
}
