//! Seeded choices by name, so that adding one property of a scene leaves all others as they were.

use sightline_checkpoint::formula::uniform;

/// A source of choices: every choice depends on the seed and on its own name alone.
pub(crate) struct Dice {
    scope: String,
    seed: u64,
}

impl Dice {
    pub(crate) fn new(scope: impl Into<String>, seed: u64) -> Self {
        Self {
            scope: scope.into(),
            seed,
        }
    }

    /// A number in `[low, high)`.
    pub(crate) fn range(&self, name: &str, low: f32, high: f32) -> f32 {
        self.several::<1>(name, low, high)[0]
    }

    /// `N` numbers in `[low, high)`.
    pub(crate) fn several<const N: usize>(&self, name: &str, low: f32, high: f32) -> [f32; N] {
        let values = uniform(&format!("{}.{name}", self.scope), self.seed, N);
        std::array::from_fn(|i| low + (high - low) * (0.5 * (values[i] as f32 + 1.0)))
    }

    /// One of `0..count`; `count` must not be zero.
    pub(crate) fn pick(&self, name: &str, count: usize) -> usize {
        (self.range(name, 0.0, count as f32) as usize).min(count - 1)
    }
}

/// A number in `[0, 1)` for a whole-number position, the same for the same `salt`: noise that needs no table.
pub(crate) fn hash(x: i32, y: i32, salt: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x9E37_79B1)
        ^ (y as u32).wrapping_mul(0x85EB_CA77)
        ^ salt.wrapping_mul(0xC2B2_AE3D);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    (h ^ (h >> 15)) as f32 / (u32::MAX as f32 + 1.0)
}

/// Smooth noise in `[0, 1]` with one cell per unit.
pub(crate) fn smooth_noise(x: f32, y: f32, salt: u32) -> f32 {
    let (x0, y0) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (fx, fy) = (ease(x - x0), ease(y - y0));
    let corner = |dx: i32, dy: i32| hash(x0 as i32 + dx, y0 as i32 + dy, salt);
    let top = corner(0, 0) * (1.0 - fx) + corner(1, 0) * fx;
    let bottom = corner(0, 1) * (1.0 - fx) + corner(1, 1) * fx;
    top * (1.0 - fy) + bottom * fy
}
