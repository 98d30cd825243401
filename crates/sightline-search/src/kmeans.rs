//! k-means: words that many vectors lie near to.

mod lloyd;
mod mersenne;
mod mini_batch;
mod points;
mod start;

pub use mersenne::rand_perm;
pub use points::Points;

use crate::quantiser::Quantiser;
use crate::{Rows, SearchError};
use lloyd::{Sums, imbalance, split_empty};
use mini_batch::Batches;
use rayon::prelude::*;
use std::ops::ControlFlow;

/// Vectors for each word at most that the full form trains on (faiss's `max_points_per_centroid`).
const FULL_SHARE: usize = 256;
/// Vectors that are assigned between two reports.
const CHUNK: usize = 1 << 16;

/// How vectors move the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KMeansForm {
    /// All vectors, or 256 a word drawn at random, in every iteration: faiss's `Clustering` to the bit.
    Full,
    /// A batch of so many vectors in every iteration (Sculley 2010).
    MiniBatch {
        /// Vectors of a batch.
        batch: usize,
    },
}

/// Which words a clustering starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KMeansStart {
    /// Vectors drawn at random, as faiss draws them.
    Random,
    /// Vectors drawn far from one another: k-means++ on a random part (16 vectors a word, 16,384 at least), one word
    /// after the other up to 128, then several at a time.
    PlusPlus,
}

/// What is to be trained, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansSettings {
    /// Words, at least 1.
    pub words: usize,
    /// Passes over the vectors, or batches.
    pub iterations: usize,
    /// Seed of all draws; its low 32 bits count, as in faiss.
    pub seed: u64,
    /// How vectors move the words.
    pub form: KMeansForm,
    /// Which words it starts from.
    pub start: KMeansStart,
    /// Words `[m, dim]`, m at most `words`, in place of the first of the start.
    pub given: Vec<f32>,
}

impl KMeansSettings {
    /// faiss's defaults as ASMK and HOW use them: full form, random start, 10 iterations, seed 1234.
    pub fn new(words: usize) -> Self {
        Self {
            words,
            iterations: 10,
            seed: 1234,
            form: KMeansForm::Full,
            start: KMeansStart::Random,
            given: Vec::new(),
        }
    }

    /// A hundred batches of 4 vectors a word (16,384 at least) from a random start.
    pub fn mini_batch(words: usize) -> Self {
        Self {
            iterations: 100,
            form: KMeansForm::MiniBatch {
                batch: words.saturating_mul(4).max(1 << 14),
            },
            ..Self::new(words)
        }
    }
}

/// What one iteration saw and did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Iteration {
    /// Vectors that were assigned.
    pub vectors: usize,
    /// Sum of their squared distances to the words before the update.
    pub objective: f64,
    /// Words · Σ counts² / (Σ counts)², before empty words were made anew: 1 where all words have equally many vectors.
    pub imbalance: f64,
    /// Empty words that were made anew out of others.
    pub splits: usize,
}

/// A clustering between two iterations; given back to [`k_means`] it goes on from there.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansState {
    /// `[words, dim]`.
    pub centroids: Vec<f32>,
    /// Vectors of each word (halved with a word that was split): of the last iteration, or of all batches.
    pub counts: Vec<f64>,
    /// Those that are done.
    pub iterations: Vec<Iteration>,
}

/// What a training tells while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum KMeansReport<'a> {
    /// Words drawn for the start, of all.
    Start {
        /// Words there are.
        drawn: usize,
        /// Words there will be.
        of: usize,
    },
    /// Within an iteration.
    Assigned {
        /// Iterations that are done.
        iteration: usize,
        /// Vectors of this one that are assigned.
        vectors: usize,
        /// Vectors of an iteration.
        of: usize,
    },
    /// The start is made (no iteration yet), or an iteration is done.
    Done(&'a KMeansState),
}

