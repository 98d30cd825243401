//! Two evaluations of the same queries beside each other: who wins where, by how much, and whether that could be chance.
//!
//! What is compared is the measure whose mean the protocol gives an interval: average precision (`mAP`, `mAP@100`), MAP@R of
//! labelled sets; and whether the first answer is right where a protocol has neither (place recognition, `R@1`).

use crate::bootstrap::{Bootstrap, Interval};
use crate::evaluation::QueryResult;
use crate::sign_flip::SignFlip;
use crate::{Evaluation, Protocol};
use serde::{Deserialize, Serialize};

/// Values closer than this are a tie: rounding alone may have parted them.
pub const TIE: f64 = 1e-12;

/// Why evaluations cannot be compared query by query.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum PairedError {
    /// Two protocols measure differently.
    #[error(
        "The evaluations were made by two protocols, {first} and {second}: compare evaluations by one protocol."
    )]
    Protocols {
        /// The first one's.
        first: Protocol,
        /// The other's.
        second: Protocol,
    },
    /// Another number of queries.
    #[error(
        "One evaluation has {first} queries, the other {second}: compare evaluations of the same queries."
    )]
    Counts {
        /// The first one's.
        first: usize,
        /// The other's.
        second: usize,
    },
    /// Other queries.
    #[error(
        "Query {place} (counted from 0) is \"{first}\" in one evaluation and \"{second}\" in the other: compare evaluations \
         of the same queries, in the same order."
    )]
    Queries {
        /// Which query.
        place: usize,
        /// Its name in the first.
        first: String,
        /// Its name in the other.
        second: String,
    },
    /// A query that counts in one evaluation only.
    #[error(
        "The query \"{query}\" counts in the {metric} of one evaluation only: compare evaluations against the same ground truth."
    )]
    DefinedOnce {
        /// The query.
        query: String,
        /// What is compared.
        metric: String,
    },
    /// A value that is not a finite number.
    #[error(
        "The value of query {place} (counted from 0) is not a finite number, so nothing can be compared with it."
    )]
    NotFinite {
        /// Which query.
        place: usize,
    },
    /// No query counts.
    #[error(
        "No query has a value of its own, so there is nothing to compare: the ground truth gives no query a right answer."
    )]
    NothingCounts,
    /// No evaluation at all.
    #[error("There is no evaluation to compare.")]
    Nothing,
}

/// How differences are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judging {
    /// How intervals are computed, of means and of mean differences.
    pub bootstrap: Bootstrap,
    /// How the test is made.
    pub sign_flip: SignFlip,
}

/// One method beside another, over the queries that count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Mean of the differences, second minus first.
    pub difference: f64,
    /// Interval of the mean difference by the paired bootstrap: queries are drawn with both their values. None where
    /// [`Bootstrap::interval`] gives none.
    pub difference_interval: Option<Interval>,
    /// Two-sided p value of [`SignFlip`].
    pub p: f64,
    /// Whether p was counted; false where it was sampled.
    pub exact: bool,
    /// Queries in which the second is better by more than [`TIE`].
    pub wins: usize,
    /// Queries in which it is worse.
    pub losses: usize,
    /// All others.
    pub ties: usize,
}

/// Compares paired values of queries, one each.
///
/// # Errors
/// When there are none, one is not finite, or the lists differ in length.
///
/// ```
/// use sightline_eval::paired::{Judging, compare};
/// let (first, second) = ([0.2, 0.5, 1.0, 0.4], [0.7, 0.75, 1.0, 0.3]);
/// let got = compare(&first, &second, &Judging::default()).unwrap();
/// assert_eq!((got.wins, got.losses, got.ties), (2, 1, 1));
/// assert!((got.difference - 0.1625).abs() < 1e-15);
/// // Of eight ways to give signs to 0.5, 0.25 and -0.1, four are at least 0.65 from 0.
/// assert_eq!((got.p, got.exact), (0.5, true));
/// ```
pub fn compare(first: &[f64], second: &[f64], judging: &Judging) -> Result<Paired, PairedError> {
    if first.len() != second.len() {
        return Err(PairedError::Counts {
            first: first.len(),
            second: second.len(),
        });
    }
    if first.is_empty() {
        return Err(PairedError::NothingCounts);
    }
    let both = first.iter().zip(second);
    let differences: Vec<f64> = both.map(|(first, second)| difference(*first, *second)).collect();
    let Some(test) = judging.sign_flip.test(&differences) else {
        let place = differences.iter().position(|one| !one.is_finite());
        return Err(PairedError::NotFinite {
            place: place.unwrap_or_default(),
        });
    };
    let (mut wins, mut losses) = (0, 0);
    for one in &differences {
        wins += usize::from(*one > 0.0);
        losses += usize::from(*one < 0.0);
    }
    Ok(Paired {
        difference: differences.iter().sum::<f64>() / differences.len() as f64,
        difference_interval: judging.bootstrap.interval(&differences),
        p: test.p,
        exact: test.exact,
        wins,
        losses,
        ties: differences.len() - wins - losses,
    })
}

