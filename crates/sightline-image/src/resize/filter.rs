//! Pillow's resampling filters: their names, numbers and weight functions.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// The weight of a source pixel at a distance from the centre.
pub(super) type Weight = fn(f64) -> f64;

/// A resampling filter of Pillow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// The mean of the covered pixels; support 0.5.
    Box,
    /// A triangle; support 1.
    Bilinear,
    /// A windowed sinc; support 1.
    Hamming,
    /// A cubic with a = -0.5; support 2.
    Bicubic,
    /// A sinc windowed by a sinc; support 3 (Pillow's `ANTIALIAS`).
    Lanczos,
}

/// A filter name that Pillow does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "There is no resampling filter {0:?}; there are nearest, box, bilinear, hamming, bicubic and lanczos."
)]
pub struct UnknownFilter(pub String);

impl Filter {
    /// Every filter.
    pub const ALL: [Self; 6] = [
        Self::Nearest,
        Self::Box,
        Self::Bilinear,
        Self::Hamming,
        Self::Bicubic,
        Self::Lanczos,
    ];

    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Hamming => "hamming",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }

    /// Its number in Pillow's `Image`.
    pub fn number(self) -> i64 {
        match self {
            Self::Nearest => 0,
            Self::Lanczos => 1,
            Self::Bilinear => 2,
            Self::Bicubic => 3,
            Self::Box => 4,
            Self::Hamming => 5,
        }
    }

    /// The filter of that number in Pillow's `Image` (0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming).
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.number() == number)
    }

    /// The filter of that name; Pillow's older names `antialias`, `linear` and `cubic` too, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "nearest" | "none" => Self::Nearest,
            "box" => Self::Box,
            "bilinear" | "linear" => Self::Bilinear,
            "hamming" => Self::Hamming,
            "bicubic" | "cubic" => Self::Bicubic,
            "lanczos" | "antialias" => Self::Lanczos,
            _ => return None,
        })
    }

    /// How many source pixels to each side of the centre have a weight, at scale 1 (0.5 to 3); 0 for the nearest pixel.
    pub fn support(self) -> f64 {
        self.kernel().map_or(0.0, |(support, _)| support)
    }

    /// Support and weight function; `None` for the nearest pixel, which weighs nothing.
    pub(super) fn kernel(self) -> Option<(f64, Weight)> {
        Some(match self {
            Self::Nearest => return None,
            Self::Box => (0.5, box_weight),
            Self::Bilinear => (1.0, bilinear_weight),
            Self::Hamming => (1.0, hamming_weight),
            Self::Bicubic => (2.0, bicubic_weight),
            Self::Lanczos => (3.0, lanczos_weight),
        })
    }
}

impl FromStr for Filter {
    type Err = UnknownFilter;

    fn from_str(name: &str) -> Result<Self, UnknownFilter> {
        Self::from_name(name).ok_or_else(|| UnknownFilter(name.to_owned()))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

fn box_weight(x: f64) -> f64 {
    if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 }
}

fn bilinear_weight(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { 1.0 - x } else { 0.0 }
}

fn hamming_weight(x: f64) -> f64 {
    let x = x.abs();
    if x == 0.0 {
        return 1.0;
    }
    if x >= 1.0 {
        return 0.0;
    }
    let x = x * PI;
    // Pillow writes these two as float32 constants.
    x.sin() / x * (f64::from(0.54_f32) + f64::from(0.46_f32) * x.cos())
}

fn bicubic_weight(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    x.sin() / x
}

fn lanczos_weight(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) {
        sinc(x) * sinc(x / 3.0)
    } else {
        0.0
    }
}
