//! The protocol of revisited Oxford and Paris: easy, medium and hard setups, mAP and mP@k.
//!
//! Source: Radenović et al., "Revisiting Oxford and Paris", CVPR 2018; `python/evaluate.py` of
//! filipradenovic/revisitop, `cirtorch/utils/evaluate.py`, and its copies in SOLAR, DELG, SuperGlobal, diffusion, HOW,
//! Token and CSA.

use crate::average_precision::trapezoid;
use crate::positions::Positions;

/// Default k of mP@k.
pub const KAPPAS: [usize; 3] = [1, 5, 10];

/// Which of the three lists are positives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Positives: easy. Removed: junk and hard.
    Easy,
    /// Positives: easy and hard. Removed: junk.
    Medium,
    /// Positives: hard. Removed: junk and easy.
    Hard,
}

impl Setup {
    /// All three, in the order in which they are printed.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Medium, Self::Hard];

    /// `easy`, `medium` or `hard`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }

    /// The lists that are positives and those that are removed, from a query's easy, hard and junk lists.
    pub fn split<'a>(
        self,
        easy: &'a [u32],
        hard: &'a [u32],
        junk: &'a [u32],
    ) -> (Vec<&'a [u32]>, Vec<&'a [u32]>) {
        match self {
            Self::Easy => (vec![easy], vec![junk, hard]),
            Self::Medium => (vec![easy, hard], vec![junk]),
            Self::Hard => (vec![hard], vec![junk, easy]),
        }
    }
}

/// What marks a query without positives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undefined {
    /// NaN: cirtorch and most of its copies.
    Nan,
    /// Positive infinity: the copies of Token and CSA.
    Infinity,
}

/// The measures of one query.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Average precision; NaN or infinite where the query has no positives.
    pub ap: f64,
    /// P@k for each k asked for; NaN or infinite where the query has no positives.
    pub precisions: Vec<f64>,
    /// Junk-free 0-based position of the first positive; none where the ranking holds none.
    pub first: Option<usize>,
}

impl Measure {
    /// Whether the query counts in the means.
    pub fn is_defined(&self) -> bool {
        self.ap.is_finite()
    }
}

/// Average precision by trapezoids and P@k of one query.
///
/// P@k is cut at the last positive that was ranked: with kq = min(its 1-based junk-free position, k), the share of
/// positives among the first kq. A ranking that holds no positive at all has AP 0 and P@k 0 (the original fails there
/// when asked for P@k).
///
/// ```
/// use sightline_eval::{positions::Positions, revisited::{Undefined, measure}};
/// let found = Positions::in_list(&[4, 1, 0, 2, 3], &[1, 2], &[0]);
/// let got = measure(&found, &[1, 10], Undefined::Nan);
/// assert_eq!(got.precisions, [0.0, 2.0 / 3.0]);
/// assert_eq!(got.first, Some(1));
/// ```
pub fn measure(found: &Positions, kappas: &[usize], undefined: Undefined) -> Measure {
    if found.named == 0 {
        let mark = match undefined {
            Undefined::Nan => f64::NAN,
            Undefined::Infinity => f64::INFINITY,
        };
        return Measure {
            ap: mark,
            precisions: vec![mark; kappas.len()],
            first: None,
        };
    }
    let positions = found.junk_free();
    let precision = |k: usize| {
        let Some(last) = positions.last() else {
            return 0.0;
        };
        let cut = k.min(last + 1);
        positions.iter().filter(|position| **position < cut).count() as f64 / cut as f64
    };
    Measure {
        ap: trapezoid(&positions, found.named),
        precisions: kappas.iter().map(|k| precision(*k)).collect(),
        first: positions.first().copied(),
    }
}

/// Means over the queries that have positives.
#[derive(Clone, Debug, PartialEq)]
pub struct Means {
    /// Mean average precision; NaN where no query has positives.
    pub map: f64,
    /// Mean P@k for each k; NaN where no query has positives.
    pub precisions: Vec<f64>,
}

/// Means of AP and P@k; queries without positives are left out of both.
pub fn means(measures: &[Measure]) -> Means {
    let counted: Vec<&Measure> = measures.iter().filter(|m| m.is_defined()).collect();
    let mean = |value: &dyn Fn(&Measure) -> f64| {
        counted.iter().map(|m| value(m)).sum::<f64>() / counted.len() as f64
    };
    let kappas = measures.first().map_or(0, |m| m.precisions.len());
    Means {
        map: mean(&|m| m.ap),
        precisions: (0..kappas).map(|k| mean(&|m| m.precisions[k])).collect(),
    }
}

/// A share in percent with two decimals, halves to even, as the originals print and Token's function returns it.
///
/// ```
/// assert_eq!(sightline_eval::revisited::percent(0.846_149), 84.61);
/// ```
pub fn percent(share: f64) -> f64 {
    (share * 100.0 * 100.0).round_ties_even() / 100.0
}
