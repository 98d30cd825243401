//! Several methods beside each other: a table with a row a method, each compared with the first one query by query.

use crate::bootstrap::Interval;
use crate::paired::{
    Judging, Measured, Paired, PairedError, check_same_queries, compare, measured, measured_setups,
    side_by_side,
};
use crate::{Evaluation, Protocol};
use serde::{Deserialize, Serialize};

/// Several evaluations of the same queries, the first one being what the others are compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Whose rules were used.
    pub protocol: Protocol,
    /// The main measure of the protocol.
    #[serde(flatten)]
    pub main: Table,
    /// One a setup of a revisited set in which queries count; none for other sets.
    pub setups: Vec<Table>,
    /// How intervals and p values were computed.
    #[serde(flatten)]
    pub judging: Judging,
}

/// One measure of all methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Such as `mAP`, `mAP-hard`, `MAP@R`.
    pub metric: String,
    /// How many queries count.
    pub queries: usize,
    /// A row a method, in the order given.
    pub rows: Vec<Row>,
}

/// One method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Mean over the queries that count.
    pub mean: f64,
    /// Interval of the mean.
    pub interval: Option<Interval>,
    /// Beside the first row; none for the first row itself.
    pub against_first: Option<AgainstFirst>,
}

/// A method beside the first one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgainstFirst {
    /// The two compared query by query, this one minus the first.
    #[serde(flatten)]
    pub paired: Paired,
    /// p after [`holm`]'s correction for the number of rows of the table.
    pub p_holm: f64,
}

impl Comparison {
    /// Compares each of the named evaluations with the first.
    ///
    /// # Errors
    /// When there is none, no query counts, or they are not of the same queries by the same protocol and ground truth.
    pub fn new(evaluations: &[(&str, &Evaluation)], judging: Judging) -> Result<Self, PairedError> {
        let (_, first) = evaluations.first().ok_or(PairedError::Nothing)?;
        for (_, other) in evaluations {
            check_same_queries(first, other)?;
        }
        let names: Vec<&str> = evaluations.iter().map(|(name, _)| *name).collect();
        let mains: Result<Vec<Measured>, _> = evaluations.iter().map(|(_, one)| measured(one)).collect();
        let by_setup: Vec<Vec<Measured>> = evaluations.iter().map(|(_, one)| measured_setups(one)).collect();
        let mut setups = Vec::new();
        for place in 0..by_setup[0].len() {
            let of_all: Option<Vec<&Measured>> = by_setup.iter().map(|one| one.get(place)).collect();
            let of_all = of_all.ok_or(PairedError::NothingCounts)?;
            setups.push(table(&names, &of_all, first, &judging)?);
        }
        Ok(Self {
            protocol: first.protocol,
            main: table(&names, &mains?.iter().collect::<Vec<_>>(), first, &judging)?,
            setups,
            judging,
        })
    }

    /// The tables that say something of their own: the main measure, or each setup where setups differ from it.
    pub fn tables(&self) -> Vec<&Table> {
        let same = |table: &Table| table.queries == self.main.queries && table.rows == self.main.rows;
        match self.setups.iter().all(same) {
            true => vec![&self.main],
            false => self.setups.iter().collect(),
        }
    }
}

/// `measures`: one a name, the first of `evaluation`.
fn table(
    names: &[&str],
    measures: &[&Measured],
    evaluation: &Evaluation,
    judging: &Judging,
) -> Result<Table, PairedError> {
    let mut rows = Vec::new();
    let mut queries = 0;
    for (place, (name, measure)) in names.iter().zip(measures).enumerate() {
        let pairs = side_by_side(measures[0], measure, &evaluation.queries)?;
        let (before, values): (Vec<f64>, Vec<f64>) = pairs.into_iter().flatten().map(|[a, b]| (a, b)).unzip();
        queries = values.len();
        let against_first = match place {
            0 => None,
            _ => {
                let paired = compare(&before, &values, judging)?;
                let p_holm = paired.p;
                Some(AgainstFirst { paired, p_holm })
            }
        };
        rows.push(Row {
            name: (*name).to_owned(),
            mean: values.iter().sum::<f64>() / values.len() as f64,
            interval: judging.bootstrap.interval(&values),
            against_first,
        });
    }
    let compared = || rows.iter().filter_map(|row| row.against_first.as_ref());
    let corrected = holm(&compared().map(|one| one.paired.p).collect::<Vec<_>>());
    let places = rows.iter_mut().filter_map(|row| row.against_first.as_mut());
    for (place, p) in places.zip(corrected) {
        place.p_holm = p;
    }
    Ok(Table {
        metric: measures[0].metric.clone(),
        queries,
        rows,
    })
}

