//! Every operation of a plan, computed by `rten` and by hand.

#![allow(clippy::unwrap_used, missing_docs)]

use sightline_plan::{
    Convolution, Executor, Interpolation, LoadError, Operation, Plan, Region, RtenExecutor, RunError, Tensor,
    Value, Window,
};

fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor::new(shape, data.to_vec()).unwrap()
}

/// Runs a one-channel plan on the picture and yields its one output.
fn compute(picture: &Tensor, build: impl Fn(&mut Plan, Value) -> Value) -> Tensor {
    let (mut plan, image) = Plan::new(picture.shape[1]);
    let value = build(&mut plan, image);
    plan.output("y", value);
    let mut executor = RtenExecutor::new(&plan.fold_batch_norms(), 2).unwrap();
    let mut outputs = executor.run(picture).unwrap();
    assert_eq!(outputs.len(), 1);
    outputs.remove(0).1
}

fn counting(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    tensor(shape, &(0..count).map(|v| v as f32).collect::<Vec<_>>())
}

#[test]
fn arithmetic() {
    let x = tensor(&[1, 1, 1, 4], &[-2.0, 0.0, 4.0, 9.0]);
    let number = |plan: &mut Plan, value: f32| plan.constant(tensor(&[], &[value]));
    let y = compute(&x, |plan, x| plan.step(Operation::Relu, &[x]));
    assert_eq!(y.data, [0.0, 0.0, 4.0, 9.0]);
    let y = compute(&x, |plan, x| plan.step(Operation::ClampMin(1.5), &[x]));
    assert_eq!(y.data, [1.5, 1.5, 4.0, 9.0]);
    let y = compute(&x, |plan, x| {
        let positive = plan.step(Operation::Relu, &[x]);
        plan.step(Operation::Sqrt, &[positive])
    });
    assert_eq!(y.data, [0.0, 0.0, 2.0, 3.0]);
    for (operation, want) in [
        (Operation::Add, [1.0, 3.0, 7.0, 12.0]),
        (Operation::Mul, [-6.0, 0.0, 12.0, 27.0]),
        (Operation::Div, [-2.0 / 3.0, 0.0, 4.0 / 3.0, 3.0]),
        (Operation::Pow, [-8.0, 0.0, 64.0, 729.0]),
    ] {
        let y = compute(&x, |plan, x| {
            let three = number(plan, 3.0);
            plan.step(operation.clone(), &[x, three])
        });
        assert_eq!(y.data, want, "{operation:?}");
    }
}

#[test]
fn poolings_and_linear() {
    let x = counting(&[2, 2, 2, 3]);
    let mean = compute(&x, |plan, x| plan.step(Operation::GlobalMean, &[x]));
    assert_eq!(mean, tensor(&[2, 2], &[2.5, 8.5, 14.5, 20.5]));
    let max = compute(&x, |plan, x| plan.step(Operation::GlobalMax, &[x]));
    assert_eq!(max, tensor(&[2, 2], &[5.0, 11.0, 17.0, 23.0]));
    let sum = compute(&x, |plan, x| {
        let max = plan.step(Operation::GlobalMax, &[x]);
        plan.step(Operation::SumChannels, &[max])
    });
    assert_eq!(sum, tensor(&[2, 1], &[16.0, 40.0]));
    let y = compute(&x, |plan, x| {
        let max = plan.step(Operation::GlobalMax, &[x]);
        let weight = plan.constant(tensor(&[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, -1.0]));
        let bias = plan.constant(tensor(&[3], &[0.5, 0.0, 0.0]));
        plan.step(Operation::Linear, &[max, weight, bias])
    });
    assert_eq!(y, tensor(&[2, 3], &[5.5, 11.0, -6.0, 17.5, 23.0, -6.0]));
    let joined = compute(&x, |plan, x| {
        let mean = plan.step(Operation::GlobalMean, &[x]);
        let max = plan.step(Operation::GlobalMax, &[x]);
        plan.step(Operation::Concat { axis: 1 }, &[mean, max])
    });
    assert_eq!(joined.shape, [2, 4]);
    assert_eq!(joined.data[..4], [2.5, 8.5, 5.0, 11.0]);
}

