//! Area `pool`: poolings, heads and norms on small maps, with Burn and through the recorded plan; their gradients.

use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline_checkpoint::formula;
use sightline_descriptor::ScalePooling;
use sightline_nn::burn::module::{Module, Param};
use sightline_nn::burn::tensor::{Tensor, TensorData};
use sightline_nn::{
    BurnOps, Device, DirtorchHead, GEM_EPSILON, Head, HeadModule, L2N_EPSILON, Ops, PlanRecorder, Pooling,
    PoolingKind, RMAC_EPSILON, RegionalPooling, Weights, center_bias, gem, l2_normalise, l2n, power_law,
    regions, rmac,
};
use sightline_plan::{Executor, RtenExecutor, Tensor as PlainTensor};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "regions" => return region_table(case),
        "dir_pool_trfs" => return over_transformations(case),
        name if name.starts_with("grad_") => return gradients(case),
        _ => {}
    }
    let inputs = match case.name.as_str() {
        "center_bias" => bias_maps(case)?,
        _ => {
            let x = plain(case, "in.x")?;
            // Rows become maps of one pixel, which the norms read by a mean over one number.
            let x = match x.shape[..] {
                [rows, length] => PlainTensor {
                    shape: vec![rows, length, 1, 1],
                    data: x.data,
                },
                _ => x,
            };
            let layers = layers(case, x.shape[1])?.into_iter();
            layers.map(|(name, layer)| (name, layer, x.clone())).collect()
        }
    };
    let (mut by_plan, mut by_burn) = (Outputs::new(), Outputs::new());
    for (name, layer, x) in inputs {
        let made = layer.arrange(layer.with_plan(&x)?);
        by_plan.f32(&name, &made.shape, made.data);
        let made = layer.arrange(layer.with_burn(&x)?);
        by_burn.f32(&name, &made.shape, made.data);
    }
    recorded(case, &by_plan)?;
    Ok(by_burn)
}

/// Compares what a recorded plan computed.
fn recorded(case: &Case, outputs: &Outputs) -> Result<(), String> {
    let result = case.compare(outputs);
    result.map_err(|difference| format!("recorded plan, {difference}"))
}

/// One computation of the area, written once for Burn and the recorder.
enum Layer {
    Pooling(Pooling),
    /// GeM with a lower bound of the case's own.
    Gem {
        p: Param<Tensor<1>>,
        epsilon: f32,
    },
    Rmac {
        levels: usize,
        epsilon: f32,
        normalised: bool,
    },
    Regions(RegionalPooling),
    Regional(RegionalPooling),
    Head(Box<HeadModule>),
    CenterBias(f32),
    Norms(Vec<Norm>),
}

#[derive(Clone, Copy)]
enum Norm {
    L2n(f32),
    L2,
    PowerLaw(f32),
}

enum Made<O: Ops> {
    Rows(O::T<2>),
    Map(O::T<4>),
}

impl Layer {
    fn compute<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> Made<O> {
        Made::Rows(match self {
            Self::Pooling(pooling) => pooling.forward(ops, x),
            Self::Gem { p, epsilon } => gem(ops, x, p, *epsilon),
            Self::Rmac {
                levels,
                epsilon,
                normalised,
            } => {
                let y = rmac(ops, x, *levels, *epsilon);
                match normalised {
                    true => l2n(ops, y, L2N_EPSILON),
                    false => y,
                }
            }
            Self::Regions(pooling) => return Made::Map(pooling.regions(ops, x)),
            Self::Regional(pooling) => {
                let regions = pooling.regions(ops, x);
                RegionalPooling::aggregate(ops, regions)
            }
            Self::Head(head) => head.forward(ops, x, &mut |_, _| {}),
            Self::CenterBias(bias) => return Made::Map(center_bias(ops, x, *bias)),
            Self::Norms(norms) => {
                let rows = ops.global_mean(x);
                norms.iter().fold(rows, |x, norm| match norm {
                    Norm::L2n(epsilon) => l2n(ops, x, *epsilon),
                    Norm::L2 => l2_normalise(ops, x),
                    Norm::PowerLaw(epsilon) => power_law(ops, x, *epsilon),
                })
            }
        })
    }

