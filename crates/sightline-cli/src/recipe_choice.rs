//! From the recipe options to a recipe.

use crate::args::{OrientationChoice, RecipeArgs, TruncatedChoice};
use crate::output::usage;
use sightline::checkpoint::recognise::Preprocess;
use sightline::image::decode::{Orientation, Truncated};
use sightline::image::recipe::{Recipe, RecipeError};

/// The recipe that transform texts change where none is named: dirtorch's, so that they alone say what is done.
pub(crate) const TEXTS: &str = "dirtorch";

/// The recipe that was asked for: a named one with what was overridden.
///
/// `fallback` is the name to start from where none was given, `preprocess` is the checkpoint's.
pub(crate) fn recipe(
    args: &RecipeArgs,
    fallback: &str,
    preprocess: Option<&Preprocess>,
) -> anyhow::Result<Recipe> {
    changed(args, fallback, preprocess).map_err(|error| usage(error.to_string()))
}

fn changed(
    args: &RecipeArgs,
    fallback: &str,
    preprocess: Option<&Preprocess>,
) -> Result<Recipe, RecipeError> {
    let mut recipe = Recipe::named(args.recipe.as_deref().unwrap_or(fallback))?;
    if let Some(preprocess) = preprocess {
        recipe.set("mean", preprocess.mean.clone().into())?;
        recipe.set("std", preprocess.std.clone().into())?;
    }
    if let Some(size) = args.size {
        recipe.set_longer_side(size)?;
    }
    if let Some(size) = args.short_size {
        recipe.set_shorter_side(size)?;
    }
    if let Some(size) = args.square {
        recipe.set_square(size)?;
    }
    if !args.mean.is_empty() {
        recipe.set("mean", args.mean.clone().into())?;
    }
    if !args.std.is_empty() {
        recipe.set("std", args.std.clone().into())?;
    }
    match args.orientation {
        Some(OrientationChoice::Apply) => recipe.set_orientation(Orientation::Apply)?,
        Some(OrientationChoice::Ignore) => recipe.set_orientation(Orientation::Ignore)?,
        None => {}
    }
    match args.truncated {
        Some(TruncatedChoice::Refuse) => recipe.set_truncated(Truncated::Refuse),
        Some(TruncatedChoice::Tolerate) => recipe.set_truncated(Truncated::Tolerate),
        None => {}
    }
    for (path, value) in &args.set {
        recipe.set(path, value.clone())?;
    }
    // Last, because the texts may use the mean and the deviation.
    if !args.trfs.is_empty() {
        recipe.set_transforms(&args.trfs)?;
    }
    Ok(recipe)
}
