//! From the whitening options to sets that are whitened.

use crate::args::ModelArgs;
use crate::progress::Screen;
use sightline::card::{Difference, Identity};
use sightline::descriptor::{DescriptorSet, WhiteningSettings};
use sightline::{FoundWhitening, find_whitening};

/// How a whitening is applied: what was asked for, else `default`.
pub(crate) fn settings(
    power: Option<f64>,
    dims: Option<usize>,
    multiplier: Option<f64>,
    default: WhiteningSettings,
) -> WhiteningSettings {
    WhiteningSettings {
        power: power.unwrap_or(default.power),
        dims: dims.or(default.dims),
        multiplier: multiplier.unwrap_or(default.multiplier),
        ..default
    }
}

/// The settings of `--whitenp`, `--whitenv` and `--whitenm`; `power` is that of a whitening where none was given.
pub(crate) fn of_model(args: &ModelArgs, power: f64) -> WhiteningSettings {
    let default = WhiteningSettings {
        power,
        ..WhiteningSettings::default()
    };
    settings(args.whitenp, args.whitenv, args.whitenm, default)
}

/// Whitens a set as `--whiten` says; `held` are the whitenings of no model, so that a file is meant.
pub(crate) fn whiten(
    wanted: &str,
    how: &WhiteningSettings,
    set: &DescriptorSet,
    screen: &Screen,
) -> anyhow::Result<DescriptorSet> {
    let found = find_whitening(&[], wanted, how)?;
    if let Some(card) = set.card() {
        remark(&found, &card.identity, screen);
    }
    Ok(found.whitening.whitened(set)?)
}

/// Says where a whitening was learned from descriptors that were made otherwise.
pub(crate) fn remark(found: &FoundWhitening, identity: &Identity, screen: &Screen) {
    list(&found.learned_otherwise(identity), screen);
}

/// The same, from the differences.
pub(crate) fn list(differences: &[Difference], screen: &Screen) {
    for difference in differences {
        screen.say(&format!(
            "remark: the whitening was learned from descriptors that were made otherwise: {difference}"
        ));
    }
}
