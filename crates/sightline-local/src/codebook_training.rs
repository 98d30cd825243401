//! Training a codebook on a file of local features, with a state on the disk that an interrupted training goes on from.

use crate::codebook::{Codebook, CodebookError, Trained};
use crate::feature_file::FeatureFile;
use bytemuck::cast_slice;
use half::f16;
use serde::{Deserialize, Serialize};
use sightline_card::sha256_hex;
use sightline_checkpoint::safetensors::{WriteError, write_safetensors};
use sightline_checkpoint::{ReadError, Tensor, Value, read};
use sightline_search::{
    Iteration, KMeansError, KMeansForm, KMeansReport, KMeansSettings, KMeansStart, KMeansState, Points,
    SearchError, k_means,
};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const STATE_FORMAT: &str = "sightline-codebook-state";
const STATE_VERSION: u32 = 1;

/// Which features of a file a codebook is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingFeatures {
    /// Of the first so many pictures; none: of all.
    pub images: Option<usize>,
    /// So many of a picture at most, the strongest; none: all.
    pub per_image: Option<usize>,
    /// Only those found at scale 1, as HOW does; counted before `per_image`.
    pub scale1_only: bool,
}

/// Why a codebook could not be trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The words could not be trained.
    #[error(transparent)]
    KMeans(#[from] KMeansError),
    /// The features could not be taken.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The words are no codebook.
    #[error(transparent)]
    Codebook(#[from] CodebookError),
    /// The state cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The state cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The state is damaged, or of another training.
    #[error("The training cannot go on from {}: {reason}. Begin anew without it.", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a state must have in common with the training that goes on from it.
#[derive(Serialize)]
struct Key<'a> {
    words: usize,
    seed: u64,
    form: String,
    start: &'a str,
    features: TrainingFeatures,
    /// What tells the file of features apart.
    file: String,
    vectors: usize,
}

/// Trains a codebook on the features of `file`.
///
/// After each iteration the state is written to `state` and after the last one removed; with `resume` a training goes on from it
/// where it lies there. More iterations than before may be asked for. `watch` is told what happens and may stop it.
/// Memory beyond the mapped file: some five times the words, 4 bytes a feature that was chosen and 16 a feature at most.
///
/// # Errors
/// When there are fewer features than words, a descriptor is not finite, the state is damaged or of another training, or the file
/// system refuses.
pub fn train_codebook(
    file: &FeatureFile,
    features: TrainingFeatures,
    settings: &KMeansSettings,
    state: &Path,
    resume: bool,
    watch: &mut dyn FnMut(KMeansReport<'_>) -> ControlFlow<()>,
) -> Result<Codebook, TrainingError> {
    let points = training_points(file, features)?;
    let (form, start) = (form_name(settings.form), start_name(settings.start));
    let key = Key {
        words: settings.words,
        seed: settings.seed,
        form: match settings.form {
            KMeansForm::Full => form.to_owned(),
            KMeansForm::MiniBatch { batch } => format!("{form} {batch}"),
        },
        start,
        features,
        file: file.stated_sha256(),
        vectors: points.count(),
    };
    // Plain structs with text keys always serialise.
    let key = sha256_hex(&serde_json::to_vec(&key).unwrap_or_default());
    let from = if resume && state.exists() {
        Some(read_state(state, &key)?)
    } else {
        None
    };
    let mut unwritten = None;
    let trained = k_means(&points, settings, from, &mut |report| {
        if let KMeansReport::Done(now) = report
            && let Err(error) = write_state(state, &key, now, points.dim())
        {
            unwritten = Some(error);
            return ControlFlow::Break(());
        }
        watch(report)
    });
    if let Some(error) = unwritten {
        return Err(error);
    }
    let trained = trained?;
    let mut codebook = Codebook::new(points.dim(), trained.centroids)?;
    codebook.trained = Some(Trained {
        form: form.to_owned(),
        start: start.to_owned(),
        iterations: trained.iterations.len(),
        seed: settings.seed,
        features,
        vectors: points.count(),
        mean_distance: trained
            .iterations
            .last()
            .map_or(0.0, |last| last.objective / last.vectors as f64),
        identity: file.card().map(|card| card.identity.clone()),
    });
    Ok(codebook)
}

/// The state has served; whether it is there or not.
///
/// # Errors
/// When the file system refuses.
pub fn remove_training_state(state: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(state) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn form_name(form: KMeansForm) -> &'static str {
    match form {
        KMeansForm::Full => "faiss",
        KMeansForm::MiniBatch { .. } => "minibatch",
    }
}

fn start_name(start: KMeansStart) -> &'static str {
    match start {
        KMeansStart::Random => "random",
        KMeansStart::PlusPlus => "plus-plus",
    }
}

/// The descriptors of the features that were asked for, picture after picture, strongest first.
///
/// # Errors
/// When there are 2^32 features or more.
pub fn training_points(file: &FeatureFile, features: TrainingFeatures) -> Result<Points<'_>, SearchError> {
    let all = Points::new(vec![file.rows()])?;
    if features == TrainingFeatures::default() {
        return Ok(all);
    }
    let mut chosen = Vec::new();
    for picture in 0..features.images.unwrap_or(usize::MAX).min(file.len()) {
        let scales = file.picture(picture).scales;
        let found = file.range(picture).zip(scales);
        let found = found.filter(|(_, scale)| !features.scale1_only || **scale == f16::ONE);
        let found = found.take(features.per_image.unwrap_or(usize::MAX));
        // `Points::new` has refused more than 32 bits can number.
        chosen.extend(found.map(|(row, _)| row as u32));
    }
    all.choose(chosen)
}

