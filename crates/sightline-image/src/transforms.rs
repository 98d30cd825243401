//! dirtorch's transform texts (`--trfs`): read by a grammar, never evaluated as code.
//!
//! A text is a comma separated list of calls such as `Scale(1050, interpolation=Image.CUBIC, largest=True)`. Arguments are
//! numbers, tuples, lists, `True`/`False`/`None`, texts, `Image.BILINEAR` and the other filters, the names `mean`, `std` and
//! `input_size`, and arithmetic of these, by position or by keyword. Everything else is refused. Where a text does not
//! contain `ToTensor`, `ToTensor(), Normalize(mean=mean, std=std)` is appended, as in the original
//! (naver/deep-image-retrieval, `dirtorch/utils/transforms.py`).
//!
//! It is not for training: random transforms are recognised and refused by name.
//!
//! ```
//! use sightline_image::RgbImage;
//! use sightline_image::transforms::{Names, Transforms};
//!
//! let text = Transforms::parse("Scale(2), CenterCrop((2, 2))", &Names::default())?;
//! assert_eq!(text.to_string().split(", ").next(), Some("Scale(size=2"));
//! let picture = RgbImage { width: 6, height: 4, data: vec![128; 72] };
//! let tensor = text.tensor(&picture, None, 1_000_000)?;
//! assert_eq!((tensor.channels, tensor.height, tensor.width), (3, 2, 2));
//! # Ok::<(), sightline_image::transforms::TransformError>(())
//! ```

mod apply;
mod arithmetic;
mod call;
mod expression;
mod scale;
mod step;

pub use apply::Boxed;
pub(crate) use apply::shorter_to;
pub use scale::{Scale, ScaleSize};
pub use step::Step;

use crate::crop::CropError;
use crate::resize::ResizeError;

/// Why a transform text was refused or could not be applied.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TransformError {
    /// The text is not of the grammar, or a transform or argument is unknown or wrong.
    #[error("The transform list {text:?} cannot be read at character {at}: {reason}.")]
    Read {
        /// The text.
        text: String,
        /// Where, counted from 1.
        at: usize,
        /// What is wrong, as a clause.
        reason: String,
    },
    /// A transform does not fit the picture or comes at the wrong place.
    #[error("The transform {step} cannot be applied to a picture of {width} x {height} pixels: {reason}.")]
    Apply {
        /// The transform with its arguments.
        step: String,
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
        /// What is wrong, as a clause.
        reason: String,
    },
    /// A transform would make a picture of more pixels than allowed.
    #[error(
        "The transform {step} would make a picture of {width} x {height} pixels, more than the limit of {max_pixels}; ask for a smaller size or raise the limit."
    )]
    TooLarge {
        /// The transform with its arguments.
        step: String,
        /// Pixels per row.
        width: u64,
        /// Rows.
        height: u64,
        /// The limit.
        max_pixels: u64,
    },
    /// The text ends without having made a tensor.
    #[error("The transform list gives no tensor; it must hold ToTensor() or not name it at all.")]
    NoTensor,
    /// Resizing failed.
    #[error(transparent)]
    Resize(#[from] ResizeError),
    /// Cropping failed.
    #[error(transparent)]
    Crop(#[from] CropError),
}

/// What the names `mean`, `std` and `input_size` stand for: a network's `preprocess` in dirtorch.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    /// Mean per channel, for values 0 to 1.
    pub mean: Vec<f64>,
    /// Standard deviation per channel, for values 0 to 1.
    pub std: Vec<f64>,
    /// Side of the network's square input in pixels.
    pub input_size: i64,
}

impl Default for Names {
    /// ImageNet's values and 224, as in dirtorch.
    fn default() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
            input_size: 224,
        }
    }
}

/// A text that has been read: its steps in order, every argument filled in.
///
/// Its `Display` is again such a text, with nothing left to defaults or names.
#[derive(Debug, Clone, PartialEq)]
pub struct Transforms {
    steps: Vec<Step>,
}

/// Longer texts are refused before they are read.
const LONGEST: usize = 10_000;

impl Transforms {
    /// Reads a text as extraction does: an empty one, and one without `ToTensor`, is completed by
    /// `ToTensor(), Normalize(mean=mean, std=std)`.
    ///
    /// # Errors
    /// [`TransformError::Read`] says where and what.
    pub fn parse(text: &str, names: &Names) -> Result<Self, TransformError> {
        const LAST: &str = "ToTensor(), Normalize(mean=mean, std=std)";
        let completed = if text.is_empty() {
            LAST.to_owned()
        } else if text.contains("ToTensor") {
            text.to_owned()
        } else {
            format!("{text}, {LAST}")
        };
        if completed.len() > LONGEST {
            return Err(TransformError::Read {
                text: completed.chars().take(60).collect(),
                at: 1,
                reason: format!(
                    "it has {} bytes, more than the {LONGEST} that are read",
                    completed.len()
                ),
            });
        }
        // The text as it was given comes first, so that its errors do not speak of what was appended.
        let given = if completed.len() == text.len() {
            &[&*completed][..]
        } else {
            &[text, &completed]
        };
        let mut steps = Vec::new();
        for text in given {
            let fail = |(at, reason): (usize, String)| TransformError::Read {
                text: (*text).to_owned(),
                at: at + 1,
                reason,
            };
            steps.clear();
            for call in expression::calls(text, names).map_err(fail)? {
                let at = call.at;
                steps.push(call::step(call).map_err(|reason| fail((at, reason)))?);
            }
        }
        Ok(Self { steps })
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl std::fmt::Display for Transforms {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(out, "{comma}{step}")?;
        }
        Ok(())
    }
}
