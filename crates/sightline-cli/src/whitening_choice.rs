//! From the whitening options to sets that are whitened.

use crate::args::ModelArgs;
use crate::output::usage;
use crate::progress::Screen;
use sightline::card::{Difference, Identity};
use sightline::checkpoint::recognise::WhiteningParams;
use sightline::descriptor::{DescriptorSet, WhiteningSettings};
use sightline::{FoundWhitening, find_whitening};

/// Refuses settings with which no whitening means anything.
pub(crate) fn check(power: Option<f64>, dims: Option<usize>, multiplier: Option<f64>) -> anyhow::Result<()> {
    if let Some(wrong) = power.filter(|power| !power.is_finite()) {
        return Err(usage(format!(
            "--whitenp {wrong}: a power is a number, such as 0.5"
        )));
    }
    if let Some(wrong) = multiplier.filter(|factor| !factor.is_finite() || *factor == 0.0) {
        return Err(usage(format!(
            "--whitenm {wrong}: a multiplier is a number other than 0, such as 1"
        )));
    }
    if dims == Some(0) {
        return Err(usage(
            "--whitenv 0 keeps nothing; leave it out to keep all dimensions",
        ));
    }
    Ok(())
}

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

/// Whitens a set as `--whiten` says: with one of `held`, the whitenings of a model, or one of a file.
pub(crate) fn whiten(
    held: &[(String, WhiteningParams)],
    wanted: &str,
    how: &WhiteningSettings,
    set: &DescriptorSet,
    screen: &Screen,
) -> anyhow::Result<DescriptorSet> {
    let found = find_whitening(held, wanted, how)?;
    match set.card() {
        Some(card) => remark(&found, &card.identity, screen),
        None => screen.say(&format!(
            "remark: {} has no card, so nothing says that it is not whitened yet; it is whitened now",
            set.source().display()
        )),
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
