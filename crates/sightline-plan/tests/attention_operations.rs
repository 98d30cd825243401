//! The operations that attention heads are made of, computed by `rten` and by hand, on pictures of more than one size.

#![allow(clippy::unwrap_used, missing_docs)]

use sightline_plan::{Executor, Operation, Plan, RtenExecutor, Tensor, Value};

fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor::new(shape, data.to_vec()).unwrap()
}

fn counting(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    tensor(shape, &(0..count).map(|v| v as f32).collect::<Vec<_>>())
}

/// An executor of the plan's one output.
fn executor(channels: usize, build: impl Fn(&mut Plan, Value) -> Value) -> RtenExecutor {
    let (mut plan, image) = Plan::new(channels);
    let value = build(&mut plan, image);
    plan.output("y", value);
    RtenExecutor::new(&plan.fold_batch_norms(), 2).unwrap()
}

fn run(executor: &mut RtenExecutor, picture: &Tensor) -> Tensor {
    executor.run(picture).unwrap().remove(0).1
}

fn close(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!(
            (got - want).abs() <= 3e-7 * want.abs().max(1.0),
            "{got} instead of {want}"
        );
    }
}

#[test]
fn activations() {
    let x = tensor(&[1, 1, 1, 7], &[-200.0, -20.0, -1.0, 0.0, 0.5, 20.5, 200.0]);
    let apply = |operation: Operation| {
        let mut executor = executor(1, |plan, x| plan.step(operation.clone(), &[x]));
        run(&mut executor, &x).data
    };
    assert_eq!(apply(Operation::Sign), [-1.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0]);
    let half = 1.0 / (1.0 + (-0.5_f32).exp());
    close(
        &apply(Operation::Sigmoid),
        &[0.0, 0.0, 0.268_941_43, 0.5, half, 1.0, 1.0],
    );
    let soft = apply(Operation::Softplus);
    close(
        &soft,
        &[
            0.0,
            0.0,
            0.313_261_7,
            std::f32::consts::LN_2,
            0.974_077,
            20.5,
            200.0,
        ],
    );
    // Small ones keep their digits.
    assert!((soft[1] / 2.061_153_6e-9 - 1.0).abs() < 1e-5, "{}", soft[1]);
    close(
        &apply(Operation::Gelu),
        &[0.0, 0.0, -0.158_655_26, 0.0, 0.345_731_23, 20.5, 200.0],
    );
}

#[test]
fn softmax_along_any_axis() {
    let x = tensor(&[1, 2, 1, 2], &[0.0, 100.0, 3.0_f32.ln(), 100.0]);
    for (axis, want) in [
        (1, [0.25, 0.5, 0.75, 0.5]),
        (2, [1.0; 4]),
        (3, [0.0, 1.0, 0.0, 1.0]),
    ] {
        let mut executor = executor(2, |plan, x| plan.step(Operation::Softmax { axis }, &[x]));
        close(&run(&mut executor, &x).data, &want);
    }
}

#[test]
fn axes_are_split_joined_and_swapped() {
    // [N, 4, H, W] -> heads, positions, parts: what attention does with a map of any size.
    let mut executor = executor(4, |plan, x| {
        let heads = plan.step(Operation::Reshape(vec![0, 2, 2, -1]), &[x]);
        plan.step(Operation::Permute(vec![0, 1, 3, 2]), &[heads])
    });
    let y = run(&mut executor, &counting(&[1, 4, 1, 3]));
    assert_eq!(y.shape, [1, 2, 3, 2]);
    assert_eq!(
        y.data,
        [0.0, 3.0, 1.0, 4.0, 2.0, 5.0, 6.0, 9.0, 7.0, 10.0, 8.0, 11.0]
    );
    assert_eq!(run(&mut executor, &counting(&[2, 4, 2, 5])).shape, [2, 2, 10, 2]);
    let mut flat = self::executor(4, |plan, x| plan.step(Operation::Reshape(vec![0, -1]), &[x]));
    assert_eq!(run(&mut flat, &counting(&[2, 4, 1, 3])).shape, [2, 12]);
    // And back to a map as large as the picture.
    let mut back = self::executor(4, |plan, x| {
        let pixels = plan.step(Operation::Reshape(vec![0, 0, -1, 1]), &[x]);
        let doubled = plan.step(Operation::Add, &[pixels, pixels]);
        plan.step(Operation::ReshapeLike, &[doubled, x])
    });
    for shape in [[2, 4, 3, 2], [1, 4, 1, 5]] {
        let x = counting(&shape);
        let y = run(&mut back, &x);
        assert_eq!(y.shape, shape);
        assert!(y.data.iter().zip(&x.data).all(|(y, x)| *y == 2.0 * x));
    }
}

