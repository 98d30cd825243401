//! Running a plan, or a foreign ONNX file, through ONNX Runtime, whose library is loaded when the program runs.

use crate::executor::{check_batch, check_elements, check_size, join_pictures, wanted_outputs};
use crate::{Executor, LoadError, OnnxHeader, OnnxModel, OnnxValue, RunError, Runtime, Tensor};
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::value::TensorRef;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const NAME: &str = "onnxruntime";

/// ONNX Runtime allows one environment a process; sessions keep it alive.
static ENVIRONMENT: Mutex<Option<(Environment, String)>> = Mutex::new(None);

/// Where ONNX Runtime computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrtDevice {
    /// On the CPU with so many threads.
    Cpu {
        /// At least one.
        threads: usize,
    },
    /// On the NVIDIA GPU of that number, with a library that was built for it.
    Cuda {
        /// From 0.
        index: i32,
    },
}

/// Runs a plan or an ONNX file through ONNX Runtime, in float32.
///
/// Pictures of a batch are run one by one, so that the same picture gives the same bytes whatever else is in the batch.
pub struct OrtExecutor {
    session: Session,
    version: String,
    device: OrtDevice,
    channels: Option<usize>,
    size: [Option<usize>; 2],
    outputs: Vec<String>,
}

impl OrtExecutor {
    /// Loads an ONNX model (or the bytes of its file) with one input `[N, C, H, W]` of float32.
    ///
    /// The library is the one that the environment variable `ORT_DYLIB_PATH` names, else what the system's loader finds.
    ///
    /// # Errors
    /// When the library is not there or too old, refuses the model, lacks the device; when the model has another number
    /// of inputs, lacks the output that it names, or has values of another type than float32.
    pub fn from_onnx(model: impl Into<OnnxModel>, device: OrtDevice) -> Result<Self, LoadError> {
        let source = model.into();
        let header = OnnxHeader::read(&source.bytes)?;
        if header.inputs.len() != 1 || header.outputs.is_empty() {
            return Err(LoadError::Interface {
                inputs: header.inputs.len(),
                outputs: header.outputs.len(),
            });
        }
        let names = header.outputs.iter().map(|output| output.name.clone()).collect();
        let outputs = wanted_outputs(names, source.output.as_deref())?;
        check_elements(NAME, &header, &outputs, &[OnnxValue::FLOAT32])?;
        let (environment, version) = environment()?;
        let session = session(&environment, &source, device).map_err(|reason| LoadError::Refused {
            runtime: NAME,
            reason,
        })?;
        let channels = match header.inputs[0].shape.as_deref() {
            Some([_, channels, _, _]) => *channels,
            _ => None,
        };
        Ok(Self {
            session,
            version,
            device,
            channels,
            size: header.picture_axes(),
            outputs,
        })
    }

    /// Runs one picture, values `[C, H, W]`.
    fn run_one(&mut self, values: &[f32], [c, h, w]: [usize; 3]) -> Result<Vec<Tensor>, RunError> {
        let failed = |error: ort::Error| RunError::Runtime {
            runtime: NAME,
            shape: vec![1, c, h, w],
            reason: sentence(error.message()),
        };
        let input = TensorRef::from_array_view(([1, c, h, w], values)).map_err(failed)?;
        let results = self.session.run(ort::inputs![input]).map_err(failed)?;
        self.outputs
            .iter()
            .map(|name| {
                let wrong = |reason: String| RunError::Output {
                    name: name.clone(),
                    reason,
                };
                let value = results
                    .get(name)
                    .ok_or_else(|| wrong("the runtime did not compute it".to_owned()))?;
                let (shape, data) = value.try_extract_tensor::<f32>().map_err(|error| {
                    wrong(format!("it is no float tensor ({})", sentence(error.message())))
                })?;
                let shape = shape.iter().map(|axis| usize::try_from(*axis).unwrap_or(0));
                Ok(Tensor {
                    shape: shape.collect(),
                    data: data.to_vec(),
                })
            })
            .collect()
    }
}

