//! Colours for what is strong and what is weak.

use super::Colour;

/// From weak to strong; told apart by brightness too, and legible on photographs.
const STOPS: [Colour; 4] = [[66, 92, 222], [0, 168, 181], [88, 211, 98], [255, 225, 40]];

/// The colour of a strength from 0 (weak, blue) to 1 (strong, yellow).
#[must_use]
pub fn gradient(strength: f64) -> Colour {
    // What is no number counts as weak.
    let strength = if strength.is_nan() {
        0.0
    } else {
        strength.clamp(0.0, 1.0)
    };
    let place = strength * (STOPS.len() - 1) as f64;
    let stop = (place as usize).min(STOPS.len() - 2);
    let share = place - stop as f64;
    let (low, high) = (STOPS[stop], STOPS[stop + 1]);
    std::array::from_fn(|channel| {
        let (low, high) = (f64::from(low[channel]), f64::from(high[channel]));
        (low + share * (high - low)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_and_what_is_beyond() {
        assert_eq!(gradient(0.0), STOPS[0]);
        assert_eq!(gradient(1.0), STOPS[3]);
        assert_eq!(gradient(f64::NAN), STOPS[0]);
        assert_eq!((gradient(-5.0), gradient(7.0)), (STOPS[0], STOPS[3]));
        assert_eq!(gradient(1.0 / 3.0), STOPS[1]);
    }
}
