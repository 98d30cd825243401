//! Token's aggregation over given local features: rows that only fill up a batch change nothing, and on the pixels of a map it is
//! Token's head.

#![allow(clippy::unwrap_used, missing_docs)]

use sightline_checkpoint::formula;
use sightline_nn::burn::tensor::{Tensor, TensorData};
use sightline_nn::{
    Architecture, BurnOps, Device, HeadModule, TokenLocal, TokenLocalError, TokenOptions, Weights,
    parameter_values,
};
use sightline_plan::{Executor, RtenExecutor, Tensor as PlainTensor};

const DIM: usize = 24;
const STATISTICS: [&str; 6] = [
    "tr.conv.1.running_mean",
    "tr.conv.1.running_var",
    "tr.encoder.0.bn.running_mean",
    "tr.encoder.0.bn.running_var",
    "tr.proj.1.running_mean",
    "tr.proj.1.running_var",
];

fn options() -> TokenOptions {
    TokenOptions {
        tokens: Some(3),
        width: Some(32),
        heads: 4,
    }
}

fn network() -> TokenLocal {
    let mut weights = Weights::new();
    for wanted in TokenLocal::parameters(&options(), DIM) {
        let values = formula::parameter(&wanted.name, &wanted.shape, 9);
        weights.insert(&wanted.name, &wanted.shape, values);
    }
    TokenLocal::load(
        &TokenOptions {
            heads: 4,
            ..TokenOptions::default()
        },
        &weights,
    )
    .unwrap()
}

/// So many features, no two pictures' alike.
fn features(picture: &str, count: usize) -> Vec<f32> {
    let values = formula::uniform(picture, 1, count * DIM);
    values.into_iter().map(|u| u as f32).collect()
}

/// Pictures in one batch, filled up to `most` rows with `filling`.
fn batch(pictures: &[&[f32]], most: usize, filling: f32) -> (Tensor<3>, Vec<usize>) {
    let mut values = Vec::new();
    for picture in pictures {
        values.extend_from_slice(picture);
        values.resize(values.len() + most * DIM - picture.len(), filling);
    }
    let values = TensorData::new(values, [pictures.len(), most, DIM]);
    let counts = pictures.iter().map(|picture| picture.len() / DIM).collect();
    (Tensor::from_data(values, &Device::flex()), counts)
}

fn run(network: &TokenLocal, train: bool, (features, counts): (Tensor<3>, Vec<usize>)) -> Vec<f32> {
    let mut ops = BurnOps {
        train_batch_norm: train,
        ..BurnOps::default()
    };
    let y = network.forward(&mut ops, features, &counts, &mut |_, _| {});
    y.unwrap().into_data().try_to_vec::<f32>().unwrap()
}

fn close(a: &[f32], b: &[f32], most: f32) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= most, "{a} {b}");
    }
}

#[test]
fn filling_changes_nothing() {
    let (few, many) = (features("few", 3), features("many", 7));
    let network = network();
    let alone = [network.describe(&few).unwrap(), network.describe(&many).unwrap()].concat();
    for (most, filling) in [(7, 0.0), (7, 1e4), (11, f32::NAN)] {
        close(
            &run(&network, false, batch(&[&few, &many], most, filling)),
            &alone,
            1e-6,
        );
    }
    // In training the statistics are those of ten rows, and so is what is remembered.
    let trained = |most: usize, filling: f32| {
        let network = self::network();
        let y = run(&network, true, batch(&[&few, &many], most, filling));
        let after = STATISTICS.map(|name| parameter_values(&network, name).unwrap().data);
        (y, after.concat())
    };
    let (want, statistics) = trained(7, 0.0);
    for (most, filling) in [(7, -50.0), (13, f32::NAN)] {
        let (y, after) = trained(most, filling);
        close(&y, &want, 1e-5);
        close(&after, &statistics, 1e-6);
    }
    // The rows of the first batch norm do not know whose they are.
    let together = self::network();
    let one = self::network();
    run(&together, true, batch(&[&few, &many], 9, 3.0));
    let joined = [few.as_slice(), &many].concat();
    run(&one, true, batch(&[&joined, &joined], 10, 0.0));
    let mean = |network: &TokenLocal| parameter_values(network, STATISTICS[0]).unwrap().data;
    close(&mean(&together), &mean(&one), 1e-6);
    assert!(mean(&one) != mean(&self::network()));
}

