//! The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), as C++'s `std::mt19937` and faiss's `RandomGenerator`
//! have it, and the permutation that faiss draws from it.

const LENGTH: usize = 624;
const DISTANCE: usize = 397;

/// The generator.
#[derive(Clone, Debug)]
pub(crate) struct Mersenne {
    state: [u32; LENGTH],
    next: usize,
}

impl Mersenne {
    pub(crate) fn new(seed: u32) -> Self {
        let mut state = [seed; LENGTH];
        for i in 1..LENGTH {
            let before = state[i - 1];
            state[i] = (before ^ (before >> 30))
                .wrapping_mul(1_812_433_253)
                .wrapping_add(i as u32);
        }
        Self { state, next: LENGTH }
    }

    fn turn(&mut self) {
        for i in 0..LENGTH {
            let mixed = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % LENGTH] & 0x7FFF_FFFF);
            let odd = if mixed & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[i] = self.state[(i + DISTANCE) % LENGTH] ^ (mixed >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// 32 bits.
    pub(crate) fn bits(&mut self) -> u32 {
        if self.next == LENGTH {
            self.turn();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C_5680;
        y ^= (y << 15) & 0xEFC6_0000;
        y ^ (y >> 18)
    }

    /// faiss's `rand_float`, in [0, 1].
    pub(crate) fn float(&mut self) -> f32 {
        self.bits() as f32 / u32::MAX as f32
    }

    /// 53 random bits, in [0, 1): the authors' `genrand_res53`.
    pub(crate) fn double(&mut self) -> f64 {
        let (high, low) = (f64::from(self.bits() >> 5), f64::from(self.bits() >> 6));
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }
}

/// faiss's `rand_perm`: the numbers 0 to `count` - 1 in an order drawn from `seed` (its low 32 bits). `count` is at most
/// 2^32 - 1.
///
/// ```
/// assert_eq!(sightline_search::rand_perm(5, 1234).len(), 5);
/// ```
pub fn rand_perm(count: usize, seed: u64) -> Vec<u32> {
    let mut random = Mersenne::new(seed as u32);
    let mut order: Vec<u32> = (0..count as u32).collect();
    for i in 0..count.saturating_sub(1) {
        let j = i + random.bits() as usize % (count - i);
        order.swap(i, j);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [rand.predef]: the 10000th value of a default-seeded `std::mt19937` is 4123659995.
    #[test]
    fn the_standards_value() {
        let mut random = Mersenne::new(5489);
        let last = (0..10_000).map(|_| random.bits()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    #[test]
    fn a_permutation_holds_every_number_once() {
        for count in [0, 1, 2, 1000] {
            let mut order = rand_perm(count, 1 << 40 | 7);
            assert_eq!(order, rand_perm(count, 7));
            order.sort_unstable();
            assert_eq!(order, (0..count as u32).collect::<Vec<_>>());
        }
    }
}