fn write_state(path: &Path, key: &str, state: &KMeansState, dim: usize) -> Result<(), TrainingError> {
    let iterations: Vec<f64> = state
        .iterations
        .iter()
        .flat_map(|one| {
            [
                one.vectors as f64,
                one.objective,
                one.imbalance,
                one.splits as f64,
            ]
        })
        .collect();
    let damaged = |error: sightline_checkpoint::TensorError| TrainingError::State {
        path: path.to_owned(),
        reason: error.to_string().trim_end_matches('.').to_owned(),
    };
    let words = state.counts.len();
    let tensors = [
        ("centroids", Tensor::from_f32(vec![words, dim], &state.centroids)),
        ("counts", Tensor::from_f64(vec![words], &state.counts)),
        (
            "iterations",
            Tensor::from_f64(vec![state.iterations.len(), 4], &iterations),
        ),
    ];
    let tensors: Vec<(&str, Tensor)> = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor?)))
        .collect::<Result<_, _>>()
        .map_err(damaged)?;
    let metadata = [
        ("format", STATE_FORMAT.to_owned()),
        ("format_version", STATE_VERSION.to_string()),
        ("training", key.to_owned()),
        ("sha256", checksum(state, &iterations)),
    ]
    .map(|(name, text)| (name.to_owned(), text));
    Ok(write_safetensors(path, &tensors, &metadata)?)
}

fn checksum(state: &KMeansState, iterations: &[f64]) -> String {
    let parts: [&[u8]; 3] = [
        cast_slice(&state.centroids),
        cast_slice(&state.counts),
        cast_slice(iterations),
    ];
    sha256_hex(parts.map(sha256_hex).concat().as_bytes())
}

fn read_state(path: &Path, key: &str) -> Result<KMeansState, TrainingError> {
    let wrong = |reason: &str| TrainingError::State {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let file = read(path)?;
    let metadata = |name: &str| {
        let found = file.metadata.iter().find(|(own, _)| own == name);
        found.map(|(_, text)| text.as_str())
    };
    if metadata("format") != Some(STATE_FORMAT) {
        return Err(wrong("it is no state of a training"));
    }
    if metadata("format_version") != Some(&STATE_VERSION.to_string()) {
        return Err(wrong("it is of another format version"));
    }
    if metadata("training") != Some(key) {
        return Err(wrong("it was begun with other settings or other features"));
    }
    let tensor = |name: &str| file.value.get(name).and_then(Value::as_tensor);
    let (Some(centroids), Some(counts), Some(iterations)) =
        (tensor("centroids"), tensor("counts"), tensor("iterations"))
    else {
        return Err(wrong("a part is missing"));
    };
    let (Ok(centroids), Ok(counts), Ok(numbers)) = (centroids.to_f32(), counts.to_f64(), iterations.to_f64())
    else {
        return Err(wrong("a part is of another type"));
    };
    let iterations = numbers.chunks_exact(4).map(|one| Iteration {
        vectors: one[0] as usize,
        objective: one[1],
        imbalance: one[2],
        splits: one[3] as usize,
    });
    let state = KMeansState {
        centroids,
        counts,
        iterations: iterations.collect(),
    };
    if metadata("sha256") != Some(checksum(&state, &numbers).as_str()) {
        return Err(wrong(
            "its values are not those that were written (the checksum differs)",
        ));
    }
    Ok(state)
}

#[cfg(test)]
mod tests;