#[test]
fn on_the_pixels_of_a_map_it_is_tokens_head() {
    let network = network();
    let architecture = Architecture::parse("resnet18/token-l3-d32-h4").unwrap();
    let mut weights = Weights::new();
    for (name, mut tensor) in network.state_dict() {
        if name == "tr.conv.0.weight" {
            tensor.shape.extend([1, 1]);
        }
        weights.insert(&name, &tensor.shape, tensor.data);
    }
    let head = HeadModule::load(architecture.head(), DIM, &weights).unwrap();
    for train in [false, true] {
        // Two maps of 2 x 5 pixels.
        let maps = [features("first", 10), features("second", 10)];
        let (rows, counts) = batch(&[&maps[0], &maps[1]], 10, 0.0);
        let map = rows.clone().swap_dims(1, 2).reshape([2, DIM, 2, 5]);
        let mut ops = BurnOps {
            train_batch_norm: train,
            ..BurnOps::default()
        };
        let want = head.forward(&mut ops, map, &mut |_, _| {});
        let want = want.into_data().try_to_vec::<f32>().unwrap();
        close(&run(&network, train, (rows, counts)), &want, 1e-6);
    }
}

#[test]
fn it_is_saved_under_tokens_names_and_recorded() {
    let network = network();
    let mut weights = Weights::new();
    for (name, tensor) in network.state_dict() {
        weights.insert(&name, &tensor.shape, tensor.data);
    }
    assert_eq!(weights.shape("tr.conv.0.weight"), Some(&[32, DIM][..]));
    let again = TokenLocal::load(&options(), &weights).unwrap();
    let rows = features("rows", 6);
    let want = network.describe(&rows).unwrap();
    assert_eq!(want.len(), TokenLocal::DIM);
    assert_eq!(again.describe(&rows).unwrap(), want);
    let map: Vec<f32> = (0..rows.len())
        .map(|index| rows[index % 6 * DIM + index / 6])
        .collect();
    let mut plan = RtenExecutor::new(&network.record().unwrap(), 2).unwrap();
    let outputs = plan
        .run(&PlainTensor::new(&[1, DIM, 6, 1], map).unwrap())
        .unwrap();
    close(&outputs[0].1.data, &want, 1e-6);
}

#[test]
fn what_is_no_features_is_refused() {
    let network = network();
    for count in [0, DIM - 1, DIM + 1] {
        let error = network.describe(&vec![0.0; count]).unwrap_err();
        assert_eq!(
            error,
            TokenLocalError::Rows {
                values: count,
                dim: DIM
            }
        );
    }
    let (rows, _) = batch(&[&features("one", 2)], 2, 0.0);
    for counts in [&[][..], &[0], &[3], &[1, 1]] {
        let mut ops = BurnOps::default();
        let error = network.forward(&mut ops, rows.clone(), counts, &mut |_, _| {});
        assert!(matches!(error, Err(TokenLocalError::Batch { .. })), "{counts:?}");
    }
    // Five heads cannot share 32 values, and a map's kernel is no matrix.
    let mut weights = Weights::new();
    for (name, tensor) in network.state_dict() {
        weights.insert(&name, &tensor.shape, tensor.data);
    }
    let five = TokenOptions {
        heads: 5,
        ..TokenOptions::default()
    };
    let problem = TokenLocal::load(&five, &weights).unwrap_err().to_string();
    assert!(problem.contains("cannot be divided among 5 heads"), "{problem}");
    weights.insert("tr.conv.0.weight", &[32, DIM, 1, 1], vec![0.0; 32 * DIM]);
    let problem = TokenLocal::load(&options(), &weights).unwrap_err().to_string();
    assert!(problem.contains("need a matrix [D, C]"), "{problem}");
}
