//! Golden area `whiten`: applying and learning whitenings.

use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline_descriptor::{
    Learned, Samples, Whitening, WhiteningSettings, learn_cirtorch, learn_cirtorch_pca, learn_pca,
    learn_shrinkage,
};

/// Computes every output of one case of the area.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    match case.name.as_str() {
        "dirtorch-apply" => dirtorch_apply(case, &mut out)?,
        "pca-fit" => pca_fit(case, &mut out)?,
        "cirtorch-apply" => cirtorch_apply(case, &mut out)?,
        "cirtorch-pca" => {
            let x = Columns::read(case, "in.x")?;
            let learned = learn_cirtorch_pca(&x.samples(), None).map_err(text)?;
            cirtorch_learned(case, &learned, &mut out)?;
        }
        "cirtorch-learned" | "cirtorch-learned-singular" => {
            let x = Columns::read(case, "in.x")?;
            let (q, p): (Vec<usize>, Vec<usize>) = (
                case.array("in.qidxs")?.to_ints()?,
                case.array("in.pidxs")?.to_ints()?,
            );
            let pairs: Vec<(usize, usize)> = q.into_iter().zip(p).collect();
            let learned = learn_cirtorch(&x.samples(), &pairs, None).map_err(text)?;
            cirtorch_learned(case, &learned, &mut out)?;
        }
        "how-shrinkage" => how(case, &mut out)?,
        other => return Err(format!("the harness knows no case {other}")),
    }
    Ok(out)
}

/// A matrix whose columns are descriptors, kept as rows.
struct Columns {
    rows: Vec<f64>,
    dim: usize,
}

impl Columns {
    fn read(case: &Case, name: &str) -> Result<Self, String> {
        let array = case.array(name)?;
        let (dim, count) = (array.shape[0], array.shape[1]);
        Ok(Self {
            rows: transposed(&array.to_f64(), dim, count),
            dim,
        })
    }

    fn samples(&self) -> Samples<'_> {
        Samples::f64(&self.rows, self.dim)
    }
}

/// `[rows, columns]` as `[columns, rows]`.
fn transposed(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..columns)
        .flat_map(|c| (0..rows).map(move |r| values[r * columns + c]))
        .collect()
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn whole(params: &Json, key: &str) -> Result<usize, String> {
    let value = params[key].as_u64().ok_or(format!("no parameter {key}"))?;
    Ok(value as usize)
}

fn settings(params: &Json) -> Result<WhiteningSettings, String> {
    let number = |key: &str, default: f64| match &params[key] {
        Json::Null => Ok(default),
        value => value.as_f64().ok_or(format!("{key} is no number")),
    };
    Ok(WhiteningSettings {
        power: number("whitenp", 0.5)?,
        dims: params["whitenv"].as_u64().map(|dims| dims as usize),
        multiplier: number("whitenm", 1.0)?,
        l2: params["l2norm"].as_bool().unwrap_or(true),
    })
}

fn first(dims: usize) -> WhiteningSettings {
    WhiteningSettings {
        dims: Some(dims),
        ..WhiteningSettings::default()
    }
}

/// Dot products of all pairs of rows.
fn similarity(out: &mut Outputs, name: &str, rows: &[f64], dim: usize) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let count = rows.len() / dim;
    let all = rows
        .chunks(dim)
        .flat_map(|a| rows.chunks(dim).map(move |b| dot(a, b)))
        .collect();
    out.f64(name, &[count, count], all);
}

fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|x| x.abs()).collect()
}

fn dirtorch_apply(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (x, components) = (case.array("in.x")?, case.array("in.components")?);
    let (mean, variance) = (
        case.array("in.mean")?.to_f64(),
        case.array("in.explained_variance")?.to_f64(),
    );
    let apply = |whiten: bool, how: &WhiteningSettings| {
        let components = components.to_f64();
        let whitening = Whitening::pca("case", Some(mean.clone()), components, &variance, whiten, how);
        whitening
            .and_then(|w| Ok((w.apply_f64(&x.to_f64())?, w.output_dim())))
            .map_err(text)
    };
    for (name, params) in case.params.as_object().ok_or("the case has no parameters")? {
        let (rows, dim) = apply(true, &settings(params)?)?;
        out.f64(name, &[x.shape[0], dim], rows);
    }
    let (rows, dim) = apply(false, &WhiteningSettings::default())?;
    out.f64("not_whitening", &[x.shape[0], dim], rows);
    let plain = Whitening::plain(
        "case",
        case.array("in.means")?.to_f64(),
        &case.array("in.W")?.to_f64(),
        &WhiteningSettings::default(),
    )
    .map_err(text)?;
    let rows = plain.apply(&x.to_f32()).map_err(text)?;
    out.f32("plain", &[x.shape[0], plain.output_dim()], rows);
    Ok(())
}