    fn with_burn(&self, x: &PlainTensor) -> Result<PlainTensor, String> {
        match self.compute(&mut BurnOps::default(), on(x, &Device::flex())) {
            Made::Rows(rows) => values(rows),
            Made::Map(map) => values(map),
        }
    }

    /// Records for the size of `x`, or for any where that will do, and runs the plan.
    fn with_plan(&self, x: &PlainTensor) -> Result<PlainTensor, String> {
        let (channels, size) = (x.shape[1], [x.shape[2], x.shape[3]]);
        let one_size = matches!(self, Self::Rmac { .. } | Self::Regions(_) | Self::Regional(_));
        let (mut recorder, input) = match one_size {
            true => PlanRecorder::for_size(channels, size),
            false => PlanRecorder::new(channels),
        };
        match self.compute(&mut recorder, input) {
            Made::Rows(value) | Made::Map(value) => recorder.output("y", value),
        }
        let plan = recorder.finish().map_err(|error| error.to_string())?;
        let mut executor = RtenExecutor::new(&plan, 2).map_err(|error| error.to_string())?;
        let outputs = executor.run(x).map_err(|error| error.to_string())?;
        let (_, made) = outputs.into_iter().next().ok_or("the plan has no output")?;
        Ok(made)
    }

    /// As the case's file has it.
    fn arrange(&self, made: PlainTensor) -> PlainTensor {
        match self {
            Self::Regions(_) => vector_by_vector(made),
            // A map alone, without batch and channel.
            Self::CenterBias(_) => PlainTensor {
                shape: made.shape[2..].to_vec(),
                data: made.data,
            },
            _ => made,
        }
    }
}

/// `[N, C, R, 1]` -> `[N, R, C]`.
fn vector_by_vector(map: PlainTensor) -> PlainTensor {
    let (batch, channels, count) = (map.shape[0], map.shape[1], map.shape[2]);
    let mut data = Vec::with_capacity(map.data.len());
    for picture in map.data.chunks(channels * count) {
        for region in 0..count {
            data.extend((0..channels).map(|channel| picture[channel * count + region]));
        }
    }
    PlainTensor {
        shape: vec![batch, count, channels],
        data,
    }
}

/// The layers of a case by the names of their outputs.
fn layers(case: &Case, channels: usize) -> Result<Vec<(String, Layer)>, String> {
    if case.name.starts_with("dir_head") {
        return heads(case, channels);
    }
    let names = case.names("out.");
    let names = names.iter().map(|name| name.trim_start_matches("out."));
    names
        .map(|name| {
            let layer = match case.name.split('_').next() {
                Some("global") => global(case, name, channels)?,
                Some("rmac") => rmac_layer(case, name)?,
                Some("rpool") => match name {
                    "regions" => Layer::Regions(regional(case, channels)?),
                    _ => Layer::Regional(regional(case, channels)?),
                },
                Some("norms") => norms(case, name)?,
                _ => return Err(format!("the case {} is not known", case.name)),
            };
            Ok((name.to_owned(), layer))
        })
        .collect()
}

fn global(case: &Case, name: &str, channels: usize) -> Result<Layer, String> {
    let p = number(&case.params, "p")?;
    let of_kind = |kind| with_epsilon(case, Pooling::new(kind, channels));
    match name {
        "mac" => of_kind(PoolingKind::Mac),
        "spoc" => of_kind(PoolingKind::Spoc),
        "gem" | "dir_gem" => of_kind(PoolingKind::Gem { p: 3.0 }),
        "gem_p" | "dir_gemp" => of_kind(PoolingKind::Gem { p }),
        "gem_p1" => of_kind(PoolingKind::Gem { p: 1.0 }),
        "gemmp" => with_epsilon(case, per_channel(case)?),
        "gem_eps" => Ok(Layer::Gem {
            p: power(vec![3.0]),
            epsilon: number(&case.params, "eps_of_gem_eps")?,
        }),
        other => Err(format!("the output {other} is not known")),
    }
}

