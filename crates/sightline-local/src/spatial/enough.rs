//! How many samples are enough.

/// The least number of samples, at most `most`, after which one with the chance `good` of being right has been missed with
/// a chance of at most 1 - `confidence`. Computed by multiplication alone, so that it is the same on every machine.
pub(super) fn samples(good: f64, confidence: f64, most: usize) -> usize {
    let missed = |count: usize| power(1.0 - good, count) <= 1.0 - confidence;
    if !missed(most) {
        return most;
    }
    let (mut low, mut high) = (0, most);
    while low < high {
        let middle = low.midpoint(high);
        if missed(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The chance that all of `size` matches drawn out of `all` are among the `inliers`.
pub(super) fn chance(inliers: usize, all: usize, size: usize) -> f64 {
    (0..size)
        .map(|i| inliers.saturating_sub(i) as f64 / all.saturating_sub(i).max(1) as f64)
        .product()
}

/// The share of inliers that is still found within `most` samples of `size`.
pub(super) fn least_share(size: usize, most: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..30 {
        let middle: f64 = (low + high) / 2.0;
        if samples(power(middle, size), 0.95, most) < most {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

fn power(mut base: f64, mut exponent: usize) -> f64 {
    let mut result = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            result *= base;
        }
        base *= base;
        exponent /= 2;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_samples_are_the_textbook_ones() {
        // log(0.01) / log(1 - 0.5^4) = 71.4; at 0.3^4, 566.2.
        assert_eq!(samples(0.0625, 0.99, 10_000), 72);
        assert_eq!(samples(0.0081, 0.99, 10_000), 567);
        assert_eq!(samples(0.0081, 0.99, 100), 100);
        assert_eq!(samples(0.0081, 1.0, 1000), 1000);
        assert_eq!(samples(1.0, 1.0, 1000), 1);
        assert_eq!(samples(0.0, 0.5, 1000), 1000);
        assert_eq!(samples(f64::NAN, 0.5, 1000), 1000);
    }

    #[test]
    fn chances_of_good_samples() {
        assert_eq!(chance(2, 4, 2), 2.0 / 4.0 * 1.0 / 3.0);
        assert_eq!(chance(1, 4, 2), 0.0);
        let share = least_share(4, 1000);
        assert!((share - 0.234).abs() < 0.001, "{share}");
    }
}
