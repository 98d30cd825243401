//! Complete retrieval networks, and their heads on small feature maps. One file for each family of cases.

#[path = "heads/cgd.rs"]
mod cgd;
#[path = "heads/delg.rs"]
mod delg;
#[path = "heads/given.rs"]
pub(crate) mod given;
#[path = "heads/how.rs"]
mod how;
#[path = "heads/netvlad.rs"]
mod netvlad;
#[path = "heads/solar.rs"]
mod solar;
#[path = "heads/superglobal.rs"]
mod superglobal;
#[path = "heads/token.rs"]
mod token;
#[path = "heads/token_modules.rs"]
mod token_modules;

use crate::case::{Case, Outputs};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        name if name.starts_with("cgd_") => cgd::run(case),
        "arcface_token" => token_modules::arcface(case),
        "rmac_maps" => token_modules::rmac_maps(case),
        name if name.starts_with("token_refine") => token_modules::refinement(case),
        name if name.starts_with("token_vladlayer") => token_modules::vlad_layer(case),
        name if name.starts_with("token_") => token::run(case),
        name if name.starts_with("how_") => how::run(case),
        name if name.starts_with("netvlad_") => netvlad::run(case),
        name if name.starts_with("solar_") => solar::run(case),
        name if name.starts_with("delg_") => delg::run(case),
        name if name.starts_with("superglobal_") => superglobal::run(case),
        name => Err(format!("the harness does not know the case {name}")),
    }
}