/// The pooling with the lower bound that the case names, where it is another than the original's.
fn with_epsilon(case: &Case, pooling: Pooling) -> Result<Layer, String> {
    let epsilon = number_or(&case.params, "eps", GEM_EPSILON)?;
    Ok(match pooling.p.clone() {
        Some(p) if epsilon != GEM_EPSILON => Layer::Gem { p, epsilon },
        _ => Layer::Pooling(pooling),
    })
}

/// GeM with the powers `w.mp`.
fn per_channel(case: &Case) -> Result<Pooling, String> {
    let powers = case.array("w.mp")?.to_f32();
    let mut pooling = Pooling::new(PoolingKind::GemPerChannel { p: 3.0 }, powers.len());
    pooling.p = Some(power(powers));
    Ok(pooling)
}

fn power(values: Vec<f32>) -> Param<Tensor<1>> {
    let shape = [values.len()];
    Param::from_data(TensorData::new(values, shape), &Device::flex())
}

fn rmac_layer(case: &Case, name: &str) -> Result<Layer, String> {
    let (levels, epsilon, normalised) = match name {
        "rmac_eps" => (3, 0.1, false),
        "rmac_l2n" => (3, number_or(&case.params, "eps", RMAC_EPSILON)?, true),
        _ => {
            let levels = name.strip_prefix("rmac_L").and_then(|levels| levels.parse().ok());
            let levels = levels.ok_or(format!("the output {name} is not known"))?;
            (levels, number(&case.params, "eps")?, false)
        }
    };
    Ok(Layer::Rmac {
        levels,
        epsilon,
        normalised,
    })
}

fn regional(case: &Case, channels: usize) -> Result<RegionalPooling, String> {
    let params = &case.params;
    let kind = match params["pooling"].as_str() {
        Some("gem") => PoolingKind::Gem { p: 3.0 },
        Some("gemmp") => PoolingKind::GemPerChannel { p: 3.0 },
        Some("mac") => PoolingKind::Mac,
        Some("spoc") => PoolingKind::Spoc,
        Some("rmac") => PoolingKind::Rmac { levels: 3 },
        other => return Err(format!("there is no pooling {other:?}")),
    };
    let mut weights = Weights::new();
    if case.has("w.rpool.p") {
        let p = case.array("w.rpool.p")?.to_f32();
        weights.insert("rpool.p", &[p.len()], p);
    } else if let Some(p) = params["p"].as_f64() {
        weights.insert("rpool.p", &[1], vec![p as f32]);
    }
    for (name, shape) in [
        ("whiten.weight", &[channels, channels][..]),
        ("whiten.bias", &[channels]),
    ] {
        weights.insert(name, shape, formula::parameter(name, shape, seed(case)?));
    }
    let levels = whole(params, "L")?;
    let whitened = params["whiten"].as_bool().ok_or("the case lacks whiten")?;
    RegionalPooling::load(kind, channels, levels, whitened, &weights).map_err(|error| error.to_string())
}

/// dirtorch's heads by their outputs: the options are a table of heads by these names, or those of the only head.
fn heads(case: &Case, channels: usize) -> Result<Vec<(String, Layer)>, String> {
    let options = &case.params["options"];
    let names = case.names("out.");
    let names = names.iter().map(|name| name.trim_start_matches("out."));
    names
        .map(|name| {
            let own = options.get(name).filter(|own| own.is_object());
            let head = dirtorch(own.unwrap_or(options), channels, seed(case)?)?;
            Ok((name.to_owned(), Layer::Head(Box::new(head))))
        })
        .collect()
}

