//! A local score mixed into the order of the first images.

use crate::case::{Case, Outputs};
use crate::expand::{number, whole};
use sightline::eval::revisited::Setup;
use sightline::rerank::mixed_order;

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let (ratio, topk) = (number(&case.params["mix_ratio"])?, whole(&case.params["topk"])?);
    let global = case.array("in.global")?;
    let [queries, images] = global.shape[..] else {
        return Err("in.global has no two axes".into());
    };
    let (global, local) = (global.to_f64(), case.array("in.local")?.to_f64());
    let labels: Vec<u8> = case.array("in.label")?.to_ints()?;
    let mut out = Outputs::new();
    for setup in Setup::ALL {
        // 1 easy, 2 hard, 3 junk.
        let (_, removed) = setup.split(&[1], &[2], &[3]);
        let mut all: Vec<i64> = Vec::new();
        for query in 0..queries {
            let row = query * images..(query + 1) * images;
            let (global, local, labels) = (&global[row.clone()], &local[row.clone()], &labels[row]);
            let mut list: Vec<usize> = (0..images).collect();
            list.sort_by(|a, b| global[*b].total_cmp(&global[*a]));
            let of = |values: &[f64]| list.iter().map(|image| values[*image]).collect::<Vec<_>>();
            let kept: Vec<bool> = list
                .iter()
                .map(|image| !removed.concat().contains(&u32::from(labels[*image])))
                .collect();
            let order = mixed_order(&of(global), &of(local), &kept, ratio, topk);
            all.extend(order.iter().map(|place| list[*place] as i64));
        }
        out.ints(setup.name(), &[queries, images], &all);
    }
    Ok(out)
}
