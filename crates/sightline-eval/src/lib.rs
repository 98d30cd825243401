//! Evaluation protocols and metrics, from positions of positives and junk.
//!
//! For: turning rankings and a ground truth into the numbers of the papers, exactly as the original projects compute
//! them, with a confidence interval. Not for: computing descriptors or searching; a ranking comes in as scores, as
//! lists, or through the trait [`Ranking`] from a search that streams over the gallery.
//!
//! One file per protocol: [`revisited`] (cirtorch, Token, CSA), [`classic`], [`dirtorch`], [`recall`] (metric
//! learning), [`place`] (NetVLAD), [`landmarks`] (Google Landmarks v2).
//!
//! A query with two positives, 1 and 3, and image 0 as junk, over a list of five:
//!
//! ```
//! use sightline_eval::positions::Positions;
//! use sightline_eval::revisited::{Undefined, measure};
//!
//! let found = Positions::in_list(&[0, 1, 2, 3, 4], &[1, 3], &[0]);
//! let got = measure(&found, &[1, 5], Undefined::Nan);
//! // Junk steps aside: the positives are first and third, so the second trapezoid is (1/2 + 2/3) / 4.
//! assert!((got.ap - (0.5 + (0.5 + 2.0 / 3.0) / 4.0)).abs() < 1e-12);
//! assert_eq!(got.precisions, [1.0, 2.0 / 3.0]);
//! ```

pub mod average_precision;
pub mod bootstrap;
pub mod classic;
pub mod dirtorch;
mod error;
pub mod landmarks;
pub mod place;
pub mod positions;
pub mod ranking;
pub mod recall;
pub mod revisited;

pub use error::EvalError;
pub use ranking::{Rank, Ranking, ScoreMatrix};
