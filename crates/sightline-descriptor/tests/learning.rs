//! What learned whitenings promise: unit covariance, errors instead of NaN, the same bytes for any number of threads, and a
//! file that brings back what was learned.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use sightline_checkpoint::formula;
use sightline_descriptor::{
    DescriptorSet, LearnError, Learned, LearnedFrom, PairsIdentity, Samples, SetIdentity, WhiteningFile,
    WhiteningSettings, learn_cirtorch, learn_cirtorch_pca, learn_pca, learn_shrinkage,
};
use sightline_search::Rows;

/// Rows whose axes have different variances, mixed by neighbours.
fn rows(count: usize, dim: usize, seed: u64) -> Vec<f32> {
    let values = formula::uniform("learning", seed, count * dim);
    let mut out = vec![0.0; count * dim];
    for (row, out) in values.chunks(dim).zip(out.chunks_mut(dim)) {
        for i in 0..dim {
            let own = row[i] / (1.0 + i as f64);
            out[i] = (own + 0.5 * row[(i + 1) % dim] + 0.25) as f32;
        }
    }
    out
}

fn raw(dims: Option<usize>) -> WhiteningSettings {
    WhiteningSettings {
        dims,
        l2: false,
        ..WhiteningSettings::default()
    }
}

/// y = layer(x), without any normalisation.
fn projected(learned: &Learned, rows: &[f32]) -> Vec<f64> {
    let (weight, bias) = learned.layer();
    let dim = learned.input_dim();
    rows.chunks(dim)
        .flat_map(|row| {
            weight.chunks(dim).zip(&bias).map(move |(axis, bias)| {
                axis.iter().zip(row).map(|(w, x)| w * f64::from(*x)).sum::<f64>() + bias
            })
        })
        .collect()
}

/// The largest difference of the covariance from the unit matrix.
fn unlike_unit(rows: &[f64], dim: usize, divisor: f64) -> f64 {
    let mut worst = 0.0_f64;
    for i in 0..dim {
        for j in 0..dim {
            let sum: f64 = rows.chunks(dim).map(|row| row[i] * row[j]).sum();
            let unit = if i == j { 1.0 } else { 0.0 };
            worst = worst.max((sum / divisor - unit).abs());
        }
    }
    worst
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn whitened_rows_have_unit_covariance(dim in 1_usize..12, more in 1_usize..60, seed in 0_u64..1000) {
        let count = 2 * dim + more;
        let values = rows(count, dim, seed);
        let samples = Samples::rows(Rows::f32(&values, dim));
        let n = count as f64;
        let pca = learn_pca(&samples, None).unwrap();
        let white = pca.whitening("x", &raw(None)).unwrap();
        let wide: Vec<f64> = values.iter().map(|x| f64::from(*x)).collect();
        prop_assert!(unlike_unit(&white.apply_f64(&wide).unwrap(), dim, n - 1.0) < 1e-6);
        for learned in [learn_cirtorch_pca(&samples, None).unwrap(), learn_shrinkage(&samples, 1.0, None).unwrap()] {
            prop_assert!(unlike_unit(&projected(&learned, &values), dim, n) < 1e-6);
        }
        // A rotation keeps distances, and variances come in descending order.
        let turned = projected(&learn_shrinkage(&samples, 0.0, None).unwrap(), &values);
        let length = |rows: &[f64]| rows.iter().map(|x| x * x).sum::<f64>();
        let mean = &pca.mean;
        let centred: Vec<f64> = wide.chunks(dim).flat_map(|row| row.iter().zip(mean).map(|(x, m)| x - m)).collect();
        prop_assert!((length(&turned) - length(&centred)).abs() < 1e-6 * (1.0 + length(&centred)));
        let variance = pca.variance.as_ref().unwrap();
        prop_assert!(variance.windows(2).all(|pair| pair[0] >= pair[1]));
        // Fewer axes are the first of all.
        let first = learn_pca(&samples, Some(1)).unwrap();
        prop_assert_eq!(&first.matrix[..], &pca.matrix[..dim]);
    }

    #[test]
    fn differences_of_pairs_have_unit_covariance(dim in 1_usize..10, seed in 0_u64..1000) {
        let count = 6 * dim + 4;
        let values = rows(count, dim, seed);
        let pairs: Vec<(usize, usize)> = (0..count / 2).map(|i| (2 * i, 2 * i + 1)).collect();
        let learned = learn_cirtorch(&Samples::rows(Rows::f32(&values, dim)), &pairs, None).unwrap();
        let out = projected(&learned, &values);
        let differences: Vec<f64> = pairs
            .iter()
            .flat_map(|(q, p)| (0..dim).map(|i| out[q * dim + i] - out[p * dim + i]).collect::<Vec<_>>())
            .collect();
        prop_assert!(unlike_unit(&differences, dim, pairs.len() as f64) < 1e-6);
    }
}

