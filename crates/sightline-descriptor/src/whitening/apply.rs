//! Applying a whitening that was learned elsewhere.
//!
//! Three forms: a scikit-learn PCA with its power as dirtorch applies it (`utils/common.py` `whiten_features`), dirtorch's
//! plain `{means, W}`, and cirtorch's `{m, P}` (`utils/whiten.py` `whitenapply`). Values are computed in 64 bits.

use sightline_card::{WhiteningIdentity, sha256_hex};
use sightline_checkpoint::recognise::{WhiteningForm, WhiteningParams};

use super::WhiteningError;
use super::dot::dot;

/// Rows that share one walk through the matrix, so that it is read from memory once for all of them.
const ROWS_AT_ONCE: usize = 32;

/// How a whitening is applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WhiteningSettings {
    /// Exponent of the explained variance: 0.5 is the usual whitening, 0 none. dirtorch's `test_dir.py` uses 0.25, its
    /// `extract_features.py` 0.5. Takes part in the PCA form only.
    pub power: f64,
    /// Keep only so many first axes; more than there are, or none given: all. Takes no part in `{means, W}`.
    pub dims: Option<usize>,
    /// Factor of the explained variance's power; cancels with `l2`. Takes part in the PCA form only.
    pub multiplier: f64,
    /// Divide each row by its L2 norm afterwards; cirtorch's form by norm + 1e-6.
    pub l2: bool,
}

