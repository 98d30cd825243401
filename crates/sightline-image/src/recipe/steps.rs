//! The values that the steps of a recipe take.

use crate::crop::{Centre, Corners};
use crate::decode::{Orientation, Truncated};
use crate::resize::Filter;
use serde::{Deserialize, Serialize};

/// Whose decoder is followed where the originals' libraries differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// Pillow's `open` and `convert("RGB")`.
    Pillow,
    /// OpenCV's `imread`.
    Cv2,
}

/// Names of [`Orientation`] in a recipe.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Orientation", rename_all = "kebab-case")]
pub(super) enum OrientationName {
    Ignore,
    Apply,
}

/// Names of [`Truncated`] in a recipe.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Truncated", rename_all = "kebab-case")]
pub(super) enum TruncatedName {
    Refuse,
    Tolerate,
}

/// How the box of a query is cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryBox {
    /// How fractions of a pixel are made whole.
    pub corners: Corners,
    /// What a box holds beyond the picture.
    pub outside: Outside,
    /// Whether the size asked for is that of the whole picture, so that its part shrinks with it (cirtorch), or that of
    /// the part itself. For the rule `longer-at-most`.
    pub shares_size: bool,
}

/// What a box holds beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outside {
    /// Black (Pillow's crop).
    Black,
    /// Nothing: the box ends at the picture's edge (NumPy's slicing).
    CutOff,
}

/// Order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pad {
    /// None.
    None,
    /// Black ones that make a square, the smaller half before the picture.
    BlackSquare,
}

/// What pixels are computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Samples {
    /// 8 bits, rounded after each step.
    Bytes,
    /// float32 from 0 to 255.
    Floats,
}

/// Resizing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Which size results.
    pub rule: Rule,
    /// Pixels, for the rule.
    pub size: Option<u32>,
    /// How pixels are interpolated.
    pub filter: Interpolation,
    /// Pillow's `reducing_gap`, for its filters.
    pub reducing_gap: Option<f64>,
}

/// Which size results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The picture keeps its size.
    None,
    /// The longer side at most the size, in the picture's aspect ratio as Pillow's `thumbnail` rounds it; never enlarged.
    LongerAtMost,
    /// The shorter side becomes the size; the longer is `trunc(size * longer / shorter)` (torchvision).
    ShorterTo,
    /// The shorter side becomes the size; the longer is `floor(longer / shorter * size)` (DELG).
    ShorterToDelg,
    /// Both sides become the size.
    Square,
}

/// How pixels are interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Pillow's NEAREST.
    Nearest,
    /// Pillow's BOX.
    Box,
    /// Pillow's BILINEAR.
    Bilinear,
    /// Pillow's HAMMING.
    Hamming,
    /// Pillow's BICUBIC.
    Bicubic,
    /// Pillow's LANCZOS.
    Lanczos,
    /// OpenCV's INTER_LINEAR.
    Cv2Linear,
    /// OpenCV's INTER_AREA.
    Cv2Area,
}

impl Interpolation {
    /// The filter of Pillow, where it is one.
    pub fn pillow(self) -> Option<Filter> {
        Some(match self {
            Self::Nearest => Filter::Nearest,
            Self::Box => Filter::Box,
            Self::Bilinear => Filter::Bilinear,
            Self::Hamming => Filter::Hamming,
            Self::Bicubic => Filter::Bicubic,
            Self::Lanczos => Filter::Lanczos,
            Self::Cv2Linear | Self::Cv2Area => return None,
        })
    }
}

/// A square crop of the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Pixels per side; no crop where it is null.
    pub size: Option<u32>,
    /// Whose rounding.
    pub centre: Centre,
}

/// How a picture is made again at another scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scales {
    /// Not at all: several transform texts take its place (dirtorch).
    None,
    /// Interpolation of the tensor, coordinates by the scale; exactly 1 is a copy (cirtorch, Token, SOLAR).
    TensorGiven,
    /// Interpolation of the tensor, coordinates by the ratio of the sizes (HOW, SuperGlobal).
    TensorRecomputed,
    /// OpenCV's INTER_LINEAR of the pixels to sizes rounded half to even (DELG).
    PixelsLinear,
    /// OpenCV's INTER_AREA of the pixels below 1, INTER_LINEAR above (what SuperGlobal's loader can do, and its
    /// evaluation does not).
    PixelsAreaOrLinear,
}

impl Scales {
    /// Whether pixels are scaled, before they become a tensor.
    pub fn of_pixels(self) -> bool {
        matches!(self, Self::PixelsLinear | Self::PixelsAreaOrLinear)
    }
}