/// Second minus first; 0 for a tie.
fn difference(first: f64, second: f64) -> f64 {
    let difference = second - first;
    if difference.abs() <= TIE { 0.0 } else { difference }
}

/// The value of every query in what is compared, in the data set's order; none for queries that do not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The metric that is its mean, such as `mAP`.
    pub metric: String,
    /// One a query.
    pub values: Vec<Option<f64>>,
}

/// The main measure of an evaluation.
///
/// # Errors
/// When no query counts.
pub fn measured(evaluation: &Evaluation) -> Result<Measured, PairedError> {
    let queries = &evaluation.queries;
    let (metric, values): (_, Vec<Option<f64>>) = match evaluation.protocol {
        Protocol::Recall => ("MAP@R", queries.iter().map(|query| query.map_at_r).collect()),
        Protocol::Netvlad => {
            let right = queries.iter().map(|query| query.first_positive_rank == Some(1));
            ("R@1", right.map(|right| Some(f64::from(right))).collect())
        }
        Protocol::Gldv2 => ("mAP@100", queries.iter().map(|query| query.ap).collect()),
        Protocol::Cirtorch | Protocol::Dirtorch | Protocol::Token => {
            ("mAP", queries.iter().map(|query| query.ap).collect())
        }
    };
    let metric = metric.to_owned();
    if values.iter().all(Option::is_none) {
        return Err(PairedError::NothingCounts);
    }
    Ok(Measured { metric, values })
}

/// The setups of a revisited set (`mAP-easy`, `mAP-medium`, `mAP-hard`) in which a query counts; none for other sets.
pub fn measured_setups(evaluation: &Evaluation) -> Vec<Measured> {
    let names: Vec<String> = evaluation.queries.first().map_or(Vec::new(), |query| {
        query.setups.iter().map(|(name, _)| name.to_owned()).collect()
    });
    let setup = |name: String| Measured {
        metric: name.replace("ap-", "mAP-"),
        values: evaluation
            .queries
            .iter()
            .map(|query| query.setups.get(&name))
            .collect(),
    };
    let mut setups: Vec<Measured> = names.into_iter().map(setup).collect();
    setups.retain(|setup| setup.values.iter().any(Option::is_some));
    setups
}

/// Checks that two evaluations are of the same queries by the same protocol.
///
/// # Errors
/// When they are not.
pub fn check_same_queries(first: &Evaluation, second: &Evaluation) -> Result<(), PairedError> {
    if first.protocol != second.protocol {
        return Err(PairedError::Protocols {
            first: first.protocol,
            second: second.protocol,
        });
    }
    if first.queries.len() != second.queries.len() {
        return Err(PairedError::Counts {
            first: first.queries.len(),
            second: second.queries.len(),
        });
    }
    let both = first.queries.iter().zip(&second.queries);
    match both.clone().position(|(first, second)| first.name != second.name) {
        Some(place) => Err(PairedError::Queries {
            place,
            first: first.queries[place].name.clone(),
            second: second.queries[place].name.clone(),
        }),
        None => Ok(()),
    }
}

/// The values of the queries that count, side by side; none for the others. `queries` are those of both.
pub(crate) fn side_by_side(
    first: &Measured,
    second: &Measured,
    queries: &[QueryResult],
) -> Result<Vec<Option<[f64; 2]>>, PairedError> {
    let pairs = first.values.iter().zip(&second.values).zip(queries);
    pairs
        .map(|(pair, query)| match pair {
            (Some(first), Some(second)) => Ok(Some([*first, *second])),
            (None, None) => Ok(None),
            _ => Err(PairedError::DefinedOnce {
                query: query.name.clone(),
                metric: first.metric.clone(),
            }),
        })
        .collect()
}

/// How the main measure of each query changed from `first` to `second`; none for queries that do not count.
///
/// # Errors
/// When the two are not of the same queries by the same protocol and ground truth.
pub fn changes(first: &Evaluation, second: &Evaluation) -> Result<Vec<Option<f64>>, PairedError> {
    check_same_queries(first, second)?;
    let pairs = side_by_side(&measured(first)?, &measured(second)?, &first.queries)?;
    let change = |pair: Option<[f64; 2]>| pair.map(|[first, second]| difference(first, second));
    Ok(pairs.into_iter().map(change).collect())
}

