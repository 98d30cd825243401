//! Re-ranking without a trained network. One file for each method.

#[path = "rerank/diffusion.rs"]
mod diffusion;

use crate::case::{Case, Outputs};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.split('_').next() {
        Some("diffusion") => diffusion::run(case),
        _ => Err(format!("the harness does not know the case {}", case.name)),
    }
}
