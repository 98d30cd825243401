//! ONNX Runtime beside `rten` on the same plan. Needs the feature `ort` and the library named in `ORT_DYLIB_PATH`.
#![cfg(feature = "ort")]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use sightline_plan::{
    Convolution, Executor, LoadError, OnnxModel, Operation, OrtDevice, OrtExecutor, Plan, RtenExecutor,
    Tensor,
};

/// A convolution and its map, attention within the map, and the map's mean through a linear layer.
fn plan() -> Plan {
    let counting = |shape: &[usize], scale: f32| {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|v| scale * ((v * 37 % 101) as f32 / 50.0 - 1.0));
        Tensor::new(shape, values.collect()).unwrap()
    };
    let (mut plan, image) = Plan::new(3);
    let kernel = plan.constant(counting(&[16, 3, 5, 5], 0.1));
    let bias = plan.constant(counting(&[16], 0.3));
    let map = plan.step(Operation::Conv2d(Convolution::default()), &[image, kernel, bias]);
    let map = plan.step(Operation::Relu, &[map]);
    let mean = plan.step(Operation::GlobalMean, &[map]);
    let matrix = plan.constant(counting(&[7, 16], 0.2));
    let row = plan.step(Operation::Linear, &[mean, matrix]);
    let keys = plan.step(Operation::Reshape(vec![0, 2, 8, -1]), &[map]);
    let queries = plan.step(Operation::Permute(vec![0, 1, 3, 2]), &[keys]);
    let logits = plan.step(Operation::MatMul, &[queries, keys]);
    let shares = plan.step(Operation::Softmax { axis: 3 }, &[logits]);
    let mut attention = plan.step(Operation::MatMul, &[shares, queries]);
    for operation in [
        Operation::Gelu,
        Operation::Softplus,
        Operation::Sigmoid,
        Operation::ReflectPad(3),
    ] {
        attention = plan.step(operation, &[attention]);
    }
    let sign = plan.step(Operation::Sign, &[attention]);
    let attention = plan.step(Operation::Mul, &[attention, sign]);
    plan.output("map", map);
    plan.output("attention", attention);
    plan.output("row", row);
    plan
}

fn pictures(count: usize) -> Tensor {
    let (height, width) = (33, 47);
    let values = (0..count * 3 * height * width).map(|v| (v * 7919 % 1009) as f32 / 504.5 - 1.0);
    Tensor::new(&[count, 3, height, width], values.collect()).unwrap()
}

#[test]
fn onnx_runtime_agrees_with_rten_for_any_batch() {
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        eprintln!("skipped: ORT_DYLIB_PATH names no ONNX Runtime");
        return;
    }
    let device = OrtDevice::Cpu { threads: 2 };
    let mut ort = OrtExecutor::from_onnx(plan().to_onnx(), device).unwrap();
    assert!(ort.describe().version.starts_with("1."), "{:?}", ort.describe());
    let got = ort.run(&pictures(3)).unwrap();
    let want = RtenExecutor::new(&plan(), 2).unwrap().run(&pictures(3)).unwrap();
    for ((name, got), (own, want)) in got.iter().zip(&want) {
        assert_eq!((name, &got.shape), (own, &want.shape));
        for (got, want) in got.data.iter().zip(&want.data) {
            assert!((got - want).abs() <= 1e-5, "{name}: {got} {want}");
        }
    }
    // One by one: the same bytes in a batch of another size.
    let alone = ort.run(&pictures(1)).unwrap();
    assert_eq!(alone[2].1.data[..], got[2].1.data[..7]);

    let only_row = |output: &str| OnnxModel {
        output: Some(output.to_owned()),
        ..OnnxModel::from(plan().to_onnx())
    };
    let mut ort = OrtExecutor::from_onnx(only_row("row"), device).unwrap();
    let outputs = ort.run(&pictures(1)).unwrap();
    assert_eq!((outputs.len(), &outputs[0].1.data), (1, &alone[2].1.data));
    let missing = OrtExecutor::from_onnx(only_row("none"), device).err();
    assert!(matches!(missing, Some(LoadError::NoOutput { .. })));

    // What is framed as ONNX but is no network is the runtime's to refuse.
    let damaged = OrtExecutor::from_onnx(vec![0x08, 0x08], device).err();
    assert!(
        matches!(damaged, Some(LoadError::Interface { .. })),
        "{damaged:?}"
    );
    let wrong = ort.run(&Tensor::new(&[1, 4, 8, 8], vec![0.0; 256]).unwrap());
    assert!(wrong.unwrap_err().to_string().contains("3 channels"));
    let small = ort.run(&Tensor::new(&[1, 3, 2, 2], vec![0.0; 12]).unwrap());
    assert!(small.unwrap_err().to_string().contains("onnxruntime failed"));
}