/// Why words could not be trained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum KMeansError {
    /// Fewer vectors than words.
    #[error(
        "{words} words cannot be trained on {vectors} vectors: it takes one vector a word at least (and 39 are advised)."
    )]
    TooFew {
        /// Vectors there are.
        vectors: usize,
        /// Words asked for.
        words: usize,
    },
    /// A vector that holds NaN or infinity.
    #[error(
        "Vector {row} (counted from 0) holds a value that is no finite number: leave it out, or make it again."
    )]
    NotFinite {
        /// Its number among the vectors.
        row: usize,
    },
    /// Settings that contradict each other.
    #[error("The settings of the training contradict each other: {0}.")]
    Settings(&'static str),
    /// A state of another training.
    #[error(
        "The state to go on from is of another training ({0}): go on with the settings and vectors it was begun with, or begin anew."
    )]
    State(&'static str),
    /// The caller asked to stop.
    #[error("The training was stopped.")]
    Stopped,
    /// Vectors of a wrong shape.
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// Trains words on `points`. `from` goes on from a state of the same training; `watch` is told what happens and may stop it.
///
/// The full form with a random start is faiss's `Clustering` (1.15): subsample with `seed`, start with `seed` + 1, empty
/// words split with 1234; f32 sums in the vectors' order. The result depends on the settings, the
/// vectors and their order alone, not on threads, blocks, instruction set or interruptions. Memory beyond the points: the words some four times,
/// 8 to 16 bytes a vector; vectors are read in chunks.
///
/// Errors: fewer vectors than words, values that are not finite, settings or a state that do not fit, a stop.
///
/// ```
/// use sightline_search::{KMeansSettings, Points, Rows, k_means};
/// let values = [0.0, 0.1, 5.0, 5.1];
/// let points = Points::new(vec![Rows::f32(&values, 1)])?;
/// let trained = k_means(&points, &KMeansSettings::new(2), None, &mut |_| std::ops::ControlFlow::Continue(()))?;
/// let mut words = trained.centroids.clone();
/// words.sort_by(f32::total_cmp);
/// assert!((words[0] - 0.05).abs() < 1e-6 && (words[1] - 5.05).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn k_means(
    points: &Points<'_>,
    settings: &KMeansSettings,
    from: Option<KMeansState>,
    watch: &mut dyn FnMut(KMeansReport<'_>) -> ControlFlow<()>,
) -> Result<KMeansState, KMeansError> {
    check(points, settings, from.as_ref())?;
    let words = settings.words;
    if points.count() == words {
        return Ok(KMeansState {
            centroids: points.rows(0..words).into_owned(),
            counts: vec![1.0; words],
            iterations: Vec::new(),
        });
    }
    let kept;
    let (points, mut batches) = match settings.form {
        KMeansForm::MiniBatch { batch } => (points, Some(Batches::new(batch, settings.seed))),
        KMeansForm::Full if points.count() / FULL_SHARE >= words && points.count() > words * FULL_SHARE => {
            let mut order = rand_perm(points.count(), settings.seed);
            order.truncate(words * FULL_SHARE);
            kept = points.choose(order)?;
            (&kept, None)
        }
        KMeansForm::Full => (points, None),
    };
    let mut state = match from {
        Some(state) => state,
        None => begin(points, settings, watch)?,
    };
    while state.iterations.len() < settings.iterations {
        let iteration = state.iterations.len();
        let mut assigned = |vectors: usize, of: usize| {
            watch(KMeansReport::Assigned {
                iteration,
                vectors,
                of,
            })
            .is_continue()
        };
        let done = match &mut batches {
            Some(batches) => mini_batch::step(points, batches, &mut state, &mut assigned)?,
            None => full_step(points, &mut state, &mut assigned)?,
        };
        if !done || watch(KMeansReport::Done(&state)).is_break() {
            return Err(KMeansError::Stopped);
        }
    }
    Ok(state)
}

fn check(
    points: &Points<'_>,
    settings: &KMeansSettings,
    from: Option<&KMeansState>,
) -> Result<(), KMeansError> {
    let (words, dim, vectors) = (settings.words, points.dim(), points.count());
    if words == 0 {
        return Err(KMeansError::Settings("it takes one word at least"));
    }
    if settings.form == (KMeansForm::MiniBatch { batch: 0 }) {
        return Err(KMeansError::Settings("a batch takes one vector at least"));
    }
    if !settings.given.len().is_multiple_of(dim) || settings.given.len() / dim > words {
        return Err(KMeansError::Settings(
            "the words given are not whole, or more than are asked for",
        ));
    }
    if !settings.given.iter().all(|value| value.is_finite()) {
        return Err(KMeansError::Settings("a word given is not finite"));
    }
    if vectors < words {
        return Err(KMeansError::TooFew { vectors, words });
    }
    if let Some(state) = from {
        if state.counts.len() != words || state.centroids.len() != words * dim {
            return Err(KMeansError::State("its words are others in number or length"));
        }
        if state.iterations.len() > settings.iterations {
            return Err(KMeansError::State("it has had more iterations"));
        }
        if !state.centroids.iter().all(|value| value.is_finite()) {
            return Err(KMeansError::State("a word is not finite"));
        }
    }
    let wrong = (0..vectors.div_ceil(CHUNK))
        .into_par_iter()
        .filter_map(|chunk| {
            let rows = points.rows(chunk * CHUNK..vectors.min((chunk + 1) * CHUNK));
            let at = rows.iter().position(|value| !value.is_finite())?;
            Some(chunk * CHUNK + at / dim)
        })
        .min();
    wrong.map_or(Ok(()), |row| Err(KMeansError::NotFinite { row }))
}

fn begin(
    points: &Points<'_>,
    settings: &KMeansSettings,
    watch: &mut dyn FnMut(KMeansReport<'_>) -> ControlFlow<()>,
) -> Result<KMeansState, KMeansError> {
    let words = settings.words;
    let start = match settings.start {
        KMeansStart::Random => Some(start::random(points, words, settings.seed)?),
        KMeansStart::PlusPlus => start::plus_plus(points, words, settings.seed, &mut |drawn| {
            watch(KMeansReport::Start { drawn, of: words }).is_continue()
        })?,
    };
    let mut state = KMeansState {
        centroids: start.ok_or(KMeansError::Stopped)?,
        counts: vec![0.0; words],
        iterations: Vec::new(),
    };
    state.centroids[..settings.given.len()].copy_from_slice(&settings.given);
    if watch(KMeansReport::Done(&state)).is_break() {
        return Err(KMeansError::Stopped);
    }
    Ok(state)
}

/// One iteration over all vectors; false, with the state as it was, where `watch` says to stop.
fn full_step(
    points: &Points<'_>,
    state: &mut KMeansState,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<bool, SearchError> {
    let (count, dim, words) = (points.count(), points.dim(), state.counts.len());
    let quantiser = Quantiser::new(Rows::f32(&state.centroids, dim))?;
    let mut sums = Sums::new(words, dim);
    for first in (0..count).step_by(CHUNK) {
        if !watch(first, count) {
            return Ok(false);
        }
        sums.add(points, first..count.min(first + CHUNK), &quantiser);
    }
    state.centroids = sums.means(dim);
    let imbalance = imbalance(&sums.counts);
    state.counts = sums.counts;
    let splits = split_empty(dim, &mut state.centroids, &mut state.counts, count);
    state.iterations.push(Iteration {
        vectors: count,
        objective: sums.objective,
        imbalance,
        splits,
    });
    Ok(true)
}

#[cfg(test)]
mod tests;