fn dirtorch(options: &Json, channels: usize, seed: u64) -> Result<HeadModule, String> {
    let flag = |key: &str| options[key].as_bool().unwrap_or(false);
    let p = options["gemp"].as_f64().unwrap_or(3.0) as f32;
    let mut head = DirtorchHead::new(match options["pooling"].as_str() {
        None => PoolingKind::Gem { p },
        Some(name) if name.starts_with("gem") => PoolingKind::Gem { p },
        Some("max") => PoolingKind::Mac,
        Some("avg") => PoolingKind::Spoc,
        Some(other) => return Err(format!("there is no pooling {other}")),
    });
    let rows = options["out_dim"].as_u64().unwrap_or(2048) as usize;
    head.out_dim = Some(rows);
    head.norm_features = flag("norm_features");
    head.center_bias = options["center_bias"].as_f64().unwrap_or(0.0) as f32;
    head.without_fc = flag("without_fc");
    let mut weights = Weights::new();
    weights.insert("adpool.p", &[1], vec![p]);
    for (name, shape) in [("fc.weight", &[rows, channels][..]), ("fc.bias", &[rows])] {
        weights.insert(name, shape, formula::parameter(name, shape, seed));
    }
    HeadModule::load(&Head::Dirtorch(head), channels, &weights).map_err(|error| error.to_string())
}

fn norms(case: &Case, name: &str) -> Result<Layer, String> {
    let epsilon = number(&case.params, "eps")?;
    Ok(Layer::Norms(match name {
        "l2n" => vec![Norm::L2n(epsilon)],
        "l2n_eps" => vec![Norm::L2n(number(&case.params, "l2n_eps")?)],
        "dir_l2" => vec![Norm::L2],
        "powerlaw" => vec![Norm::PowerLaw(epsilon)],
        "powerlaw_l2n" => vec![Norm::PowerLaw(epsilon), Norm::L2n(epsilon)],
        other => return Err(format!("the output {other} is not known")),
    }))
}

/// The center bias of a map of ones, for every size.
fn bias_maps(case: &Case) -> Result<Vec<(String, Layer, PlainTensor)>, String> {
    let bias = number(&case.params, "b")?;
    let sizes: Vec<[usize; 2]> =
        serde_json::from_value(case.params["sizes"].clone()).map_err(|error| error.to_string())?;
    let sizes = sizes.into_iter();
    Ok(sizes
        .map(|[height, width]| {
            let ones = PlainTensor {
                shape: vec![1, 1, height, width],
                data: vec![1.0; height * width],
            };
            (format!("{height}x{width}"), Layer::CenterBias(bias), ones)
        })
        .collect())
}

/// Rows (map height, map width, L, y0, x0, h, w).
fn region_table(case: &Case) -> Result<Outputs, String> {
    let read = |key: &str| case.params[key].clone();
    let sizes: Vec<[usize; 2]> = serde_json::from_value(read("sizes")).map_err(|error| error.to_string())?;
    let levels: Vec<usize> = serde_json::from_value(read("levels")).map_err(|error| error.to_string())?;
    let mut table: Vec<i64> = Vec::new();
    for size in sizes {
        for &levels in &levels {
            for region in regions(size, levels) {
                let place = [region.top, region.left, region.height, region.width];
                let row = [size[0], size[1], levels].into_iter().chain(place);
                table.extend(row.map(|number| number as i64));
            }
        }
    }
    let mut outputs = Outputs::new();
    outputs.ints("table", &[table.len() / 7, 7], &table);
    Ok(outputs)
}

