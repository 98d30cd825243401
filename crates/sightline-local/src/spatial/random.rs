//! Random draws that are the same on every machine.

/// Steele, Lea and Flood's SplitMix64.
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A whole number below `bound`, which is at least 1 and below 2^32. Its bias is below 2^-32 and does not matter here.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (((self.next() >> 32) * bound as u64) >> 32) as usize
    }

    /// Different whole numbers below `bound` into every place of `drawn`; there are few places, and no more than `bound`.
    pub(super) fn different(&mut self, bound: usize, drawn: &mut [usize]) {
        let mut filled = 0;
        while filled < drawn.len() {
            let candidate = self.below(bound);
            if !drawn[..filled].contains(&candidate) {
                drawn[filled] = candidate;
                filled += 1;
            }
        }
    }

    /// The numbers below `count`, in random order.
    pub(super) fn permutation(&mut self, count: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count as u32).collect();
        for place in (1..count).rev() {
            order.swap(place, self.below(place + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_everything_once_and_depends_on_the_seed() {
        let draw = |seed| Random::new(seed).permutation(100);
        let mut sorted = draw(1);
        assert_ne!(sorted, draw(2));
        assert_eq!(sorted, draw(1));
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
        assert!(Random::new(1).permutation(0).is_empty());
    }

    #[test]
    fn what_is_drawn_differs() {
        let mut random = Random::new(3);
        for _ in 0..100 {
            let mut drawn = [0; 4];
            random.different(4, &mut drawn);
            drawn.sort_unstable();
            assert_eq!(drawn, [0, 1, 2, 3]);
        }
    }
}
