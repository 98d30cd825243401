//! The steps that a transform text can hold.

use super::scale::{Scale, ScaleSize};
use crate::resize::Filter;
use std::fmt;

/// One transform with all its arguments.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing.
    Identity,
    /// Resizing.
    Scale(Scale),
    /// Padding of the shorter side up to `size` pixels, the picture in the middle.
    Pad {
        /// Pixels.
        size: i64,
        /// Red, green, blue of the border.
        color: [u8; 3],
    },
    /// Padding or cropping to a square of `size` pixels, of the longer side where it is `None`.
    PadSquare {
        /// Pixels.
        size: Option<i64>,
        /// Red, green, blue of the border.
        color: [u8; 3],
    },
    /// dirtorch's own crop of the middle, black outside.
    CenterCrop {
        /// Rows.
        height: u32,
        /// Pixels per row.
        width: u32,
        /// Black border added on all four sides first, in pixels.
        padding: u32,
    },
    /// Crop to the picture's box with a margin.
    CropToBbox {
        /// Share of the box's shorter side on each side.
        margin: f64,
        /// Least side of the result in pixels.
        min_size: i64,
    },
    /// Bytes to values 0 to 1.
    ToTensor,
    /// Minus mean, over standard deviation, per channel.
    Normalize {
        /// Mean for values 0 to 1.
        mean: [f64; 3],
        /// Standard deviation for values 0 to 1.
        std: [f64; 3],
    },
    /// torchvision's `Resize` of the shorter side.
    ShorterTo {
        /// Pixels.
        size: u32,
        /// The filter.
        interpolation: Filter,
    },
    /// torchvision's `Resize` to a size.
    ResizeTo {
        /// Rows.
        height: u32,
        /// Pixels per row.
        width: u32,
        /// The filter.
        interpolation: Filter,
    },
    /// torchvision's `CenterCrop`.
    TorchvisionCrop {
        /// Rows.
        height: u32,
        /// Pixels per row.
        width: u32,
    },
}

impl fmt::Display for Step {
    /// The call that makes this step, every argument named.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => write!(out, "Identity()"),
            Self::Scale(scale) => {
                let size = match scale.size {
                    ScaleSize::Side(side) => side.to_string(),
                    ScaleSize::Factor(factor) => format!("{factor:?}"),
                    ScaleSize::Pair(width, height) => format!("({width}, {height})"),
                };
                let filter = Constant(scale.interpolation);
                let (largest, up, down) = (
                    Truth(scale.largest),
                    Truth(scale.can_upscale),
                    Truth(scale.can_downscale),
                );
                write!(
                    out,
                    "Scale(size={size}, interpolation={filter}, largest={largest}, can_upscale={up}, can_downscale={down})"
                )
            }
            Self::Pad {
                size,
                color: [r, g, b],
            } => write!(out, "Pad(size={size}, color=({r}, {g}, {b}))"),
            Self::PadSquare {
                size,
                color: [r, g, b],
            } => {
                let size = size.map_or("None".to_owned(), |size| size.to_string());
                write!(out, "PadSquare(size={size}, color=({r}, {g}, {b}))")
            }
            Self::CenterCrop {
                height,
                width,
                padding,
            } => {
                write!(out, "CenterCrop(size=({height}, {width}), padding={padding})")
            }
            Self::CropToBbox { margin, min_size } => {
                write!(out, "CropToBbox(margin={margin:?}, min_size={min_size})")
            }
            Self::ToTensor => write!(out, "ToTensor()"),
            Self::Normalize {
                mean: [a, b, c],
                std: [d, e, f],
            } => {
                write!(
                    out,
                    "Normalize(mean=({a:?}, {b:?}, {c:?}), std=({d:?}, {e:?}, {f:?}))"
                )
            }
            Self::ShorterTo { size, interpolation } => {
                write!(
                    out,
                    "tvf.Resize(size={size}, interpolation={})",
                    Constant(*interpolation)
                )
            }
            Self::ResizeTo {
                height,
                width,
                interpolation,
            } => {
                let filter = Constant(*interpolation);
                write!(
                    out,
                    "tvf.Resize(size=({height}, {width}), interpolation={filter})"
                )
            }
            Self::TorchvisionCrop { height, width } => {
                write!(out, "tvf.CenterCrop(size=({height}, {width}))")
            }
        }
    }
}

/// A truth value as Python writes it.
struct Truth(bool);

impl fmt::Display for Truth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0 { "True" } else { "False" })
    }
}

/// A filter as Pillow's constant.
struct Constant(Filter);

impl fmt::Display for Constant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Image.{}", self.0.name().to_ascii_uppercase())
    }
}
