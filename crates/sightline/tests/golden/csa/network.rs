//! CSA's network with formula weights, and one block of it: by Burn and through the recorded plan.

use crate::case::{Case, Outputs};
use crate::heads::given::{both, on, plain, text, whole};
use sightline::checkpoint::formula;
use sightline::nn::burn::tensor::Device;
use sightline::nn::{BurnOps, Csa, CsaBlock, CsaSizes, PlanRecorder, Wanted, Weights};
use sightline::plan::{Executor, Plan, RtenExecutor, Tensor, plan_executor};
use sightline::train::feature_distance;

/// The sizes of a case's network. A block knows nothing of anchors.
pub(crate) fn sizes(case: &Case, width: &str, anchors: &str, depth: usize) -> Result<CsaSizes, String> {
    let of = |key: &str| whole(&case.params, key);
    let width = of(width)?;
    let ratio = case.params["mlp_ratio"]
        .as_f64()
        .ok_or("the case lacks mlp_ratio")?;
    Ok(CsaSizes {
        anchors: if anchors.is_empty() { 1 } else { of(anchors)? },
        width,
        depth,
        heads: of("heads")?,
        hidden: (width as f64 * ratio) as usize,
        qkv_bias: case.params["qkv_bias"]
            .as_bool()
            .ok_or("the case lacks qkv_bias")?,
    })
}

/// The formula weights of a case.
fn weights(case: &Case, wanted: &[Wanted]) -> Result<Weights<'static>, String> {
    let seed = whole(&case.params, "weight_seed")? as u64;
    let mut weights = Weights::new();
    for Wanted { name, shape, .. } in wanted {
        weights.insert(name, shape, formula::parameter(name, shape, seed));
    }
    Ok(weights)
}

/// The network of a case.
pub(crate) fn network(case: &Case, sizes: CsaSizes) -> Result<Csa, String> {
    let weights = weights(case, &Csa::parameters(sizes))?;
    let network = Csa::load(&weights, Some(sizes.heads)).map_err(text)?;
    if network.sizes() != sizes {
        return Err(format!("the weights say {:?}", network.sizes()));
    }
    Ok(network)
}

/// Rows of channels `[N, T, C]` as a map `[N, C, T, 1]`.
pub(crate) fn map_of_rows(rows: &[f32], [batch, tokens, channels]: [usize; 3]) -> Tensor {
    let value = |index: usize| {
        let (rest, token) = (index / tokens, index % tokens);
        rows[((rest / channels) * tokens + token) * channels + rest % channels]
    };
    Tensor {
        shape: vec![batch, channels, tokens, 1],
        data: (0..rows.len()).map(value).collect(),
    }
}

/// A map `[N, C, T, 1]` as rows of channels `[N, T, C]`.
fn rows_of_map(map: &Tensor) -> Vec<f32> {
    let [batch, channels, tokens] = [map.shape[0], map.shape[1], map.shape[2]];
    map_of_rows(&map.data, [batch, channels, tokens]).data
}

/// One block of a network, on a formula image of tokens.
pub(crate) fn block(case: &Case) -> Result<Outputs, String> {
    let sizes = sizes(case, "dim", "", 1)?;
    let weights = weights(case, &CsaBlock::parameters(sizes))?;
    let block = CsaBlock::load(&weights, sizes).map_err(text)?;
    let shape = &case.array("out.block")?.shape;
    let shape = [shape[0], whole(&case.params, "n")?, sizes.width];
    let rule = case.params["input"].as_str().ok_or("the case has no input")?;
    let name = rule.split('\'').nth(1).ok_or("the input has no name")?;
    let image = formula::uniform(name, whole(&case.params, "seed")? as u64, shape.iter().product());
    let image: Vec<f32> = image.into_iter().map(|u| (1.5 * u) as f32).collect();
    let input = map_of_rows(&image, shape);

    let mut by_burn = Outputs::new();
    let mut shown = Vec::new();
    let tokens = on(&input, &Device::flex());
    let tokens = block.forward(&mut BurnOps::default(), tokens, &mut |name, map| {
        shown.push((name.to_owned(), map.clone()));
    });
    shown.push(("block".to_owned(), tokens));
    for (name, map) in shown {
        by_burn.f32(&name, &shape, rows_of_map(&plain(map)?));
    }

    let (mut recorder, tokens) = PlanRecorder::new(sizes.width);
    let mut shown = Vec::new();
    let tokens = block.forward(&mut recorder, tokens, &mut |name, map| {
        shown.push((name.to_owned(), *map));
    });
    shown.push(("block".to_owned(), tokens));
    for (name, map) in shown {
        recorder.output(&name, map);
    }
    let plan = recorder.finish().map_err(text)?;
    by_plan(case, &by_burn, &plan, &input, &|outputs, name, map| {
        outputs.f32(name, &shape, rows_of_map(map));
    })
}