/// Indices of the queries that lost most and of those that gained most, at most `most` of each, the largest change first.
/// Queries that did not change are in neither list.
///
/// ```
/// let changes = [Some(0.1), None, Some(-0.3), Some(0.0), Some(0.4), Some(-0.5)];
/// let (lost, gained) = sightline_eval::paired::largest_changes(&changes, 2);
/// assert_eq!((lost, gained), (vec![5, 2], vec![4, 0]));
/// ```
pub fn largest_changes(changes: &[Option<f64>], most: usize) -> (Vec<usize>, Vec<usize>) {
    let of = |sign: f64| {
        let mut changed: Vec<(f64, usize)> = changes
            .iter()
            .enumerate()
            .filter_map(|(query, change)| Some((change.as_ref()? * sign, query)))
            .filter(|(change, _)| *change > 0.0)
            .collect();
        changed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        changed.into_iter().map(|(_, query)| query).take(most).collect()
    };
    (of(-1.0), of(1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Metrics;
    use proptest::prelude::*;

    fn evaluation(aps: &[Option<f64>]) -> Evaluation {
        let query = |(place, ap): (usize, &Option<f64>)| QueryResult {
            name: format!("q{place}"),
            ap: *ap,
            positives: usize::from(ap.is_some()),
            ..QueryResult::default()
        };
        Evaluation {
            protocol: Protocol::Cirtorch,
            metrics: Metrics::default(),
            confidence_interval: None,
            queries: aps.iter().enumerate().map(query).collect(),
            curves: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn turning_the_two_around_turns_the_result(
            pairs in prop::collection::vec((0_u32..6, 0_u32..6), 1..30),
        ) {
            let first: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.0) / 5.0).collect();
            let second: Vec<f64> = pairs.iter().map(|pair| f64::from(pair.1) / 5.0).collect();
            let judging = Judging { bootstrap: Bootstrap { resamples: 200, ..Bootstrap::default() }, ..Judging::default() };
            let there = compare(&first, &second, &judging).unwrap();
            let back = compare(&second, &first, &judging).unwrap();
            prop_assert_eq!(there.difference, -back.difference);
            prop_assert_eq!((there.p, there.wins, there.losses, there.ties), (back.p, back.losses, back.wins, back.ties));
            prop_assert_eq!(there.wins + there.losses + there.ties, pairs.len());
            let [one, other] = [there, back].map(|paired| paired.difference_interval.unwrap());
            prop_assert!((one.low + other.high).abs() < 1e-12 && (one.high + other.low).abs() < 1e-12);
            // The interval of what never differs is a point.
            let same = compare(&first, &first, &judging).unwrap();
            prop_assert_eq!((same.difference, same.p, same.ties), (0.0, 1.0, pairs.len()));
            prop_assert_eq!(same.difference_interval, Some(Interval { low: 0.0, high: 0.0 }));
        }
    }

    #[test]
    fn rounding_makes_no_winner() {
        let got = compare(&[0.1 + 0.2, 0.5], &[0.3, 0.5], &Judging::default()).unwrap();
        assert_eq!((got.ties, got.difference, got.p), (2, 0.0, 1.0));
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let judging = Judging::default();
        assert_eq!(compare(&[], &[], &judging), Err(PairedError::NothingCounts));
        assert_eq!(
            compare(&[0.5], &[0.5, 0.5], &judging),
            Err(PairedError::Counts { first: 1, second: 2 })
        );
        for wrong in [f64::NAN, f64::INFINITY] {
            assert_eq!(
                compare(&[0.5, 0.5], &[0.5, wrong], &judging),
                Err(PairedError::NotFinite { place: 1 })
            );
        }
        let plain = evaluation(&[Some(0.5), None, Some(1.0)]);
        let with = |change: &dyn Fn(&mut Evaluation)| {
            let mut other = plain.clone();
            change(&mut other);
            changes(&plain, &other).unwrap_err().to_string()
        };
        assert!(with(&|other| other.protocol = Protocol::Token).contains("cirtorch and token"));
        assert!(with(&|other| drop(other.queries.pop())).contains("3 queries, the other 2"));
        assert!(with(&|other| other.queries[1].name = "other".into()).contains("\"q1\" in one evaluation"));
        assert!(with(&|other| other.queries[1].ap = Some(0.1)).contains("\"q1\" counts in the mAP of one"));
        assert!(
            with(&|other| other.queries.iter_mut().for_each(|query| query.ap = None))
                .contains("nothing to compare")
        );
    }

    #[test]
    fn queries_that_do_not_count_change_nothing() {
        let (first, second) = (
            evaluation(&[Some(0.5), None, Some(1.0)]),
            evaluation(&[Some(0.75), None, Some(0.5)]),
        );
        let changes = changes(&first, &second).unwrap();
        assert_eq!(changes, [Some(0.25), None, Some(-0.5)]);
        assert_eq!(largest_changes(&changes, 9), (vec![2], vec![0]));
        assert_eq!(largest_changes(&changes, 0), (vec![], vec![]));
    }
}
