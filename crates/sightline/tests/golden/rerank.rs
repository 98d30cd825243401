//! Re-ranking without a trained network. One file for each method.

#[path = "rerank/diffusion.rs"]
mod diffusion;
#[path = "rerank/expansion.rs"]
mod expansion;
#[path = "rerank/k_reciprocal.rs"]
mod k_reciprocal;
#[path = "rerank/local_mix.rs"]
mod local_mix;
#[path = "rerank/local_verification.rs"]
mod local_verification;
#[path = "rerank/superglobal.rs"]
mod superglobal;

use crate::case::{Array, Case, Outputs};
use crate::expand::text;
use sightline::rerank::{Rankings, Reranker};
use sightline::search::{Hit, Rows};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "descriptor_expansion" => expansion::run(case),
        "local_score_mix" => local_mix::run(case),
        "local_verification" => local_verification::run(case),
        name if name.starts_with("diffusion_") => diffusion::run(case),
        name if name.starts_with("kreciprocal_") => k_reciprocal::run(case),
        name if name.starts_with("superglobal_") => superglobal::run(case),
        name => Err(format!("the harness does not know the case {name}")),
    }
}

/// `in.queries` and `in.gallery`.
struct Sides {
    queries: Vec<f32>,
    gallery: Vec<f32>,
    dim: usize,
}

impl Sides {
    fn of(case: &Case) -> Result<Self, String> {
        let (queries, gallery) = (case.array("in.queries")?, case.array("in.gallery")?);
        let width = |array: &Array| *array.shape.last().unwrap_or(&0);
        if width(queries) != width(gallery) || width(queries) == 0 {
            return Err("queries and gallery differ in length".into());
        }
        Ok(Self {
            dim: width(queries),
            queries: queries.to_f32(),
            gallery: gallery.to_f32(),
        })
    }

    fn query_rows(&self) -> Rows<'_> {
        Rows::f32(&self.queries, self.dim)
    }

    fn gallery_rows(&self) -> Rows<'_> {
        Rows::f32(&self.gallery, self.dim)
    }

    /// The whole ranking of every query, before any stage.
    fn searched(&self) -> Result<Rankings<'_>, String> {
        let length = self.gallery_rows().count();
        Rankings::search(
            self.query_rows(),
            self.gallery_rows(),
            Vec::new(),
            length,
            Vec::new(),
        )
        .map_err(text)
    }

    /// The whole ranking of every query after a stage.
    fn reranked(&self, stage: &mut dyn Reranker) -> Result<Rankings<'_>, String> {
        let mut rankings = self.searched()?;
        stage.rerank(&mut rankings, &|_, _, _| ()).map_err(text)?;
        Ok(rankings)
    }
}

/// Rankings of equal length as an output `[Q, length]`.
fn ranks(out: &mut Outputs, name: &str, lists: &[Vec<Hit>]) {
    let indices: Vec<i64> = lists.iter().flatten().map(|hit| hit.index as i64).collect();
    out.ints(name, &[lists.len(), indices.len() / lists.len().max(1)], &indices);
}