#[test]
fn too_few_rows_for_the_axes_is_an_error_that_says_how_many_there_are() {
    let values = rows(5, 8, 1);
    let samples = Samples::rows(Rows::f32(&values, 8));
    for (learn, method) in [
        (learn_pca as fn(&Samples<'_>, Option<usize>) -> _, "pca"),
        (learn_cirtorch_pca, "cirtorch-pca"),
    ] {
        let error: LearnError = learn(&samples, Some(8)).unwrap_err();
        let wanted = LearnError::Rank {
            rows: 5,
            dim: 8,
            asked: 8,
            rank: 4,
        };
        assert_eq!(error, wanted, "{method}");
        assert!(error.to_string().contains("--dims 4"));
        let learned = learn(&samples, None).unwrap();
        assert_eq!((learned.rank, learned.output_dim()), (4, 4), "{method}");
        assert!(learned.matrix.iter().all(|x| x.is_finite()));
    }
    // Rows that are all the same have no axis at all.
    let same = [0.5; 24];
    assert!(matches!(
        learn_pca(&Samples::rows(Rows::f32(&same, 8)), None),
        Err(LearnError::AllTheSame { rows: 3 })
    ));
    // HOW raises what is missing to a floor and stays finite.
    let learned = learn_shrinkage(&samples, 1.0, None).unwrap();
    assert_eq!((learned.rank, learned.output_dim()), (4, 8));
    assert!(learned.matrix.iter().all(|x| x.is_finite()));
}

#[test]
fn wrong_inputs_are_named() {
    let mut values = rows(20, 3, 2);
    let fine = values.clone();
    let samples = Samples::rows(Rows::f32(&fine, 3));
    assert!(matches!(
        learn_pca(&samples, Some(4)),
        Err(LearnError::Dims { asked: 4, dim: 3 })
    ));
    assert!(matches!(
        learn_pca(&samples, Some(0)),
        Err(LearnError::Dims { .. })
    ));
    assert!(matches!(
        learn_cirtorch(&samples, &[], None),
        Err(LearnError::NoPairs)
    ));
    assert!(matches!(
        learn_cirtorch(&samples, &[(0, 20)], None),
        Err(LearnError::Pair { row: 20, rows: 20 })
    ));
    assert!(matches!(
        learn_shrinkage(&samples, 1.5, None),
        Err(LearnError::Shrinkage { .. })
    ));
    let one = Samples::rows(Rows::f32(&fine[..3], 3));
    assert!(matches!(
        learn_pca(&one, None),
        Err(LearnError::TooFew { rows: 1, least: 2 })
    ));
    values[3 * 7 + 1] = f32::NAN;
    let bad = Samples::rows(Rows::f32(&values, 3));
    assert!(matches!(
        learn_pca(&bad, None),
        Err(LearnError::NotFinite { row: 7 })
    ));
    assert!(matches!(
        learn_cirtorch(&bad, &[(0, 1)], None),
        Err(LearnError::NotFinite { row: 7 })
    ));
    // A pair of one picture with itself spreads over nothing; the raised factor stays finite.
    let learned = learn_cirtorch(&samples, &[(0, 0)], None).unwrap();
    assert!(learned.matrix.iter().all(|x| x.is_finite()));
}

#[test]
fn any_number_of_threads_learns_the_same_bytes_and_the_file_brings_them_back() {
    let folder = tempfile::tempdir().unwrap();
    let (count, dim) = (3000, 140);
    let names = (0..count).map(|i: usize| i.to_string()).collect();
    let set = DescriptorSet::from_rows(names, dim, rows(count, dim, 3), None).unwrap();
    let pairs: Vec<(usize, usize)> = (0..900).map(|i| (i, i + 900)).collect();
    let learn = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let samples = Samples::rows(set.rows());
            (
                learn_pca(&samples, Some(20)).unwrap(),
                learn_cirtorch(&samples, &pairs, None).unwrap(),
            )
        })
    };
    let (pca, learned) = learn(1);
    assert_eq!((pca.clone(), learned.clone()), learn(3));
    for (method, one) in [("pca", &pca), ("cirtorch", &learned)] {
        let from = LearnedFrom {
            method: method.to_owned(),
            shrinkage: None,
            dims: one.output_dim(),
            rank: one.rank,
            set: SetIdentity::of_rows(set.rows(), set.card().map(|card| card.identity.clone())),
            pairs: Some(PairsIdentity::of(&pairs)),
        };
        let path = folder.path().join(method);
        WhiteningFile::write(&path, one, &from).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        WhiteningFile::write(&path, one, &from).unwrap();
        assert_eq!(bytes, std::fs::read(&path).unwrap());
        let read = WhiteningFile::open(&path).unwrap();
        assert_eq!(read.learned.as_ref(), Some(&from));
        let (name, params) = &read.whitenings[0];
        assert_eq!((name.as_str(), params.form), (method, one.form));
        assert_eq!(params.matrix_f64().unwrap(), one.matrix);
        assert_eq!(params.mean_f64().unwrap().unwrap(), one.mean);
        assert_eq!(params.variance_f64().unwrap(), one.variance);
    }
}

#[test]
fn files_that_hold_no_whitening_or_a_newer_one_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w");
    let open = |header: &str| {
        let header = format!("{header:<240}");
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend([0; 32]);
        std::fs::write(&path, file).unwrap();
        WhiteningFile::open(&path).unwrap_err().to_string()
    };
    let newer = r#"{"__metadata__":{"format":"sightline-whitening","format_version":"2"},"x":{"dtype":"F64","shape":[4],"data_offsets":[0,32]}}"#;
    assert!(open(newer).contains("format version 2"), "{}", open(newer));
    let other = r#"{"x":{"dtype":"F64","shape":[4],"data_offsets":[0,32]}}"#;
    assert!(open(other).contains("holds no whitening"), "{}", open(other));
}

/// A file as version 1 wrote it must stay readable.
#[test]
fn version_1_stays_readable() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/whitening_v1.safetensors");
    let read = WhiteningFile::open(path).unwrap();
    assert_eq!(read.whitenings[0].0, "pca");
    assert_eq!(read.learned.unwrap().dims, 2);
    assert_eq!(read.whitenings[0].1.output_dim(), 2);
}
