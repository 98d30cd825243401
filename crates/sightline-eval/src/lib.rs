//! Evaluation protocols and metrics, from positions of positives and junk.
//!
//! For: turning rankings and a ground truth into the numbers of the papers, exactly as the original projects compute
//! them, with a confidence interval. Not for: computing descriptors or searching; a ranking comes in as scores, as
//! lists, or through the trait [`Ranking`] from a search that streams over the gallery.
//!
//! One file per protocol: [`revisited`] (cirtorch, Token, CSA), [`classic`], [`dirtorch`], [`recall`] (metric
//! learning), [`place`] (NetVLAD), [`landmarks`] (Google Landmarks v2). [`evaluate`] runs one over a data set.
//! [`paired`] and [`comparison`] put several evaluations of the same queries beside each other.
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
pub mod comparison;
pub mod curve;
pub mod dirtorch;
mod error;
mod evaluation;
mod label_evaluation;
pub mod landmarks;
mod list_evaluation;
pub mod paired;
pub mod place;
pub mod positions;
mod protocol;
pub mod ranking;
pub mod ranks;
pub mod recall;
pub mod revisited;
pub mod sign_flip;

pub use comparison::Comparison;
pub use error::EvalError;
pub use evaluation::{Confidence, Evaluation, Metrics, Options, QueryResult, evaluate};
pub use protocol::Protocol;
pub use ranking::{Rank, Ranking, ScoreMatrix};
pub use ranks::RankedLists;
