//! VLAD of toy images, and PCA behind it.

use super::toy::{Toy, codebook, whole};
use crate::case::{Case, Outputs};
use sightline::descriptor::{Samples, WhiteningSettings, learn_pca};
use sightline::local::{LocalFeatures, VladNormalisation, vlad};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let text = |error: &dyn ToString| error.to_string();
    let toy = Toy::new(case, "noise", "images")?;
    let codebook = codebook(case)?;
    let (images, dim, words) = (toy.images.len(), toy.dim, codebook.words());
    let pictures = toy.images.into_iter().map(|(_, descriptors)| {
        let count = descriptors.len() / dim;
        LocalFeatures {
            dim,
            descriptors,
            strengths: vec![1.0; count],
            places: vec![[0.0; 2]; count],
            scales: vec![1.0; count],
            size: [1, 1],
        }
    });
    let pictures: Vec<LocalFeatures> = pictures.collect();
    let mut out = Outputs::new();
    let mut for_pca = Vec::new();
    for normalisation in VladNormalisation::ALL {
        let mut rows = Vec::new();
        for picture in &pictures {
            let made = vlad(picture, &codebook, normalisation).map_err(|error| text(&error))?;
            rows.extend(made.into_iter().map(f64::from));
        }
        let name = normalisation.name();
        if case.has(&format!("out.{name}")) {
            let shown = case.array(&format!("out.{name}"))?.shape[0];
            out.f64(name, &[shown, words * dim], rows[..shown * words * dim].to_vec());
        }
        similarity(&mut out, name, &rows, images);
        if normalisation == VladNormalisation::IntraL2 {
            for_pca = rows;
        }
    }
    let (samples, kept) = (Samples::f64(&for_pca, words * dim), whole(case, "pca_dim")?);
    let learned = learn_pca(&samples, Some(kept)).map_err(|error| text(&error))?;
    // Learned with divisor N - 1, stated with divisor N.
    let share = (images - 1) as f64 / images as f64;
    let variance = learned.variance.clone().unwrap_or_default();
    out.f64(
        "eigenvalues",
        &[kept],
        variance.iter().map(|value| value * share).collect(),
    );
    for (name, power) in [("pca", 0.0), ("pca_whitened", 0.5)] {
        let settings = WhiteningSettings {
            power,
            ..WhiteningSettings::default()
        };
        let whitening = learned
            .whitening("case", &settings)
            .map_err(|error| text(&error))?;
        let rows = whitening.apply_f64(&for_pca).map_err(|error| text(&error))?;
        similarity(&mut out, name, &rows, images);
    }
    Ok(out)
}

/// Dot products of all pairs of rows.
fn similarity(out: &mut Outputs, name: &str, rows: &[f64], count: usize) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let dim = rows.len() / count;
    let all = rows
        .chunks(dim)
        .flat_map(|a| rows.chunks(dim).map(move |b| dot(a, b)));
    out.f64(&format!("similarity.{name}"), &[count, count], all.collect());
}
