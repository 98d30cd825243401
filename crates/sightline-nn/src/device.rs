//! Choosing one of Burn's devices by name, at run time.

use burn::tensor::Device;

/// A name that stands for no device of this build.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    /// No device has such a name.
    #[error(
        "`{name}` is no device. Devices are `cpu`, `burn`, `ort`, `ort-cuda`, `cuda`, `cuda:1` (and so on) and `wgpu`."
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// The device exists, but not in this build.
    #[error("This build of Sightline cannot use `{name}`. Build it with the cargo feature `{feature}`.")]
    NotBuilt {
        /// The name.
        name: String,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
}

/// The device called `cpu`, `cuda`, `cuda:INDEX` or `wgpu`.
///
/// ```
/// use sightline_nn::device;
///
/// assert!(device("cpu").is_ok());
/// assert!(device("tpu").unwrap_err().to_string().contains("Devices are `cpu`"));
/// ```
///
/// # Errors
/// When there is no such device, or this build lacks its cargo feature.
pub fn device(name: &str) -> Result<Device, DeviceError> {
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, index.parse::<usize>().ok()),
        None => (name, Some(0)),
    };
    match (kind, index) {
        ("cpu", Some(0)) => Ok(Device::flex()),
        ("cuda", Some(index)) => cuda(name, index),
        ("wgpu", Some(0)) => wgpu(name),
        _ => Err(DeviceError::Unknown {
            name: name.to_owned(),
        }),
    }
}

#[cfg(feature = "cuda")]
fn cuda(_name: &str, index: usize) -> Result<Device, DeviceError> {
    Ok(Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn cuda(name: &str, _index: usize) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt {
        name: name.to_owned(),
        feature: "cuda",
    })
}

#[cfg(feature = "wgpu")]
fn wgpu(_name: &str) -> Result<Device, DeviceError> {
    Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(name: &str) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt {
        name: name.to_owned(),
        feature: "wgpu",
    })
}
