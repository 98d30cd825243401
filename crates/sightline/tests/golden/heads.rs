//! Complete retrieval networks, and their heads on small feature maps. One file for each family of cases.

#[path = "heads/cgd.rs"]
mod cgd;
#[path = "heads/given.rs"]
mod given;

use crate::case::{Case, Outputs};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        name if name.starts_with("cgd_") => cgd::run(case),
        name => Err(format!("the harness does not know the case {name}")),
    }
}
