//! From a text such as `csa:weights=W.pth` to a stage of re-ranking.

use crate::Error;
use sightline_rerank::{
    Aqe, Dba, Diffusion, KReciprocal, LocalMix, Reranker, Settings, SettingsError, Spatial, SuperGlobal,
};

/// What opening a stage may need.
#[derive(Clone, Debug)]
pub struct StageOptions {
    /// Where networks run, such as `cpu`.
    pub device: String,
    /// Number of threads of networks on the CPU (0: one a core).
    pub threads: usize,
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
    "dba",
    "diffusion",
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
    let _ = options;
    Ok(match method.trim() {
        "aqe" => Box::new(Aqe::from_settings(&Settings::read("aqe", rest, Aqe::KEYS)?)?),
        "dba" => Box::new(Dba::from_settings(&Settings::read("dba", rest, Dba::KEYS)?)?),
        "diffusion" => Box::new(Diffusion::from_settings(&Settings::read(
            "diffusion",
            rest,
            Diffusion::KEYS,
        )?)?),
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
