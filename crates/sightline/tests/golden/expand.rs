//! Golden area `expand`: query expansion, database augmentation, pooling over scales.

use crate::case::{Array, Case, Outputs};
use crate::eval::{dirtorch_setups, lists};
use serde_json::Value as Json;
use sightline_checkpoint::formula;
use sightline_descriptor::{Expansion, ScalePooling, Whitening, WhiteningSettings, superglobal_power};
use sightline_image::ImageTensor;
use sightline_image::torch_resize::{Coordinates, scale};
use sightline_plan::{Convolution, Executor as _, Operation, Plan, RtenExecutor, Tensor, Value};
use sightline_search::Rows;

/// Computes every output of one case of the area.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    match case.name.as_str() {
        "dirtorch-aqe" => {
            let (queries, db) = (case.array("in.queries")?, case.array("in.db")?);
            for (name, how) in expansions(case)? {
                let rows = expand(how, queries, Some(db))?;
                out.f32(&name, &queries.shape, rows);
            }
        }
        "dirtorch-adba" => {
            let db = case.array("in.db")?;
            for (name, how) in expansions(case)? {
                out.f32(&name, &db.shape, expand(how, db, None)?);
            }
        }
        "dirtorch-pipeline" => pipeline(case, &mut out)?,
        "multiscale-dirtorch" => dirtorch_scales(case, &mut out)?,
        "multiscale-cirtorch" => cirtorch_scales(case, &mut out)?,
        "multiscale-superglobal" => superglobal_scales(case, &mut out)?,
        other => return Err(format!("the harness knows no case {other}")),
    }
    Ok(out)
}

pub(crate) fn text(error: impl ToString) -> String {
    error.to_string()
}

pub(crate) fn number(value: &Json) -> Result<f64, String> {
    value.as_f64().ok_or(format!("{value} is no number"))
}

pub(crate) fn numbers(value: &Json) -> Result<Vec<f64>, String> {
    let list = value.as_array().ok_or(format!("{value} is no list"))?;
    list.iter().map(number).collect()
}

pub(crate) fn whole(value: &Json) -> Result<usize, String> {
    Ok(value.as_u64().ok_or(format!("{value} is no whole number"))? as usize)
}

pub(crate) fn expansion(params: &Json) -> Result<Expansion, String> {
    Ok(Expansion {
        k: whole(&params["k"])?,
        alpha: whole(&params["alpha"])? as u32,
    })
}

fn expansions(case: &Case) -> Result<Vec<(String, Expansion)>, String> {
    let table = case.params.as_object().ok_or("the case has no parameters")?;
    table
        .iter()
        .map(|(name, params)| Ok((name.clone(), expansion(params)?)))
        .collect()
}

/// Query expansion, or without `db` the augmentation of the rows by themselves.
fn expand(how: Expansion, rows: &Array, db: Option<&Array>) -> Result<Vec<f32>, String> {
    let (values, dim) = (rows.to_f32(), rows.shape[1]);
    let rows = Rows::f32(&values, dim);
    match db {
        Some(db) => how.expand(rows, Rows::f32(&db.to_f32(), db.shape[1])),
        None => how.augment(rows),
    }
    .map_err(text)
}

