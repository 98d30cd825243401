//! The one order of all answers: higher score first, lower index first among equals, NaN last.

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Row of the database.
    pub index: usize,
    /// Inner product; NaN where a value was NaN or infinities cancelled.
    pub score: f32,
}

/// A score as a whole number that sorts alike: NaN lowest and all NaN alike, -0 as 0.
#[inline]
pub(crate) fn score_key(score: f32) -> u32 {
    if score.is_nan() {
        return 0;
    }
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The score of a key.
pub(crate) fn key_score(key: u32) -> f32 {
    match key {
        0 => f32::NAN,
        _ if key >> 31 == 1 => f32::from_bits(key & !(1 << 31)),
        _ => f32::from_bits(!key),
    }
}

/// A score and a row as one number; the greater number is the better answer, and no two rows have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate(u64);

impl Candidate {
    #[inline]
    pub(crate) fn new(score: f32, row: u32) -> Self {
        Self(u64::from(score_key(score)) << 32 | u64::from(!row))
    }

    pub(crate) fn score(self) -> f32 {
        key_score((self.0 >> 32) as u32)
    }

    pub(crate) fn row(self) -> u32 {
        !(self.0 as u32)
    }

    /// The same score at a row `by` further on; the caller has checked that rows stay within 32 bits.
    pub(crate) fn moved(self, by: u32) -> Self {
        // Rows are kept inverted, so that the lower one is the better.
        Self(self.0 - u64::from(by))
    }

    pub(crate) fn hit(self) -> Hit {
        Hit {
            index: self.row() as usize,
            score: self.score(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_ordered_and_read_back() {
        let scores = [
            f32::INFINITY,
            2.0,
            1e-45,
            0.0,
            -1e-45,
            -3.5,
            f32::NEG_INFINITY,
            f32::NAN,
        ];
        for pair in scores.windows(2) {
            assert!(
                Candidate::new(pair[0], 9) > Candidate::new(pair[1], 0),
                "{pair:?}"
            );
        }
        for (row, score) in scores.into_iter().enumerate() {
            let read = Candidate::new(score, row as u32).hit();
            assert_eq!(read.index, row);
            assert!(read.score == score || (read.score.is_nan() && score.is_nan()));
        }
        assert!(Candidate::new(0.0, 3) > Candidate::new(-0.0, 4));
        assert!(Candidate::new(-0.0, 3) > Candidate::new(0.0, 4));
        assert_eq!(Candidate::new(-f32::NAN, 1), Candidate::new(f32::NAN, 1));
    }
}
