//! The two settings of an expansion as text.

use crate::{Settings, SettingsError};
use sightline_descriptor::Expansion;

/// The largest alpha: a similarity of 0.99 to this power is 4e-5.
const MOST_ALPHA: u32 = 1000;

/// `k` and `alpha`, both needed.
pub(crate) fn expansion(settings: &Settings) -> Result<Expansion, SettingsError> {
    let k = settings.number("k", "a whole number from 0, such as k=3", |_: &usize| true)?;
    let alpha = settings.number(
        "alpha",
        "a whole number from 0 to 1000 (above that no neighbour but an equal one would weigh anything), such as alpha=3",
        |alpha: &u32| *alpha <= MOST_ALPHA,
    )?;
    match (k, alpha) {
        (Some(k), Some(alpha)) => Ok(Expansion { k, alpha }),
        _ => Err(settings.missing(
            "k (neighbours) and alpha (the power of their similarity)",
            "k=10,alpha=3",
        )),
    }
}
