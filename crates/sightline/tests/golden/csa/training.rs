//! CSA's training: its lists, losses and gradients, whole trainings of a few steps, learning rates.

use super::network::{network, sizes};
use crate::case::{Case, Outputs};
use crate::heads::given::{plain, text, whole};
use serde_json::Value as Json;
use sightline::nn::burn::module::Module;
use sightline::nn::burn::tensor::{Device, Tensor as BurnTensor, TensorData};
use sightline::nn::{BurnOps, Csa, parameter_id, parameter_values};
use sightline::search::{KnnGraph, Rows};
use sightline::train::{
    Backbone, CsaLists, CsaSettings, CsaTrainer, ListSizes, LossWeights, WarmupCosine, csa_gradients,
};

fn real(params: &Json, key: &str) -> Result<f64, String> {
    params[key].as_f64().ok_or(format!("the case lacks {key}"))
}

/// The network of a case.
fn csa(case: &Case) -> Result<Csa, String> {
    let sizes = sizes(case, "embed_dim", "sim_len", whole(&case.params, "depth")?)?;
    network(case, sizes)
}

/// The training set of a case.
struct Set {
    descriptors: Vec<(usize, Vec<f32>)>,
    clusters: Vec<u32>,
    sizes: ListSizes,
}

impl Set {
    fn of(case: &Case) -> Result<Self, String> {
        let backbones: Vec<String> =
            serde_json::from_value(case.params["backbones"].clone()).map_err(text)?;
        let of = |name: &String| {
            let array = case.array(&format!("in.{name}"))?;
            Ok((array.shape[1], array.to_f32()))
        };
        Ok(Self {
            descriptors: backbones.iter().map(of).collect::<Result<_, String>>()?,
            clusters: case.array("in.cluster")?.to_ints()?,
            sizes: ListSizes {
                topk: whole(&case.params, "topk")?,
                sim_len: whole(&case.params, "sim_len")?,
            },
        })
    }

    fn rows(&self) -> impl Iterator<Item = Rows<'_>> {
        let values = self.descriptors.iter();
        values.map(|(dim, values)| Rows::f32(values, *dim))
    }

    fn graphs(&self) -> Result<Vec<KnnGraph>, String> {
        let graph = |rows: Rows<'_>| self.sizes.graph(rows).map_err(text);
        self.rows().map(graph).collect()
    }

    fn lists<'a>(&'a self, graphs: &'a [KnnGraph]) -> Result<CsaLists<'a>, String> {
        let both = self.rows().zip(graphs);
        let backbones = both.map(|(descriptors, neighbours)| Backbone {
            descriptors,
            neighbours,
        });
        CsaLists::new(backbones.collect(), &self.clusters, self.sizes).map_err(text)
    }
}

/// The order in which a case shows the tokens of its items. Nothing that is computed depends on it.
fn shown_order(case: &Case, tokens: usize) -> Result<Vec<usize>, String> {
    let rule = case.params["permutation"].as_str().unwrap_or("none");
    if rule.contains("1.. of each item reversed") {
        return Ok([0].into_iter().chain((1..tokens).rev()).collect());
    }
    if rule.starts_with("none") {
        return Ok((0..tokens).collect());
    }
    Err(format!("the permutation `{rule}` is not known"))
}

/// Lists of all samples; losses and gradients of some of them as a batch.
pub(crate) fn batch(case: &Case) -> Result<Outputs, String> {
    let set = Set::of(case)?;
    let ListSizes { topk, sim_len } = set.sizes;
    let graphs = set.graphs()?;
    let lists = set.lists(&graphs)?;
    let mut outputs = Outputs::new();

    let (mut neighbours, mut relevant) = (Vec::new(), Vec::new());
    for sample in 0..lists.count() {
        neighbours.extend(lists.neighbours(sample).map_err(text)?.iter().map(|i| *i as u64));
        relevant.extend(lists.relevant(sample).map_err(text)?);
    }
    let shape = [lists.count(), set.sizes.list()];
    outputs.ints("topk_indices", &shape, &neighbours);
    outputs.ints("relevant", &shape, &relevant);

    let items: Vec<usize> = serde_json::from_value(case.params["items"].clone()).map_err(text)?;
    let batch = lists.batch(&items).map_err(text)?;
    let order = shown_order(case, topk)?;
    let labels = case.array("out.item_relevant")?.shape[1];
    let (mut affinity, mut relevant) = (Vec::new(), Vec::new());
    for (item, sample) in items.iter().enumerate() {
        for token in &order {
            let place = |anchor: usize| (item * sim_len + anchor) * topk + token;
            affinity.extend((0..sim_len).map(|anchor| batch.affinity.data[place(anchor)]));
        }
        // The labels behind the tokens', where the case shows them, have no use.
        relevant.extend(order.iter().map(|token| batch.relevant[item * topk + token]));
        relevant.extend_from_slice(&lists.relevant(*sample).map_err(text)?[topk.min(labels)..labels]);
    }
    outputs.f32("item_affinity", &[items.len(), topk, sim_len], affinity);
    outputs.ints("item_relevant", &[items.len(), labels], &relevant);

    let (network, device) = (csa(case)?.train(), Device::flex());
    let input = TensorData::new(batch.affinity.data.clone(), batch.affinity.shape.clone());
    let input = BurnTensor::from_data(input, &device.clone().autodiff());
    let exp_sim = plain(network.forward_training(&mut BurnOps::default(), input).exp_sim)?;
    let exp_sim = exp_sim
        .data
        .chunks(topk)
        .flat_map(|list| order.iter().map(|token| list[*token]));
    outputs.f32("exp_sim", &[items.len(), topk], exp_sim.collect());

    let total = LossWeights::alpha(real(&case.params, "alpha")?);
    let [contrastive, distance] = [[1.0, 0.0], [0.0, 1.0]].map(|[contrastive, distance]| LossWeights {
        contrastive,
        distance,
    });
    let names: Vec<String> = serde_json::from_value(case.params["parameters"].clone()).map_err(text)?;
    let mut norms = Vec::new();
    for weights in [contrastive, distance, total] {
        let found = csa_gradients(&network, &batch, weights, &mut BurnOps::default(), &device);
        let (losses, gradients) = found.map_err(text)?;
        let gradients = gradients.ok_or("the loss is no number")?;
        let values = [losses.contrastive, losses.distance, losses.total];
        outputs.f32("losses", &[3], values.map(|loss| loss as f32).to_vec());
        for name in &names {
            let gradient = gradients.values(parameter_id(name)).map_err(text)?;
            let gradient = gradient.ok_or_else(|| format!("{name} has no gradient"))?;
            let squares = gradient.iter().map(|value| f64::from(*value).powi(2));
            norms.push(squares.sum::<f64>().sqrt() as f32);
            if weights == total {
                let shape = parameter_values(&network, name).ok_or("no such parameter")?.shape;
                outputs.f32(&format!("grad.{name}"), &shape, gradient);
            }
        }
    }
    outputs.f32("grad_norms", &[3, names.len()], norms);
    Ok(outputs)
}

