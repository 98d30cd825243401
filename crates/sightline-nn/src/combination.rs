//! Which global descriptors a CGD network joins, and how each pools a map (Jun, Ko, Kim, Kim: *Combination of Multiple
//! Global Descriptors for Image Retrieval*, <https://arxiv.org/abs/1903.10663>, section 3.1).

use crate::Ops;
use std::fmt;

/// A cubed mean without sign below this counts as this when its root is taken: the root is then off by 1e-8 at most,
/// and the gradient at zero is a number.
const LEAST_CUBE: f32 = 1e-24;

/// One global descriptor of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalDescriptor {
    /// Mean. Letter S.
    Spoc,
    /// Maximum. Letter M.
    Mac,
    /// Cubic mean, which keeps its sign: sign(q) |q|^(1/3) with q = mean(x^3). Letter G.
    Gem,
}

impl GlobalDescriptor {
    const ALL: [Self; 3] = [Self::Spoc, Self::Mac, Self::Gem];

    fn letter(self) -> char {
        match self {
            Self::Spoc => 'S',
            Self::Mac => 'M',
            Self::Gem => 'G',
        }
    }

    /// `[N, C, H, W]` -> `[N, C]`.
    pub fn pool<O: Ops>(self, ops: &mut O, map: O::T<4>) -> O::T<2> {
        match self {
            Self::Spoc => ops.global_mean(map),
            Self::Mac => ops.global_max(map),
            Self::Gem => cubic_mean(ops, map),
        }
    }
}

/// sign(q) |q|^(1/3) with q the mean of x^3 over all pixels, `[N, C, H, W]` -> `[N, C]`, without a floor under x.
fn cubic_mean<O: Ops>(ops: &mut O, map: O::T<4>) -> O::T<2> {
    let squares = ops.mul(map.clone(), map.clone());
    let cubes = ops.mul(squares, map);
    let mean = ops.global_mean(cubes);
    // q / |q|^(2/3), which has a gradient on both sides of zero.
    let size = ops.abs(mean.clone());
    let size = ops.clamp_min(size, LEAST_CUBE);
    let size = ops.power_number(size, 2.0 / 3.0);
    ops.div(mean, size)
}

/// One to three different descriptors in the order in which a network joins them: `SG`, `M`, `GSM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combination {
    first: GlobalDescriptor,
    rest: Vec<GlobalDescriptor>,
}

impl Combination {
    /// The TensorFlow project's, `SMG`.
    pub(crate) fn spoc_mac_gem() -> Self {
        Self {
            first: GlobalDescriptor::Spoc,
            rest: vec![GlobalDescriptor::Mac, GlobalDescriptor::Gem],
        }
    }

    /// leftthomas's default, `SG`.
    pub(crate) fn spoc_gem() -> Self {
        Self {
            first: GlobalDescriptor::Spoc,
            rest: vec![GlobalDescriptor::Gem],
        }
    }

    /// All fifteen, those of few descriptors first.
    pub(crate) fn all() -> Vec<Self> {
        let one = |first| Self {
            first,
            rest: Vec::new(),
        };
        let mut all: Vec<Self> = GlobalDescriptor::ALL.map(one).to_vec();
        let mut begin = 0;
        while begin < all.len() {
            let end = all.len();
            for shorter in begin..end {
                for descriptor in GlobalDescriptor::ALL {
                    let mut longer = all[shorter].clone();
                    if !longer.descriptors().any(|known| known == descriptor) {
                        longer.rest.push(descriptor);
                        all.push(longer);
                    }
                }
            }
            begin = end;
        }
        all
    }

    /// Reads the letters; none if one is unknown or stands twice.
    pub(crate) fn read(letters: &str) -> Option<Self> {
        Self::all().into_iter().find(|known| known.to_string() == letters)
    }

    /// The descriptors in their order.
    pub fn descriptors(&self) -> impl Iterator<Item = GlobalDescriptor> {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }

    /// How many are joined.
    pub fn count(&self) -> usize {
        1 + self.rest.len()
    }

    /// The branches of all descriptors after one another; `branch` makes one of the descriptor `[N, C]` of that number.
    pub(crate) fn join<O: Ops>(
        &self,
        ops: &mut O,
        map: &O::T<4>,
        mut branch: impl FnMut(&mut O, usize, O::T<2>) -> O::T<2>,
    ) -> O::T<2> {
        let first = self.first.pool(ops, map.clone());
        let mut joined = branch(ops, 0, first);
        for (index, descriptor) in self.rest.iter().enumerate() {
            let next = descriptor.pool(ops, map.clone());
            let next = branch(ops, index + 1, next);
            joined = ops.concat(joined, next);
        }
        joined
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters: String = self.descriptors().map(GlobalDescriptor::letter).collect();
        write!(f, "{letters}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BurnOps;
    use burn::tensor::{Device, Tensor};

    #[test]
    fn the_cubic_mean_keeps_its_sign_and_has_a_gradient_at_zero() {
        let device = Device::flex().autodiff();
        // Channels: all zero, q = -4, q = 27 of one pixel in two.
        let values = [[[[0.0, 0.0]], [[-2.0, 0.0]], [[3.0, 3.0]]]];
        let map = Tensor::<4>::from_data(values, &device).require_grad();
        let pooled = GlobalDescriptor::Gem.pool(&mut BurnOps::default(), map.clone());
        let got = pooled.to_data().try_to_vec::<f32>().unwrap();
        for (got, want) in got.iter().zip([0.0, -(4.0_f32.cbrt()), 3.0]) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
        let gradient = map.grad(&pooled.sum().backward()).unwrap();
        let gradient = gradient.into_data().try_to_vec::<f32>().unwrap();
        // x^2 |q|^(-2/3) / 2, and none where everything is zero.
        let slope = 2.0 * 4.0_f32.powf(-2.0 / 3.0);
        for (got, want) in gradient.iter().zip([0.0, 0.0, slope, 0.0, 0.5, 0.5]) {
            assert!((got - want).abs() < 1e-5, "{gradient:?}");
        }
    }

    #[test]
    fn every_order_is_a_combination() {
        let all: Vec<String> = Combination::all().iter().map(Combination::to_string).collect();
        assert_eq!(all.len(), 15);
        assert_eq!(all[..5], ["S", "M", "G", "SM", "SG"]);
        for letters in ["GS", "SMG", "MSG", "GSM", "GMS"] {
            assert_eq!(Combination::read(letters).unwrap().to_string(), letters);
        }
        for letters in ["", "SS", "X", "s", "SMGS"] {
            assert_eq!(Combination::read(letters), None, "{letters}");
        }
    }
}
