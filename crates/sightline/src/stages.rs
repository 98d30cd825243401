//! From a text such as `csa:weights=W.pth` to a stage of re-ranking.

use crate::Error;
use crate::fused::fused_model;
#[cfg(feature = "nn")]
use sightline_rerank::CsaSettings;
use sightline_rerank::{
    Aqe, Dba, Diffusion, Fusion, KReciprocal, LocalMix, Reranker, Settings, SettingsError, Spatial,
    SuperGlobal,
};

/// What opening a stage may need.
#[derive(Clone, Debug)]
pub struct StageOptions {
    /// Where networks run, such as `cpu`.
    pub device: String,
    /// Number of threads of networks on the CPU (0: one a core).
    pub threads: usize,
    /// Names of the images that are searched, in order, by which another model's descriptors are found; empty where those are in the right order.
    pub images: Vec<String>,
    /// The same of the queries.
    pub queries: Vec<String>,
}

/// Why a text is no stage.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// No such method.
    #[error("there is no re-ranking `{method}`; there are {}", known.join(", "))]
    Unknown {
        /// What was typed.
        method: String,
        /// The methods that there are.
        known: &'static [&'static str],
    },
    /// Its settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What it needs could not be opened.
    #[error(transparent)]
    Open(#[from] Error),
}

/// Every method of [`open_stage`].
pub const METHODS: &[&str] = &[
    "aqe",
    #[cfg(feature = "nn")]
    "csa",
    "dba",
    "diffusion",
    "fusion",
    "k-reciprocal",
    "mix",
    "spatial",
    "superglobal",
];

/// Opens the stage `METHOD` or `METHOD:KEY=VALUE,KEY=VALUE`; what is not given is as published.
///
/// # Errors
/// When there is no such method or key, a value does not fit, or a file that is named cannot be read.
pub fn open_stage(text: &str, options: &StageOptions) -> Result<Box<dyn Reranker>, StageError> {
    let (method, rest) = text.split_once(':').unwrap_or((text, ""));
    Ok(match method.trim() {
        "aqe" => Box::new(Aqe::from_settings(&Settings::read("aqe", rest, Aqe::KEYS)?)?),
        #[cfg(feature = "nn")]
        "csa" => {
            let settings = CsaSettings::from_settings(&Settings::read("csa", rest, CsaSettings::KEYS)?)?;
            let threads = crate::describer::threads_or_cores(options.threads);
            Box::new(crate::csa(&settings, &options.device, threads)?)
        }
        "dba" => Box::new(Dba::from_settings(&Settings::read("dba", rest, Dba::KEYS)?)?),
        "diffusion" => Box::new(Diffusion::from_settings(&Settings::read(
            "diffusion",
            rest,
            Diffusion::KEYS,
        )?)?),
        "fusion" => {
            let settings = Settings::read("fusion", rest, Fusion::KEYS)?;
            let open = |files| fused_model(&files, &options.images, &options.queries);
            let models = Fusion::files(&settings)?.into_iter().map(open);
            let models = models.collect::<Result<Vec<_>, Error>>()?;
            Box::new(Fusion::from_settings(&settings, models)?)
        }
        "k-reciprocal" => Box::new(KReciprocal::from_settings(&Settings::read(
            "k-reciprocal",
            rest,
            KReciprocal::KEYS,
        )?)?),
        "mix" => Box::new(LocalMix::from_settings(&Settings::read(
            "mix",
            rest,
            LocalMix::KEYS,
        )?)?),
        "spatial" => Box::new(Spatial::from_settings(&Settings::read(
            "spatial",
            rest,
            Spatial::KEYS,
        )?)?),
        "superglobal" => Box::new(SuperGlobal::from_settings(&Settings::read(
            "superglobal",
            rest,
            SuperGlobal::KEYS,
        )?)?),
        other => {
            return Err(StageError::Unknown {
                method: other.to_owned(),
                known: METHODS,
            });
        }
    })
}
