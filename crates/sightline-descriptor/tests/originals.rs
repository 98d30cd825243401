//! Whitening and pooling over scales against the original projects: cases of the golden areas `whiten` and `expand`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use sightline_descriptor::{ScalePooling, Whitening, WhiteningSettings};

/// A case file: its tensors as 64-bit values, and its parameters.
struct Case {
    bytes: Vec<u8>,
    case: Value,
}

impl Case {
    fn open(name: &str) -> Case {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.safetensors"));
        let bytes = std::fs::read(path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let case = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["case"]).unwrap();
        Case { bytes, case }
    }

    fn get(&self, name: &str) -> (Vec<usize>, Vec<f64>) {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = file.tensor(name).unwrap();
        let data = tensor.data();
        let values = match tensor.dtype() {
            Dtype::F32 => data
                .as_chunks::<4>()
                .0
                .iter()
                .map(|v| f64::from(f32::from_le_bytes(*v)))
                .collect(),
            Dtype::F64 => data
                .as_chunks::<8>()
                .0
                .iter()
                .map(|v| f64::from_le_bytes(*v))
                .collect(),
            other => unreachable!("{name} has type {other:?}"),
        };
        (tensor.shape().to_vec(), values)
    }

    fn get_f32(&self, name: &str) -> Vec<f32> {
        self.get(name).1.into_iter().map(|v| v as f32).collect()
    }

    fn values(&self, name: &str) -> Vec<f64> {
        self.get(name).1
    }

    fn check(&self, name: &str, got: &[f64]) {
        let want = self.values(name);
        assert_eq!(got.len(), want.len(), "{name}");
        let tolerance = &self.case["tolerance"][name];
        let (rtol, atol) = (
            tolerance["rtol"].as_f64().unwrap(),
            tolerance["atol"].as_f64().unwrap(),
        );
        for (got, want) in got.iter().zip(&want) {
            assert!(
                (got - want).abs() <= atol + rtol * want.abs(),
                "{name}: {got} instead of {want}"
            );
        }
    }
}

fn transposed(values: &[f64], rows: usize) -> Vec<f64> {
    let columns = values.len() / rows;
    (0..columns)
        .flat_map(|c| (0..rows).map(move |r| values[r * columns + c]))
        .collect()
}

#[test]
fn dirtorch_whitens() {
    let case = Case::open("dirtorch-apply");
    let x = case.values("in.x");
    let variance = case.values("in.explained_variance");
    let pca = |whiten: bool, settings: &WhiteningSettings| {
        let (mean, components) = (case.values("in.mean"), case.values("in.components"));
        Whitening::pca("case", Some(mean), components, &variance, whiten, settings).unwrap()
    };
    for (name, params) in case.case["params"].as_object().unwrap() {
        let settings = WhiteningSettings {
            power: params["whitenp"].as_f64().unwrap(),
            dims: params["whitenv"].as_u64().map(|v| v as usize),
            multiplier: params["whitenm"].as_f64().unwrap(),
            l2: params["l2norm"].as_bool().unwrap(),
        };
        case.check(
            &format!("out.{name}"),
            &pca(true, &settings).apply_f64(&x).unwrap(),
        );
    }
    let settings = WhiteningSettings::default();
    case.check("out.not_whitening", &pca(false, &settings).apply_f64(&x).unwrap());
    let plain = Whitening::plain("case", case.values("in.means"), &case.values("in.W"), &settings).unwrap();
    case.check("out.plain", &plain.apply_f64(&x).unwrap());
}

#[test]
fn cirtorch_whitens() {
    let case = Case::open("cirtorch-apply");
    let dim = case.get("in.m").0[0];
    let dimensions = case.case["params"]["dimensions"].as_u64().map(|v| v as usize);
    for (input, output, dims) in [
        ("in.x", "out.full", None),
        ("in.x", "out.cut", dimensions),
        ("in.near", "out.near", Some(0)),
    ] {
        let settings = WhiteningSettings {
            dims,
            ..WhiteningSettings::default()
        };
        let lw = Whitening::cirtorch("case", case.values("in.m"), case.values("in.P"), &settings).unwrap();
        // cirtorch has a column for each picture.
        let rows = lw.apply_f64(&transposed(&case.values(input), dim)).unwrap();
        case.check(output, &transposed(&rows, rows.len() / lw.output_dim()));
    }
}

#[test]
fn dirtorch_pools_over_passes() {
    let case = Case::open("multiscale-dirtorch");
    let sets: Vec<Vec<f32>> = ["in.scale0", "in.scale1", "in.scale2"]
        .iter()
        .map(|name| case.get_f32(name))
        .collect();
    let dim = case.get("in.scale0").0[1];
    let pooled = |pooling: ScalePooling, sets: &[Vec<f32>]| -> Vec<f64> {
        let scales = vec![1.0; sets.len()];
        (0..sets[0].len() / dim)
            .flat_map(|row| {
                let passes: Vec<&[f32]> = sets.iter().map(|set| &set[row * dim..(row + 1) * dim]).collect();
                pooling.pool(&passes, &scales)
            })
            .map(f64::from)
            .collect()
    };
    case.check("out.mean", &pooled(ScalePooling::DirtorchMean, &sets));
    case.check(
        "out.one_scale",
        &pooled(ScalePooling::DirtorchGem { power: 3.0 }, &sets[..1]),
    );
    for power in case.case["params"]["gemp"].as_array().unwrap() {
        let pooling = ScalePooling::DirtorchGem {
            power: power.as_f64().unwrap(),
        };
        case.check(&format!("out.gem{power}"), &pooled(pooling, &sets));
    }
}

#[test]
fn cirtorch_and_token_pool_over_scales() {
    let case = Case::open("multiscale-cirtorch");
    let params = &case.case["params"];
    let scales: Vec<f64> = params["ms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_f64().unwrap())
        .collect();
    let pooled = |pooling: ScalePooling, outputs: &str, count: usize| -> Vec<f64> {
        let passes: Vec<Vec<f32>> = (0..count)
            .map(|i| case.get_f32(&format!("out.{outputs}{i}")))
            .collect();
        let passes: Vec<&[f32]> = passes.iter().map(|pass| &pass[..]).collect();
        pooling
            .pool(&passes, &scales[..count])
            .into_iter()
            .map(f64::from)
            .collect()
    };
    let all = scales.len();
    let p = params["p"].as_f64().unwrap();
    case.check(
        "out.msp1",
        &pooled(ScalePooling::Cirtorch { msp: 1.0 }, "descriptor", all),
    );
    case.check(
        "out.mspp",
        &pooled(ScalePooling::Cirtorch { msp: p }, "descriptor", all),
    );
    case.check(
        "out.whitened",
        &pooled(ScalePooling::Cirtorch { msp: 1.0 }, "whitened", all),
    );
    case.check(
        "out.single",
        &pooled(ScalePooling::Cirtorch { msp: p }, "descriptor", 1),
    );
    case.check("out.token", &pooled(ScalePooling::Token, "whitened", all));
    case.check("out.token_one", &pooled(ScalePooling::Token, "whitened", 1));
}
