//! Recipes: everything between a picture file and a network's input, as a table of named values.
//!
//! A recipe is data. The named ones are the rows of `recipe/table.json`, each the way one project prepares pictures; every
//! value can be changed ([`Recipe::set`], the setters, or the fields), and [`Recipe::spelled_out`] shows all of them, for
//! the card. The steps are always taken in the order of the fields.
//!
//! It is not for several pictures at once, and not for what happens behind the network.
//!
//! ```
//! use sightline_image::recipe::Recipe;
//!
//! let mut recipe = Recipe::named("cirtorch")?;
//! recipe.set_longer_side(2)?;
//! let file = b"P6 4 2 255\n\xff\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00\xff\x00\x00";
//! let tensor = recipe.prepare(file, None, 1_000_000)?;
//! assert_eq!((tensor.channels, tensor.height, tensor.width), (3, 1, 2));
//! assert_eq!(recipe.spelled_out()["resize"]["filter"], "lanczos");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decimals;
mod names;
mod prepare;
mod scales;
mod steps;

pub use prepare::{PrepareError, Prepared, delg_size, torchvision_size};
pub use steps::{
    Channels, Crop, Decoder, Interpolation, Outside, Pad, QueryBox, Resize, Rule, Samples, Scales,
};

use crate::decode::{Orientation, Truncated};
use crate::transforms::{Names, TransformError, Transforms};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// How a picture file becomes a network's input. Steps in order; see the fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The row of the table that it began as, empty where it was read from a card. Not a step: not part of the spelled out
    /// form.
    #[serde(skip)]
    pub name: String,
    /// Whose decoder is followed.
    pub decoder: Decoder,
    /// Whether the Exif orientation is applied (OpenCV always does).
    #[serde(with = "steps::OrientationName")]
    pub orientation: Orientation,
    /// What happens to files that end early.
    #[serde(with = "steps::TruncatedName")]
    pub truncated: Truncated,
    /// How a query's box is cut out, before anything else changes the size.
    #[serde(rename = "box")]
    pub query_box: QueryBox,
    /// Order of the channels from here on.
    pub channels: Channels,
    /// Borders.
    pub pad: Pad,
    /// What pixels are computed with until they are normalised.
    pub samples: Samples,
    /// Resizing.
    pub resize: Resize,
    /// Crop of the middle.
    pub crop: Crop,
    /// Transform texts of dirtorch ([`crate::transforms`]); each makes a tensor of its own, whose descriptors are pooled.
    /// With none, `ToTensor` and `Normalize` follow.
    pub transforms: Vec<String>,
    /// The name `input_size` in transform texts, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_size: Option<u32>,
    /// Mean per channel, in the order of [`Self::channels`], for values 0 to 1.
    #[serde(with = "decimals")]
    pub mean: [f32; 3],
    /// Standard deviation per channel, in the order of [`Self::channels`], for values 0 to 1.
    #[serde(with = "decimals")]
    pub std: [f32; 3],
    /// How the picture is made again at another scale.
    pub scales: Scales,
}