/// What Burn computed and what `rten` makes of the plan must agree with the file; what is given is what the quickest executor makes of
/// it. `give` takes the outputs of the plan.
fn by_plan(
    case: &Case,
    by_burn: &Outputs,
    plan: &Plan,
    input: &Tensor,
    give: &dyn Fn(&mut Outputs, &str, &Tensor),
) -> Result<Outputs, String> {
    let run = |executor: &mut dyn Executor| {
        let mut outputs = Outputs::new();
        for (name, tensor) in executor.run(input).map_err(text)? {
            give(&mut outputs, &name, &tensor);
        }
        Ok::<_, String>(outputs)
    };
    let by_rten = run(&mut RtenExecutor::new(plan, 2).map_err(text)?)?;
    case.compare(&both(case, by_burn, by_rten)?)
        .map_err(|difference| format!("computed by rten: {difference}"))?;
    run(plan_executor(plan, 2).map_err(text)?.as_mut())
}

/// A whole network on one list. Only training has `exp_sim` and the loss, so those are Burn's alone.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let sizes = sizes(case, "embed_dim", "topk_dim", whole(&case.params, "depth")?)?;
    let network = network(case, sizes)?;
    let affinity = case.array("in.affinity")?;
    let tokens = whole(&case.params, "tokens")?;
    let kept = whole(&case.params, "rows_kept")?;
    let input = map_of_rows(&affinity.to_f32(), [1, tokens, sizes.anchors]);
    let last = format!("block{}", sizes.depth - 1);
    let give = |outputs: &mut Outputs, name: &str, map: &Tensor| {
        let rows = rows_of_map(map)[..kept * sizes.width].to_vec();
        outputs.f32(name, &[kept, sizes.width], rows.clone());
        if name == last {
            outputs.f32("tokens", &[kept, sizes.width], rows);
        }
    };

    let device = Device::flex();
    let mut by_burn = Outputs::new();
    let mut shown = Vec::new();
    let scores = network.forward(&mut BurnOps::default(), on(&input, &device), &mut |name, map| {
        shown.push((name.to_owned(), map.clone()));
    });
    for (name, map) in shown {
        give(&mut by_burn, &name, &plain(map)?);
    }
    by_burn.f32("scores", &[tokens - 1], plain(scores)?.data);
    let training = network.forward_training(&mut BurnOps::default(), on(&input, &device));
    let exp_sim = plain(training.exp_sim)?.data;
    let aligned = plain(training.aligned.ok_or("the network does not align")?)?;
    let loss = feature_distance(&input.data, &aligned.data, sizes.anchors, tokens);
    let of_training = |outputs: &mut Outputs| {
        outputs.f32("exp_sim", &[tokens], exp_sim.clone());
        outputs.f32("mse_loss", &[1], vec![loss.value as f32]);
    };
    of_training(&mut by_burn);

    let names: Vec<String> = (0..sizes.depth).map(|index| format!("block{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain(["projected"]).collect();
    let plan = network.record_with_tokens(None, &names).map_err(text)?;
    by_plan(case, &by_burn, &plan, &input, &|outputs, name, tensor| {
        if name == Csa::SCORES {
            outputs.f32(name, &[tokens - 1], tensor.data.clone());
            of_training(outputs);
        } else {
            give(outputs, name, tensor);
        }
    })
}