/// p values corrected for their number, in the order given: those at most α after the correction are, together, wrong with a
/// chance of at most α. Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
///
/// ```
/// assert_eq!(sightline_eval::comparison::holm(&[0.04, 0.01, 0.5]), [0.08, 0.03, 0.5]);
/// ```
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (place, index) in order.into_iter().enumerate() {
        largest = largest.max(p_values[index] * (p_values.len() - place) as f64);
        corrected[index] = largest.min(1.0);
    }
    corrected
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Options, RankedLists, evaluate};
    use proptest::prelude::*;
    use sightline_dataset::{ClassicLists, Dataset, Query, RevisitedLists, Truth};

    proptest! {
        #[test]
        fn a_correction_never_lowers_p_and_keeps_the_order(p_values in prop::collection::vec(0.0_f64..1.0, 0..8)) {
            let corrected = holm(&p_values);
            for (p, after) in p_values.iter().zip(&corrected) {
                prop_assert!(p <= after && *after <= 1.0);
                // Holm's steps from the other side: the worst of all p up to this one, each times the number of those not smaller.
                let smaller = p_values.iter().filter(|other| *other <= p);
                let steps = smaller.map(|other| other * p_values.iter().filter(|one| *one >= other).count() as f64);
                prop_assert_eq!(*after, steps.fold(0.0, f64::max).min(1.0));
            }
        }
    }

    fn dataset(truth: Truth, queries: usize) -> Dataset {
        Dataset {
            images: (0..5).map(|image| format!("i{image}")).collect(),
            queries: (0..queries)
                .map(|query| Query {
                    name: format!("q{query}"),
                    bbox: None,
                })
                .collect(),
            truth,
            ..Dataset::default()
        }
    }

    fn evaluated(dataset: &Dataset, lists: &[[u32; 5]], protocol: Option<Protocol>) -> Evaluation {
        let lists = RankedLists::new(lists.iter().map(|list| list.to_vec()).collect(), false).unwrap();
        evaluate(dataset, &lists, protocol, &Options::default()).unwrap()
    }

    #[test]
    fn a_revisited_set_has_a_table_a_setup() {
        let lists = |easy: &[u32], hard: &[u32]| RevisitedLists {
            easy: easy.to_vec(),
            hard: hard.to_vec(),
            junk: vec![4],
        };
        // The second query has no hard image, the third nothing at all.
        let truth = Truth::Revisited(vec![lists(&[0], &[1]), lists(&[2], &[]), lists(&[], &[])]);
        let dataset = dataset(truth, 3);
        let before = evaluated(
            &dataset,
            &[[3, 0, 1, 2, 4], [0, 2, 1, 3, 4], [0, 1, 2, 3, 4]],
            None,
        );
        let after = evaluated(
            &dataset,
            &[[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]],
            None,
        );
        let named = [("none", &before), ("aqe", &after), ("again", &before)];
        let got = Comparison::new(&named, Judging::default()).unwrap();
        assert_eq!((got.main.metric.as_str(), got.main.queries), ("mAP", 2));
        let metrics: Vec<(&str, usize)> = got
            .setups
            .iter()
            .map(|table| (table.metric.as_str(), table.queries))
            .collect();
        assert_eq!(metrics, [("mAP-easy", 2), ("mAP-medium", 2), ("mAP-hard", 1)]);
        // The means are those of the evaluation, to the last bit.
        for (row, (_, evaluation)) in got.main.rows.iter().zip(named) {
            assert_eq!(Some(row.mean), evaluation.metrics.get("mAP"));
            let interval = evaluation.confidence_interval.as_ref().unwrap().interval;
            assert_eq!(row.interval, Some(interval));
        }
        for table in &got.setups {
            assert_eq!(Some(table.rows[1].mean), after.metrics.get(&table.metric));
        }
        assert_eq!(got.tables().len(), 3);
        assert_eq!(got.main.rows[0].against_first, None);
        let [aqe, again] = [1, 2].map(|row| got.main.rows[row].against_first.unwrap().paired);
        assert_eq!((aqe.wins, aqe.losses, aqe.ties), (1, 1, 0));
        assert_eq!((again.wins, again.losses, again.ties, again.p), (0, 0, 2, 1.0));
        // What is written can be read.
        let text = serde_json::to_string(&got).unwrap();
        assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), got);
        assert!(text.contains("\"p_holm\":1.0") && text.contains("\"samples\":100000"));
    }

    #[test]
    fn every_protocol_has_a_measure_of_its_own() {
        let named = |dataset: &Dataset, protocol| {
            let one = evaluated(dataset, &[[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]], Some(protocol));
            let got = Comparison::new(&[("a", &one), ("b", &one)], Judging::default()).unwrap();
            assert!(got.setups.is_empty() && got.tables() == [&got.main]);
            assert_eq!(Some(got.main.rows[1].mean), one.metrics.get(&got.main.metric));
            (got.main.metric, got.main.queries)
        };
        let lists = |ok: &[u32]| ClassicLists {
            ok: ok.to_vec(),
            junk: Vec::new(),
        };
        let classic = dataset(Truth::Classic(vec![lists(&[0, 3]), lists(&[1])]), 2);
        assert_eq!(named(&classic, Protocol::Cirtorch), ("mAP".to_owned(), 2));
        assert_eq!(named(&classic, Protocol::Gldv2), ("mAP@100".to_owned(), 2));
        assert_eq!(named(&classic, Protocol::Netvlad), ("R@1".to_owned(), 2));
        let labels = Truth::Labels {
            class_names: vec!["x".into(), "y".into(), "z".into()],
            images: vec![0, 0, 1, 1, 1],
            queries: Some(vec![0, 2]),
        };
        // No image has the second query's label.
        let labels = dataset(labels, 2);
        assert_eq!(named(&labels, Protocol::Recall), ("MAP@R".to_owned(), 1));
        assert_eq!(named(&labels, Protocol::Dirtorch), ("mAP".to_owned(), 1));
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        assert_eq!(
            Comparison::new(&[], Judging::default()),
            Err(PairedError::Nothing)
        );
        let empty = dataset(Truth::Classic(vec![ClassicLists::default()]), 1);
        let one = evaluated(&empty, &[[0, 1, 2, 3, 4]], None);
        assert_eq!(
            Comparison::new(&[("none", &one)], Judging::default()),
            Err(PairedError::NothingCounts)
        );
    }
}