/// Why a recipe was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// No recipe of that name.
    #[error("There is no recipe {name:?}; did you mean {nearest}? There are {known}.")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name.
        nearest: String,
        /// All names.
        known: String,
    },
    /// A value is not one that the step takes, or there is no such step.
    #[error("The recipe's {path} cannot be {value}: {reason}.")]
    BadValue {
        /// Name of the value, such as `resize.size`.
        path: String,
        /// The value, as JSON.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// Values that do not go together.
    #[error("The recipe's steps do not go together: {0}.")]
    Contradiction(String),
    /// A transform text is wrong.
    #[error(transparent)]
    Transforms(#[from] TransformError),
}

impl Recipe {
    /// The recipe of that name.
    ///
    /// # Errors
    /// [`RecipeError::Unknown`] names all recipes and the nearest.
    pub fn named(name: &str) -> Result<Self, RecipeError> {
        names::row(name)
    }

    /// The names of all recipes.
    pub fn names() -> Vec<String> {
        names::all()
    }

    /// A recipe from its spelled out form, as a card holds it.
    ///
    /// # Errors
    /// When a step is missing, unknown or contradicts another.
    pub fn from_json(value: &Json) -> Result<Self, RecipeError> {
        let recipe: Self = serde_json::from_value(value.clone())
            .map_err(|error| RecipeError::Contradiction(error.to_string()))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Every step with its values, in order, for the card.
    ///
    /// Transform texts are written out with all their arguments, so that two spellings of the same transforms are equal. A
    /// recipe's name is not part of it: equal steps are equal, whatever they are called.
    pub fn spelled_out(&self) -> Json {
        let mut spelled = self.clone();
        for text in &mut spelled.transforms {
            // A text that cannot be read stands as it is; preparing a picture with it says why.
            if let Ok(read) = Transforms::parse(text, &self.names_in_texts()) {
                *text = read.to_string();
            }
        }
        serde_json::to_value(spelled).unwrap_or_default()
    }

    /// Sets one value by its path in the spelled out form, such as `resize.filter` or `mean`.
    ///
    /// # Errors
    /// When there is no such value, or the step does not take it; the recipe then stays as it was.
    pub fn set(&mut self, path: &str, value: Json) -> Result<(), RecipeError> {
        let bad = |reason: String| RecipeError::BadValue {
            path: path.to_owned(),
            value: value.to_string(),
            reason,
        };
        let mut tree = serde_json::to_value(&*self).map_err(|error| bad(error.to_string()))?;
        let pointer = format!("/{}", path.replace('.', "/"));
        match tree.pointer_mut(&pointer) {
            Some(place) => *place = value.clone(),
            None if path == "input_size" => tree[path] = value.clone(),
            None => {
                let known: Vec<&str> = tree
                    .as_object()
                    .into_iter()
                    .flat_map(|steps| steps.keys())
                    .map(String::as_str)
                    .collect();
                return Err(bad(format!(
                    "there is no such value; the steps are {}",
                    known.join(", ")
                )));
            }
        }
        let mut changed: Self = serde_json::from_value(tree).map_err(|error| bad(error.to_string()))?;
        changed.check()?;
        changed.name = std::mem::take(&mut self.name);
        *self = changed;
        Ok(())
    }

    /// The longer side at most `size` pixels, shrinking only (`--size`).
    ///
    /// # Errors
    /// When `size` is 0 or the recipe has no filter for it.
    pub fn set_longer_side(&mut self, size: u32) -> Result<(), RecipeError> {
        self.set_resize(Rule::LongerAtMost, size)
    }

    /// The shorter side `size` pixels (`--short-size`); DELG's rounding where the recipe uses OpenCV, else torchvision's.
    ///
    /// # Errors
    /// As [`Self::set_longer_side`].
    pub fn set_shorter_side(&mut self, size: u32) -> Result<(), RecipeError> {
        let rule = match self.resize.filter {
            Interpolation::Cv2Linear | Interpolation::Cv2Area => Rule::ShorterToDelg,
            _ => Rule::ShorterTo,
        };
        self.set_resize(rule, size)
    }

    /// Both sides `size` pixels (`--square`).
    ///
    /// # Errors
    /// As [`Self::set_longer_side`].
    pub fn set_square(&mut self, size: u32) -> Result<(), RecipeError> {
        self.set_resize(Rule::Square, size)
    }

    fn set_resize(&mut self, rule: Rule, size: u32) -> Result<(), RecipeError> {
        let mut changed = self.clone();
        changed.resize.rule = rule;
        changed.resize.size = Some(size);
        changed.check()?;
        *self = changed;
        Ok(())
    }

    /// dirtorch's transform texts (`--trfs`); several make several tensors.
    ///
    /// # Errors
    /// When a text cannot be read.
    pub fn set_transforms(&mut self, texts: &[String]) -> Result<(), RecipeError> {
        let mut changed = self.clone();
        changed.transforms = texts.to_vec();
        changed.check()?;
        *self = changed;
        Ok(())
    }

    /// Mean and standard deviation per channel, for values 0 to 1, in the order of the recipe's channels.
    ///
    /// # Errors
    /// When a value is no number or a deviation is zero.
    pub fn set_normalisation(&mut self, mean: [f32; 3], std: [f32; 3]) -> Result<(), RecipeError> {
        let changed = Self {
            mean,
            std,
            ..self.clone()
        };
        changed.check()?;
        *self = changed;
        Ok(())
    }

    /// What happens to files that end early.
    pub fn set_truncated(&mut self, truncated: Truncated) {
        self.truncated = truncated;
    }

    /// Whether the Exif orientation is applied.
    ///
    /// # Errors
    /// When it is to be ignored by OpenCV's decoder, which always applies it.
    pub fn set_orientation(&mut self, orientation: Orientation) -> Result<(), RecipeError> {
        let changed = Self {
            orientation,
            ..self.clone()
        };
        changed.check()?;
        *self = changed;
        Ok(())
    }

    /// How many tensors a picture becomes at one scale: one for each transform text, else one.
    pub fn passes(&self) -> usize {
        self.transforms.len().max(1)
    }

    fn names_in_texts(&self) -> Names {
        Names {
            mean: decimals::of(self.mean).to_vec(),
            std: decimals::of(self.std).to_vec(),
            input_size: self.input_size.map_or(Names::default().input_size, i64::from),
        }
    }

    /// Refuses values that no picture can be prepared with.
    ///
    /// # Errors
    /// Says which values do not go together.
    pub fn check(&self) -> Result<(), RecipeError> {
        let contradiction = |text: &str| Err(RecipeError::Contradiction(text.to_owned()));
        if self.decoder == Decoder::Cv2 && self.orientation == Orientation::Ignore {
            return contradiction(
                "OpenCV always applies the Exif orientation, so it cannot be ignored with decoder cv2",
            );
        }
        if self.resize.rule != Rule::None && self.resize.size.is_none_or(|size| size == 0) {
            return contradiction("resizing needs a size of at least 1 pixel");
        }
        if self
            .resize
            .reducing_gap
            .is_some_and(|gap| gap.is_nan() || gap < 1.0)
        {
            return contradiction("the reducing gap must be 1 or more");
        }
        let floats = self.samples == Samples::Floats;
        if floats && self.resize.rule != Rule::None && self.resize.filter != Interpolation::Cv2Linear {
            return contradiction("float samples can only be resized by cv2-linear");
        }
        if floats && !self.transforms.is_empty() {
            return contradiction("transform texts need byte samples");
        }
        if self.channels == Channels::Bgr && !self.transforms.is_empty() {
            return contradiction("transform texts need channels in rgb order");
        }
        if self.crop.size.is_some_and(|size| size == 0) {
            return contradiction("a crop needs at least 1 pixel");
        }
        if self.mean.iter().chain(&self.std).any(|value| !value.is_finite()) {
            return contradiction("mean and std must be numbers");
        }
        if self.std.contains(&0.0) {
            return contradiction("a standard deviation is zero");
        }
        if self.scales.of_pixels() && !self.transforms.is_empty() {
            return contradiction("pixels cannot be scaled once transform texts have made a tensor of them");
        }
        for text in &self.transforms {
            Transforms::parse(text, &self.names_in_texts())?;
        }
        Ok(())
    }
}