fn pca_fit(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (train, x) = (case.array("in.train")?, case.array("in.x")?);
    let dim = train.shape[1];
    let learned = learn_pca(&Samples::f64(&train.to_f64(), dim), None).map_err(text)?;
    for (name, params) in [
        ("similarity", &case.params),
        ("similarity_cut", &case.params["cut"]),
    ] {
        let whitening = learned.whitening("case", &settings(params)?).map_err(text)?;
        let rows = whitening.apply_f64(&x.to_f64()).map_err(text)?;
        similarity(out, name, &rows, whitening.output_dim());
    }
    let axes = learned.output_dim();
    out.f64("mean", &[dim], learned.mean);
    out.f64("abs_components", &[axes, dim], absolute(&learned.matrix));
    out.f64("components", &[axes, dim], learned.matrix);
    out.f64(
        "explained_variance",
        &[axes],
        learned.variance.unwrap_or_default(),
    );
    Ok(())
}

fn cirtorch_apply(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let whitening = |dims: usize| {
        let (m, p) = (case.array("in.m")?.to_f64(), case.array("in.P")?.to_f64());
        Whitening::cirtorch("case", m, p, &first(dims)).map_err(text)
    };
    for (name, input, dims) in [
        ("full", "in.x", 0),
        ("cut", "in.x", whole(&case.params, "dimensions")?),
        ("near", "in.near", 0),
    ] {
        let (x, whitening) = (Columns::read(case, input)?, whitening(dims)?);
        let rows = whitening.apply_f64(&x.rows).map_err(text)?;
        let (dim, count) = (whitening.output_dim(), x.rows.len() / x.dim);
        out.f64(name, &[dim, count], transposed(&rows, count, dim));
    }
    Ok(())
}

/// m, P and what they make of the test columns.
fn cirtorch_learned(case: &Case, learned: &Learned, out: &mut Outputs) -> Result<(), String> {
    let test = Columns::read(case, "in.test")?;
    let dims = case.params["dimensions"].as_u64();
    for (name, dims) in [("similarity", Some(0)), ("similarity_cut", dims)] {
        let Some(dims) = dims else {
            continue;
        };
        let whitening = learned.whitening("case", &first(dims as usize)).map_err(text)?;
        let rows = whitening.apply_f64(&test.rows).map_err(text)?;
        similarity(out, name, &rows, whitening.output_dim());
    }
    let dim = learned.input_dim();
    let norms = learned
        .matrix
        .chunks(dim)
        .map(|row| row.iter().map(|x| x * x).sum::<f64>().sqrt())
        .collect();
    out.f64("row_norms", &[learned.output_dim()], norms);
    out.f64("m", &[dim, 1], learned.mean.clone());
    out.f64("abs_P", &[learned.output_dim(), dim], absolute(&learned.matrix));
    Ok(())
}

fn how(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (x, test) = (case.array("in.x")?, case.array("in.test")?);
    let (dim, dims) = (x.shape[1], whole(&case.params, "dimensions")?);
    let values = x.to_f64();
    let shrinkage = case.params["shrinkage"].as_f64().ok_or("no shrinkage")?;
    for (prefix, shrinkage) in [("full", 1.0), ("shrunk", shrinkage)] {
        let learned = learn_shrinkage(&Samples::f64(&values, dim), shrinkage, None).map_err(text)?;
        for (name, dims) in [("similarity", 0), ("similarity_cut", dims)] {
            let whitening = learned.whitening("case", &first(dims)).map_err(text)?;
            let rows = whitening.apply_f64(&test.to_f64()).map_err(text)?;
            similarity(out, &format!("{prefix}_{name}"), &rows, whitening.output_dim());
        }
        // HOW's P has one column for each axis.
        let p = transposed(&absolute(&learned.matrix), learned.output_dim(), dim);
        out.f64(&format!("{prefix}_abs_P"), &[dim, learned.output_dim()], p);
        out.f64("m", &[1, dim], learned.mean);
    }
    let reduced = learn_shrinkage(&Samples::f64(&values, dim), 1.0, Some(dims)).map_err(text)?;
    let (weight, bias) = reduced.layer();
    // The test rows are the places of a map [1, D, h, w] in row-major order.
    let rows = test.to_f64();
    let conv = weight.chunks(dim).zip(&bias).flat_map(|(weight, bias)| {
        rows.chunks(dim)
            .map(move |row| (row.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>() + bias).abs())
    });
    let shape = &case.array("out.conv_abs")?.shape;
    out.f64("conv_abs", shape, conv.collect());
    out.f64("conv_abs_weight", &[dims, dim, 1, 1], absolute(&weight));
    out.f64("conv_abs_bias", &[dims], absolute(&bias));
    Ok(())
}
