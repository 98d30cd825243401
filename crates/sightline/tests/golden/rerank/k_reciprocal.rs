//! k-reciprocal encoding.

use super::{Sides, ranks};
use crate::case::{Case, Outputs};
use crate::expand::{number, text, whole};
use sightline::rerank::{Gallery, KReciprocal};

/// The half-precision form of the original is asked for within a tolerance that single precision meets; there is no other.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let params = &case.params;
    let mut how = KReciprocal {
        k1: whole(&params["k1"])?,
        k2: whole(&params["k2"])?,
        lambda: number(&params["lambda_value"])?,
        ..KReciprocal::default()
    };
    let sides = Sides::of(case)?;
    let gallery = Gallery::new(sides.gallery_rows(), &[]).map_err(text)?;
    let distances = how.distances(sides.query_rows(), &gallery).map_err(text)?;
    let lists = sides.reranked(&mut how)?.lists;
    let mut out = Outputs::new();
    for full in case.names("out.") {
        let name = full.trim_start_matches("out.");
        match name {
            "ranks" => ranks(&mut out, name, &lists),
            _ => out.f32(name, &[lists.len(), gallery.count()], distances.clone()),
        }
    }
    Ok(out)
}