#[test]
fn parts_of_maps() {
    let x = counting(&[2, 2, 3, 4]);
    let part = |top, left, height, width| {
        Operation::Crop(Region {
            top,
            left,
            height,
            width,
        })
    };
    let y = compute(&x, |plan, x| plan.step(part(1, 2, 2, 2), &[x]));
    assert_eq!(y.shape, [2, 2, 2, 2]);
    assert_eq!(y.data[..8], [6.0, 7.0, 10.0, 11.0, 18.0, 19.0, 22.0, 23.0]);
    let sum = compute(&x, |plan, x| plan.step(Operation::GlobalSum, &[x]));
    assert_eq!(sum, tensor(&[2, 2], &[66.0, 210.0, 354.0, 498.0]));
    // Three regions as the pixels of a map, then a linear layer and a sum over channels at each.
    let stacked = |plan: &mut Plan, x: Value| {
        let rows: Vec<Value> = [part(0, 0, 3, 4), part(0, 0, 1, 1), part(1, 1, 2, 1)]
            .into_iter()
            .map(|part| {
                let part = plan.step(part, &[x]);
                plan.step(Operation::GlobalMax, &[part])
            })
            .collect();
        plan.step(Operation::StackPixels, &rows)
    };
    let y = compute(&x, stacked);
    assert_eq!(y.shape, [2, 2, 3, 1]);
    assert_eq!(y.data[..6], [11.0, 0.0, 9.0, 23.0, 12.0, 21.0]);
    let y = compute(&x, |plan, x| {
        let map = stacked(plan, x);
        let weight = plan.constant(tensor(&[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, -1.0]));
        let bias = plan.constant(tensor(&[3], &[0.5, 0.0, 0.0]));
        plan.step(Operation::Linear, &[map, weight, bias])
    });
    assert_eq!(y.shape, [2, 3, 3, 1]);
    assert_eq!(
        y.data[..9],
        [11.5, 0.5, 9.5, 23.0, 12.0, 21.0, -12.0, -12.0, -12.0]
    );
    let y = compute(&x, |plan, x| {
        let map = stacked(plan, x);
        plan.step(Operation::SumChannels, &[map])
    });
    assert_eq!(y.shape, [2, 1, 3, 1]);
    assert_eq!(y.data[..3], [34.0, 12.0, 30.0]);
    let y = compute(&x, |plan, x| {
        let minus = plan.constant(tensor(&[], &[-20.0]));
        let x = plan.step(Operation::Add, &[x, minus]);
        plan.step(Operation::Abs, &[x])
    });
    assert_eq!(y.data[18..22], [2.0, 1.0, 0.0, 1.0]);
}

#[test]
fn a_plan_for_one_size_knows_its_maps_and_refuses_other_pictures() {
    let (mut plan, image) = Plan::for_size(1, [11, 14]);
    let kernel = plan.constant(counting(&[1, 1, 3, 2]));
    let walk = Convolution {
        stride: [2, 3],
        padding: [1, 2],
        dilation: [2, 1],
        groups: 1,
    };
    let map = plan.step(Operation::Conv2d(walk), &[image, kernel]);
    let pooled = |ceil| {
        Operation::MaxPool(Window {
            size: [2, 3],
            stride: [2, 2],
            padding: [1, 0],
            ceil,
        })
    };
    let (floor, ceil) = (plan.step(pooled(false), &[map]), plan.step(pooled(true), &[map]));
    let row = Operation::Crop(Region {
        top: 1,
        left: 0,
        height: 1,
        width: 2,
    });
    let row = plan.step(row, &[ceil]);
    let joined = plan.step(Operation::Concat { axis: 3 }, &[row, row]);
    let values = [map, floor, ceil, row, joined];
    for (index, value) in values.iter().enumerate() {
        plan.output(&index.to_string(), *value);
    }
    let mean = plan.step(Operation::GlobalMean, &[map]);
    assert_eq!(plan.map_size(mean), None);
    let mut executor = RtenExecutor::new(&plan, 1).unwrap();
    let outputs = executor.run(&counting(&[1, 1, 11, 14])).unwrap();
    for ((_, output), value) in outputs.iter().zip(values) {
        assert_eq!(plan.map_size(value).unwrap(), output.shape[2..]);
    }
    let error = executor.run(&counting(&[1, 1, 11, 15])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The network cannot run on a tensor of shape [1, 1, 11, 15]: it was made for pictures of height 11 and \
         width 14 only."
    );
    let (plan, image) = Plan::new(1);
    assert_eq!(plan.map_size(image), None);
}

#[test]
fn max_pool_rounds_as_told() {
    let x = counting(&[1, 1, 4, 4]);
    let window = |padding: usize, ceil: bool| Window {
        size: [3, 3],
        stride: [2, 2],
        padding: [padding; 2],
        ceil,
    };
    let pool = |window: Window| compute(&x, |plan, x| plan.step(Operation::MaxPool(window), &[x]));
    assert_eq!(pool(window(0, false)), tensor(&[1, 1, 1, 1], &[10.0]));
    assert_eq!(
        pool(window(0, true)),
        tensor(&[1, 1, 2, 2], &[10.0, 11.0, 14.0, 15.0])
    );
    assert_eq!(
        pool(window(1, false)),
        tensor(&[1, 1, 2, 2], &[5.0, 7.0, 13.0, 15.0])
    );
    // All negative: the padding must not win.
    let negative = tensor(&[1, 1, 1, 2], &[-3.0, -4.0]);
    let y = compute(&negative, |plan, x| {
        plan.step(Operation::MaxPool(window(1, false)), &[x])
    });
    assert_eq!(y.data, [-3.0]);
}

