//! SuperGlobal's changes to a network with GeM, which need no training: ReLUP, regional GeM, GeM+ (Shao et al., *Global
//! Features are All You Need for Image Retrieval and Reranking*, ICCV 2023; ShihaoShao-GH/SuperGlobal
//! `modules/coarse_retrieval`). Its pooling over scales is `sightline-descriptor`'s.

use super::read_power;
use crate::Ops;
use crate::relup::{RELUP, Relup};
use sightline_plan::Window;
use std::fmt;

/// The power of regional GeM in the original (`rgem.py`).
pub const REGIONAL_GEM_POWER: f32 = 2.5;
/// The side of its windows.
pub const REGIONAL_GEM_SIDE: usize = 5;
/// The power of GeM+ in the original (`gemp.py`).
pub const GEM_PLUS_POWER: f32 = 4.6;
/// What GeM+, a generalised mean with a fixed power ([`gem_fixed`](super::gem_fixed)), raises numbers to at least.
pub const GEM_PLUS_EPSILON: f32 = 1e-8;

/// Regional GeM: `x / 2 + m / 2`, where m is (mean of x^p)^(1/p) over the `side` x `side` window around each pixel of
/// `[N, C, H, W]`, the map reflected at its borders.
///
/// `side` is odd, and the map at least (`side` + 1) / 2 pixels high and wide. Numbers below zero count as 0 in m; the
/// original's maps have none.
pub fn regional_gem<O: Ops>(ops: &mut O, x: O::T<4>, p: f32, side: usize) -> O::T<4> {
    let window = Window {
        size: [side; 2],
        stride: [1; 2],
        padding: [0; 2],
        ceil: false,
    };
    // Every pixel is raised once, before it is read by many windows.
    let powers = ops.relu(x.clone());
    let powers = ops.power_number(powers, p);
    let powers = ops.reflect_pad(powers, side / 2);
    let mean = ops.mean_pool(powers, window, true);
    // The slope of a root is infinite at zero, and a window of zeros would have no gradient.
    let mean = ops.clamp_min(mean, f32::MIN_POSITIVE);
    let around = ops.power_number(mean, p.recip());
    let sum = ops.add(x, around);
    ops.mul_number(sum, 0.5)
}

/// Which of SuperGlobal's changes a network has, and their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SuperGlobal {
    /// ReLUP with that least value in place of ReLU in the trunk: within the blocks of stage 1, and at the end of every
    /// block of stages 1 to 3. Option `-relup`, `-relup0.014`.
    pub relup: Option<f32>,
    /// Regional GeM with that power, over windows of 5 x 5, before the pooling. Option `-rgem`, `-rgem2.5`.
    pub rgem: Option<f32>,
    /// GeM+ with that power in place of the learned GeM. Option `-gemp`, `-gemp4.6`.
    pub gemp: Option<f32>,
}

impl SuperGlobal {
    /// None of them.
    pub const NONE: Self = Self {
        relup: None,
        rgem: None,
        gemp: None,
    };
    /// All of them, with the original's numbers.
    pub const ALL: Self = Self {
        relup: Some(RELUP),
        rgem: Some(REGIONAL_GEM_POWER),
        gemp: Some(GEM_PLUS_POWER),
    };

    /// Each part's word in names, its value, and the original's number.
    fn parts(&mut self) -> [(&'static str, &mut Option<f32>, f32); 3] {
        [
            ("relup", &mut self.relup, RELUP),
            ("rgem", &mut self.rgem, REGIONAL_GEM_POWER),
            ("gemp", &mut self.gemp, GEM_PLUS_POWER),
        ]
    }

    /// Applies the option `relup`, `rgem`, `gemp`, with a number or without; none if it is another one.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        let mut parts = self.parts().into_iter();
        let (text, part, usual) =
            parts.find_map(|(word, part, usual)| Some((option.strip_prefix(word)?, part, usual)))?;
        *part = Some(if text.is_empty() { usual } else { read_power(text)? });
        Some(())
    }

    /// Applies the option `norelup`, `norgem` or `nogemp` of the head `superglobal`; none if it is another one.
    pub(crate) fn leave_out(&mut self, option: &str) -> Option<()> {
        let mut parts = self.parts().into_iter();
        let (_, part, _) = parts.find(|(word, ..)| option.strip_prefix("no") == Some(word))?;
        *part = None;
        Some(())
    }

    /// Writes what [`SuperGlobal::apply`] and [`SuperGlobal::leave_out`] read, as far as it is not `usual`.
    pub(crate) fn write_options(mut self, usual: Self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut usual = usual;
        for ((word, part, number), (_, usual, _)) in self.parts().into_iter().zip(usual.parts()) {
            match *part {
                same if same == *usual => {}
                None => write!(f, "-no{word}")?,
                Some(value) if value == number => write!(f, "-{word}")?,
                Some(value) => write!(f, "-{word}{value}")?,
            }
        }
        Ok(())
    }

    /// What the trunk has of it.
    pub(crate) fn in_trunk(self) -> Relup {
        Relup {
            inner: self.relup,
            ends: self.relup,
        }
    }

    /// The least height and width of a map that it can pool.
    pub(crate) fn least_map(self) -> usize {
        match self.rgem {
            Some(_) => REGIONAL_GEM_SIDE / 2 + 1,
            None => 1,
        }
    }
}