/// Value and gradients of sum(g * y).
fn gradients(case: &Case) -> Result<Outputs, String> {
    let (x, g) = (plain(case, "in.x")?, plain(case, "in.g")?);
    let channels = x.shape[1];
    let layer = match case.name.as_str() {
        "grad_mac" => Layer::Pooling(Pooling::new(PoolingKind::Mac, channels)),
        "grad_rmac" => Layer::Rmac {
            levels: whole(&case.params, "L")?,
            epsilon: number_or(&case.params, "eps", RMAC_EPSILON)?,
            normalised: false,
        },
        "grad_gemmp" => with_epsilon(case, per_channel(case)?)?,
        "grad_dirgem" => {
            let p = number(&case.params, "p")?;
            with_epsilon(case, Pooling::new(PoolingKind::Gem { p }, channels))?
        }
        "grad_gem" => Layer::Gem {
            p: power(vec![number(&case.params, "p")?]),
            epsilon: number_or(&case.params, "eps", GEM_EPSILON)?,
        },
        other => return Err(format!("the case {other} is not known")),
    };
    // What trains has its parameters where gradients are kept.
    let layer = match layer {
        Layer::Pooling(pooling) => Layer::Pooling(pooling.train()),
        Layer::Gem { p, epsilon } => Layer::Gem {
            p: p.train(),
            epsilon,
        },
        other => other,
    };
    let device = Device::flex().autodiff();
    let input = on(&x, &device).require_grad();
    let Made::Rows(y) = layer.compute(&mut BurnOps::default(), input.clone()) else {
        return Err("a map has no gradient here".into());
    };
    let g = Tensor::<2>::from_data(TensorData::new(g.data, g.shape), &device);
    let gradients = (y.clone() * g).sum().backward();
    let p = match &layer {
        Layer::Pooling(pooling) => pooling.p.as_ref(),
        Layer::Gem { p, .. } => Some(p),
        _ => None,
    };
    let mut slopes = vec![("dx", values(input.grad(&gradients).ok_or("x has no gradient")?)?)];
    if let Some(p) = p {
        slopes.push((
            "dp",
            values(p.val().grad(&gradients).ok_or("p has no gradient")?)?,
        ));
    }
    let with_value = |y: PlainTensor| {
        let mut outputs = Outputs::new();
        outputs.f32("y", &y.shape, y.data);
        for (name, slope) in &slopes {
            outputs.f32(name, &slope.shape, slope.data.clone());
        }
        outputs
    };
    recorded(case, &with_value(layer.with_plan(&x)?))?;
    Ok(with_value(values(y)?))
}

/// dirtorch's pooling over transformations, before the normalisation that its scripts do.
fn over_transformations(case: &Case) -> Result<Outputs, String> {
    let x = plain(case, "in.x")?;
    let [passes, count, length] = x.shape[..] else {
        return Err("in.x does not have three axes".into());
    };
    let power = f64::from(number(&case.params, "gemp")?);
    let mut outputs = Outputs::new();
    for (name, passes, pooling) in [
        ("mean", passes, ScalePooling::DirtorchMean),
        ("gem", passes, ScalePooling::DirtorchGem { power }),
        ("one", 1, ScalePooling::DirtorchGem { power }),
    ] {
        let scales = vec![1.0; passes];
        let mut pooled = Vec::with_capacity(count * length);
        for row in 0..count {
            let of_pass = |pass: usize| &x.data[(pass * count + row) * length..][..length];
            let descriptors: Vec<&[f32]> = (0..passes).map(of_pass).collect();
            let combined = pooling.combine(&descriptors, &scales);
            pooled.extend(combined.into_iter().map(|value| value as f32));
        }
        outputs.f32(name, &[count, length], pooled);
    }
    Ok(outputs)
}

fn plain(case: &Case, name: &str) -> Result<PlainTensor, String> {
    let array = case.array(name)?;
    PlainTensor::new(&array.shape, array.to_f32()).map_err(|error| error.to_string())
}

fn on(x: &PlainTensor, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(x.data.clone(), x.shape.clone()), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Result<PlainTensor, String> {
    let shape = tensor.dims().to_vec();
    let data = tensor.into_data().try_to_vec::<f32>();
    let data = data.map_err(|error| format!("{error:?}"))?;
    Ok(PlainTensor { shape, data })
}

fn number(params: &Json, key: &str) -> Result<f32, String> {
    let value = params[key].as_f64();
    Ok(value.ok_or(format!("the case lacks {key}"))? as f32)
}

/// The number, or the original's own where the case has none.
fn number_or(params: &Json, key: &str, own: f32) -> Result<f32, String> {
    match params[key] {
        Json::Null => Ok(own),
        _ => number(params, key),
    }
}

fn whole(params: &Json, key: &str) -> Result<usize, String> {
    let value = params[key].as_u64();
    Ok(value.ok_or(format!("the case lacks {key}"))? as usize)
}

fn seed(case: &Case) -> Result<u64, String> {
    case.params["seed"].as_u64().ok_or("the case has no seed".into())
}