#[test]
fn mean_pool_counts_its_padding_or_not() {
    let x = counting(&[1, 1, 4, 5]);
    let window = |size: usize, padding: usize| Window {
        size: [size; 2],
        stride: [2, 2],
        padding: [padding; 2],
        ceil: false,
    };
    let pooled = |window: Window, padding_counts: bool| {
        let pool = Operation::MeanPool {
            window,
            padding_counts,
        };
        compute(&x, |plan, x| plan.step(pool.clone(), &[x]))
    };
    let pool = |window: Window| pooled(window, true);
    // The last column has no window of its own.
    assert_eq!(pool(window(2, 0)), tensor(&[1, 1, 2, 2], &[3.0, 5.0, 13.0, 15.0]));
    let corner = pool(window(3, 1));
    assert_eq!(corner.shape, [1, 1, 2, 3]);
    assert!((corner.data[0] - (1.0 + 5.0 + 6.0) / 9.0).abs() < 1e-6);
    let corner = pooled(window(3, 1), false);
    assert!((corner.data[0] - (1.0 + 5.0 + 6.0) / 4.0).abs() < 1e-6);
}

#[test]
fn resizing_follows_the_other_map() {
    let x = counting(&[1, 1, 2, 3]);
    let like = |how: Interpolation, map: Tensor| {
        compute(&x, move |plan, x| {
            let map = plan.constant(map.clone());
            plan.step(Operation::ResizeLike(how), &[map, x])
        })
    };
    let nearest = like(Interpolation::Nearest, tensor(&[1, 1, 1, 2], &[5.0, 6.0]));
    assert_eq!(nearest, tensor(&[1, 1, 2, 3], &[5.0, 5.0, 6.0, 5.0, 5.0, 6.0]));
    let bilinear = like(
        Interpolation::BilinearAlignedCorners,
        tensor(&[1, 1, 2, 2], &[0.0, 2.0, 4.0, 6.0]),
    );
    assert_eq!(bilinear, tensor(&[1, 1, 2, 3], &[0.0, 1.0, 2.0, 4.0, 5.0, 6.0]));
}

/// A convolution with bias, groups, dilation and stride, its batch norm left alone or folded.
fn convolution_and_norm(also_raw: bool) -> Plan {
    let (mut plan, image) = Plan::new(2);
    let weight: Vec<f32> = (0..2 * 9).map(|v| (v as f32 - 8.0) / 7.0).collect();
    let weight = plan.constant(tensor(&[2, 1, 3, 3], &weight));
    let bias = plan.constant(tensor(&[2], &[0.25, -0.5]));
    let walk = Convolution {
        stride: [2, 1],
        padding: [2, 2],
        dilation: [2, 2],
        groups: 2,
    };
    let map = plan.step(Operation::Conv2d(walk), &[image, weight, bias]);
    let [scale, shift, mean, variance] =
        [[1.5, 0.5], [0.1, 0.2], [0.3, -0.3], [0.5, 2.0]].map(|values| plan.constant(tensor(&[2], &values)));
    let norm = Operation::BatchNorm { epsilon: 1e-5 };
    let y = plan.step(norm, &[map, scale, shift, mean, variance]);
    plan.output("y", y);
    if also_raw {
        plan.output("raw", map);
    }
    plan
}

#[test]
fn folding_keeps_the_values() {
    let x = counting(&[1, 2, 7, 5]);
    let run = |plan: &Plan| RtenExecutor::new(plan, 1).unwrap().run(&x).unwrap().remove(0).1;
    let plain = convolution_and_norm(false);
    let folded = plain.clone().fold_batch_norms();
    let norms = |plan: &Plan| {
        let is_norm = |operation: &Operation| matches!(operation, Operation::BatchNorm { .. });
        plan.operations().filter(is_norm).count()
    };
    assert_eq!((norms(&plain), norms(&folded)), (1, 0));
    let (a, b) = (run(&plain), run(&folded));
    assert_eq!(a.shape, [1, 2, 4, 5]);
    assert_eq!(a.shape, b.shape);
    for (a, b) in a.data.iter().zip(&b.data) {
        assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} {b}");
    }
    // A convolution that something else reads as well cannot be changed.
    let shared = convolution_and_norm(true);
    assert_eq!(norms(&shared.clone().fold_batch_norms()), 1);
    assert_eq!(run(&shared), run(&shared.clone().fold_batch_norms()));
}