fn pipeline(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let how = &case.params["whiten"];
    let settings = WhiteningSettings {
        power: number(&how["whitenp"])?,
        dims: how["whitenv"].as_u64().map(|dims| dims as usize),
        multiplier: number(&how["whitenm"])?,
        l2: true,
    };
    let whitening = Whitening::pca(
        "case",
        Some(case.array("in.mean")?.to_f64()),
        case.array("in.components")?.to_f64(),
        &case.array("in.explained_variance")?.to_f64(),
        true,
        &settings,
    )
    .map_err(text)?;
    let dim = whitening.output_dim();
    let whitened = |name: &str| whitening.apply(&case.array(name)?.to_f32()).map_err(text);
    let (db, queries) = (whitened("in.db")?, whitened("in.queries")?);
    let db = expansion(&case.params["adba"])?
        .augment(Rows::f32(&db, dim))
        .map_err(text)?;
    let queries = expansion(&case.params["aqe"])?
        .expand(Rows::f32(&queries, dim), Rows::f32(&db, dim))
        .map_err(text)?;

    let score = |query: &[f32], row: &[f32]| {
        let products = query.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum::<f64>() as f32
    };
    let scores: Vec<Vec<f32>> = queries
        .chunks(dim)
        .map(|query| db.chunks(dim).map(|row| score(query, row)).collect())
        .collect();
    let [easy, hard, junk] = ["in.easy", "in.hard", "in.junk"].map(|name| lists(case, name));
    let (easy, hard, junk) = (easy?, hard?, junk?);
    dirtorch_setups(&scores, [&easy, &hard, &junk], out);
    out.f32("scores", &[scores.len(), db.len() / dim], scores.concat());
    out.f32("db", &[db.len() / dim, dim], db);
    out.f32("queries", &[queries.len() / dim, dim], queries);
    Ok(())
}

/// The stored sets `in.scale0`, `in.scale1`, ...: `[scales][rows]`.
struct Sets {
    sets: Vec<Vec<f32>>,
    rows: usize,
    dim: usize,
}

impl Sets {
    fn read(case: &Case) -> Result<Self, String> {
        let mut sets = Vec::new();
        while case.has(&format!("in.scale{}", sets.len())) {
            sets.push(case.array(&format!("in.scale{}", sets.len()))?.to_f32());
        }
        let shape = &case.array("in.scale0")?.shape;
        Ok(Self {
            sets,
            rows: shape[0],
            dim: shape[1],
        })
    }

    /// The passes of each row.
    fn passes(&self) -> impl Iterator<Item = Vec<&[f32]>> {
        let row = |set: &'_ Vec<f32>, row: usize| -> std::ops::Range<usize> {
            debug_assert_eq!(set.len(), self.rows * self.dim);
            row * self.dim..(row + 1) * self.dim
        };
        (0..self.rows).map(move |r| self.sets.iter().map(|set| &set[row(set, r)]).collect())
    }

    fn pool(&self, out: &mut Outputs, name: &str, pooling: impl Fn(&[&[f32]]) -> Vec<f32>) {
        let all = self.passes().flat_map(|passes| pooling(&passes)).collect();
        out.f32(name, &[self.rows, self.dim], all);
    }

    /// The values of scales do not take part in these poolings.
    fn scales(&self) -> Vec<f64> {
        (1..=self.sets.len()).map(|i| 1.0 / i as f64).collect()
    }
}

/// The powers that the parameter `key` lists, and the output called `PREFIX` with that power, or its whole part, after it.
fn of_powers(case: &Case, prefix: &str, key: &str) -> Result<Vec<(String, f64)>, String> {
    let mut named = Vec::new();
    for power in numbers(&case.params[key])? {
        let outputs = case.names("out.");
        let outputs = || outputs.iter().filter_map(|full| full.strip_prefix("out."));
        let called = |wanted: f64| {
            outputs().find(|name| {
                let number = name.strip_prefix(prefix).and_then(|number| number.parse().ok());
                number == Some(wanted)
            })
        };
        let name = called(power).or_else(|| called(power.trunc()));
        let name = name.ok_or(format!("the file has no output {prefix}{power}"))?;
        named.push((name.to_owned(), power));
    }
    Ok(named)
}

fn dirtorch_scales(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (sets, gem) = (Sets::read(case)?, |power| ScalePooling::DirtorchGem { power });
    let scales = sets.scales();
    sets.pool(out, "mean", |passes| {
        ScalePooling::DirtorchMean.pool(passes, &scales)
    });
    for (name, power) in of_powers(case, "gem", "gemp")? {
        sets.pool(out, &name, |passes| gem(power).pool(passes, &scales));
        sets.pool(out, &format!("{name}_raw"), |passes| {
            let raw = gem(power).combine(passes, &scales);
            raw.into_iter().map(|x| x as f32).collect()
        });
    }
    sets.pool(out, "one_scale", |passes| {
        gem(3.0).pool(&passes[..1], &scales[..1])
    });
    Ok(())
}