#[test]
fn matrices_broadcast_their_first_axes() {
    let matrix = tensor(&[1, 1, 2, 3], &[1.0, 0.0, 0.0, 1.0, 10.0, 100.0]);
    let mut executor = executor(2, |plan, x| {
        let matrix = plan.constant(matrix.clone());
        plan.step(Operation::MatMul, &[matrix, x])
    });
    let y = run(&mut executor, &counting(&[1, 2, 3, 2]));
    assert_eq!(y.shape, [1, 2, 2, 2]);
    assert_eq!(y.data, [0.0, 1.0, 420.0, 531.0, 6.0, 7.0, 1086.0, 1197.0]);
    assert_eq!(run(&mut executor, &counting(&[3, 2, 3, 5])).shape, [3, 2, 2, 5]);
}

#[test]
fn maps_are_mirrored_at_their_border() {
    let (mut plan, image) = Plan::for_size(1, [3, 4]);
    let padded = plan.step(Operation::ReflectPad(2), &[image]);
    assert_eq!(plan.map_size(padded), Some([7, 8]));
    let mut executor = executor(1, |plan, x| plan.step(Operation::ReflectPad(2), &[x]));
    let y = run(&mut executor, &counting(&[1, 1, 3, 4]));
    assert_eq!(y.shape, [1, 1, 7, 8]);
    assert_eq!(y.data[..8], [10.0, 9.0, 8.0, 9.0, 10.0, 11.0, 10.0, 9.0]);
    assert_eq!(y.data[16..24], [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    assert_eq!(y.data[48..56], [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
}

/// A batch norm of rows goes into the linear layer before it; one that stands alone is computed as it is.
#[test]
fn rows_are_normalised() {
    let build = |linear: bool| {
        let (mut plan, image) = Plan::new(2);
        let mut rows = plan.step(Operation::GlobalMean, &[image]);
        if linear {
            let matrix = plan.constant(tensor(&[2, 2], &[1.0, 2.0, -1.0, 0.5]));
            let bias = plan.constant(tensor(&[2], &[0.25, 0.0]));
            rows = plan.step(Operation::Linear, &[rows, matrix, bias]);
        }
        let [scale, shift, mean, variance] = [[1.5, 0.5], [0.1, 0.2], [0.3, -0.3], [3.5, 1.5]]
            .map(|values| plan.constant(tensor(&[2], &values)));
        let norm = Operation::BatchNorm { epsilon: 0.5 };
        let y = plan.step(norm, &[rows, scale, shift, mean, variance]);
        plan.output("y", y);
        plan
    };
    let norms = |plan: &Plan| {
        let is_norm = |operation: &Operation| matches!(operation, Operation::BatchNorm { .. });
        plan.operations().filter(is_norm).count()
    };
    // Means 1.5 and 5.5.
    let x = counting(&[1, 2, 2, 2]);
    let normalised = |rows: [f32; 2]| {
        [
            (rows[0] - 0.3) / 2.0 * 1.5 + 0.1,
            (rows[1] + 0.3) / 2.0_f32.sqrt() * 0.5 + 0.2,
        ]
    };
    for (linear, left, want) in [
        (false, 1, normalised([1.5, 5.5])),
        (true, 0, normalised([12.75, 1.25])),
    ] {
        let folded = build(linear).fold_batch_norms();
        assert_eq!(norms(&folded), left);
        for plan in [build(linear), folded] {
            let y = run(&mut RtenExecutor::new(&plan, 1).unwrap(), &x);
            assert_eq!(y.shape, [1, 2]);
            close(&y.data, &want);
        }
    }
}
