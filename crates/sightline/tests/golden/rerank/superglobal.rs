//! SuperGlobal's re-ranking.

use super::{Sides, ranks};
use crate::case::{Case, Outputs};
use crate::expand::{number, text, whole};
use sightline::rerank::SuperGlobal;

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let params = &case.params;
    let mut how = SuperGlobal {
        m: whole(&params["M"])?,
        k: whole(&params["K"])?,
        beta: number(&params["beta"])?,
    };
    let sides = Sides::of(case)?;
    let searched = sides.searched()?;
    let gallery = searched.gallery("superglobal").map_err(text)?;
    let first = how.m.min(gallery.count());
    let mut out = Outputs::new();
    let (mut augmented, mut scores, mut order) = (Vec::new(), Vec::new(), Vec::new());
    for (query, list) in sides.queries.chunks(sides.dim).zip(&searched.lists) {
        let rows = gallery.gather(list[..first].iter().map(|hit| hit.index));
        let refined = how.refine(query, &rows).map_err(text)?;
        // As many as the case holds.
        let shown = format!("augmented_descriptors{}", order.len() / first.max(1));
        if let Ok(array) = case.array(&format!("out.{shown}")) {
            let rows = array.shape[0].min(first);
            let values = refined.descriptors[..rows * sides.dim].to_vec();
            out.f32(&shown, &[rows, sides.dim], values);
        }
        augmented.extend(refined.augmented_scores);
        scores.extend(refined.final_scores);
        let images = refined.augmented_order.iter();
        order.extend(images.map(|place| list[*place].index as i64));
    }
    let shape = [searched.lists.len(), first];
    out.f32("augmented_scores", &shape, augmented);
    out.f32("final_scores", &shape, scores);
    out.ints("augmented_ranks", &shape, &order);
    ranks(&mut out, "first_ranks", &searched.lists);
    ranks(&mut out, "ranks", &sides.reranked(&mut how)?.lists);
    Ok(out)
}