impl Executor for OrtExecutor {
    fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
        let [_, c, h, w] = check_batch(input, self.channels)?;
        check_size(input, self.size)?;
        let pictures = input
            .data
            .chunks(c * h * w)
            .map(|values| self.run_one(values, [c, h, w]))
            .collect::<Result<Vec<_>, _>>()?;
        join_pictures(&self.outputs, pictures)
    }

    fn describe(&self) -> Runtime {
        Runtime {
            name: NAME.to_owned(),
            version: self.version.clone(),
            precision: "f32".to_owned(),
            device: match self.device {
                OrtDevice::Cpu { .. } => "cpu".to_owned(),
                OrtDevice::Cuda { index } => format!("cuda:{index}"),
            },
        }
    }
}

/// Loads the library, once; also its version.
fn environment() -> Result<(Environment, String), LoadError> {
    let library = |reason: String| LoadError::Library { reason };
    let mut kept = ENVIRONMENT
        .lock()
        .map_err(|_| library("an earlier attempt ended in a panic".to_owned()))?;
    if let Some(loaded) = &*kept {
        return Ok(loaded.clone());
    }
    let named = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    let path = match named {
        // A path is meant from where the command was started, not from where its program lies.
        Some(path) => std::path::absolute(&path).unwrap_or_else(|_| path.into()),
        None => PathBuf::from(format!(
            "{}onnxruntime{}",
            std::env::consts::DLL_PREFIX,
            std::env::consts::DLL_SUFFIX
        )),
    };
    let environment = ort::init_from(&path)
        .map_err(|error| library(error.to_string()))?
        .with_name("sightline")
        .with_telemetry(false)
        .build()
        .map_err(|error| library(sentence(error.message())))?;
    let loaded = (environment, version(&path));
    *kept = Some(loaded.clone());
    Ok(loaded)
}

fn session(environment: &Environment, source: &OnnxModel, device: OrtDevice) -> Result<Session, String> {
    let text = |error: ort::Error| sentence(error.message());
    let mut options = Session::builder(environment).map_err(text)?;
    if std::env::var_os("ORT_LOG").is_none() {
        // What fails comes back as an error and is said once.
        options = options
            .with_log_level(LogLevel::Fatal)
            .map_err(|error| sentence(error.message()))?;
    }
    let mut options = match device {
        OrtDevice::Cpu { threads } => options.with_intra_threads(threads.max(1)),
        OrtDevice::Cuda { index } => {
            let cuda = ort::ep::CUDA::default().with_device_id(index);
            options.with_execution_providers([cuda.build().error_on_failure()])
        }
    }
    .map_err(|error| sentence(error.message()))?;
    match &source.path {
        // Only from a file does it find the weights beside it.
        Some(path) if !source.external.is_empty() => options.commit_from_file(path),
        _ => options.commit_from_memory(&source.bytes),
    }
    .map_err(text)
}

/// The version of the library that was just loaded, which `ort` knows but does not tell.
fn version(path: &Path) -> String {
    let unknown = || "of unknown version".to_owned();
    // SAFETY: the library at this path is in the process already, so no code runs by loading it once more.
    #[allow(unsafe_code)]
    let Ok(library) = (unsafe { libloading::Library::new(path) }) else {
        return unknown();
    };
    type Entry = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: `OrtGetApiBase` has this signature in every version of ONNX Runtime (onnxruntime_c_api.h), and `ort` called it
    // already. It yields a structure that lives as long as the library, whose text of the version ends with a zero.
    #[allow(unsafe_code)]
    unsafe {
        let Ok(entry) = library.get::<Entry>(b"OrtGetApiBase") else {
            return unknown();
        };
        let Some(base) = entry().as_ref() else {
            return unknown();
        };
        let text = (base.GetVersionString)();
        if text.is_null() {
            return unknown();
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// A message without its full stop, for the middle of a sentence.
fn sentence(message: &str) -> String {
    message.trim().trim_end_matches('.').to_owned()
}
