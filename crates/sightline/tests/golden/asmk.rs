//! Local features after the network: codebooks, VLAD, ASMK, spatial verification. One file for each family of cases.

#[path = "asmk/codebook.rs"]
mod codebook;
#[path = "asmk/how_eval.rs"]
mod how_eval;
#[path = "asmk/how_local.rs"]
mod how_local;
#[path = "asmk/index.rs"]
mod index;
#[path = "asmk/spatial.rs"]
mod spatial;
#[path = "asmk/toy.rs"]
mod toy;
#[path = "asmk/vlad.rs"]
mod vlad;

use crate::case::{Case, Outputs};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "kmeans_empty" | "kmeans_lloyd" | "kmeans_subsample" | "kmeans_train" | "rand_perm" | "quantise"
        | "quantise_ties" => codebook::run(case),
        "vlad" => vlad::run(case),
        "how_eval" | "how_eval_distractors" => how_eval::run(case),
        "how_select" | "how_whiten" => how_local::run(case),
        "bits" => index::run(case),
        name if ["aggregate_", "kernel_", "ivf_"]
            .iter()
            .any(|family| name.starts_with(family)) =>
        {
            index::run(case)
        }
        name if name.starts_with("spatial_") => spatial::run(case),
        name => Err(format!("the harness does not know the case {name}")),
    }
}
