//! `sightline show attention`: where a network looks.

use super::Form;
use crate::args::ShowAttentionArgs;
use crate::model_choice;
use crate::output::{Outcome, write_whole};
use crate::progress::Screen;
use anyhow::Context as _;
use sightline::attention;
use sightline::show::{AttentionDrawing, ShownPicture};

pub(crate) fn run(args: &ShowAttentionArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    let form = Form::of(&args.output)?;
    model_choice::check(&args.model, &args.recipe)?;
    let model = model_choice::model(&args.model, screen)?;
    let recipe = model_choice::recipe_of(&model, &args.recipe)?;
    let picture = ShownPicture::prepared(&args.picture, &recipe, args.recipe.max_pixels)?;
    let bytes =
        std::fs::read(&args.picture).with_context(|| format!("{} cannot be read", args.picture.display()))?;
    let tensor = recipe.prepare(&bytes, None, args.recipe.max_pixels)?;
    let drawing = AttentionDrawing {
        maps: attention(&model, &tensor, args.at)?,
        picture,
    };
    let bytes = match form {
        Form::Png => drawing.to_png()?,
        Form::Html => drawing.to_html()?.into_bytes(),
    };
    write_whole(&args.output, &bytes)?;
    Ok(Outcome::Done)
}