fn superglobal_scales(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let sets = Sets::read(case)?;
    let scales = sets.scales();
    sets.pool(out, "max", |passes| {
        ScalePooling::SuperglobalMax.pool(passes, &scales)
    });
    sets.pool(out, "mean", |passes| {
        ScalePooling::SuperglobalMean.pool(passes, &scales)
    });
    // The case is one batch: its smallest value is that of all pictures.
    let smallest = sets.sets.iter().flatten().copied().fold(f32::INFINITY, f32::min);
    for (name, power) in of_powers(case, "power", "ps")? {
        sets.pool(out, &name, |passes| {
            let pooled = superglobal_power(passes, power, f64::from(smallest));
            let norm = pooled.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
            pooled.iter().map(|x| (x / norm) as f32).collect()
        });
    }
    Ok(())
}

/// A parameter by formula, as a constant of the plan; none where the case lists no such name.
fn weight(case: &Case, plan: &mut Plan, name: &str) -> Result<Value, String> {
    let (shape, values) = parameter(case, name)?;
    Ok(plan.constant(Tensor::new(&shape, values).map_err(text)?))
}

pub(crate) fn parameter(case: &Case, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
    let shape = numbers(&case.params["weights"][name]).map_err(|error| format!("{name}: {error}"))?;
    let shape: Vec<usize> = shape.into_iter().map(|side| side as usize).collect();
    let values = formula::parameter(name, &shape, seed(case));
    Ok((shape, values))
}

fn seed(case: &Case) -> u64 {
    case.params["seed"].as_u64().unwrap_or(0)
}

pub(crate) fn image(case: &Case) -> Result<ImageTensor, String> {
    let shape = numbers(&case.params["shape"])?;
    let [_, channels, height, width] = shape[..] else {
        return Err("the image has no four axes".into());
    };
    let (channels, height, width) = (channels as usize, height as usize, width as usize);
    let name = case.params["image"].as_str().ok_or("the image has no name")?;
    let values = formula::uniform(name, seed(case), channels * height * width);
    let values = values.into_iter().map(|u| (1.5 * u) as f32).collect();
    ImageTensor::new(channels, height, width, values).ok_or("the image has another size".into())
}

/// At a scale other than 1.
pub(crate) fn resized(
    image: &ImageTensor,
    factor: f64,
    coordinates: Coordinates,
) -> Result<ImageTensor, String> {
    if factor == 1.0 && coordinates == Coordinates::Given {
        return Ok(image.clone());
    }
    scale(image, factor, coordinates).map_err(text)
}

/// The first channel.
pub(crate) fn plane(out: &mut Outputs, name: &str, image: &ImageTensor) {
    let (height, width) = (image.height, image.width);
    out.f32(name, &[height, width], image.data[..height * width].to_vec());
}

/// The convolution with stride 2 and padding 1, and the ReLU, that the tiny networks begin with.
pub(crate) fn features(case: &Case) -> Result<(Plan, Value), String> {
    let channels = parameter(case, "features.0.weight")?.0[1];
    let (mut plan, input) = Plan::new(channels);
    let inputs = [
        input,
        weight(case, &mut plan, "features.0.weight")?,
        weight(case, &mut plan, "features.0.bias")?,
    ];
    let convolution = Convolution {
        stride: [2, 2],
        padding: [1, 1],
        ..Convolution::default()
    };
    let map = plan.step(Operation::Conv2d(convolution), &inputs);
    let map = plan.step(Operation::Relu, &[map]);
    Ok((plan, map))
}

/// Runs a plan on one picture: its outputs by name.
pub(crate) fn run_plan(plan: &Plan, image: &ImageTensor) -> Result<Vec<(String, Tensor)>, String> {
    let shape = [1, image.channels, image.height, image.width];
    let input = Tensor::new(&shape, image.data.clone()).map_err(text)?;
    RtenExecutor::new(plan, 1)
        .map_err(text)?
        .run(&input)
        .map_err(text)
}

