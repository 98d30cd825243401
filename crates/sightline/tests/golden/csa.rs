//! CSA's network, its re-ranking and its training. One file for each family of cases.

#[path = "csa/network.rs"]
mod network;
#[path = "csa/pipeline.rs"]
mod pipeline;
#[path = "csa/training.rs"]
mod training;

use crate::case::{Case, Outputs};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "block" => network::block(case),
        name if name.starts_with("pipeline") => pipeline::run(case),
        name if name.starts_with("network_") => network::run(case),
        "training_batch" => training::batch(case),
        name if name.starts_with("train_") => training::train(case),
        "schedule" => training::schedule(case),
        name => Err(format!("the harness does not know the case {name}")),
    }
}
