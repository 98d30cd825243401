//! Local features after the network: codebooks, VLAD, ASMK, spatial verification. One file for each family of cases.

#[path = "asmk/codebook.rs"]
mod codebook;
#[path = "asmk/index.rs"]
mod index;
#[path = "asmk/local.rs"]
mod local;
#[path = "asmk/toy.rs"]
mod toy;

use crate::case::{Case, Outputs};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "quantise" | "quantise_ties" => codebook::run(case),
        "bits" => index::run(case),
        name if ["aggregate_", "kernel_", "ivf_"]
            .iter()
            .any(|family| name.starts_with(family)) =>
        {
            index::run(case)
        }
        "how_select" | "how_whiten" => local::run(case),
        name => Err(format!("the harness does not know the case {name}")),
    }
}
