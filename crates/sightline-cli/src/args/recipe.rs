//! How a picture becomes the network's input: shared by every subcommand that describes pictures.

use clap::{Args, ValueEnum};

/// How a picture becomes the network's input.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Recipe")]
pub(crate) struct RecipeArgs {
    /// Named recipe: dirtorch, cirtorch, token, how, solar, delg, netvlad, cgd, cgd-tf, superglobal, photos
    #[arg(long, value_name = "NAME")]
    pub(crate) recipe: Option<String>,

    /// Longer side at most this many pixels (shrinks only)
    #[arg(long, value_name = "PIXELS", conflicts_with_all = ["short_size", "square"])]
    pub(crate) size: Option<u32>,

    /// Shorter side this many pixels
    #[arg(long, value_name = "PIXELS", conflicts_with = "square")]
    pub(crate) short_size: Option<u32>,

    /// Both sides this many pixels
    #[arg(long, value_name = "PIXELS")]
    pub(crate) square: Option<u32>,

    /// dirtorch's transform text, such as "Scale(1050, largest=True)", or "" for the picture as it is; several (also by giving the
    /// option again) are several passes, pooled. Without --recipe nothing else is done to a picture
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    pub(crate) trfs: Vec<String>,

    /// Any other value of the recipe, such as resize.filter=bilinear (the card shows all of them)
    #[arg(long, value_name = "STEP=VALUE", value_parser = step_value)]
    pub(crate) set: Vec<(String, serde_json::Value)>,

    /// Pixel means, in 0..1
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1)]
    pub(crate) mean: Vec<f64>,

    /// Pixel standard deviations, in 0..1
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1)]
    pub(crate) std: Vec<f64>,

    /// Turn pictures as their EXIF orientation says
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) orientation: Option<OrientationChoice>,

    /// What to do with pictures whose data ends early
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) truncated: Option<TruncatedChoice>,

    /// Refuse pictures with more pixels than this
    #[arg(long, value_name = "N", default_value_t = 178_956_970)]
    pub(crate) max_pixels: u64,
}

/// Reads STEP=VALUE; a value that is no JSON is text.
fn step_value(text: &str) -> Result<(String, serde_json::Value), String> {
    let (step, value) = text
        .split_once('=')
        .ok_or("it reads STEP=VALUE, such as resize.filter=bilinear")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((step.trim().to_owned(), value))
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OrientationChoice {
    Apply,
    Ignore,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TruncatedChoice {
    Refuse,
    Tolerate,
}

impl RecipeArgs {
    /// Whether nothing was asked for that changes a recipe.
    pub(crate) fn is_default(&self) -> bool {
        let sizes = self.size.is_none() && self.short_size.is_none() && self.square.is_none();
        let values =
            self.mean.is_empty() && self.std.is_empty() && self.set.is_empty() && self.trfs.is_empty();
        self.recipe.is_none() && sizes && values && self.orientation.is_none() && self.truncated.is_none()
    }
}