/// x / (norm + 1e-6) of each row.
fn l2n(plan: &mut Plan, x: Value) -> Value {
    let scalar = |plan: &mut Plan, value: f32| {
        plan.constant(Tensor {
            shape: vec![1, 1],
            data: vec![value],
        })
    };
    let squares = plan.step(Operation::Mul, &[x, x]);
    let sum = plan.step(Operation::SumChannels, &[squares]);
    let norm = plan.step(Operation::Sqrt, &[sum]);
    let epsilon = scalar(plan, 1e-6);
    let norm = plan.step(Operation::Add, &[norm, epsilon]);
    plan.step(Operation::Div, &[x, norm])
}

fn cirtorch_scales(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let power = number(&case.params["p"])?;
    let (mut plan, map) = features(case)?;
    let exponent = |plan: &mut Plan, value: f64| {
        plan.constant(Tensor {
            shape: vec![1],
            data: vec![value as f32],
        })
    };
    let clamped = plan.step(Operation::ClampMin(1e-6), &[map]);
    let p = exponent(&mut plan, power);
    let powers = plan.step(Operation::Pow, &[clamped, p]);
    let mean = plan.step(Operation::GlobalMean, &[powers]);
    let root = exponent(&mut plan, power.recip());
    let pooled = plan.step(Operation::Pow, &[mean, root]);
    let descriptor = l2n(&mut plan, pooled);
    let layer = [
        descriptor,
        weight(case, &mut plan, "whiten.weight")?,
        weight(case, &mut plan, "whiten.bias")?,
    ];
    let whitened = plan.step(Operation::Linear, &layer);
    let whitened = l2n(&mut plan, whitened);
    plan.output("descriptor", descriptor);
    plan.output("whitened", whitened);

    let (image, scales) = (image(case)?, numbers(&case.params["ms"])?);
    let run = |factor: f64, out: &mut Outputs, index: Option<usize>| {
        let tensor = resized(&image, factor, Coordinates::Given)?;
        let outputs = run_plan(&plan, &tensor)?;
        if let Some(index) = index {
            plane(out, &format!("resized{index}"), &tensor);
            for (name, tensor) in &outputs {
                out.f32(
                    &format!("{name}{index}"),
                    &[tensor.data.len()],
                    tensor.data.clone(),
                );
            }
        }
        let mut outputs = outputs.into_iter().map(|(_, tensor)| tensor.data);
        outputs
            .next()
            .zip(outputs.next())
            .ok_or("an output is missing".to_owned())
    };
    let mut plain = Vec::new();
    let mut white = Vec::new();
    for (index, factor) in scales.iter().enumerate() {
        let (one, other) = run(*factor, out, Some(index))?;
        plain.push(one);
        white.push(other);
    }
    fn of(passes: &[Vec<f32>]) -> Vec<&[f32]> {
        passes.iter().map(Vec::as_slice).collect()
    }
    let mut push = |name: &str, values: Vec<f32>| out.f32(name, &[values.len()], values);
    let cirtorch = |msp: f64| ScalePooling::Cirtorch { msp };
    push("msp1", cirtorch(1.0).pool(&of(&plain), &scales));
    push("mspp", cirtorch(power).pool(&of(&plain), &scales));
    push("single", cirtorch(1.0).pool(&of(&plain)[..1], &scales[..1]));
    push("whitened", cirtorch(1.0).pool(&of(&white), &scales));
    push("token", ScalePooling::Token.pool(&of(&white), &scales));
    // Token was asked for one scale, whose value it ignores.
    let asked = ScalePooling::Token.scales_to_run(&[0.5]);
    let (_, one) = run(asked[0], &mut Outputs::new(), None)?;
    let one = ScalePooling::Token.pool(&[&one], &asked);
    out.f32("token_one", &[one.len()], one);
    Ok(())
}
