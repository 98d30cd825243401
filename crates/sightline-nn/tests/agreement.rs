//! The same network by Burn and by its recorded plan, and the same bytes for any threads and batch.

#![allow(clippy::unwrap_used, missing_docs)]

use sightline_checkpoint::formula;
use sightline_nn::{
    Architecture, BurnExecutor, DESCRIPTOR, Device, HeadExecutor, Network, RecordError, Weights,
};
use sightline_plan::{Executor, RtenExecutor, Tensor};

fn network(name: &str) -> Network {
    let architecture = Architecture::parse(name).unwrap();
    let weights = Weights::by_formula(&architecture, 11);
    Network::load(&architecture, &weights).unwrap()
}

fn pictures(shape: [usize; 4]) -> Tensor {
    let count = shape.iter().product();
    let values = formula::uniform("pictures", 3, count);
    Tensor::new(&shape, values.iter().map(|u| 1.5 * *u as f32).collect()).unwrap()
}

#[test]
fn burn_and_plan_agree_on_odd_sizes() {
    // Sizes whose maps are thin: one pixel, one row, one column.
    for (name, shape) in [
        ("resnet18/dir-gem-out64-normfeatures-bias0.7", [1, 3, 20, 300]),
        ("resnet18/dir-avg-out64-bias0.5", [2, 3, 130, 9]),
        ("resnet18:layer2/gem-p2.5", [1, 3, 1, 1]),
        ("resnet18:layer3/mac", [1, 3, 33, 7]),
        ("resnet18:layer1/spoc", [2, 3, 5, 64]),
        ("resnet18-s1211-d1122:layer3/gem", [1, 3, 40, 31]),
        ("resnet18/dir-fpn-nofc", [2, 3, 33, 70]),
        ("vgg11/gem", [1, 3, 16, 37]),
        ("alexnet/mac", [1, 3, 31, 64]),
        ("squeezenet1_1/gem", [1, 3, 17, 40]),
        ("densenet121:features.6/spoc", [2, 3, 29, 33]),
        ("resnet34:layer2/cir-gemmp-w", [1, 3, 40, 31]),
        ("resnet18/token-l3-d64-h4", [2, 3, 33, 70]),
        ("resnet18:layer3/token-d96-h3", [1, 3, 1, 90]),
        ("vgg11/token-d64", [1, 3, 16, 37]),
        ("resnet18:layer3/token-solar-out50", [2, 3, 70, 33]),
        ("resnet18/token-delg", [2, 3, 70, 33]),
        ("resnet18/token-netvlad-k5-d64", [2, 3, 40, 70]),
        ("resnet18:layer2/how-out24", [2, 3, 40, 31]),
        ("vgg11:features.9/how-unreduced-smooth1", [1, 3, 17, 20]),
        ("resnet18/delg-out24", [2, 3, 40, 31]),
        ("resnet18:layer3/delf", [2, 3, 40, 31]),
        ("resnet18/superglobal-out24", [2, 3, 65, 90]),
        ("resnet18/superglobal-out24-norelup-norgem-nogemp", [2, 3, 40, 31]),
        ("resnet18:layer2/gem-relup-rgem-gemp", [2, 3, 40, 31]),
        ("resnet18:layer2/gem-p2.5-rgem3", [1, 3, 17, 31]),
        ("vgg11:features.9/cir-gemmp-rgem-gemp3", [1, 3, 17, 30]),
        ("resnet18:layer2/dir-gem-out24-gemp", [1, 3, 17, 30]),
    ] {
        let network = network(name);
        let input = pictures(shape);
        let mut plan = RtenExecutor::new(&network.record().unwrap(), 2).unwrap();
        let dim = network.architecture().dim();
        let mut burn = BurnExecutor::new(network.on(&Device::flex()), &Device::flex());
        let (by_plan, by_burn) = (plan.run(&input).unwrap(), burn.run(&input).unwrap());
        assert_eq!(by_plan[0].0, by_burn[0].0);
        assert_eq!(by_plan[0].1.shape, [shape[0], dim], "{name}");
        assert_eq!(by_burn[0].1.shape, [shape[0], dim], "{name}");
        for (a, b) in by_plan[0].1.data.iter().zip(&by_burn[0].1.data) {
            assert!((a - b).abs() < 2e-6, "{name}: {a} {b}");
        }
    }
}