/// DenseNet's order: the norm stands before its convolution, behind maps that have been joined.
#[test]
fn norms_before_convolutions_stay() {
    let x = counting(&[1, 2, 4, 3]);
    let (mut plan, image) = Plan::new(2);
    let weight = |plan: &mut Plan, inputs: usize| {
        let values: Vec<f32> = (0..2 * inputs).map(|v| v as f32 / 4.0 - 0.5).collect();
        plan.constant(tensor(&[2, inputs, 1, 1], &values))
    };
    let norm = |plan: &mut Plan, x: Value, channels: usize| {
        let each = |start: f32| {
            (0..channels)
                .map(|c| start + c as f32 / 8.0)
                .collect::<Vec<f32>>()
        };
        let parts = [1.5, -0.25, 0.5, 2.0].map(|start| plan.constant(tensor(&[channels], &each(start))));
        let [scale, shift, mean, variance] = parts;
        let inputs = [x, scale, shift, mean, variance];
        plan.step(Operation::BatchNorm { epsilon: 1e-5 }, &inputs)
    };
    let walk = Operation::Conv2d(Convolution::default());
    let kernel = weight(&mut plan, 2);
    let narrow = plan.step(walk.clone(), &[image, kernel]);
    let joined = plan.step(Operation::Concat { axis: 1 }, &[image, narrow]);
    let y = norm(&mut plan, joined, 4);
    let y = plan.step(Operation::Relu, &[y]);
    let kernel = weight(&mut plan, 4);
    let y = plan.step(walk, &[y, kernel]);
    let y = norm(&mut plan, y, 2);
    plan.output("y", y);

    let run = |plan: &Plan| RtenExecutor::new(plan, 1).unwrap().run(&x).unwrap().remove(0).1;
    let folded = plan.clone().fold_batch_norms();
    let is_norm = |operation: &Operation| matches!(operation, Operation::BatchNorm { .. });
    assert_eq!(folded.operations().filter(is_norm).count(), 1);
    for (a, b) in run(&plan).data.iter().zip(&run(&folded).data) {
        assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{a} {b}");
    }
}

#[test]
fn convolution_by_hand() {
    let x = counting(&[1, 1, 3, 3]);
    let y = compute(&x, |plan, x| {
        let weight = plan.constant(tensor(&[1, 1, 2, 2], &[1.0, 10.0, 100.0, 1000.0]));
        let bias = plan.constant(tensor(&[1], &[0.5]));
        plan.step(Operation::Conv2d(Convolution::default()), &[x, weight, bias])
    });
    let want = [0, 1, 3, 4]
        .map(|v| v as f32 + 10.0 * (v + 1) as f32 + 100.0 * (v + 3) as f32 + 1000.0 * (v + 4) as f32 + 0.5);
    assert_eq!(y, tensor(&[1, 1, 2, 2], &want));
}

#[test]
fn wrong_batches_are_refused() {
    let (mut plan, image) = Plan::new(3);
    let mean = plan.step(Operation::GlobalMean, &[image]);
    plan.output("mean", mean);
    let mut executor = RtenExecutor::new(&plan, 1).unwrap();
    for wrong in [
        counting(&[3, 4, 4]),
        counting(&[1, 1, 4, 4]),
        counting(&[1, 3, 0, 4]),
        counting(&[0, 3, 4, 4]),
        Tensor {
            shape: vec![1, 3, 4, 4],
            data: vec![0.0; 5],
        },
        Tensor {
            shape: vec![usize::MAX, 3, 4, 4],
            data: Vec::new(),
        },
    ] {
        let error = executor.run(&wrong).unwrap_err();
        assert!(matches!(error, RunError::Input { .. }), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("The network cannot run on a tensor of shape [")
        );
    }
    assert!(executor.run(&counting(&[2, 3, 4, 4])).is_ok());
}

#[test]
fn bytes_that_are_no_network_are_refused() {
    for bytes in [Vec::new(), b"certainly no model".to_vec(), vec![0xff; 4096]] {
        assert!(matches!(
            RtenExecutor::from_onnx(bytes, 1),
            Err(LoadError::NotOnnx)
        ));
    }
    let (plan, _) = Plan::new(3);
    assert!(RtenExecutor::new(&plan, 1).is_err());
    let whole = convolution_and_norm(false).to_onnx();
    for cut in (0..whole.len()).step_by(7) {
        // Whatever it says, it must say it rather than panic.
        let _ = RtenExecutor::from_onnx(whole[..cut].to_vec(), 1);
    }
}

#[test]
fn damaged_files_are_refused_or_run() {
    let whole = convolution_and_norm(false).to_onnx();
    for position in (0..whole.len()).step_by(5) {
        for change in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[position] ^= change;
            let _ = RtenExecutor::from_onnx(damaged, 1);
        }
    }
}
