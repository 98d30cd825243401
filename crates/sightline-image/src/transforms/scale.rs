//! dirtorch's `Scale`: which size a picture gets.

use crate::resize::Filter;

/// What `Scale` was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ScaleSize {
    /// The shorter side (or the longer with `largest`) in pixels.
    Side(i64),
    /// Both sides times this, in ]0, 4].
    Factor(f64),
    /// Width and height in pixels.
    Pair(i64, i64),
}

/// `Scale(size, interpolation, largest, can_upscale, can_downscale)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// What is asked for.
    pub size: ScaleSize,
    /// The filter.
    pub interpolation: Filter,
    /// The longer side instead of the shorter.
    pub largest: bool,
    /// Whether pictures may grow.
    pub can_upscale: bool,
    /// Whether pictures may shrink.
    pub can_downscale: bool,
}

impl Scale {
    /// The size (width, height) that is computed for a picture of (width, height), before asking whether it may change.
    pub fn target(&self, size: (u32, u32)) -> (i64, i64) {
        let (w, h) = (i64::from(size.0), i64::from(size.1));
        let other = |side: i64, of: i64, to: i64| (0.5 + (side.saturating_mul(of)) as f64 / to as f64) as i64;
        match self.size {
            ScaleSize::Pair(width, height) => (width, height),
            ScaleSize::Factor(factor) => ((0.5 + factor * w as f64) as i64, (0.5 + factor * h as f64) as i64),
            ScaleSize::Side(side) => {
                let decides = |a: i64, b: i64| if self.largest { a >= b } else { a <= b };
                if (decides(w, h) && w == side) || (decides(h, w) && h == side) {
                    (w, h)
                } else if decides(w, h) {
                    (side, other(side, h, w))
                } else {
                    (other(side, w, h), side)
                }
            }
        }
    }

    /// Whether a picture of (width, height) is resized to [`Self::target`]: only if the shorter sides differ, in a direction
    /// that is allowed.
    pub fn resizes(&self, size: (u32, u32)) -> bool {
        let target = self.target(size);
        let old = i64::from(size.0.min(size.1));
        let new = target.0.min(target.1);
        let same = target == (size.0.into(), size.1.into());
        !same && ((self.can_upscale && old < new) || (self.can_downscale && old > new))
    }

    /// The size that the picture then has.
    pub fn result(&self, size: (u32, u32)) -> (i64, i64) {
        if self.resizes(size) {
            self.target(size)
        } else {
            (size.0.into(), size.1.into())
        }
    }
}
