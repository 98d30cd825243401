//! Diffusion: what is similar to what is similar to the query.
//!
//! Images that are each among the nearest of the other form a graph, whose weights S are similarities to a power,
//! symmetrically normalised. A query puts weight on its nearest images, and `(I - alpha S) f = y` spreads it; `f` is the score. Three forms:
//!
//! - [`offline`](Form::Offline), fyang93/diffusion as it runs (Yang et al., Efficient Image Retrieval via Decoupling
//!   Diffusion into Online and Offline Processing, AAAI 2019, and its code after publication): [`together`];
//! - [`paper`](Form::Paper), the same as published: [`paper`];
//! - [`online`](Form::Online), ahmetius/diffusion-retrieval (Iscen et al., Efficient Diffusion on Region Manifolds, CVPR
//!   2017): [`online`]; regions of images in [`regions`].

pub mod conjugate_gradients;
pub mod laplacian;
pub mod offline;
pub mod online;
pub mod paper;
pub mod regions;
pub mod together;

mod answers;
mod nearest;
mod stage;
#[cfg(test)]
mod tests;

use crate::{RerankError, Settings, SettingsError};
use conjugate_gradients::Steps;
use laplacian::Laplacian;
use sightline_search::KnnGraph;

const NAME: &str = "diffusion";

/// Which of the published methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Queries and images in one graph; scores are products of normalised rows of the offline matrix.
    Offline,
    /// A graph of the images; scores are the weighted sums of the rows of a query's nearest images.
    Paper,
    /// A graph of the images, diffused at query time.
    Online,
}

const FORMS: &[(&str, Form)] = &[
    ("offline", Form::Offline),
    ("paper", Form::Paper),
    ("online", Form::Online),
];

/// Re-ranking by diffusion; `Default` is as published, which is the same for all forms.
///
/// Over the whole gallery (`top` beyond its images, the default up to 120,000) the answers are the best of all images. What a search
/// for them costs stands at [`together::search`], [`paper::search`] and [`online::search`]. With `top` each query has a graph of its
/// own, of its first `top` answers, S normalised within it (early truncation): time grows with `top` squared times the length of a
/// descriptor for each query, memory with `top` times (a descriptor, and 8 bytes for each neighbour, at most
/// `max(n_trunc, kd)`), not with the gallery.
///
/// Images that nothing comes to (score 0 or less) follow behind the others, in the order and with the scores of the stage before;
/// the originals leave the order of zeros to their sort.
#[derive(Clone, Debug, PartialEq)]
pub struct Diffusion {
    /// Nearest images among which a row of the offline matrix is computed. Not used online.
    pub n_trunc: usize,
    /// Nearest images of each, itself counted, that must hold each other to be joined.
    pub kd: usize,
    /// Nearest images of a query that it puts weight on. Not used offline, where the query is part of the graph.
    pub kq: usize,
    /// Power of similarities.
    pub gamma: f64,
    /// How far weight spreads, from 0 to below 1.
    pub alpha: f64,
    /// Steps of conjugate gradients at most.
    pub steps: usize,
    /// They are done when the residual is at most this share of the right side.
    pub tolerance: f64,
    /// Which method.
    pub form: Form,
    /// First answers of a query that take part; by default the whole gallery up to 120,000 images, above that 1000 (online 10,000).
    pub top: Option<usize>,
}

impl Default for Diffusion {
    fn default() -> Self {
        Self {
            n_trunc: 1000,
            kd: 50,
            kq: 10,
            gamma: 3.0,
            alpha: 0.99,
            steps: 20,
            tolerance: 1e-6,
            form: Form::Offline,
            top: None,
        }
    }
}

impl Diffusion {
    /// Its settings by name.
    pub const KEYS: &[&str] = &["n_trunc", "kd", "kq", "gamma", "alpha", "form", "top"];

    /// Reads settings; those that are not given are as published.
    ///
    /// # Errors
    /// When a value is out of range.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let published = Self::default();
        let from_two = |key| settings.number(key, "a whole number from 2", |count: &usize| *count >= 2);
        let kq = settings.number("kq", "a whole number from 1", |count: &usize| *count >= 1)?;
        let gamma = settings.number("gamma", "a number above 0", |gamma: &f64| {
            *gamma > 0.0 && gamma.is_finite()
        })?;
        let alpha = settings.number("alpha", "a number from 0 to below 1", |alpha: &f64| {
            (0.0..1.0).contains(alpha)
        })?;
        Ok(Self {
            n_trunc: from_two("n_trunc")?.unwrap_or(published.n_trunc),
            kd: from_two("kd")?.unwrap_or(published.kd),
            kq: kq.unwrap_or(published.kq),
            gamma: gamma.unwrap_or(published.gamma),
            alpha: alpha.unwrap_or(published.alpha),
            form: settings.choice("form", FORMS)?.unwrap_or(published.form),
            top: from_two("top")?,
            ..published
        })
    }

    /// The steps of [`offline`]: the last iterate is the answer, as of SciPy's `cg`.
    #[must_use]
    pub fn offline_steps(&self) -> Steps {
        Steps {
            most: self.steps,
            tolerance: self.tolerance,
            least_residual: false,
        }
    }

    /// The steps of [`online`]: the iterate of least residual is the answer, as of MATLAB's `pcg`.
    #[must_use]
    pub fn online_steps(&self) -> Steps {
        Steps {
            least_residual: true,
            ..self.offline_steps()
        }
    }

    /// [`Laplacian::offline`] of these settings.
    ///
    /// # Errors
    /// When no two images are joined.
    pub fn offline_laplacian(&self, graph: &KnnGraph) -> Result<Laplacian, RerankError> {
        self.joined(Laplacian::offline(graph, self.kd, self.gamma, self.alpha))
    }

    /// [`Laplacian::online`] of these settings.
    ///
    /// # Errors
    /// When no two images are joined.
    pub fn online_laplacian(&self, graph: &KnnGraph) -> Result<Laplacian, RerankError> {
        self.joined(Laplacian::online(graph, self.kd, self.gamma, self.alpha))
    }

    fn joined(&self, laplacian: Laplacian) -> Result<Laplacian, RerankError> {
        if !laplacian.is_empty() {
            return Ok(laplacian);
        }
        Err(RerankError::Unfit {
            method: NAME,
            reason: format!(
                "Of the {} images no two are each among the {} nearest of the other with a similarity above 0, so that there is \
                 nothing to diffuse over. Give a larger kd, or descriptors of more images.",
                laplacian.count(),
                self.kd
            ),
        })
    }
}