impl Default for WhiteningSettings {
    /// The defaults of dirtorch's `whiten_features`: power 0.5, all axes, multiplier 1, L2.
    fn default() -> Self {
        WhiteningSettings {
            power: 0.5,
            dims: None,
            multiplier: 1.0,
            l2: true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Norm {
    None,
    /// Division by the norm; a zero row becomes NaN, as in dirtorch.
    Plain,
    /// Division by norm + 1e-6, as in cirtorch: a zero row stays zero.
    Raised,
}

/// A whitening, ready to be applied to rows: y = (A (x - mean)) / scale, then perhaps divided by its norm.
#[derive(Debug, Clone)]
pub struct Whitening {
    dim: usize,
    mean: Option<Vec<f64>>,
    /// `[axes, dim]`, row by row.
    axes: Vec<f64>,
    scale: Option<Vec<f64>>,
    norm: Norm,
    identity: WhiteningIdentity,
}

impl Whitening {
    /// The whitening that a file holds.
    ///
    /// # Errors
    /// When its values are no numbers, its lengths contradict each other or no axis is kept.
    pub fn from_params(
        name: &str,
        params: &WhiteningParams,
        settings: &WhiteningSettings,
    ) -> Result<Whitening, WhiteningError> {
        let unreadable = |error: sightline_checkpoint::TensorError| WhiteningError::Shape {
            name: name.to_owned(),
            reason: error.to_string().trim_end_matches('.').to_owned(),
        };
        let matrix = params.matrix_f64().map_err(unreadable)?;
        let mean = params.mean_f64().map_err(unreadable)?;
        let variance = params.variance_f64().map_err(unreadable)?.unwrap_or_default();
        match params.form {
            WhiteningForm::PcaWhiten => Whitening::pca(name, mean, matrix, &variance, true, settings),
            WhiteningForm::Pca => Whitening::pca(name, mean, matrix, &variance, false, settings),
            WhiteningForm::MeansW => Whitening::plain(name, mean.unwrap_or_default(), &matrix, settings),
            WhiteningForm::MeanP => Whitening::cirtorch(name, mean.unwrap_or_default(), matrix, settings),
        }
    }

    /// A fitted PCA: `mean` `[dim]` (perhaps none), `components` `[axes, dim]` row by row, `explained_variance` `[axes]`.
    /// Without `whiten` (scikit-learn's flag) power and multiplier have no effect.
    ///
    /// # Errors
    /// When the lengths contradict each other or no axis is kept.
    pub fn pca(
        name: &str,
        mean: Option<Vec<f64>>,
        components: Vec<f64>,
        explained_variance: &[f64],
        whiten: bool,
        settings: &WhiteningSettings,
    ) -> Result<Whitening, WhiteningError> {
        let axes = explained_variance.len();
        let dim = width(name, mean.as_deref(), &components, axes)?;
        let form = if whiten { "pca-whiten" } else { "pca" };
        let sha256 = hash(
            form,
            &[
                mean.as_deref().unwrap_or_default(),
                &components,
                explained_variance,
            ],
        );
        let kept = kept(name, settings.dims, axes)?;
        let scale = whiten.then(|| {
            explained_variance[..kept]
                .iter()
                .map(|v| settings.multiplier * v.powf(settings.power))
                .collect()
        });
        let identity = WhiteningIdentity {
            name: name.to_owned(),
            sha256,
            power: whiten.then_some(settings.power),
            dims: (kept < axes).then_some(kept),
            // With the division by the norm the multiplier cancels; stating it would part equal descriptors.
            multiplier: (whiten && !settings.l2).then_some(settings.multiplier),
            l2: settings.l2,
        };
        let norm = if settings.l2 { Norm::Plain } else { Norm::None };
        Ok(Whitening {
            dim,
            mean,
            axes: first_rows(components, kept, dim),
            scale,
            norm,
            identity,
        })
    }

    /// dirtorch's plain form: (x - means) W with `w` `[dim, axes]` row by row. Of the settings only `l2` takes part.
    ///
    /// # Errors
    /// When the lengths contradict each other.
    pub fn plain(
        name: &str,
        means: Vec<f64>,
        w: &[f64],
        settings: &WhiteningSettings,
    ) -> Result<Whitening, WhiteningError> {
        let dim = means.len();
        if dim == 0 || w.is_empty() || !w.len().is_multiple_of(dim) {
            let reason = format!(
                "its W has {} values, which is no number of axes for {dim} means",
                w.len()
            );
            return Err(WhiteningError::Shape {
                name: name.to_owned(),
                reason,
            });
        }
        let count = w.len() / dim;
        let axes = (0..count)
            .flat_map(|axis| (0..dim).map(move |i| w[i * count + axis]))
            .collect();
        let identity = WhiteningIdentity {
            name: name.to_owned(),
            sha256: hash("means-W", &[&means, w]),
            power: None,
            dims: None,
            multiplier: None,
            l2: settings.l2,
        };
        let norm = if settings.l2 { Norm::Plain } else { Norm::None };
        Ok(Whitening {
            dim,
            mean: Some(means),
            axes,
            scale: None,
            norm,
            identity,
        })
    }

    /// cirtorch's form: P (x - m), then divided by (norm + 1e-6), with `m` `[dim]` and `p` `[axes, dim]` row by row. Of the
    /// settings `dims` takes part (0 means all, as there), and `l2`, which cirtorch always does and HOW's network never.
    ///
    /// # Errors
    /// When the lengths contradict each other.
    pub fn cirtorch(
        name: &str,
        m: Vec<f64>,
        p: Vec<f64>,
        settings: &WhiteningSettings,
    ) -> Result<Whitening, WhiteningError> {
        let axes = p.len().checked_div(m.len()).unwrap_or(0);
        let dim = width(name, Some(&m), &p, axes)?;
        let sha256 = hash("m-P", &[&m, &p]);
        let kept = kept(name, settings.dims.filter(|dims| *dims > 0), axes)?;
        let identity = WhiteningIdentity {
            name: name.to_owned(),
            sha256,
            power: None,
            dims: (kept < axes).then_some(kept),
            multiplier: None,
            l2: settings.l2,
        };
        let norm = if settings.l2 { Norm::Raised } else { Norm::None };
        let axes = first_rows(p, kept, dim);
        Ok(Whitening {
            dim,
            mean: Some(m),
            axes,
            scale: None,
            norm,
            identity,
        })
    }

    /// Length of the descriptors that go in.
    #[must_use]
    pub fn input_dim(&self) -> usize {
        self.dim
    }

    /// Length of the descriptors that come out.
    #[must_use]
    pub fn output_dim(&self) -> usize {
        self.axes.len() / self.dim
    }

    /// How the card states this whitening.
    #[must_use]
    pub fn identity(&self) -> &WhiteningIdentity {
        &self.identity
    }

    /// Whitens rows `[n, input_dim]` into rows `[n, output_dim]`. Each row is computed by itself: its result does not depend
    /// on the others.
    ///
    /// # Errors
    /// When the values are no whole number of rows.
    pub fn apply(&self, rows: &[f32]) -> Result<Vec<f32>, WhiteningError> {
        let wide: Vec<f64> = rows.iter().map(|x| f64::from(*x)).collect();
        Ok(self.apply_f64(&wide)?.into_iter().map(|x| x as f32).collect())
    }

    /// As [`Whitening::apply`], on 64-bit rows.
    ///
    /// # Errors
    /// When the values are no whole number of rows.
    pub fn apply_f64(&self, rows: &[f64]) -> Result<Vec<f64>, WhiteningError> {
        if !rows.len().is_multiple_of(self.dim) {
            return Err(WhiteningError::Dimension {
                name: self.identity.name.clone(),
                want: self.dim,
                got: rows.len(),
            });
        }
        let out_dim = self.output_dim();
        let mut out = Vec::with_capacity(rows.len() / self.dim * out_dim);
        for block in rows.chunks(ROWS_AT_ONCE * self.dim) {
            let mut centred = block.to_vec();
            if let Some(mean) = &self.mean {
                for row in centred.chunks_exact_mut(self.dim) {
                    row.iter_mut().zip(mean).for_each(|(x, m)| *x -= m);
                }
            }
            let start = out.len();
            out.resize(start + block.len() / self.dim * out_dim, 0.0);
            let done = &mut out[start..];
            for (a, axis) in self.axes.chunks_exact(self.dim).enumerate() {
                let scale = self.scale.as_ref().map_or(1.0, |scale| scale[a]);
                for (row, y) in centred.chunks_exact(self.dim).zip(done.chunks_exact_mut(out_dim)) {
                    y[a] = dot(axis, row) / scale;
                }
            }
            let raise = match self.norm {
                Norm::None => continue,
                Norm::Plain => 0.0,
                Norm::Raised => 1e-6,
            };
            for y in done.chunks_exact_mut(out_dim) {
                let norm = y.iter().map(|v| v * v).sum::<f64>().sqrt() + raise;
                y.iter_mut().for_each(|v| *v /= norm);
            }
        }
        Ok(out)
    }
}

/// The number of columns of a matrix `[axes, dim]`, checked against the mean.
fn width(name: &str, mean: Option<&[f64]>, matrix: &[f64], axes: usize) -> Result<usize, WhiteningError> {
    let wrong = |reason: String| WhiteningError::Shape {
        name: name.to_owned(),
        reason,
    };
    if axes == 0 || matrix.is_empty() || !matrix.len().is_multiple_of(axes) {
        return Err(wrong(format!(
            "its matrix of {} values has no {axes} equal rows",
            matrix.len()
        )));
    }
    let dim = matrix.len() / axes;
    match mean {
        Some(mean) if mean.len() != dim => Err(wrong(format!(
            "its mean has {} values and its axes have {dim}",
            mean.len()
        ))),
        _ => Ok(dim),
    }
}

fn kept(name: &str, dims: Option<usize>, axes: usize) -> Result<usize, WhiteningError> {
    match dims {
        Some(0) => Err(WhiteningError::Shape {
            name: name.to_owned(),
            reason: "no axis of it is to be kept".to_owned(),
        }),
        Some(dims) => Ok(dims.min(axes)),
        None => Ok(axes),
    }
}

fn first_rows(mut matrix: Vec<f64>, rows: usize, dim: usize) -> Vec<f64> {
    matrix.truncate(rows * dim);
    matrix
}

/// A hash over the form's name and all values, each part preceded by its length.
fn hash(form: &str, parts: &[&[f64]]) -> String {
    let mut bytes = form.as_bytes().to_vec();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.iter().flat_map(|value| value.to_le_bytes()));
    }
    sha256_hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pca(settings: &WhiteningSettings) -> Whitening {
        let components = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        Whitening::pca(
            "test",
            Some(vec![1.0, 1.0, 1.0]),
            components,
            &[4.0, 16.0],
            true,
            settings,
        )
        .unwrap()
    }

    #[test]
    fn pca_by_hand() {
        let settings = WhiteningSettings {
            l2: false,
            ..WhiteningSettings::default()
        };
        // (x - 1) on the first two axes, over sqrt(4) and sqrt(16).
        assert_eq!(pca(&settings).apply(&[3.0, 5.0, 9.0]).unwrap(), [1.0, 1.0]);
        let quarter = WhiteningSettings {
            power: 0.25,
            multiplier: 2.0,
            ..settings
        };
        let got = pca(&quarter).apply_f64(&[3.0, 5.0, 9.0]).unwrap();
        assert!(
            (got[0] - 2.0 / (2.0 * 2f64.sqrt())).abs() < 1e-15 && (got[1] - 4.0 / 4.0).abs() < 1e-15,
            "{got:?}"
        );
        let first = WhiteningSettings {
            dims: Some(1),
            ..settings
        };
        assert_eq!(pca(&first).apply(&[3.0, 5.0, 9.0]).unwrap(), [1.0]);
        assert_eq!(pca(&first).identity().dims, Some(1));
    }

    #[test]
    fn a_zero_row_is_nan_in_dirtorch_and_zero_in_cirtorch() {
        assert!(
            pca(&WhiteningSettings::default())
                .apply(&[1.0, 1.0, 7.0])
                .unwrap()
                .iter()
                .all(|x| x.is_nan())
        );
        let lw = Whitening::cirtorch(
            "lw",
            vec![1.0, 2.0],
            vec![1.0, 0.0, 0.0, 1.0],
            &WhiteningSettings::default(),
        )
        .unwrap();
        assert_eq!(lw.apply(&[1.0, 2.0]).unwrap(), [0.0, 0.0]);
        let near = lw.apply_f64(&[1.0 + 1e-6, 2.0]).unwrap();
        assert!((near[0] - 0.5).abs() < 1e-9, "{near:?}");
    }

    #[test]
    fn the_plain_form_multiplies_from_the_right() {
        let settings = WhiteningSettings {
            l2: false,
            ..WhiteningSettings::default()
        };
        let w = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // [2, 3]
        let plain = Whitening::plain("w", vec![1.0, 1.0], &w, &settings).unwrap();
        assert_eq!((plain.input_dim(), plain.output_dim()), (2, 3));
        assert_eq!(plain.apply(&[2.0, 3.0]).unwrap(), [9.0, 12.0, 15.0]);
    }

    #[test]
    fn rows_do_not_depend_on_each_other() {
        let dim = 13;
        let value = |i: usize| ((i * 7919) % 1000) as f64 / 500.0 - 1.0;
        let p: Vec<f64> = (0..dim * dim).map(value).collect();
        let whitening = Whitening::cirtorch(
            "lw",
            (0..dim).map(value).collect(),
            p,
            &WhiteningSettings::default(),
        )
        .unwrap();
        let rows: Vec<f32> = (0..100 * dim).map(|i| value(i + 5) as f32).collect();
        let together = whitening.apply(&rows).unwrap();
        let alone: Vec<f32> = rows
            .chunks(dim)
            .flat_map(|row| whitening.apply(row).unwrap())
            .collect();
        assert_eq!(together, alone);
    }

    #[test]
    fn contradictions_are_refused() {
        let settings = WhiteningSettings::default();
        assert!(Whitening::pca("x", None, vec![1.0; 6], &[1.0; 4], true, &settings).is_err());
        assert!(Whitening::pca("x", Some(vec![0.0; 2]), vec![1.0; 6], &[1.0; 2], true, &settings).is_err());
        assert!(Whitening::pca("x", None, vec![], &[], true, &settings).is_err());
        let none = WhiteningSettings {
            dims: Some(0),
            ..settings
        };
        assert!(Whitening::pca("x", None, vec![1.0; 6], &[1.0; 2], true, &none).is_err());
        assert!(Whitening::plain("x", vec![], &[], &settings).is_err());
        assert!(Whitening::plain("x", vec![1.0; 4], &[1.0; 6], &settings).is_err());
        assert!(Whitening::cirtorch("x", vec![], vec![1.0], &settings).is_err());
        assert!(Whitening::cirtorch("x", vec![1.0; 4], vec![1.0; 6], &settings).is_err());
        let error = pca(&settings).apply(&[1.0; 4]).unwrap_err().to_string();
        assert_eq!(
            error,
            "The whitening test is for descriptors of 3 values, and these have 4."
        );
    }

    #[test]
    fn a_multiplier_that_cancels_is_not_in_the_card() {
        let twice = WhiteningSettings {
            multiplier: 2.0,
            ..WhiteningSettings::default()
        };
        assert_eq!(
            pca(&twice).identity(),
            pca(&WhiteningSettings::default()).identity()
        );
        let half = WhiteningSettings {
            power: 0.25,
            ..WhiteningSettings::default()
        };
        assert_ne!(
            pca(&half).identity(),
            pca(&WhiteningSettings::default()).identity()
        );
    }
}
