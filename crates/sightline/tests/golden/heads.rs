//! Complete retrieval networks, and their heads on small feature maps. One file for each family of cases.

use crate::case::{Case, Outputs};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    #[allow(clippy::match_single_binding)]
    match case.name.as_str() {
        name => Err(format!("the harness does not know the case {name}")),
    }
}
