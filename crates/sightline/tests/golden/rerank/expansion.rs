//! Query expansion and database augmentation as stages.

use super::{Sides, ranks};
use crate::case::{Case, Outputs};
use crate::expand::{expansion, text};
use sightline::rerank::{Aqe, Chain, Dba};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let aqe = Aqe {
        how: expansion(&case.params["aqe"])?,
    };
    let dba = Dba {
        how: expansion(&case.params["adba"])?,
        top: None,
    };
    let sides = Sides::of(case)?;
    let mut out = Outputs::new();
    let alone = sides.reranked(&mut aqe.clone())?;
    let shape = [alone.lists.len(), sides.dim];
    out.f32("aqe", &shape, alone.queries);
    let mut chain = Chain {
        stages: vec![Box::new(dba), Box::new(aqe)],
    };
    let both = chain
        .run(sides.searched()?, &|_, _, _| ())
        .map_err(text)?
        .rankings;
    let augmented = both.augmented.ok_or("nothing was augmented")?;
    out.f32("adba", &[augmented.len() / sides.dim, sides.dim], augmented);
    out.f32("aqe_after_adba", &shape, both.queries);
    ranks(&mut out, "ranks", &both.lists);
    Ok(out)
}
