//! The operations of attention heads: Burn and the recorded plan agree, gradients are slopes, dropout drops its share.

#![allow(clippy::unwrap_used, missing_docs)]

use sightline_checkpoint::formula;
use sightline_nn::burn::tensor::{Tensor, TensorData};
use sightline_nn::{BurnOps, Device, Heads, Ops, PlanRecorder};
use sightline_plan::{Executor, RtenExecutor, Tensor as PlainTensor, Window};

/// A forward pass that is written once.
trait Pass {
    fn run<O: Ops>(&self, ops: &mut O, x: O::T<4>) -> O::T<4>;
}

fn values(shape: [usize; 4]) -> Vec<f32> {
    let uniform = formula::uniform("operations", 5, shape.iter().product());
    uniform.into_iter().map(|u| 2.0 * u as f32).collect()
}

fn burn(pass: &impl Pass, shape: [usize; 4], values: Vec<f32>) -> Vec<f32> {
    let x = Tensor::<4>::from_data(TensorData::new(values, shape), &Device::flex());
    let y = pass.run(&mut BurnOps::default(), x);
    y.into_data().try_to_vec::<f32>().unwrap()
}

/// Burn, the plan and the slopes of the weighted sum of all outputs.
fn check(name: &str, pass: &impl Pass, shape: [usize; 4]) {
    let x = values(shape);
    let want = burn(pass, shape, x.clone());
    let (mut recorder, image) = PlanRecorder::new(shape[1]);
    let y = pass.run(&mut recorder, image);
    recorder.output("y", y);
    let mut plan = RtenExecutor::new(&recorder.finish().unwrap(), 2).unwrap();
    let outputs = plan.run(&PlainTensor::new(&shape, x.clone()).unwrap()).unwrap();
    assert_eq!(outputs[0].1.data.len(), want.len(), "{name}");
    for (got, want) in outputs[0].1.data.iter().zip(&want) {
        assert!((got - want).abs() < 2e-6, "{name}: {got} {want}");
    }

    let device = Device::flex().autodiff();
    let leaf = Tensor::<4>::from_data(TensorData::new(x.clone(), shape), &device).require_grad();
    let y = pass.run(&mut BurnOps::default(), leaf.clone());
    let weights: Vec<f32> = (0..want.len()).map(|index| 1.0 + (index % 5) as f32).collect();
    let weighted = y.clone() * Tensor::from_data(TensorData::new(weights.clone(), y.dims()), &device);
    let gradients = weighted.sum().backward();
    let gradient = leaf.grad(&gradients).unwrap();
    let gradient = gradient.into_data().try_to_vec::<f32>().unwrap();
    let sum = |x: Vec<f32>| -> f64 {
        let y = burn(pass, shape, x);
        let products = y.iter().zip(&weights);
        products
            .map(|(y, weight)| f64::from(*y) * f64::from(*weight))
            .sum()
    };
    for index in (0..x.len()).step_by(5) {
        let moved = |step: f32| {
            let mut x = x.clone();
            x[index] += step;
            sum(x)
        };
        let slope = (moved(0.01) - moved(-0.01)) / 0.02;
        let got = f64::from(gradient[index]);
        assert!(
            (got - slope).abs() < 2e-3 * slope.abs().max(1.0),
            "{name}: {got} {slope}"
        );
    }
}

macro_rules! pass {
    ($name:ident, |$ops:ident, $x:ident| $body:expr) => {
        struct $name;
        impl Pass for $name {
            fn run<O: Ops>(&self, $ops: &mut O, $x: O::T<4>) -> O::T<4> {
                $body
            }
        }
    };
}

pass!(Activations, |ops, x| {
    let gelu = ops.gelu(x.clone());
    let sigmoid = ops.sigmoid(x.clone());
    let soft = ops.softplus(x);
    let sum = ops.add(gelu, sigmoid);
    ops.mul(sum, soft)
});

