//! Choosing the runtime of an ONNX model by the name of a device.

use crate::{Executor, Kernel, LoadError, OnnxModel, Plan, RtenExecutor, TransformerExecutor};

/// The quickest executor of a plan on the CPU, on `threads` threads: plans over tokens run with kernels of our own where this
/// processor has instructions for them ([`TransformerExecutor`]), all others through `rten`.
///
/// # Errors
/// When the plan names no output, or the runtime refuses it.
pub fn plan_executor(plan: &Plan, threads: usize) -> Result<Box<dyn Executor>, LoadError> {
    if Kernel::best() != Kernel::Portable
        && let Some(executor) = TransformerExecutor::new(plan, threads)?
    {
        return Ok(Box::new(executor));
    }
    Ok(Box::new(RtenExecutor::new(plan, threads)?))
}

/// Whether a device's name is one of [`executor_on`]'s.
pub fn is_onnx_device(device: &str) -> bool {
    device == "cpu" || is_ort(device)
}

/// Runs a model on `cpu` (through `rten`), `ort` (ONNX Runtime on the CPU), or `ort-cuda` and `ort-cuda:1` (ONNX Runtime
/// on an NVIDIA GPU); on the CPU with `threads` threads.
///
/// # Errors
/// When the device has another name, is not part of this build, or refuses the model.
pub fn executor_on(
    device: &str,
    model: impl Into<OnnxModel>,
    threads: usize,
) -> Result<Box<dyn Executor>, LoadError> {
    match device {
        "cpu" => Ok(Box::new(RtenExecutor::from_onnx(model, threads)?)),
        _ if is_ort(device) => ort(device, model.into(), threads),
        _ => Err(LoadError::NoDevice {
            device: device.to_owned(),
        }),
    }
}

fn is_ort(device: &str) -> bool {
    device == "ort" || cuda_index(device).is_some()
}

/// The number of the GPU in `ort-cuda` (0) or `ort-cuda:N`.
fn cuda_index(device: &str) -> Option<i32> {
    let rest = device.strip_prefix("ort-cuda")?;
    match rest.strip_prefix(':') {
        Some(index) => index.parse().ok().filter(|index| *index >= 0),
        None => rest.is_empty().then_some(0),
    }
}

#[cfg(feature = "ort")]
fn ort(device: &str, model: OnnxModel, threads: usize) -> Result<Box<dyn Executor>, LoadError> {
    use crate::{OrtDevice, OrtExecutor};
    let device = match cuda_index(device) {
        Some(index) => OrtDevice::Cuda { index },
        None => OrtDevice::Cpu { threads },
    };
    Ok(Box::new(OrtExecutor::from_onnx(model, device)?))
}

#[cfg(not(feature = "ort"))]
fn ort(device: &str, _model: OnnxModel, _threads: usize) -> Result<Box<dyn Executor>, LoadError> {
    Err(LoadError::NotBuilt {
        device: device.to_owned(),
        feature: "ort",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        for known in ["cpu", "ort", "ort-cuda", "ort-cuda:1"] {
            assert!(is_onnx_device(known), "{known}");
        }
        for other in [
            "burn",
            "cuda",
            "ort:1",
            "ort-cuda:",
            "ort-cuda:-1",
            "ort-cuda:x",
            "",
        ] {
            assert!(!is_onnx_device(other), "{other}");
            let refused = executor_on(other, Vec::new(), 1).err();
            assert!(matches!(refused, Some(LoadError::NoDevice { .. })), "{other}");
        }
        let not_onnx = executor_on("cpu", Vec::new(), 1).err();
        assert!(matches!(not_onnx, Some(LoadError::NotOnnx)));
    }
}