/// A training of a few epochs.
pub(crate) fn train(case: &Case) -> Result<Outputs, String> {
    let set = Set::of(case)?;
    let graphs = set.graphs()?;
    let lists = set.lists(&graphs)?;
    let params = &case.params;
    let (size, update_every) = (whole(params, "batch_size")?, whole(params, "update_every")?);
    let samples: Vec<usize> = (0..lists.count()).collect();
    let batches = samples.len() / size;
    let rates = WarmupCosine {
        steps_per_epoch: WarmupCosine::steps_of_batches(batches, update_every),
        ..rates(params)?
    };
    let half_inputs = match params["input_rounding"].as_str() {
        None | Some("none") => false,
        Some(rule) if rule.starts_with("affinity rounded to IEEE half") => true,
        Some(rule) => return Err(format!("the rounding `{rule}` is not known")),
    };
    let settings = CsaSettings {
        alpha: real(params, "alpha")?,
        momentum: real(params, "momentum")?,
        weight_decay: real(params, "weight_decay")?,
        clip_max_norm: real(params, "clip_max_norm")?,
        update_every,
        rates: rates.scaled(size, update_every),
        half_inputs,
        dropout_seed: None,
    };
    let mut trainer = CsaTrainer::new(csa(case)?, settings, &Device::flex()).map_err(text)?;

    let mut reports = Vec::new();
    for _ in 0..whole(params, "stop_at_epoch")? {
        trainer.start_epoch();
        for samples in samples.chunks_exact(size) {
            let batch = lists.batch(samples).map_err(text)?;
            reports.push(trainer.batch(&batch).map_err(text)?);
        }
    }

    let mut outputs = Outputs::new();
    let mut series = |name: &str, values: Vec<f64>| {
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        outputs.f32(name, &[values.len()], values);
    };
    let peaks = || reports.iter().filter_map(|report| report.peaks);
    let updates = || reports.iter().filter_map(|report| report.update);
    series(
        "contrastive",
        reports.iter().map(|report| report.losses.contrastive).collect(),
    );
    series(
        "mse",
        reports.iter().map(|report| report.losses.distance).collect(),
    );
    series(
        "max_grad_projection",
        peaks().map(|peaks| f64::from(peaks.projection)).collect(),
    );
    series(
        "max_grad_last_block",
        peaks().map(|peaks| f64::from(peaks.last_block)).collect(),
    );
    series(
        "grad_norm",
        updates().map(|update| update.gradient_norm).collect(),
    );
    let rates: Vec<f64> = updates().map(|update| update.rate).collect();
    outputs.f64("lr", &[rates.len()], rates);
    for full in case.names("out.final.") {
        let name = full.trim_start_matches("out.final.");
        let values =
            parameter_values(trainer.network(), name).ok_or_else(|| format!("there is no {name}"))?;
        outputs.f32(&format!("final.{name}"), &values.shape, values.data);
    }
    Ok(outputs)
}

/// The rates of a case, for epochs of no steps yet.
fn rates(params: &Json) -> Result<WarmupCosine, String> {
    Ok(WarmupCosine {
        warmup: real(params, "warmup_lr")?,
        base: real(params, "base_lr")?,
        last: real(params, "final_lr")?,
        warmup_epochs: whole(params, "warmup_epochs")?,
        epochs: whole(params, "num_epochs")?,
        steps_per_epoch: 0,
    })
}

/// The learning rate of every step, under each name of the case.
pub(crate) fn schedule(case: &Case) -> Result<Outputs, String> {
    let mut outputs = Outputs::new();
    for (name, params) in case.params.as_object().ok_or("the case has no settings")? {
        let rates = WarmupCosine {
            steps_per_epoch: whole(params, "iter_per_epoch")?,
            ..rates(params)?
        };
        let table: Vec<f64> = (0..rates.steps()).map(|step| rates.rate(step)).collect();
        outputs.f64(name, &[table.len()], table);
    }
    Ok(outputs)
}
