//! Golden cases of the area `models` that this crate's networks compute, in Burn and through the recorded plan.
//!
//! The cases come from `$GOLDEN_DIR` (default `tests/golden` of the workspace).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(missing_docs, unreachable_pub, dead_code, clippy::neg_cmp_op_on_partial_ord)]

#[path = "../../sightline/tests/golden/case.rs"]
mod case;
#[path = "../../sightline/tests/golden/models.rs"]
mod models;

use burn::tensor::{Device, Tensor, TensorData};
use case::Case;
use sightline_nn::{BurnOps, DESCRIPTOR};
use sightline_plan::Tensor as PlainTensor;
use std::path::{Path, PathBuf};

fn check(name: &str) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = workspace.join(std::env::var_os("GOLDEN_DIR").unwrap_or_else(|| "tests/golden".into()));
    let path: PathBuf = root.join("models").join(format!("{name}.safetensors"));
    let case = Case::open(&path).unwrap();
    let plan = models::run(&case).unwrap();
    if let Err(difference) = case.compare(&plan) {
        panic!("{name}, recorded plan: {difference}");
    }

    let (network, image) = models::network_and_image(&case).unwrap();
    let image = Tensor::<4>::from_data(TensorData::new(image.data, image.shape), &Device::flex());
    let mut named = Vec::new();
    let descriptor = network.forward(&mut BurnOps::default(), image, &mut |name, map| {
        named.push((name.to_owned(), plain(map.clone())));
    });
    named.push((DESCRIPTOR.to_owned(), plain(descriptor)));
    if let Err(difference) = case.compare(&models::outputs(&named)) {
        panic!("{name}, Burn: {difference}");
    }
}

fn plain<const D: usize>(tensor: Tensor<D>) -> PlainTensor {
    let shape = tensor.dims().to_vec();
    let data = tensor.into_data().try_to_vec::<f32>().unwrap();
    PlainTensor { shape, data }
}

macro_rules! cases {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*
    };
}

cases! {
    dir_resnet18 dir_resnet50 dir_resnet101 dir_resnet152
    dir_resnet50_max dir_resnet50_avg_nofc dir_resnet18_all dir_resnet18_classif
    cir_resnet50_gem cir_resnet101_gem_w cir_resnet18_gemmp
    cir_resnet18_rmac cir_resnet50_gem_r_w cir_resnet34_mac_r cir_resnet18_lw_gem_w
    resnet18_layer3_gem
}