pass!(SignedRoot, |ops, x| {
    let x = ops.add_number(x, 2.5);
    let sign = ops.sign(x.clone());
    let size = ops.abs(x);
    let root = ops.power_number(size, 1.0 / 3.0);
    let root = ops.mul(sign, root);
    ops.mul_number(root, -0.5)
});

// What `Ops::attention` is, for two heads.
pass!(ByProducts, |ops, x| {
    let [q, k, v] = three(ops, x);
    let [q, k, v] = [q, k, v].map(|x| ops.reshape::<4, 4>(x, [0, 2, 3, -1]));
    let q = ops.permute(q, [0, 1, 3, 2]);
    let logits = ops.matmul(q, k);
    let logits = ops.mul_number(logits, 3_f32.powf(-0.5));
    let shares = ops.softmax(logits, 3);
    let shares = ops.permute(shares, [0, 1, 3, 2]);
    let seen = ops.matmul(v, shares);
    ops.reshape::<4, 4>(seen, [0, 6, -1, 1])
});

pass!(Attention, |ops, x| {
    let parts = three(ops, x);
    let heads = Heads { count: 2, width: 3 };
    ops.attention(parts, heads, None, 0.0)
});

// The first place is hidden in part.
pass!(HiddenAttention, |ops, x| {
    let parts = three(ops, x);
    let hidden = ops.channels(parts[0].clone(), 5, None);
    let hidden = ops.reshape::<4, 4>(hidden, [0, 1, 1, -1]);
    let heads = Heads { count: 3, width: 2 };
    ops.attention(parts, heads, Some(&hidden), 0.0)
});

/// Three maps `[N, 6, P, 1]` that differ.
fn three<O: Ops>(ops: &mut O, x: O::T<4>) -> [O::T<4>; 3] {
    let x = ops.reshape::<4, 4>(x, [0, 6, -1, 1]);
    let (a, b) = (
        ops.channels(x.clone(), 0, Some(2)),
        ops.channels(x.clone(), 2, None),
    );
    let turned = ops.concat(b, a);
    let product = ops.mul(x.clone(), turned.clone());
    [x, turned, product]
}

pass!(LayerNorm, |ops, x| {
    let constant = |ops: &mut O, values: &[f32]| {
        let constant = PlainTensor::new(&[6], values.to_vec()).unwrap();
        ops.constant::<1>(constant, &x)
    };
    let weight = constant(ops, &[1.0, -0.5, 2.0, 0.0, 0.3, 1.5]);
    let bias = constant(ops, &[0.1, 0.0, -0.2, 3.0, 0.0, 0.7]);
    ops.layer_norm(x.clone(), weight, bias, 0.25)
});

pass!(Smoothing, |ops, x| {
    let x = ops.reflect_pad(x, 2);
    let window = |padding: usize| Window {
        size: [5, 5],
        stride: [1, 1],
        padding: [padding; 2],
        ceil: false,
    };
    let x = ops.mean_pool(x, window(0), true);
    let a = ops.mean_pool(x.clone(), window(2), false);
    let b = ops.mean_pool(x, window(2), true);
    ops.add(a, b)
});

#[test]
fn burn_and_plan_agree_and_gradients_are_slopes() {
    for shape in [[2, 6, 3, 4], [1, 6, 5, 3]] {
        check("activations", &Activations, shape);
        check("signed root", &SignedRoot, shape);
        check("products", &ByProducts, shape);
        check("attention", &Attention, shape);
        check("attention with hidden places", &HiddenAttention, shape);
        check("layer norm", &LayerNorm, shape);
        check("smoothing", &Smoothing, shape);
    }
}

#[test]
fn attention_is_softmax_of_scaled_products() {
    let shape = [2, 6, 3, 4];
    let (got, want) = (
        burn(&Attention, shape, values(shape)),
        burn(&ByProducts, shape, values(shape)),
    );
    for (got, want) in got.iter().zip(&want) {
        assert!((got - want).abs() < 2e-6, "{got} {want}");
    }
}