#[test]
fn regions_of_any_size_by_three_ways() {
    for name in [
        "resnet18:layer3/rmac",
        "resnet18:layer2/cir-rmac-l5-w",
        "resnet18:layer3/cir-mac-lw-r-w",
        "resnet18:layer2/cir-gem-r2-p2.5",
        "resnet18:layer2/token-rmac-l2-out40",
    ] {
        let network = network(name);
        assert_eq!(network.record().unwrap_err(), RecordError::AnySize);
        let device = Device::flex();
        let mut burn = BurnExecutor::new(network.on(&device), &device);
        let map = RtenExecutor::new(&network.record_map().unwrap(), 2).unwrap();
        let mut split = HeadExecutor::new(Box::new(map), &network);
        for shape in [[1, 3, 1, 1], [2, 3, 40, 150], [1, 3, 300, 17], [1, 3, 65, 64]] {
            let input = pictures(shape);
            let descriptor = |executor: &mut dyn Executor| {
                let (name, descriptor) = executor.run(&input).unwrap().remove(0);
                assert_eq!(name, DESCRIPTOR);
                assert_eq!(descriptor.shape, [shape[0], network.architecture().dim()]);
                descriptor.data
            };
            let want = descriptor(&mut burn);
            let plan = network.record_for([shape[2], shape[3]]).unwrap();
            let whole = descriptor(&mut RtenExecutor::new(&plan, 2).unwrap());
            let parts = descriptor(&mut split);
            for (want, got) in want.iter().zip(&whole).chain(want.iter().zip(&parts)) {
                assert!((want - got).abs() < 2e-6, "{name} {shape:?}: {want} {got}");
            }
        }
    }
}

#[test]
fn local_features_by_burn_and_plan() {
    let device = Device::flex();
    for (name, shape, dim) in [
        ("resnet18:layer3/how", [2, 3, 70, 33], 128),
        ("resnet18:layer2/how-out7-smooth5", [1, 3, 9, 90], 7),
        ("vgg16:features.4/how-unreduced", [1, 3, 7, 8], 64),
        ("resnet18:layer3/delf", [2, 3, 70, 33], 512),
        ("resnet50:layer3/delf", [1, 3, 33, 40], 512),
    ] {
        let network = network(name);
        let trunk = network.architecture().trunk();
        let head = network.architecture().head();
        assert_eq!(
            (head.has_local(), head.local_dim(trunk.channels())),
            (true, Some(dim))
        );
        let cells = |pixels: usize| pixels.div_ceil(trunk.cells().stride);
        let sides = match name.starts_with("vgg") {
            true => [shape[2] / 2, shape[3] / 2],
            false => [cells(shape[2]), cells(shape[3])],
        };
        let input = pictures(shape);
        let mut plan = RtenExecutor::new(&network.record_local().unwrap(), 2).unwrap();
        let mut burn = BurnExecutor::local(network.on(&device), &device).unwrap();
        let (by_plan, by_burn) = (plan.run(&input).unwrap(), burn.run(&input).unwrap());
        for (index, (output, channels)) in [(Network::LOCAL, dim), (Network::STRENGTH, 1)]
            .into_iter()
            .enumerate()
        {
            let ((name, plan), (same, burn)) = (&by_plan[index], &by_burn[index]);
            assert_eq!((name.as_str(), same.as_str()), (output, output));
            assert_eq!(plan.shape, [shape[0], channels, sides[0], sides[1]]);
            assert_eq!(plan.shape, burn.shape);
            for (a, b) in plan.data.iter().zip(&burn.data) {
                assert!((a - b).abs() < 2e-5 * (1.0 + a.abs()), "{name}: {a} {b}");
            }
        }
    }
    let plain = network("resnet18:layer1/gem");
    let architecture = plain.architecture().to_string();
    assert_eq!(
        plain.record_local().unwrap_err(),
        RecordError::NoLocal { architecture }
    );
    assert!(BurnExecutor::local(plain, &device).is_err());
}

#[test]
fn bytes_do_not_depend_on_threads_or_batch() {
    // A width of 200 leaves each thread another remainder of rows than one thread alone has.
    let plan = network("resnet50/dir-gem-out200").record().unwrap();
    let batch = pictures([3, 3, 75, 98]);
    let run = |threads: usize, input: &Tensor| {
        let mut executor = RtenExecutor::new(&plan, threads).unwrap();
        executor.run(input).unwrap().remove(0).1.data
    };
    let want = run(1, &batch);
    for threads in [2, 3, 5, 8] {
        assert_eq!(run(threads, &batch), want, "{threads} threads");
    }
    let one_by_one: Vec<f32> = batch
        .data
        .chunks(batch.data.len() / 3)
        .flat_map(|picture| run(3, &Tensor::new(&[1, 3, 75, 98], picture.to_vec()).unwrap()))
        .collect();
    assert_eq!(one_by_one, want);
}

#[test]
fn pictures_without_a_map_are_refused() {
    for (name, shortest) in [("vgg11/mac", 16), ("squeezenet1_0/gem", 21)] {
        let network = network(name);
        let mut plan = RtenExecutor::new(&network.record().unwrap(), 1).unwrap();
        let mut burn = BurnExecutor::new(network.on(&Device::flex()), &Device::flex());
        for executor in [&mut plan as &mut dyn Executor, &mut burn] {
            let run = |executor: &mut dyn Executor, side: usize| executor.run(&pictures([1, 3, 64, side]));
            assert!(run(executor, shortest).is_ok(), "{name}");
            assert!(run(executor, shortest - 1).is_err(), "{name}");
        }
        assert!(network.record_for([64, shortest]).is_ok(), "{name}");
        let size = [shortest - 1, 64];
        assert_eq!(
            network.record_for(size).unwrap_err(),
            RecordError::TooSmall { size }
        );
    }
}