#[test]
fn layer_norm_is_over_the_channels_of_each_pixel() {
    // Channels 0 to 5 with mean 2.5 and variance 35 / 12.
    let ramp: Vec<f32> = (0..6).map(|value| value as f32).collect();
    let got = burn(&LayerNorm, [1, 6, 1, 1], ramp);
    let deviation = (35.0_f32 / 12.0 + 0.25).sqrt();
    let weight = [1.0, -0.5, 2.0, 0.0, 0.3, 1.5];
    let bias = [0.1, 0.0, -0.2, 3.0, 0.0, 0.7];
    for (index, got) in got.iter().enumerate() {
        let want = (index as f32 - 2.5) / deviation * weight[index] + bias[index];
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
}

#[test]
fn large_numbers_have_softplus_and_its_slope() {
    let device = Device::flex().autodiff();
    let x = Tensor::<1>::from_data([-200.0, 0.0, 19.0, 21.0, 200.0], &device).require_grad();
    let y = BurnOps::default().softplus(x.clone());
    let gradients = y.clone().sum().backward();
    let values = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().unwrap();
    let y = values(y);
    assert_eq!((y[0], y[3], y[4]), (0.0, 21.0, 200.0));
    let slopes = values(x.grad(&gradients).unwrap());
    for (slope, want) in slopes.iter().zip([0.0, 0.5, 1.0, 1.0, 1.0]) {
        assert!((slope - want).abs() < 1e-6, "{slopes:?}");
    }
}

#[test]
fn no_gradient_passes_what_is_detached() {
    let device = Device::flex().autodiff();
    let x = Tensor::<1>::from_data([1.0, 2.0], &device).require_grad();
    let mut ops = BurnOps::default();
    let still = ops.detach(x.clone());
    let product = ops.mul(x.clone(), still);
    let gradients = product.sum().backward();
    let slopes = x
        .grad(&gradients)
        .unwrap()
        .into_data()
        .try_to_vec::<f32>()
        .unwrap();
    assert_eq!(slopes, [1.0, 2.0]);
}

#[test]
fn dropout_drops_its_share_and_only_when_asked() {
    let ones = || Tensor::<2>::ones([100, 50], &Device::flex());
    let rows = |tensor: Tensor<2>| -> Vec<Vec<f32>> {
        let values = tensor.into_data().try_to_vec::<f32>().unwrap();
        values.chunks(50).map(<[f32]>::to_vec).collect()
    };
    let mut off = BurnOps {
        train_batch_norm: true,
        ..BurnOps::default()
    };
    assert_eq!(rows(off.dropout(ones(), 0.5)), rows(ones()));
    assert_eq!(rows(off.drop_path(ones(), 0.5)), rows(ones()));

    let on = BurnOps {
        dropout: Some(7),
        ..BurnOps::default()
    };
    let mut ops = on;
    let (first, second) = (rows(ops.dropout(ones(), 0.2)), rows(ops.dropout(ones(), 0.2)));
    assert_ne!(first, second);
    assert_eq!(
        rows({ on }.dropout(ones(), 0.2)),
        first,
        "the same seed drops the same"
    );
    let zeros = first.iter().flatten().filter(|value| **value == 0.0).count();
    assert!((850..1150).contains(&zeros), "{zeros} of 5000");
    assert!(first.iter().flatten().all(|value| [0.0, 1.25].contains(value)));

    let paths = rows(ops.drop_path(ones(), 0.2));
    let dropped = paths
        .iter()
        .filter(|row| row.iter().all(|value| *value == 0.0))
        .count();
    let kept = paths
        .iter()
        .filter(|row| row.iter().all(|value| *value == 1.25))
        .count();
    assert_eq!(dropped + kept, 100);
    assert!((8..35).contains(&dropped), "{dropped} of 100");
}
